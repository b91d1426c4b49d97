//! What others say, close to the truth or far from it.

use twinstore_engine::*;
use twinstore_protocol::{Chain, Check, Cursor, LogId, N, Rejection, Seq, WireLimits};

use super::page::{Page, Value};
use crate::chance::Chance;

pub(super) fn message(page: &mut Page, chance: &mut Chance<'_>) -> Message<Value> {
    match chance.roll(16) {
        0..=7 => events(page, chance),
        8 | 9 => Message::Snapshot(part(page, chance)),
        10 | 11 => Message::Verdicts(chance.list(3, |chance| verdict(page, chance))),
        12 | 13 => Message::Refused {
            id: id(page, chance),
            refusal: refusal(chance),
            last: N(chance.number(0)),
        },
        14 => Message::Pong(near_head(page, chance)),
        _ => match chance.roll(4) {
            0 => Message::Failed,
            _ => welcome(page, chance),
        },
    }
}

pub(super) fn welcome(page: &mut Page, chance: &mut Chance<'_>) -> Message<Value> {
    let limits = WireLimits {
        batch_actions: [3, 500, 1, 0][chance.roll(4)],
        batch_bytes: [96 << 10, 20, 0, u32::MAX][chance.roll(4)],
        ..WireLimits::DEFAULT
    };
    Message::Welcome(Welcome {
        head: near_head(page, chance),
        reset: chance.one_in(8),
        schema: [1, 1, 1, 1, 1, 1, 2, 0][chance.roll(8)],
        ping_ms: [20_000, 1_000, 0, u32::MAX][chance.roll(4)],
        limits,
        settled: chance.list(2, |chance| settled(page, chance)),
    })
}

fn events(page: &mut Page, chance: &mut Chance<'_>) -> Message<Value> {
    let log = log(page, chance);
    let place = page.engine.status().cursor.0;
    let after = if chance.one_in(6) { chance.number(place) } else { place };
    let mut seq = after;
    let events = chance.list(4, |chance| {
        seq = if chance.one_in(16) { chance.number(seq) } else { seq.saturating_add(1) };
        event(page, &log, seq, chance)
    });
    let check = chance.one_in(8).then(|| Check { schema: 1, sum: chance.number(0) });
    Message::Events(Events { log, after: Seq(after), events, check })
}

fn event(page: &mut Page, log: &LogId, seq: u64, chance: &mut Chance<'_>) -> Event<Value> {
    let id = (!chance.one_in(6)).then(|| id(page, chance));
    // A number names one action for ever: the engine does not compare what it knows with what it hears.
    let own = id.and_then(|id| page.engine.pending().find(|(e, _)| e.id == id));
    let own = own.map(|(e, _)| e.action.clone());
    let action = own.or_else(|| Some(Value::Action(u16::try_from(chance.roll(100)).ok()?)));
    let error = chance.one_in(5).then(rejection);
    let action = action.filter(|_| error.is_none() && !chance.one_in(4));
    Event { seq: Seq(seq), id, action, error, chain: chain(log, seq) }
}

fn part(page: &Page, chance: &mut Chance<'_>) -> SnapshotPart<Value> {
    let log = (!chance.one_in(8)).then(|| log(page, chance));
    let seq = chance.number(page.engine.status().head.0);
    SnapshotPart {
        chain: log.as_ref().map_or_else(Chain::default, |log| chain(log, seq)),
        log,
        seq: Seq(seq),
        part: [1, 1, 2, 3, u32::MAX][chance.roll(5)],
        parts: [1, 1, 2, 3, 0][chance.roll(5)],
        bytes: chance.roll(600),
        data: Value::Text,
    }
}

pub(super) fn snapshot(page: &mut Page, chance: &mut Chance<'_>) -> Input<Value> {
    let state = chance.list(3, |chance| u16::try_from(chance.roll(100)).unwrap_or(0));
    let settled = chance.list(2, |chance| settled(page, chance));
    let rejections = chance.list(2, |chance| verdict(page, chance));
    Input::SnapshotRead { state: Value::State(state), settled, rejections }
}

fn verdict(page: &mut Page, chance: &mut Chance<'_>) -> Verdict {
    let error = chance.one_in(3).then(rejection);
    Verdict { id: id(page, chance), seq: near_head(page, chance), error }
}

fn refusal(chance: &mut Chance<'_>) -> Refusal {
    let names = [
        "gap",
        "overlap",
        "too-large",
        "too-deep",
        "not-plain",
        "too-old",
        "other-subject",
        "reset",
        "busy",
        "?",
    ];
    Refusal::of(names[chance.roll(names.len())])
}

/// Where storage stands now, for a page that reads again: as it left it, or as other tabs have.
pub(super) fn stored(page: &mut Page, chance: &mut Chance<'_>) -> Option<StoredState<Value>> {
    if chance.one_in(8) {
        return None;
    }
    if chance.roll(2) == 0 {
        for entry in entries(page, chance) {
            page.stored_by_others(&[entry]);
        }
    }
    if chance.roll(3) == 0 {
        page.lose_entry(chance);
    }
    if chance.roll(3) == 0 && !page.engine.leads() {
        led_on(page, chance);
    }
    Some(page.read_disk())
}

/// The leader has written on, or in another log.
fn led_on(page: &mut Page, chance: &mut Chance<'_>) {
    let log = log(page, chance);
    let place = page.disk.cursor.as_ref().map_or(0, |c| c.seq.0);
    let seq = chance.number(place.saturating_add(1));
    if page.disk.cursor.as_ref().is_none_or(|c| c.log != log || c.seq.0 < seq) {
        page.disk.events.push(StoredEvent { seq: Seq(seq), action: Value::Action(7) });
        // Other events, another chain: equal cursors mean equal histories.
        let chain = Chain(format!("{log}:{seq}, led"));
        page.disk.cursor = Some(Cursor { log, seq: Seq(seq), chain, schema: None });
    }
}

/// Entries of other clients, as storage or another tab gives them.
pub(super) fn entries(page: &mut Page, chance: &mut Chance<'_>) -> Vec<Entry<Value>> {
    let order = page.engine.pending().last().map_or(0, |(e, _)| e.order);
    let mut entries = chance.list(3, |chance| {
        let client = other(page, chance);
        let n = N(chance.number(2));
        let from = if chance.one_in(4) { N(chance.number(n.0)) } else { n };
        Entry {
            id: Id { client, n },
            from,
            order: chance.number(order),
            schema: 1,
            bytes: chance.small(),
            held: chance.one_in(6).then_some(HeldReason::Reset),
            action: Value::Action(u16::try_from(chance.roll(100)).unwrap_or(0)),
        }
    });
    // One row an id, by order: as the driver reads them.
    entries.sort_by_key(|e| (e.order, e.id.n));
    let mut seen = Vec::new();
    entries.retain(|e| {
        !seen.contains(&e.id) && {
            seen.push(e.id);
            true
        }
    });
    entries.retain(|e| !page.engine.pending().any(|(known, _)| known.id == e.id));
    entries
}

/// A client that is not this page.
pub(super) fn other(page: &mut Page, chance: &mut Chance<'_>) -> Client {
    page.engine.add_client(["x", "y"][chance.roll(2)])
}

fn id(page: &mut Page, chance: &mut Chance<'_>) -> Id {
    let pending: Vec<_> = page.engine.pending().map(|(e, _)| e.id).collect();
    match chance.roll(8) {
        0..=3 if !pending.is_empty() => pending[0],
        4 | 5 if !pending.is_empty() => pending[chance.roll(pending.len())],
        6 => Id { client: Client::STRANGER, n: N(chance.number(1)) },
        _ => settled(page, chance),
    }
}

fn settled(page: &mut Page, chance: &mut Chance<'_>) -> Id {
    let client = if chance.roll(2) == 0 { Client::OWN } else { other(page, chance) };
    Id { client, n: N(chance.number(page.engine.next_n().0.saturating_sub(2))) }
}

fn log(page: &Page, chance: &mut Chance<'_>) -> LogId {
    match page.engine.cursor() {
        Some(cursor) if !chance.one_in(16) => cursor.log.clone(),
        _ => LogId(["l1", "l2"][chance.roll(2)].to_owned()),
    }
}

fn near_head(page: &Page, chance: &mut Chance<'_>) -> Seq {
    Seq(chance.number(page.engine.status().head.0))
}

fn chain(log: &LogId, seq: u64) -> Chain {
    Chain(format!("{log}:{seq}"))
}

fn rejection() -> Rejection {
    Rejection { code: "invalid".into(), reason: "so it is".into() }
}

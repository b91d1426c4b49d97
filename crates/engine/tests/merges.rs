//! Goal: the properties of `merge`, over seeded cases: a rebase of nothing is the identity, duplicates change
//! nothing, pending actions keep their order, and what it spares to fold gives the same state (I1).

mod common;

use common::Dice;
use twinstore_engine::{Engine, Fate, Id, Limits, Merge, merge};
use twinstore_protocol::N;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

struct Case {
    shown: Vec<Id>,
    /// Each event with whether it was accepted.
    events: Vec<(Id, bool)>,
}

/// Client `a` shows some actions; the log has some of them, in its order, and others' between.
fn case(seed: u64) -> Case {
    let mut dice = Dice(seed);
    let mut engine = Engine::<u64>::new(common::config("a", Limits::default()));
    let mut name =
        |client: &str, n: u32| Id { client: engine.add_client(client), n: N(u64::from(n)) };
    let shown: Vec<_> = (1..=dice.roll(5)).map(|n| name("a", n)).collect();
    let mut decided = shown.clone().into_iter();
    let mut events = Vec::new();
    for n in 1..=dice.roll(6) {
        let event = match dice.roll(3) {
            0 => name("b", n),
            _ => decided.next().unwrap_or_else(|| name("c", n)),
        };
        events.push((event, dice.roll(4) > 0));
    }
    Case { shown, events }
}

fn fates(case: &Case) -> impl Iterator<Item = Fate> {
    case.events.iter().map(|(id, accepted)| match accepted {
        true => Fate::Fold(*id),
        false if case.shown.contains(id) => Fate::Reject,
        false => Fate::Skip,
    })
}

fn merged(case: &Case) -> Merge {
    merge(case.shown.iter().copied(), fates(case))
}

/// Confirmed and shown as the whole log says.
fn by_the_log(case: &Case) -> (Vec<Id>, Vec<Id>) {
    let accepted = case.events.iter().filter(|(_, accepted)| *accepted);
    let decided = |name: &&Id| case.events.iter().any(|(event, _)| event == *name);
    let shown = case.shown.iter().filter(|name| !decided(name)).copied().collect();
    (accepted.map(|(id, _)| *id).collect(), shown)
}

/// Confirmed and visible as the answer says.
fn by_the_answer(case: &Case, answer: Merge) -> (Vec<Id>, Vec<Id>) {
    let (count, at) = match answer {
        Merge::Ignore => (0, case.events.len()),
        Merge::Advance { count } => (count, case.events.len()),
        Merge::Rebase { count, at } => (count, at),
    };
    let mut confirmed = case.shown[..count].to_vec();
    let news = case.events[at..].iter().filter(|(_, accepted)| *accepted);
    confirmed.extend(news.map(|(id, _)| *id));
    let decided = |name: &&Id| case.events[at..].iter().any(|(event, _)| event == *name);
    let shown = case.shown[count..].iter().filter(|name| !decided(name)).copied().collect();
    (confirmed, shown)
}

#[test]
fn the_answer_says_what_the_log_says() {
    for seed in 0..5_000 {
        let case = case(seed);
        assert_eq!(by_the_answer(&case, merged(&case)), by_the_log(&case), "seed {seed}");
    }
}

#[test]
fn without_a_rebase_nothing_that_is_seen_changes() {
    for seed in 0..5_000 {
        let case = case(seed);
        let answer = merged(&case);
        if !matches!(answer, Merge::Rebase { .. }) {
            let (mut visible, shown) = by_the_log(&case);
            visible.extend(shown);
            assert_eq!(visible, case.shown, "seed {seed}: {answer:?}");
        }
    }
}

#[test]
fn a_rebase_begins_where_something_changes() {
    for seed in 0..5_000 {
        let case = case(seed);
        if let Merge::Rebase { count, at } = merged(&case) {
            let (name, accepted) = &case.events[at];
            let next = case.shown.get(count);
            assert!(!accepted || next != Some(name), "seed {seed}: an advance was left out");
            assert!(*accepted || case.shown.contains(name), "seed {seed}: nothing changes there");
        }
    }
}

#[test]
fn no_events_are_the_identity() {
    for seed in 0..1_000 {
        let case = Case { events: Vec::new(), ..case(seed) };
        assert_eq!(merged(&case), Merge::Ignore, "seed {seed}");
    }
}

#[test]
fn duplicates_change_nothing() {
    let mut server = common::Server::new();
    let mut page = common::Page::online("a", &mut server);
    let mut dice = Dice(1);
    for action in 1..200 {
        page.dispatch(0, action);
        page.exchange(0, &mut server);
        let before = (page.visible.clone(), page.rebases, page.advances, page.notices.len());
        let after = twinstore_protocol::Seq(u64::from(dice.roll(1 + page.known())));
        for message in server.news(after) {
            page.receive(0, message);
        }
        let after = (page.visible.clone(), page.rebases, page.advances, page.notices.len());
        assert_eq!(before, after);
    }
}

#[test]
fn pending_actions_keep_their_order() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let mut server = common::Server::new();
        let mut page = common::Page::online("a", &mut server);
        for action in 1..30 {
            match dice.roll(3) {
                0 => page.dispatch(0, action),
                1 => server.append("b", action),
                _ => page.exchange_one(0, &mut server),
            }
            page.hear(0, &server);
            let pending: Vec<_> = page.engine.pending().map(|(entry, _)| entry.id.n).collect();
            assert!(pending.is_sorted(), "seed {seed}: {pending:?}");
            let shown = page.visible[page.confirmed.len()..].to_vec();
            assert!(shown.is_sorted(), "seed {seed}: {shown:?}");
        }
    }
}

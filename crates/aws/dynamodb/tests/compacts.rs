//! Goal: a compaction that dies at any of its calls leaves a stream as it was, or compacted, and the
//! next one does what it left; nothing that clients may still ask is lost with the events.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use std::thread;

use common::{open, prefix, with_faults};
use twinstore_dynamodb::DynamoLog;
use twinstore_protocol::{ClientId, N, RejectionRow, Seq};
use twinstore_server::day::Day;
use twinstore_server::log::conformance::{Sample, append};
use twinstore_server::log::{AppendError, Compaction, Log, Page, Snapshot, Verdict};

const ALL: Page = Page { events: 10_000, bytes: usize::MAX };
const BASE: Seq = Seq(8);
const HEAD: u64 = 11;
/// 2026-02-02: after all events, and after the day of one of the clients.
const SINCE: u64 = 1_770_000_000_000;

/// One who is still for long, and one who is not.
fn clients() -> [Sample; 2] {
    let old = Sample { client: ClientId("20250101-old".to_owned()), ..Sample::new("m/x") };
    [old, Sample::new("m/x")]
}

/// Events 1 to 3 of the old one, 4 to 11 of the other; 4 to 9 lie in one pack.
fn fill(log: &DynamoLog) {
    let [old, new] = clients();
    append(log, old.append(3)).unwrap();
    append(log, new.append_after(3, 6)).unwrap();
    append(log, new.append_after(9, 2)).unwrap();
    log.put_snapshot(&new.stream, state(2));
}

/// A state of more than an item.
fn state(seq: u64) -> Snapshot {
    let state = format!("{seq:09}").repeat(50_000);
    Snapshot { seq: Seq(seq), model: "h".to_owned(), state }
}

fn to(log: &DynamoLog, seq: Seq) -> Compaction {
    let head = log.head(&clients()[1].stream).unwrap().unwrap();
    Compaction { head, base: state(seq.0), forget: Vec::new(), clients_since: SINCE }
}

/// What a client may ask: its last number, why its actions were rejected, and the verdict of each.
type Known = (N, Vec<RejectionRow>, Vec<Option<Verdict>>);

fn known(log: &DynamoLog, of: &Sample) -> Known {
    let Sample { stream, client, .. } = of;
    let verdict = |n| log.verdict(stream, client, N(n)).unwrap();
    let last = log.last_n(stream, client).unwrap();
    let rejections = log.rejections(stream, client, N(0), 99).unwrap();
    (last, rejections, (1..=2 * HEAD + 1).map(verdict).collect())
}

/// The same, but that of accepted actions whose events are gone is known only that they were; and so of
/// numbers that a client never used.
fn without_events((last, rejections, verdicts): Known) -> Known {
    let accepted = |n: u64| Verdict { n: N(n), seq: BASE, error: None };
    let gone = |verdict: Option<Verdict>, n: u64| match verdict {
        None if n <= last.0 => Some(accepted(n)),
        Some(Verdict { seq, error: None, .. }) if seq <= BASE => Some(accepted(n)),
        verdict => verdict,
    };
    let verdicts = verdicts.into_iter().zip(1..).map(|(verdict, n)| gone(verdict, n));
    (last, rejections, verdicts.collect())
}

#[test]
fn dying_at_any_call() {
    let at_once = 6;
    for arrives in [false, true] {
        let first = (0..).map(|turn| 1 + turn * at_once).find(|first| {
            let calls = *first..*first + at_once;
            let dies = |call| move || dying_at(call, arrives);
            let dying: Vec<_> = calls.map(|call| thread::spawn(dies(call))).collect();
            dying.into_iter().any(|dying| !dying.join().unwrap())
        });
        assert!(first > Some(20), "so few calls: {first:?}");
    }
}

/// False: it takes fewer calls, and does not die.
fn dying_at(call: u32, arrives: bool) -> bool {
    let [old, new] = clients();
    let prefix = prefix();
    let log = open(&prefix);
    fill(&log);
    let before = [known(&log, &old), known(&log, &new)];
    let (mortal, faults) = with_faults(&prefix);
    let compaction = to(&log, BASE);
    faults.die_after(call, arrives);
    let outcome = mortal.compact(&new.stream, compaction);
    if faults.is_dead() {
        as_it_was_or_compacted(&open(&prefix), &before, call);
        let log = open(&prefix);
        log.finish_compaction(&new.stream).unwrap();
        if log.base(&new.stream).unwrap().is_none() {
            assert_eq!(log.compact(&new.stream, to(&log, BASE)).unwrap(), BASE.0);
        }
    } else {
        assert_eq!(outcome.unwrap(), BASE.0);
    }
    is_compacted(&open(&prefix), before);
    faults.is_dead()
}

/// What is asked is answered as ever, whether or not the base has moved.
fn as_it_was_or_compacted(log: &DynamoLog, before: &[Known; 2], call: u32) {
    let [old, new] = clients();
    let events = log.read(&new.stream, Seq(0), ALL).unwrap();
    let first = events[0].seq;
    assert!(events.iter().map(|event| event.seq.0).eq(first.0..=HEAD), "{call}: no hole");
    let base = log.base(&new.stream).unwrap();
    match &base {
        None => assert_eq!(first, Seq(1), "{call}: all are there"),
        Some(base) => {
            // What is to be swept out is not seen.
            assert_eq!((base.seq, first), (BASE, BASE.next()), "{call}");
            assert_eq!(log.chain(&new.stream, BASE).unwrap().as_ref(), Some(&base.chain));
            assert_eq!(log.chain(&new.stream, Seq(BASE.0 - 1)).unwrap(), None);
            assert_eq!(log.snapshot(&new.stream, Seq(BASE.0 - 1)).unwrap(), None);
            assert_eq!(log.snapshot(&new.stream, Seq::MAX).unwrap(), Some(state(BASE.0)));
        }
    }
    let now = [known(log, &old), known(log, &new)];
    assert_eq!(without_events(now[1].clone()), without_events(before[1].clone()), "{call}");
    let is_forgotten = now[0].0 == N(0);
    match is_forgotten {
        true => assert!(base.is_some() && now[0].2.iter().all(Option::is_none), "{call}"),
        false => assert_eq!(without_events(now[0].clone()), without_events(before[0].clone())),
    }
}

fn is_compacted(log: &DynamoLog, before: [Known; 2]) {
    let [old, new] = clients();
    let stream = &new.stream;
    let [_, before] = before;
    assert_eq!(log.read(stream, Seq(0), ALL).unwrap()[0].seq, BASE.next());
    assert_eq!(log.snapshot(stream, Seq(BASE.0 - 1)).unwrap(), None);
    assert_eq!(log.clients_since(stream).unwrap(), Day(20_260_202));
    let nothing = (N(0), Vec::new(), vec![None; before.2.len()]);
    assert_eq!(known(log, &new), without_events(before));
    assert_eq!(known(log, &old), nothing);
    append(log, new.append_after(HEAD, 1)).unwrap();
}

#[test]
fn the_bases_state_stays() {
    let log = open(&prefix());
    let Sample { stream, .. } = &clients()[1];
    fill(&log);
    log.compact(stream, to(&log, BASE)).unwrap();
    // A worker that comes late with the same one; and newer ones, of which some are kept.
    for seq in BASE.0..=HEAD {
        log.put_snapshot(stream, state(seq));
    }
    assert_eq!(log.snapshot(stream, BASE).unwrap(), Some(state(BASE.0)));
    assert_eq!(log.snapshot(stream, Seq::MAX).unwrap(), Some(state(HEAD)));
}

#[test]
fn where_it_begins_comes_with_the_head() {
    let prefix = prefix();
    let log = open(&prefix);
    let Sample { stream, .. } = &clients()[1];
    fill(&log);
    log.compact(stream, to(&log, BASE)).unwrap();
    // So a load costs what it did.
    let (log, faults) = with_faults(&prefix);
    let opened = faults.sent().len();
    assert_eq!(log.head(stream).unwrap().unwrap().seq, Seq(HEAD));
    assert_eq!(log.base(stream).unwrap().unwrap().seq, BASE);
    assert_eq!(log.clients_since(stream).unwrap(), Day(20_260_202));
    assert_eq!(faults.sent()[opened..], ["GetItem"]);
    assert_eq!(log.read(stream, BASE, ALL).unwrap().len(), 3);
    assert_eq!(faults.sent()[opened..], ["GetItem", "Query"]);
}

#[test]
fn another_process_goes_on_behind_the_base() {
    let prefix = prefix();
    let (log, other) = (open(&prefix), open(&prefix));
    let [old, new] = clients();
    fill(&other);
    log.compact(&new.stream, Compaction { clients_since: 0, ..to(&log, Seq(HEAD)) }).unwrap();
    // It remembers packs that are gone; and where the stream began, so that it reads what became of it before it
    // decides anything: somebody whom it does not know may have been forgotten.
    let moved = append(&other, new.append_after(HEAD, 1));
    assert!(matches!(moved, Err(AppendError::Conflict { .. })), "{moved:?}");
    append(&other, new.append_after(HEAD, 1)).unwrap();
    append(&other, old.append_after(HEAD + 1, 1)).unwrap();
    let verdict = |of: &Sample, n| other.verdict(&of.stream, &of.client, N(n)).unwrap().unwrap();
    assert_eq!(verdict(&new, 2 * HEAD + 2).seq, Seq(HEAD + 1));
    assert_eq!(verdict(&old, 2 * HEAD + 4).seq, Seq(HEAD + 2));
    assert_eq!(verdict(&old, 6).error.unwrap().reason, "event 3");
    assert_eq!(verdict(&new, 8), Verdict { n: N(8), seq: Seq(HEAD), error: None });
    assert_eq!(other.read(&new.stream, Seq(0), ALL).unwrap().len(), 2);
}

//! Goal: whatever becomes of calls, and however many write, an append is written once and told
//! truly; clients' verdicts are found wherever they lie.

mod common;

use std::thread;

use common::{How, open, prefix, with_faults};
use twinstore_protocol::{ClientId, N, Seq};
use twinstore_server::log::conformance::{Sample, append};
use twinstore_server::log::{AppendError, Log, Page};

const ALL: Page = Page { events: 10_000, bytes: usize::MAX };
const CONFLICT: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","message":"cancelled","CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict","Message":"ongoing"}]}"#;
const THROTTLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}"#;

#[test]
fn a_lost_answer_is_read_back() {
    let (log, faults) = with_faults(&prefix());
    let sample = Sample::new("m/x");
    append(&log, sample.append(1)).unwrap();
    faults.plan("TransactWriteItems", 0, How::Lost);
    let second = sample.append_after(1, 2);
    assert_eq!(append(&log, second.clone()).unwrap(), second.head());
    assert_eq!(log.read(&sample.stream, Seq(0), ALL).unwrap().len(), 3);
}

#[test]
fn what_did_not_arrive_is_not_told() {
    let (log, faults) = with_faults(&prefix());
    let sample = Sample::new("m/x");
    append(&log, sample.append(1)).unwrap();
    faults.plan("TransactWriteItems", 0, How::Unsent);
    let outcome = append(&log, sample.append_after(1, 1));
    assert!(
        matches!(outcome, Err(AppendError::Failed(_) | AppendError::Unknown(_))),
        "{outcome:?}"
    );
    assert_eq!(log.head(&sample.stream).unwrap().unwrap().seq, Seq(1));
    append(&log, sample.append_after(1, 1)).unwrap();
}

#[test]
fn an_outcome_that_cannot_be_read_back_is_unknown() {
    let (log, faults) = with_faults(&prefix());
    let sample = Sample::new("m/x");
    append(&log, sample.append(1)).unwrap();
    faults.plan("TransactWriteItems", 0, How::Lost);
    faults.plan("GetItem", 0, How::Lost);
    let outcome = append(&log, sample.append_after(1, 1));
    assert!(matches!(outcome, Err(AppendError::Unknown(_))), "{outcome:?}");
    assert_eq!(log.head(&sample.stream).unwrap().unwrap().seq, Seq(2), "it was written");
}

#[test]
fn who_is_in_the_way_is_waited_for() {
    let (log, faults) = with_faults(&prefix());
    let sample = Sample::new("m/x");
    append(&log, sample.append(1)).unwrap();
    // Written, and told to be cancelled: the token makes one write of both tries.
    for body in [CONFLICT, THROTTLED, CONFLICT] {
        faults.plan("TransactWriteItems", 0, How::Answered(body));
    }
    let second = sample.append_after(1, 1);
    assert_eq!(append(&log, second.clone()).unwrap(), second.head());
    let sent = faults.sent().iter().filter(|name| *name == "TransactWriteItems").count();
    assert!(sent >= 5, "{sent} tries");
    assert_eq!(log.read(&sample.stream, Seq(0), ALL).unwrap().len(), 2);
}

#[test]
fn another_process_moves_the_head_and_nothing_is_lost() {
    let prefix = prefix();
    let logs = [open(&prefix), open(&prefix), open(&prefix)];
    append(&logs[0], Sample::new("m/x").append(1)).unwrap();
    let writers: Vec<_> = logs
        .into_iter()
        .enumerate()
        .map(|(number, log)| {
            thread::spawn(move || {
                let client = ClientId(format!("20261124-{number}"));
                let sample = Sample { client, ..Sample::new("m/x") };
                let (mut won, mut lost) = (0, 0);
                while won < 10 {
                    let head = log.head(&sample.stream).unwrap().unwrap();
                    match append(&log, sample.append_after(head.seq.0, 2)) {
                        Ok(_) => won += 1,
                        Err(AppendError::Conflict { .. }) => lost += 1,
                        Err(error) => panic!("{error:?}"),
                    }
                    assert!(lost < 1_000, "nobody gets through");
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let log = open(&prefix);
    let events = log.read(&Sample::new("m/x").stream, Seq(0), ALL).unwrap();
    let seqs: Vec<_> = events.iter().map(|event| event.seq.0).collect();
    assert_eq!(seqs, (1..=61).collect::<Vec<_>>());
    for event in &events {
        let verdict = log.verdict(&Sample::new("m/x").stream, &event.client, event.n).unwrap();
        assert_eq!(verdict.map(|v| (v.n, v.seq)), Some((event.n, event.seq)));
    }
}

#[test]
fn one_client_through_two_processes() {
    let prefix = prefix();
    let (one, two) = (open(&prefix), open(&prefix));
    let sample = Sample::new("m/x");
    append(&one, sample.append(2)).unwrap();
    append(&two, sample.append_after(2, 3)).unwrap();
    // The first still believes in the client's old place: it is told so, and then knows better.
    let late = append(&one, sample.append_after(5, 1));
    assert!(matches!(late, Err(AppendError::Conflict { .. })), "{late:?}");
    append(&one, sample.append_after(5, 1)).unwrap();
    let Sample { stream, client, .. } = &sample;
    let places: Vec<_> =
        (1..=12).map(|n| one.verdict(stream, client, N(n)).unwrap().unwrap().seq.0).collect();
    assert_eq!(places, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
    let rows = |from| one.rejections(stream, client, N(from), 9).unwrap().len();
    assert_eq!([rows(0), rows(6), rows(7), rows(12), rows(13)], [2, 2, 1, 1, 0]);
}

#[test]
fn many_clients_and_many_packs_in_one_append() {
    let log = open(&prefix());
    let sample = Sample::new("m/x");
    let mut crowd = sample.append(64);
    for (number, event) in crowd.events.iter_mut().enumerate() {
        let text = format!(r#""client":"{}""#, event.client);
        event.client = ClientId(format!("20261124-{number}"));
        event.body = event.body.replace(&text, &format!(r#""client":"{}""#, event.client));
    }
    append(&log, crowd.clone()).unwrap();
    assert_eq!(log.read(&sample.stream, Seq(0), ALL).unwrap(), crowd.events);
    let last = &crowd.events[63];
    assert_eq!(log.last_n(&sample.stream, &last.client).unwrap(), last.n);
    // 600 KB: two packs, and one client in both.
    let mut large = sample.append_after(64, 10);
    for event in &mut large.events {
        let long = "x".repeat(60_000);
        event.body = event.body.replace("sample\",", &format!("sample\",\"long\":\"{long}\","));
        event.aside = None;
        event.error = None;
    }
    large.events.retain(|event| event.body.contains("long"));
    let renumbered = large.events.len() as u64;
    for (event, seq) in large.events.iter_mut().zip(65..) {
        event.body =
            event.body.replace(&format!("\"seq\":{},", event.seq.0), &format!("\"seq\":{seq},"));
        event.seq = Seq(seq);
    }
    append(&log, large.clone()).unwrap();
    let read = log.read(&sample.stream, Seq(64), ALL).unwrap();
    assert_eq!(read, large.events);
    assert!(renumbered > 5);
    for event in &large.events {
        let verdict = log.verdict(&sample.stream, &sample.client, event.n).unwrap().unwrap();
        assert_eq!(verdict.seq, event.seq);
        assert_eq!(log.chain(&sample.stream, event.seq).unwrap().as_ref(), Some(&event.chain));
    }
}

#[test]
fn heads_of_those_that_have_events() {
    let log = open(&prefix());
    let samples = ["m/b", "other/a", "m/a", "m/none", "never/run"].map(Sample::new);
    for (sample, events) in samples.iter().zip(1..4) {
        append(&log, sample.append(events)).unwrap();
    }
    let streams = samples.map(|sample| sample.stream);
    let mut heads: Vec<_> =
        log.heads(&streams).unwrap().iter().map(|(id, head)| format!("{id} {}", head.0)).collect();
    heads.sort();
    assert_eq!(heads, ["m/a 3", "m/b 1", "other/a 2"]);
    assert!(log.is_shared());
}

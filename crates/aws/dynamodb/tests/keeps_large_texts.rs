//! Goal: what does not fit an item or a transaction is kept all the same, and what was cut off on
//! its way is mended.

mod common;

use common::{How, open, prefix, with_faults};
use twinstore_protocol::Seq;
use twinstore_server::log::conformance::{Sample, append};
use twinstore_server::log::{Append, Derived, Log, Snapshot, StoredModel};

type Changed = Vec<(String, Option<String>)>;

fn with_records(sample: &Sample, after: u64, records: Changed) -> Append {
    Append { records, ..sample.append_after(after, 1) }
}

fn many(count: usize, text: &str) -> Changed {
    (0..count).map(|number| (format!("{number:04}"), Some(text.to_owned()))).collect()
}

#[test]
fn records_beyond_a_transaction() {
    let log = open(&prefix());
    let sample = Sample::new("m/x");
    append(&log, with_records(&sample, 0, many(300, "1"))).unwrap();
    assert_eq!(log.records(&sample.stream).unwrap().len(), 300);
    assert!(!log.owes_records(&sample.stream).unwrap());
    // Half a megabyte, and a name longer than a key.
    let long = "ü".repeat(600_000);
    let name = "n".repeat(2_000);
    let records =
        vec![("0001".to_owned(), Some(long.clone())), (name.clone(), Some("2".to_owned()))];
    append(&log, with_records(&sample, 1, records)).unwrap();
    let stored = log.records(&sample.stream).unwrap();
    assert_eq!(stored.len(), 301);
    assert_eq!(stored[1], ("0001".to_owned(), long));
    assert_eq!(stored[300], (name, "2".to_owned()));
    append(&log, with_records(&sample, 2, vec![("0001".to_owned(), None)])).unwrap();
    assert_eq!(log.records(&sample.stream).unwrap().len(), 300);
}

#[test]
fn records_that_were_cut_off_are_owed_and_mended() {
    let (log, faults) = with_faults(&prefix());
    let sample = Sample::new("m/x");
    append(&log, with_records(&sample, 0, many(1, "0"))).unwrap();
    faults.plan("PutItem", 40, How::Unsent);
    append(&log, with_records(&sample, 1, many(200, "1"))).unwrap();
    assert!(log.owes_records(&sample.stream).unwrap());
    // An append that comes later does not hide it.
    append(&log, with_records(&sample, 2, vec![("0007".to_owned(), None)])).unwrap();
    append(&log, with_records(&sample, 3, many(1, "2"))).unwrap();
    append(&log, with_records(&sample, 4, many(120, "1"))).unwrap();
    assert!(log.owes_records(&sample.stream).unwrap());
    let mut records: Vec<_> =
        many(200, "1").into_iter().map(|(name, record)| (name, record.unwrap())).collect();
    records.remove(199);
    let head = log.head(&sample.stream).unwrap().unwrap();
    let derived = Derived { head, records: records.clone(), clients: vec![], snapshots: vec![] };
    log.replace_derived(&sample.stream, derived).unwrap();
    assert!(!log.owes_records(&sample.stream).unwrap());
    assert_eq!(log.records(&sample.stream).unwrap(), records);
}

#[test]
fn a_large_state_and_a_large_model() {
    let log = open(&prefix());
    let sample = Sample::new("m/x");
    append(&log, sample.append(3)).unwrap();
    let state = format!("\"{}\"", "ä€".repeat(300_000));
    for seq in 1..=3 {
        let (model, state) = ("h".to_owned(), state.clone());
        log.put_snapshot(&sample.stream, Snapshot { seq: Seq(seq), model, state });
    }
    assert_eq!(log.snapshot(&sample.stream, Seq(2)).unwrap().unwrap().state, state);
    assert_eq!(log.snapshot(&sample.stream, Seq(1)).unwrap(), None);
    let model = StoredModel {
        hash: "large".to_owned(),
        name: "m".to_owned(),
        schema: 1,
        source: "//".repeat(400_000),
    };
    log.put_model(model.clone()).unwrap();
    assert_eq!(log.model("large").unwrap(), Some(model));
}

#[test]
fn calls_are_counted_in_units() {
    let log = open(&prefix());
    let sample = Sample::new("m/x");
    append(&log, sample.append(1)).unwrap();
    let before = log.meter().write_units();
    append(&log, sample.append_after(1, 1)).unwrap();
    // Pack, client and head, each below a kilobyte, twice for the transaction. DynamoDB Local
    // counts two more.
    let units = log.meter().write_units() - before;
    assert!((6..=8).contains(&units), "{units}");
    let before = log.meter().read_units();
    log.head(&sample.stream).unwrap();
    assert_eq!(log.meter().read_units() - before, 1);
}

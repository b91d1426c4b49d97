//! Goal: the formulas of `twinstore cost` say what an append is really counted as.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::dice::Dice;
use common::{open, prefix};
use twinstore_cost::{Assumed, Run, Topology};
use twinstore_dynamodb::DynamoLog;
use twinstore_protocol::{Chain, ClientId, LogId, N, Seq, StreamId};
use twinstore_server::event::{Parts, StoredEvent};
use twinstore_server::log::Append;
use twinstore_server::log::conformance::append;

/// One twin that sends a run's actions, a message an append.
struct Sender {
    log: DynamoLog,
    stream: StreamId,
    chain: Chain,
    seq: u64,
    dice: Dice,
}

impl Sender {
    /// A stream that has begun, whose client is known: that is not foretold.
    fn new() -> Self {
        let stream = StreamId::parse("salesOrder/acme").unwrap();
        let (log, chain) = (open(&prefix()), Chain::default());
        let mut sender = Self { log, stream, chain, seq: 0, dice: Dice(1) };
        sender.send(&Run { records: 0, ..Run::default() }, 1);
        sender
    }

    /// Appends some actions, and gives the units that they took.
    fn send(&mut self, run: &Run, actions: u64) -> u64 {
        let before = self.log.meter().write_units();
        let after = Seq(self.seq);
        let events = (0..actions).map(|_| self.event(run.bytes)).collect();
        let text = "r".repeat(usize::try_from(run.record_bytes).unwrap());
        // Of one size each: an item that was larger before is counted as what it was.
        let size = run.record_bytes;
        let records = (0..run.records.min(actions))
            .map(|number| (format!("order-{size}-{number}"), Some(text.clone())))
            .collect();
        let (stream, log) = (self.stream.clone(), LogId("Vq3nX0b1TzK9".to_owned()));
        append(&self.log, Append { stream, log, after, events, records, bound: Vec::new() })
            .unwrap();
        self.log.meter().write_units() - before
    }

    fn event(&mut self, bytes: u64) -> StoredEvent {
        self.seq += 1;
        // An action of that many bytes, as JSON.
        let around = r#"{"type":"put","text":""}"#.len();
        let text = self.dice.text(bytes - around as u64);
        let action = format!(r#"{{"type":"put","text":"{text}"}}"#);
        let parts = Parts {
            seq: Seq(self.seq),
            client: &ClientId("20261124-k3v9q0xw7m2d".to_owned()),
            n: N(self.seq),
            from: None,
            at: 1_795_489_313_455,
            kind: "put",
            model: "dbfeaced31366afb",
            schema: 1,
            action: &action,
        };
        let event = StoredEvent::new(&self.chain, parts, None);
        self.chain = event.chain.clone();
        event
    }
}

/// What compressing leaves of such an event, of which all but the action's letters is much alike.
fn compressed(bytes: u64) -> f64 {
    let (letters, whole) = (bytes as f64 - 24.0, bytes as f64 + 160.0);
    (0.67 * letters + 22.0) / whole
}

fn foretold(run: &Run) -> u64 {
    let assumed = Assumed { compressed: compressed(run.bytes), ..Assumed::default() };
    run.counts(Topology::Coupled, &assumed).unwrap().write_units
}

#[test]
fn writes_of_one_message() {
    let mut sender = Sender::new();
    let mut off = Vec::new();
    for batch in [1, 2, 10, 50, 100] {
        for (bytes, records, record_bytes) in
            [(60, 0, 1), (200, 5, 500), (190, 3, 2_000), (900, 97, 700)]
        {
            let run = Run { actions: batch, batch, bytes, records, record_bytes, ..Run::default() };
            if run.batch_on_aws() < batch {
                continue;
            }
            let (counted, foretold) = (sender.send(&run, batch), foretold(&run));
            println!(
                "{batch} actions of {bytes}, {records} records of {record_bytes}: {counted}, foretold {foretold}"
            );
            // An item at the edge of a unit may be on its other side.
            if counted.abs_diff(foretold) > 2 {
                off.push((run, counted, foretold));
            }
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}

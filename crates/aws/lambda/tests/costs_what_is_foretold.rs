//! Goal: what both topologies are counted as, message by message, is what `twinstore cost` says.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use common::dynamodb::dice::Dice;
use common::hello;
use common::metered::Metered;
use common::orders::{create, stamped};
use serde_json::json;
use twinstore_cost::{Assumed, Counts, Prices, Run, Topology, dollars};

const STREAM: &str = "salesOrder/demo";
/// As long as those that browsers make.
const CLIENT: &str = "20261124-k3v9q0xw7m2d";

/// A twin that sends, and others who listen.
struct Sender {
    metered: Metered,
    dice: Dice,
    sent: u64,
}

impl Sender {
    /// The sender is known by an action: what that takes is not counted.
    async fn new(topology: Topology, receivers: u64) -> Self {
        let mut metered = Metered::new(topology).await;
        for number in 0..receivers {
            let connection = format!("c{number}");
            metered.connect(&connection).await;
            let client = if number == 0 { CLIENT.to_owned() } else { format!("20261124-{number}") };
            metered.send(&connection, &hello(STREAM, &client).to_string()).await;
        }
        let mut sender = Self { metered, dice: Dice(1), sent: 0 };
        sender.send(1).await;
        sender.metered.counts = Counts::default();
        sender
    }

    /// A message of actions that each make an order, and so change a record each.
    async fn send(&mut self, actions: u64) {
        let numbers = self.sent + 1..=self.sent + actions;
        let entry = |n| {
            let action = stamped(create(&mut self.dice), CLIENT, n, &mut self.dice);
            json!({ "client": CLIENT, "n": n, "action": action })
        };
        let entries: Vec<_> = numbers.map(entry).collect();
        self.sent += actions;
        let push = json!({ "t": "push", "stream": STREAM, "entries": entries });
        self.metered.send("c0", &push.to_string()).await;
    }
}

/// Bytes of such an action, one with another.
const BYTES: u64 = 180;

/// What docs/AWS.md shows is printed here: `--nocapture`.
#[tokio::test(flavor = "multi_thread")]
async fn both_topologies_message_by_message() {
    for topology in [Topology::Coupled, Topology::Pipeline] {
        for (receivers, batch) in [(1, 1), (1, 50), (10, 1), (10, 50), (100, 1), (100, 50)] {
            let mut sender = Sender::new(topology, receivers).await;
            for _ in 0..3 {
                sender.send(batch).await;
            }
            let run = Run {
                actions: 3 * batch,
                batch,
                receivers,
                bytes: BYTES,
                records: batch,
                record_bytes: 80,
                ..Run::default()
            };
            let foretold = run.counts(topology, &Assumed::default()).unwrap();
            // Time is assumed, here as there.
            let Counts { billed_ms, memory_mb, .. } = foretold;
            let counted = Counts { billed_ms, memory_mb, ..sender.metered.counts };
            println!("{}", row(&run, topology, &counted));
            assert_eq!(
                counted, foretold,
                "{topology:?}, {receivers} receivers, batches of {batch}"
            );
        }
    }
}

/// A row of the table, for each 1,000 actions.
fn row(run: &Run, topology: Topology, counts: &Counts) -> String {
    let per_thousand = |number: u64| number * 1_000 / run.actions;
    let Counts { messages_in, messages_out, invocations, .. } = *counts;
    let Counts { write_units, read_units, stream_reads, .. } = *counts;
    let cells = [messages_in, messages_out, invocations, write_units, read_units, stream_reads];
    let cells = cells.map(|number| per_thousand(number).to_string()).join(" | ");
    let dollars = dollars(counts, &Prices::of_this_version()).total();
    let dollars = dollars * 1_000.0 / run.actions as f64;
    let Run { receivers, batch, .. } = run;
    format!("| {topology:?} | {receivers} | {batch} | {cells} | {dollars:.5} |").to_lowercase()
}

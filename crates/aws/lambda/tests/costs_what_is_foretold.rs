//! Goal: what both topologies are counted as, message by message, is what `twinstore cost` says.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use std::sync::Arc;

use common::streams::Streams;
use common::{World, connect, dynamodb, hello, say};
use serde_json::{Value, json};
use twinstore_cost::{Assumed, Counts, Prices, Run, Topology, dollars, units};
use twinstore_dynamodb::DynamoLog;
use twinstore_lambda::{Function, Role};

const STREAM: &str = "salesOrder/demo";
/// As long as those that browsers make.
const CLIENT: &str = "20261124-k3v9q0xw7m2d";

/// A topology, with what is counted of it.
struct Metered {
    world: World,
    log: Arc<DynamoLog>,
    functions: Functions,
    receivers: u64,
    sent: u64,
    counts: Counts,
}

enum Functions {
    Coupled(Function),
    Pipeline { ingest: Function, reduce: Function, push: Function, streams: Box<Streams> },
}

impl Metered {
    /// Twins that listen, the first of them known by an action: what that takes is not counted.
    async fn new(topology: Topology, receivers: u64) -> Self {
        let world = World::new().await;
        world.prepare().await;
        let log = Arc::new(dynamodb::open(&world.prefix));
        let role = |role| world.role_on(Arc::clone(&log), role);
        let functions = match topology {
            Topology::Pipeline => Functions::Pipeline {
                ingest: role(Role::Ingest),
                reduce: role(Role::Reduce),
                push: role(Role::Push),
                streams: Box::new(Streams::new(&world.prefix)),
            },
            Topology::Coupled | Topology::Sqlite => {
                Functions::Coupled(role(Role::Coupled { push: true }))
            }
        };
        let counts = Counts::default();
        let mut metered = Self { world, log, functions, receivers, sent: 0, counts };
        for number in 0..receivers {
            let connection = format!("c{number}");
            assert_eq!(connect(metered.front(), &connection, json!(null)).await, 200);
            let client = if number == 0 { CLIENT.to_owned() } else { format!("20261124-{number}") };
            say(metered.front(), &connection, &hello(STREAM, &client)).await;
        }
        metered.send(1).await;
        metered.counts = Counts::default();
        metered
    }

    fn front(&self) -> &Function {
        match &self.functions {
            Functions::Coupled(function) | Functions::Pipeline { ingest: function, .. } => function,
        }
    }

    /// Sends a message with some actions, and lets everything that follows happen.
    async fn send(&mut self, actions: u64) {
        let (written, read) = (self.log.meter().write_units(), self.log.meter().read_units());
        let message = self.message(actions);
        self.counts.messages_in += units::messages(message.to_string().len() as u64);
        say(self.front(), "c0", &message).await;
        self.counts.invocations += 1;
        if let Functions::Pipeline { reduce, push, streams, .. } = &mut self.functions {
            for (table, function) in [("salesOrder_events", reduce), ("salesOrder", push)] {
                let mut changes = streams.next(table).await;
                changes.retain(|change| passes(table, change));
                function.handle(json!({ "Records": changes })).await.unwrap();
                self.counts.invocations += 1;
                self.counts.stream_reads += 1;
            }
        }
        for number in 0..self.receivers {
            for frame in self.world.frames(&format!("c{number}")) {
                self.counts.messages_out += units::messages(frame.to_string().len() as u64);
            }
        }
        self.counts.write_units += self.log.meter().write_units() - written;
        self.counts.read_units += self.log.meter().read_units() - read;
    }

    fn message(&mut self, actions: u64) -> Value {
        let entry = |n| json!({ "client": CLIENT, "n": n, "action": action(n) });
        let entries: Vec<_> = (self.sent + 1..=self.sent + actions).map(entry).collect();
        self.sent += actions;
        json!({ "t": "push", "stream": STREAM, "entries": entries })
    }
}

/// What the filters of deploy/aws/pipeline.yaml let through.
fn passes(table: &str, change: &Value) -> bool {
    let key = |name: &str| change["dynamodb"]["Keys"][name]["S"].as_str().unwrap_or_default();
    match table {
        "salesOrder_events" => {
            change["eventName"] == "INSERT" && key("stream").starts_with("inbox/")
        }
        _ => key("key") == "head" || key("key").starts_with("record/"),
    }
}

/// An action that makes an order: each changes a record of its own.
fn action(n: u64) -> Value {
    json!({
        "type": "create",
        "payload": { "id": format!("{n:08}"), "customer": "Ann" },
        "meta": { "twin": { "id": "o4Jm2cXq", "at": 1_795_428_000_000_u64, "client": CLIENT, "n": n } },
    })
}

/// What docs/AWS.md shows is printed here: `--nocapture`.
#[tokio::test(flavor = "multi_thread")]
async fn both_topologies_message_by_message() {
    for topology in [Topology::Coupled, Topology::Pipeline] {
        for (receivers, batch) in [(1, 1), (1, 50), (10, 1), (10, 50), (100, 1), (100, 50)] {
            let mut metered = Metered::new(topology, receivers).await;
            for _ in 0..3 {
                metered.send(batch).await;
            }
            let run = Run {
                actions: 3 * batch,
                batch,
                receivers,
                bytes: action(100).to_string().len() as u64,
                records: batch,
                record_bytes: 80,
                ..Run::default()
            };
            let foretold = run.counts(topology, &Assumed::default()).unwrap();
            // Time is assumed, here as there.
            let Counts { billed_ms, memory_mb, .. } = foretold;
            let counted = Counts { billed_ms, memory_mb, ..metered.counts };
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

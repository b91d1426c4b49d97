//! A topology whose messages, invocations and units are counted, whatever is sent to it.

use std::sync::Arc;

use serde_json::{Value, json};
use twinstore_cost::{Counts, Topology, units};
use twinstore_dynamodb::DynamoLog;
use twinstore_lambda::{Function, Role};

use super::streams::Streams;
use super::{World, dynamodb};

/// A topology, with what is counted of it.
pub(crate) struct Metered {
    pub(crate) counts: Counts,
    world: World,
    log: Arc<DynamoLog>,
    functions: Functions,
    connections: Vec<String>,
}

enum Functions {
    Coupled(Function),
    Pipeline { ingest: Function, reduce: Function, push: Function, streams: Box<Streams> },
}

impl Metered {
    pub(crate) async fn new(topology: Topology) -> Self {
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
        Self { counts, world, log, functions, connections: Vec::new() }
    }

    /// A socket opens.
    pub(crate) async fn connect(&mut self, connection: &str) {
        let (written, read) = self.units();
        assert_eq!(super::connect(self.front(), connection, json!(null)).await, 200);
        self.connections.push(connection.to_owned());
        self.counts.invocations += 1;
        self.count_since(written, read);
    }

    /// Sends a message, lets everything that follows happen, and gives what its sender hears.
    pub(crate) async fn send(&mut self, connection: &str, message: &str) -> Vec<Value> {
        let (written, read) = self.units();
        self.counts.messages_in += units::messages(message.len() as u64);
        super::say_text(self.front(), connection, message).await;
        self.counts.invocations += 1;
        if let Functions::Pipeline { reduce, push, streams, .. } = &mut self.functions {
            for (table, function) in [("salesOrder_events", reduce), ("salesOrder", push)] {
                let changes = streams.filtered(table).await;
                if changes.is_empty() {
                    continue;
                }
                function.handle(json!({ "Records": changes })).await.unwrap();
                self.counts.invocations += 1;
                self.counts.stream_reads += 1;
            }
        }
        let mut heard = Vec::new();
        for other in &self.connections {
            for frame in self.world.frames(other) {
                self.counts.messages_out += units::messages(frame.to_string().len() as u64);
                if other == connection {
                    heard.push(frame);
                }
            }
        }
        self.count_since(written, read);
        heard
    }

    /// All events, and that records and numbers are what they make.
    pub(crate) fn events(&self, stream: &str) -> usize {
        self.world.events(stream).len()
    }

    fn front(&self) -> &Function {
        match &self.functions {
            Functions::Coupled(function) | Functions::Pipeline { ingest: function, .. } => function,
        }
    }

    fn units(&self) -> (u64, u64) {
        (self.log.meter().write_units(), self.log.meter().read_units())
    }

    fn count_since(&mut self, written: u64, read: u64) {
        let (now_written, now_read) = self.units();
        self.counts.write_units += now_written - written;
        self.counts.read_units += now_read - read;
    }
}

//! A shard: the workers of some streams, and who listens to them.
//!
//! A runtime of a model lives on one thread, so a stream does, and with it its shard. Sans-IO but for
//! reads of the log: appends are orders, time is handed in.
//! Not here: threads (`threads.rs`), what a worker does (`stream.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use twinstore_protocol::{LogId, StreamId};

use crate::hub::{Hub, Recipient};
use crate::limits::Limits;
use crate::log::{Append, AppendError, Head, Log};
use crate::metrics::Metrics;
use crate::model::Models;
use crate::reducer::ReducerEngine;
use crate::stream::ask::{Answer, Command};
use crate::stream::{Config, Input, Output, Worker};

/// What the workers of a server share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The models by name.
    pub models: Arc<Models>,
    /// Where events lie.
    pub log: Arc<dyn Log>,
    /// What models run in.
    pub engine: Arc<dyn ReducerEngine>,
    /// What workers keep to.
    pub limits: Limits,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// Gives the id of a log that is begun: random, and not made here.
pub type NewLog = Box<dyn FnMut() -> LogId>;

/// Workers by stream. `T` is where those who ask are told things.
pub struct Shard<T> {
    shared: Shared,
    new_log: NewLog,
    workers: BTreeMap<StreamId, Worker<T>>,
    hub: Hub<T>,
    appends: VecDeque<Append>,
}

impl<T> std::fmt::Debug for Shard<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("streams", &self.workers.keys()).finish_non_exhaustive()
    }
}

impl<T: Recipient> Shard<T> {
    /// A shard without streams.
    #[must_use]
    pub fn new(shared: Shared, new_log: NewLog) -> Self {
        let (workers, hub, appends) = (BTreeMap::new(), Hub::default(), VecDeque::new());
        Self { shared, new_log, workers, hub, appends }
    }

    /// Somebody asks about a stream.
    pub fn asked(&mut self, now: u64, stream: &StreamId, command: Command<T>) {
        if !self.workers.contains_key(stream) {
            let Some(model) = self.shared.models.get(stream.model()) else {
                return command.to.answer(stream, Answer::Unavailable);
            };
            let config = Config {
                stream: stream.clone(),
                model: Arc::clone(model),
                log: Arc::clone(&self.shared.log),
                engine: Arc::clone(&self.shared.engine),
                new_log: (self.new_log)(),
                limits: self.shared.limits,
            };
            self.make_room(now);
            self.workers.insert(stream.clone(), Worker::new(config));
            self.shared.metrics.streams_loaded.inc();
        }
        self.feed(now, stream, Input::Asked(command));
    }

    /// An append that was ordered has this outcome.
    pub fn appended(&mut self, now: u64, stream: &StreamId, outcome: Result<Head, AppendError>) {
        self.feed(now, stream, Input::Appended(outcome));
    }

    /// The next append to be made, oldest first. Its outcome is told by [`Shard::appended`].
    #[must_use]
    pub fn poll_append(&mut self) -> Option<Append> {
        self.appends.pop_front()
    }

    /// True where nothing waits and nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.workers.values().all(Worker::is_idle)
    }

    /// Keeps the states and drops the workers.
    pub fn stop(&mut self, now: u64) {
        while let Some((stream, _)) = self.workers.first_key_value() {
            self.unload(now, &stream.clone());
        }
    }

    fn feed(&mut self, now: u64, stream: &StreamId, input: Input<T>) {
        let Some(worker) = self.workers.get_mut(stream) else { return };
        worker.handle_input(now, input);
        while let Some(output) = worker.poll_output() {
            match output {
                Output::Append(append) => self.appends.push_back(append),
                Output::Publish(commit) => {
                    self.shared.metrics.committed(&commit);
                    let cut_off = self.hub.publish(&commit);
                    self.shared.metrics.cut_off.inc_by(cut_off as u64);
                }
                Output::Subscribe(address, session) => {
                    self.hub.subscribe(stream, session, address);
                }
                Output::Unsubscribe(session) => self.hub.unsubscribe(stream, session),
                Output::Answer(address, _, answer) => address.answer(stream, answer),
                Output::Keep(snapshot) => self.shared.log.put_snapshot(stream, snapshot),
            }
        }
    }

    /// Unloads a stream that nobody listens to where many are loaded.
    fn make_room(&mut self, now: u64) {
        if self.workers.len() < self.shared.limits.streams_idle {
            return;
        }
        let unused = self
            .workers
            .iter()
            .find(|(stream, worker)| worker.is_idle() && !self.hub.listens(stream))
            .map(|(stream, _)| stream.clone());
        if let Some(stream) = unused {
            self.unload(now, &stream);
        }
    }

    fn unload(&mut self, now: u64, stream: &StreamId) {
        self.feed(now, stream, Input::Stopping);
        self.workers.remove(stream);
        self.shared.metrics.streams_loaded.dec();
    }
}

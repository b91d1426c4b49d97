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
use crate::log::{Append, AppendError, Head, Hint, Log};
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
    workers: BTreeMap<StreamId, Loaded<T>>,
    /// Streams that have nothing to do and that nobody listens to, by when they were asked last; and since when.
    idle: BTreeMap<u64, (StreamId, u64)>,
    uses: u64,
    hub: Hub<T>,
    appends: VecDeque<Append>,
    locks: VecDeque<StreamId>,
}

/// A stream's worker.
struct Loaded<T> {
    worker: Worker<T>,
    /// Its place among the idle, where it is idle.
    idle: Option<u64>,
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
        Self {
            shared,
            new_log,
            workers: BTreeMap::new(),
            idle: BTreeMap::new(),
            uses: 0,
            hub: Hub::default(),
            appends: VecDeque::new(),
            locks: VecDeque::new(),
        }
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
            let loaded = Loaded { worker: Worker::new(config), idle: None };
            self.workers.insert(stream.clone(), loaded);
            self.shared.metrics.streams_loaded.inc();
        }
        self.feed(now, stream, Input::Asked(command));
        self.make_room(now);
    }

    /// An append that was ordered has this outcome.
    pub fn appended(&mut self, now: u64, stream: &StreamId, outcome: Result<Head, AppendError>) {
        self.feed(now, stream, Input::Appended(outcome));
        self.make_room(now);
    }

    /// The next append to be made, oldest first. Its outcome is told by [`Shard::appended`].
    #[must_use]
    pub fn poll_append(&mut self) -> Option<Append> {
        self.appends.pop_front()
    }

    /// A lock that was ordered is there.
    pub fn locked(&mut self, now: u64, stream: &StreamId) {
        self.feed(now, stream, Input::Locked);
    }

    /// The next stream to be locked. That it is is told by [`Shard::locked`].
    #[must_use]
    pub fn poll_lock(&mut self) -> Option<StreamId> {
        self.locks.pop_front()
    }

    /// What is said of others' appends, where the log has other writers.
    pub fn hinted(&mut self, now: u64, hint: &Hint) {
        match hint {
            Hint::Moved(stream, seq) => self.feed(now, stream, Input::Moved(*seq)),
            Hint::Look => self.look(now),
        }
    }

    fn look(&mut self, now: u64) {
        let streams: Vec<_> = self.workers.keys().cloned().collect();
        if streams.is_empty() {
            return;
        }
        match self.shared.log.heads(&streams) {
            Ok(heads) => {
                for (stream, seq) in heads {
                    self.feed(now, &stream, Input::Moved(seq));
                }
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "whether others have appended cannot be seen");
            }
        }
    }

    /// When [`Shard::tick`] has something to do.
    #[must_use]
    pub fn next_tick(&self) -> Option<u64> {
        let (_, (_, since)) = self.idle.first_key_value()?;
        Some(since + self.shared.limits.stream_idle_ms)
    }

    /// Unloads streams that were idle for long: their states are kept, so that nothing is folded again.
    pub fn tick(&mut self, now: u64) {
        while self.next_tick().is_some_and(|at| at <= now)
            && let Some((_, (stream, _))) = self.idle.pop_first()
        {
            self.unload(now, &stream);
        }
    }

    /// True where nothing waits and nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.workers.values().all(|loaded| loaded.worker.is_idle())
    }

    /// Keeps the states and drops the workers.
    pub fn stop(&mut self, now: u64) {
        while let Some((stream, _)) = self.workers.first_key_value() {
            self.unload(now, &stream.clone());
        }
    }

    fn feed(&mut self, now: u64, stream: &StreamId, input: Input<T>) {
        let Some(Loaded { worker, .. }) = self.workers.get_mut(stream) else { return };
        worker.handle_input(now, input);
        while let Some(output) = worker.poll_output() {
            match output {
                Output::Append(append) => self.appends.push_back(append),
                Output::Lock => self.locks.push_back(stream.clone()),
                Output::Unlock => self.shared.log.unlock(stream),
                Output::CutOff(head) => {
                    let cut_off = self.hub.cut_off(stream, head);
                    self.shared.metrics.cut_off.inc_by(cut_off as u64);
                }
                Output::Publish(commit) => {
                    self.shared.metrics.committed(&commit);
                    let cut_off = self.hub.publish(&commit);
                    self.shared.metrics.cut_off.inc_by(cut_off as u64);
                }
                Output::Subscribe(address, session) => {
                    self.hub.subscribe(stream, session, address);
                }
                Output::Unsubscribe(session) => self.hub.unsubscribe(stream, session),
                Output::Answer(address, _, answer) => {
                    self.shared.metrics.snapshots.inc_by(u64::from(answer.is_snapshot()));
                    address.answer(stream, answer);
                }
                Output::Keep(snapshot) => self.shared.log.put_snapshot(stream, snapshot),
            }
        }
        self.note_idle(now, stream);
    }

    /// Whether the stream is idle may be another thing by now.
    fn note_idle(&mut self, now: u64, stream: &StreamId) {
        let Some(loaded) = self.workers.get_mut(stream) else { return };
        if let Some(place) = loaded.idle.take() {
            self.idle.remove(&place);
        }
        if loaded.worker.is_idle() && !self.hub.listens(stream) {
            self.uses += 1;
            loaded.idle = Some(self.uses);
            self.idle.insert(self.uses, (stream.clone(), now));
        }
    }

    /// Unloads what was idle for longest, where too much is.
    fn make_room(&mut self, now: u64) {
        while self.idle.len() > self.shared.limits.streams_idle
            && let Some((_, (stream, _))) = self.idle.pop_first()
        {
            self.unload(now, &stream);
        }
    }

    fn unload(&mut self, now: u64, stream: &StreamId) {
        self.feed(now, stream, Input::Stopping);
        if let Some(place) = self.workers.remove(stream).and_then(|loaded| loaded.idle) {
            self.idle.remove(&place);
        }
        self.shared.metrics.streams_loaded.dec();
    }
}

#[cfg(test)]
mod tests;

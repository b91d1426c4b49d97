//! The reducer threads: each owns the workers of its streams, and feeds them.
//!
//! A runtime of a model lives on one thread, so a stream does: which one follows from its name.
//! Appends of many streams are under way at once, so that they share commits.
//! Not here: what a worker does (`stream.rs`).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use twinstore_protocol::StreamId;

use crate::hub::{Address, Hub};
use crate::limits;
use crate::log::{AppendError, Head, Log};
use crate::model::Models;
use crate::random;
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
    /// The most entries in one commit.
    pub commit_entries: usize,
}

/// The reducer threads.
#[derive(Debug)]
pub struct Shards {
    // Not bounded here: each session has a bounded number of open questions, and each stream one
    // append under way.
    inboxes: Vec<Sender<Message>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
enum Message {
    Asked(StreamId, Command<Address>),
    Appended(StreamId, Result<Head, AppendError>),
    Stop,
}

impl Shards {
    /// Starts so many threads.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub fn start(count: usize, shared: &Shared) -> std::io::Result<Self> {
        let mut inboxes = Vec::new();
        let mut threads = Vec::new();
        for number in 0..count.max(1) {
            let (sender, inbox) = channel();
            let (shared, own) = (shared.clone(), sender.clone());
            let builder = thread::Builder::new()
                .name(format!("reducer-{number}"))
                .stack_size(limits::THREAD_STACK);
            // Workers hold runtimes, which cannot be sent: the shard is made on its thread.
            threads.push(builder.spawn(move || Shard::new(shared, own).run(&inbox))?);
            inboxes.push(sender);
        }
        Ok(Self { inboxes, threads: Mutex::new(threads) })
    }

    /// Hands a question to the stream's worker.
    pub fn ask(&self, stream: &StreamId, command: Command<Address>) {
        let message = Message::Asked(stream.clone(), command);
        if let Err(unsent) = self.inbox(stream).send(message)
            && let Message::Asked(stream, command) = unsent.0
        {
            command.to.answer(&stream, Answer::Unavailable);
        }
    }

    /// Lets all workers finish what was handed to them and keep their snapshots, and ends the
    /// threads.
    pub fn stop(&self) {
        for inbox in &self.inboxes {
            // A thread that is gone needs no telling.
            let _ = inbox.send(Message::Stop);
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a reducer thread had panicked");
            }
        }
    }

    fn inbox(&self, stream: &StreamId) -> &Sender<Message> {
        let mut hasher = DefaultHasher::new();
        stream.hash(&mut hasher);
        let place = hasher.finish() % self.inboxes.len() as u64;
        &self.inboxes[usize::try_from(place).unwrap_or(0)]
    }
}

struct Shard {
    shared: Shared,
    own: Sender<Message>,
    workers: BTreeMap<StreamId, Worker<Address>>,
    hub: Hub,
}

impl Shard {
    fn new(shared: Shared, own: Sender<Message>) -> Self {
        Self { shared, own, workers: BTreeMap::new(), hub: Hub::default() }
    }

    fn run(mut self, inbox: &Receiver<Message>) {
        let mut stopping = false;
        while !(stopping && self.workers.values().all(Worker::is_idle)) {
            let Ok(message) = inbox.recv() else { return };
            match message {
                Message::Asked(stream, command) => self.asked(&stream, command),
                Message::Appended(stream, outcome) => self.feed(&stream, Input::Appended(outcome)),
                Message::Stop => stopping = true,
            }
        }
        while let Some((stream, _)) = self.workers.first_key_value() {
            self.unload(&stream.clone());
        }
    }

    fn asked(&mut self, stream: &StreamId, command: Command<Address>) {
        if !self.workers.contains_key(stream) {
            let Some(model) = self.shared.models.get(stream.model()) else {
                return command.to.answer(stream, Answer::Unavailable);
            };
            let config = Config {
                stream: stream.clone(),
                model: Arc::clone(model),
                log: Arc::clone(&self.shared.log),
                engine: Arc::clone(&self.shared.engine),
                new_log: random::log_id(),
                commit_entries: self.shared.commit_entries,
            };
            self.make_room();
            self.workers.insert(stream.clone(), Worker::new(config));
        }
        self.feed(stream, Input::Asked(command));
    }

    fn feed(&mut self, stream: &StreamId, input: Input<Address>) {
        let Some(worker) = self.workers.get_mut(stream) else { return };
        worker.handle_input(random::now(), input);
        while let Some(output) = worker.poll_output() {
            match output {
                Output::Append(append) => {
                    let (own, stream) = (self.own.clone(), stream.clone());
                    let done = Box::new(move |outcome| {
                        // The thread outlives its appends: it waits for them when it stops.
                        let _ = own.send(Message::Appended(stream, outcome));
                    });
                    self.shared.log.append(append, done);
                }
                Output::Publish(commit) => self.hub.publish(&commit),
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
    fn make_room(&mut self) {
        if self.workers.len() < limits::STREAMS_IDLE {
            return;
        }
        let unused = self
            .workers
            .iter()
            .find(|(stream, worker)| worker.is_idle() && !self.hub.listens(stream))
            .map(|(stream, _)| stream.clone());
        if let Some(stream) = unused {
            self.unload(&stream);
        }
    }

    fn unload(&mut self, stream: &StreamId) {
        self.feed(stream, Input::Stopping);
        self.workers.remove(stream);
    }
}

//! The reducer threads: each feeds a shard with what is asked and what became of its appends.
//!
//! Appends of many streams are under way at once, so that they share commits.
//! Not here: what a shard does (`shard.rs`).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use twinstore_protocol::StreamId;

use crate::health::Health;
use crate::hub::{Address, Recipient};
use crate::limits;
use crate::log::{AppendError, Head, Hint, Log};
use crate::metrics::Metrics;
use crate::random;
use crate::shard::{Shard, Shared};
use crate::stream::ask::{Answer, Command};

/// The reducer threads.
#[derive(Debug)]
pub(crate) struct Shards {
    // Not bounded here: each session has a bounded number of open questions, and each stream one
    // append under way.
    inboxes: Vec<Sender<Message>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
enum Message {
    Asked(StreamId, Command<Address>),
    Appended(StreamId, Result<Head, AppendError>),
    Locked(StreamId),
    Hinted(Hint),
    Stop,
}

impl Shards {
    /// Starts so many threads.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub(crate) fn start(
        count: usize,
        shared: &Shared,
        health: &Arc<Health>,
    ) -> std::io::Result<Self> {
        let mut inboxes = Vec::new();
        let mut threads = Vec::new();
        for number in 0..count.max(1) {
            let (sender, inbox) = channel();
            let (shared, own, health) = (shared.clone(), sender.clone(), Arc::clone(health));
            let builder = thread::Builder::new()
                .name(format!("reducer-{number}"))
                .stack_size(limits::THREAD_STACK);
            // Workers hold runtimes, which cannot be sent: the shard is made on its thread.
            threads.push(builder.spawn(move || Thread::new(shared, own, health).run(&inbox))?);
            inboxes.push(sender);
        }
        if shared.log.is_shared() {
            watch(&shared.log, inboxes.clone());
        }
        let metrics = Arc::clone(&shared.metrics);
        Ok(Self { inboxes, threads: Mutex::new(threads), metrics })
    }

    /// Hands a question to the stream's worker.
    pub(crate) fn ask(&self, stream: &StreamId, command: Command<Address>) {
        let message = Message::Asked(stream.clone(), command);
        self.metrics.questions_waiting.inc();
        if let Err(unsent) = self.inbox(stream).send(message)
            && let Message::Asked(stream, command) = unsent.0
        {
            self.metrics.questions_waiting.dec();
            command.to.answer(&stream, Answer::Unavailable);
        }
    }

    /// Lets all workers finish what was handed to them and keep their snapshots, and ends the
    /// threads.
    pub(crate) fn stop(&self) {
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
        inbox_of(&self.inboxes, stream)
    }
}

fn inbox_of<'a>(inboxes: &'a [Sender<Message>], stream: &StreamId) -> &'a Sender<Message> {
    let mut hasher = DefaultHasher::new();
    stream.hash(&mut hasher);
    let place = hasher.finish() % inboxes.len() as u64;
    &inboxes[usize::try_from(place).unwrap_or(0)]
}

/// Hands on what the log says of others' appends. A thread that is gone needs no telling.
fn watch(log: &Arc<dyn Log>, inboxes: Vec<Sender<Message>>) {
    log.watch(Box::new(move |hint| match &hint {
        Hint::Moved(stream, _) => {
            let _ = inbox_of(&inboxes, stream).send(Message::Hinted(hint));
        }
        Hint::Look => {
            for inbox in &inboxes {
                let _ = inbox.send(Message::Hinted(Hint::Look));
            }
        }
    }));
}

struct Thread {
    shard: Shard<Address>,
    shared: Shared,
    own: Sender<Message>,
    health: Arc<Health>,
    stopping: bool,
}

impl Thread {
    fn new(shared: Shared, own: Sender<Message>, health: Arc<Health>) -> Self {
        let shard = Shard::new(shared.clone(), Box::new(random::log_id));
        Self { shard, shared, own, health, stopping: false }
    }

    fn run(mut self, inbox: &Receiver<Message>) {
        while !(self.stopping && self.shard.is_idle()) {
            let message = self.next(inbox);
            let now = random::now();
            match message {
                Ok(message) => self.handle(now, message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.shard.tick(now);
            self.lock();
            self.append();
        }
        self.shard.stop(random::now());
    }

    fn handle(&mut self, now: u64, message: Message) {
        match message {
            Message::Asked(stream, command) => {
                self.shared.metrics.questions_waiting.dec();
                let _in = tracing::debug_span!("stream", %stream).entered();
                self.shard.asked(now, &stream, command);
            }
            Message::Appended(stream, outcome) => {
                let _in = tracing::debug_span!("stream", %stream).entered();
                if let Ok(head) = &outcome {
                    tracing::debug!(head = head.seq.0, "stored");
                }
                self.shard.appended(now, &stream, outcome);
            }
            Message::Locked(stream) => self.shard.locked(now, &stream),
            Message::Hinted(hint) => self.shard.hinted(now, &hint),
            Message::Stop => self.stopping = true,
        }
    }

    /// The next message; a timeout where the shard has something to do before.
    fn next(&self, inbox: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        match self.shard.next_tick() {
            Some(at) => inbox.recv_timeout(Duration::from_millis(at.saturating_sub(random::now()))),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn lock(&mut self) {
        while let Some(stream) = self.shard.poll_lock() {
            let (own, locked) = (self.own.clone(), stream.clone());
            let done = Box::new(move || {
                // The thread outlives its locks: it waits for them when it stops.
                let _ = own.send(Message::Locked(locked));
            });
            self.shared.log.lock(&stream, done);
        }
    }

    fn append(&mut self) {
        while let Some(append) = self.shard.poll_append() {
            let (own, stream) = (self.own.clone(), append.stream.clone());
            let (metrics, health) = (Arc::clone(&self.shared.metrics), Arc::clone(&self.health));
            health.append_begins();
            let began = metrics.append_begins(&append);
            let done = Box::new(move |outcome| {
                metrics.append_ends(began, &outcome);
                health.append_ends(&outcome);
                // The thread outlives its appends: it waits for them when it stops.
                let _ = own.send(Message::Appended(stream, outcome));
            });
            self.shared.log.append(append, done);
        }
    }
}

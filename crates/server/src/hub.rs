//! Who listens to which stream, and what happens to those who do not keep up.
//!
//! Keeps I7: what waits for one socket is bounded. A socket that lags is cut off from the stream
//! and told the head, from which it sees that it must pull.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use twinstore_protocol::{Seq, StreamId};

use crate::limits;
use crate::stream::ask::{Answer, SessionId};
use crate::stream::commit::Commit;

/// What a session is told by workers.
#[derive(Debug)]
pub enum Told {
    /// The answer to its oldest open question about that stream.
    Answer(StreamId, Answer),
    /// Events are durable.
    Commit(Arc<Commit>),
    /// It did not keep up with that stream, whose head is this, and hears no more of it.
    CutOff(StreamId, Seq),
}

/// Where a session is told things. The server's own is [`Address`].
pub trait Recipient: Clone {
    /// Answers an open question.
    fn answer(&self, stream: &StreamId, answer: Answer);

    /// Tells a commit. False: the session does not keep up, or is gone.
    fn offer(&self, commit: &Arc<Commit>) -> bool;

    /// Tells a session that did not keep up: it hears no more of that stream, whose head is this.
    fn cut_off(&self, stream: &StreamId, head: Seq);
}

/// Where a socket's session is told things: the other end is its [`Mailbox`].
#[derive(Clone, Debug)]
pub struct Address {
    // Not bounded by itself: commits are counted below, and each session has a bounded number of
    // open questions.
    sender: UnboundedSender<Told>,
    waiting: Arc<Waiting>,
}

/// A session's end of its [`Address`].
#[derive(Debug)]
pub struct Mailbox {
    receiver: UnboundedReceiver<Told>,
    waiting: Arc<Waiting>,
    /// Events that were taken last: they count as waiting until the next are asked for.
    in_hand: usize,
}

/// What was published to one address and is not sent yet.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    commits: AtomicUsize,
    bytes: AtomicUsize,
    events: AtomicUsize,
}

impl Waiting {
    /// How many events its owner is behind.
    pub(crate) fn events(&self) -> usize {
        self.events.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Makes an address and its mailbox.
#[must_use]
pub fn mailbox() -> (Address, Mailbox) {
    let (sender, receiver) = unbounded_channel();
    let waiting = Arc::new(Waiting::default());
    let address = Address { sender, waiting: Arc::clone(&waiting) };
    (address, Mailbox { receiver, waiting, in_hand: 0 })
}

impl Recipient for Address {
    fn answer(&self, stream: &StreamId, answer: Answer) {
        // A session that is gone needs no answer.
        let _ = self.sender.send(Told::Answer(stream.clone(), answer));
    }

    fn offer(&self, commit: &Arc<Commit>) -> bool {
        let full = self.waiting.commits.load(Ordering::Relaxed) >= limits::SOCKET_QUEUE_COMMITS
            || self.waiting.bytes.load(Ordering::Relaxed) >= limits::SOCKET_QUEUE_BYTES;
        if full {
            return false;
        }
        self.waiting.commits.fetch_add(1, Ordering::Relaxed);
        self.waiting.bytes.fetch_add(commit.bytes(), Ordering::Relaxed);
        self.waiting.events.fetch_add(commit.events.len(), Ordering::Relaxed);
        self.sender.send(Told::Commit(Arc::clone(commit))).is_ok()
    }

    fn cut_off(&self, stream: &StreamId, head: Seq) {
        // A session that is gone need not know.
        let _ = self.sender.send(Told::CutOff(stream.clone(), head));
    }
}

impl Mailbox {
    /// The next thing told; waits for it. What was told before it is taken for sent.
    pub async fn next(&mut self) -> Option<Told> {
        let sent = std::mem::take(&mut self.in_hand);
        self.waiting.events.fetch_sub(sent, Ordering::Relaxed);
        let told = self.receiver.recv().await?;
        if let Told::Commit(commit) = &told {
            self.waiting.commits.fetch_sub(1, Ordering::Relaxed);
            self.waiting.bytes.fetch_sub(commit.bytes(), Ordering::Relaxed);
            self.in_hand = commit.events.len();
        }
        Some(told)
    }

    /// What is not sent yet.
    pub(crate) fn waiting(&self) -> Arc<Waiting> {
        Arc::clone(&self.waiting)
    }
}

/// The listeners of streams.
#[derive(Debug)]
pub struct Hub<T> {
    streams: BTreeMap<StreamId, BTreeMap<SessionId, T>>,
}

impl<T> Default for Hub<T> {
    fn default() -> Self {
        Self { streams: BTreeMap::new() }
    }
}

impl<T: Recipient> Hub<T> {
    /// From here on that session is told each commit of the stream.
    pub fn subscribe(&mut self, stream: &StreamId, session: SessionId, address: T) {
        self.streams.entry(stream.clone()).or_default().insert(session, address);
    }

    /// From here on it is not.
    pub fn unsubscribe(&mut self, stream: &StreamId, session: SessionId) {
        if let Some(listeners) = self.streams.get_mut(stream) {
            listeners.remove(&session);
            if listeners.is_empty() {
                self.streams.remove(stream);
            }
        }
    }

    /// Tells everyone who listens, and gives how many were cut off.
    pub fn publish(&mut self, commit: &Arc<Commit>) -> usize {
        let Some(listeners) = self.streams.get_mut(&commit.stream) else { return 0 };
        let before = listeners.len();
        let head = Seq(commit.after.0 + commit.events.len() as u64);
        listeners.retain(|_, address| {
            let kept = address.offer(commit);
            if !kept {
                address.cut_off(&commit.stream, head);
            }
            kept
        });
        let cut_off = before - listeners.len();
        if listeners.is_empty() {
            self.streams.remove(&commit.stream);
        }
        cut_off
    }

    /// Ends all subscriptions to a stream, whose head is this, and gives how many.
    pub fn cut_off(&mut self, stream: &StreamId, head: Seq) -> usize {
        let listeners = self.streams.remove(stream).unwrap_or_default();
        listeners.values().for_each(|address| address.cut_off(stream, head));
        listeners.len()
    }

    /// Whether anyone listens.
    #[must_use]
    pub fn listens(&self, stream: &StreamId) -> bool {
        self.streams.contains_key(stream)
    }
}

#[cfg(test)]
mod tests {
    use twinstore_protocol::LogId;

    use super::*;

    #[tokio::test]
    async fn who_does_not_keep_up_is_cut_off() {
        let stream = StreamId::parse("m/x").unwrap();
        let (mut hub, (address, mut mailbox)) = (Hub::default(), mailbox());
        hub.subscribe(&stream, SessionId(1), address);
        let commit = Commit::new(stream.clone(), LogId("l".to_owned()), Seq(4), Vec::new());
        let commit = Arc::new(commit);
        let cut_off: usize = (0..=limits::SOCKET_QUEUE_COMMITS).map(|_| hub.publish(&commit)).sum();
        assert_eq!(cut_off, 1);
        assert!(!hub.listens(&stream));
        for _ in 0..limits::SOCKET_QUEUE_COMMITS {
            assert!(matches!(mailbox.next().await, Some(Told::Commit(_))));
        }
        assert!(matches!(mailbox.next().await, Some(Told::CutOff(_, Seq(4)))));
    }
}

//! Orders: what the driver shall do, in this order.

use twinstore_protocol::{Cursor, Rejection, Seq};

use crate::{Entry, HeldReason, Id, StoredEvent};

/// An order, in the imperative.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<A> {
    /// Store this entry. Answered by `Input::Persisted`; entries and writes are performed in order.
    Enqueue(Entry<A>),
    /// Store this entry in place of that one, in one transaction. Answered as [`Output::Enqueue`] is.
    Replace(Entry<A>, Id),
    /// Change what is stored, in one transaction.
    Persist(Write<A>),
    /// Store the confirmed state as it is, in place of the events that led to it. It stands at this cursor.
    Compact(Cursor),
    /// Read everything that is stored, behind what was written. Each is answered by one `Input::Reread`, in order.
    Reread,
    /// Open the socket. Answered by `Input::LinkOpened` or `Input::LinkClosed`.
    OpenLink,
    /// Close the socket. Not answered.
    CloseLink,
    /// Send a frame.
    Transmit(Frame<A>),
    /// Join and parse the pieces of a snapshot. Answered by `Input::SnapshotRead` or `Input::SnapshotUnreadable`.
    ReadSnapshot(Vec<A>),
    /// The first so many shown actions are confirmed, in the order they are shown: the visible state stays as
    /// it is, to the reference (I1).
    Advance(usize),
    /// Change the state.
    Rebase(Rebase<A>),
    /// Compare the checksum of the confirmed state, which stands at this place. Where it is another one, answered
    /// by `Input::FoldFailed`.
    Compare {
        /// The place.
        seq: Seq,
        /// The checksum in the server.
        sum: u64,
    },
    /// As a tab that follows: ask the leader for the server's state. Not answered; its parts come as frames.
    AskLeader,
    /// Tell the app.
    Notify(Notice<A>),
}

/// A change of what is stored. What is empty or none changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Write<A> {
    /// Entries to be put, whether there is one of that id or not.
    pub entries: Vec<Entry<A>>,
    /// Entries that the app dropped: no verdict, their numbers settle nothing.
    pub removed: Vec<Id>,
    /// Entries that have their verdict: to be removed, and each client's last number noted.
    pub settled: Vec<Id>,
    /// A state that takes the place of state, events and cursor; of this [`crate::Engine::epoch`]. What is noted as
    /// settled in another one is to be forgotten.
    pub state: Option<A>,
    /// Where the log was held before: what is stored must stand there for the events to follow on.
    pub behind: Option<Cursor>,
    /// Accepted events, to be appended.
    pub events: Vec<StoredEvent<A>>,
    /// Where the log is held up to now. Never behind what is stored (I2), unless a state comes with it.
    pub cursor: Option<Cursor>,
}

impl<A> Default for Write<A> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            removed: Vec::new(),
            settled: Vec::new(),
            state: None,
            behind: None,
            events: Vec::new(),
            cursor: None,
        }
    }
}

/// A frame for the server. See `docs/PROTOCOL.md`.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame<A> {
    /// Here I am.
    Hello(Standing),
    /// Actions for the log.
    Push(Vec<Entry<A>>),
    /// Events after the cursor, please; without one, a snapshot.
    Pull(Standing),
    /// Are you there?
    Ping,
    /// No more of this stream.
    Leave,
}

/// Where this client stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The last event held here.
    pub cursor: Option<Cursor>,
    /// The clients whose verdicts are waited for, each with the first number.
    pub waiting: Vec<Id>,
}

/// A change of the confirmed and of the visible state (I1): folds `events` into the confirmed one (or into
/// `base`), then replays what is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebase<A> {
    /// A state that takes the confirmed one's place.
    pub base: Option<A>,
    /// The state that a log begins with does: `events` are all there are.
    pub anew: bool,
    /// Accepted events, in order.
    pub events: Vec<StoredEvent<A>>,
    /// All shown actions, in order.
    pub shown: Vec<A>,
    /// Actions that were held back and enter the store now, once, in this order.
    pub entering: Vec<A>,
}

/// What the app may want to know. The driver tells changes of the status by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice<A> {
    /// An action of ours has its verdict.
    Verdict {
        /// Which.
        id: Id,
        /// Where; with a snapshot, the snapshot's place.
        seq: Seq,
        /// Why it was rejected, and is no longer shown; none: it was accepted.
        error: Option<Rejection>,
        /// The action.
        action: A,
    },
    /// An action is kept, but no longer shown or sent.
    Held {
        /// Which.
        id: Id,
        /// Why.
        reason: HeldReason,
        /// The action.
        action: A,
    },
    /// An accepted event did not fold here as in the server; the state is being taken from there. Told once
    /// until it is here.
    Diverged(Seq),
    /// The server was reset or restored from a backup; this many actions are held.
    Reset(usize),
}

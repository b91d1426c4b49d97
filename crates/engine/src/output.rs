//! Orders: what the driver shall do, in this order.

use twinstore_protocol::{
    ClientId, Cursor, Entry, Hello, Leave, N, Ping, Pull, Push, Rejection, Seq,
};

use crate::{HeldReason, StoredEntry, StoredEvent};

/// An order, in the imperative.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<A> {
    /// Store this. Writes are performed in order; [`Write::Enqueue`] is answered by `Input::Persisted`.
    Persist(Write<A>),
    /// Open the socket. Answered by `Input::LinkOpened` or `Input::LinkClosed`.
    OpenLink,
    /// Close the socket. Not answered.
    CloseLink,
    /// Send a frame.
    Transmit(Frame<A>),
    /// Parse the text of a snapshot. Answered by `Input::SnapshotRead` or `Input::SnapshotUnreadable`.
    ReadSnapshot(String),
    /// Change the state.
    Apply(Apply<A>),
    /// Tell the app.
    Notify(Notice<A>),
}

/// A change of what is stored. Each is one transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Write<A> {
    /// Put an entry at the outbox's end.
    Enqueue(StoredEntry<A>),
    /// Remove entries that are settled; with the events that settled them, and the cursor behind those.
    Confirm {
        /// The accepted events, to be appended.
        events: Vec<StoredEvent<A>>,
        /// Where the log is held up to now.
        cursor: Option<Cursor>,
        /// The entries that have their verdict.
        settled: Vec<(ClientId, N)>,
    },
    /// Remove an entry that the app dropped. It has no verdict: its number settles nothing.
    Remove {
        /// Whose.
        client: ClientId,
        /// Which.
        n: N,
    },
    /// Put an entry again, as held, so that it is kept whatever its number.
    Hold(StoredEntry<A>),
    /// Forget every client's settled number: the server that gave them was reset.
    Reset,
    /// Replace state, events and cursor.
    Snapshot {
        /// The state.
        state: A,
        /// Where it stands; none: before the first event of a log that is not there yet.
        cursor: Option<Cursor>,
        /// The entries that it includes.
        settled: Vec<(ClientId, N)>,
    },
}

/// A frame for the server. See `docs/PROTOCOL.md`.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame<A> {
    /// Here I am.
    Hello(Hello),
    /// Actions for the log.
    Push(Push<A>),
    /// Events after a cursor, please.
    Pull(Pull),
    /// Are you there?
    Ping(Ping),
    /// No more of this stream.
    Leave(Leave),
}

/// A change of the confirmed and of the visible state (I1).
#[derive(Clone, Debug, PartialEq)]
pub enum Apply<A> {
    /// The first `count` shown actions are confirmed, in the order they are shown: the visible state stays
    /// as it is, to the reference.
    Advance {
        /// How many.
        count: usize,
    },
    /// Fold `events` into the confirmed state (or into `base`), then replay what is shown.
    Rebase {
        /// A state that takes the confirmed one's place.
        base: Option<A>,
        /// Accepted events, in order.
        events: Vec<StoredEvent<A>>,
        /// All shown actions, in order.
        shown: Vec<A>,
        /// Actions that were held back and enter the store now, once, in this order.
        entering: Vec<A>,
    },
}

/// What the app may want to know. The driver tells changes of the status by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice<A> {
    /// An action of ours was accepted.
    Confirmed {
        /// Whose.
        client: ClientId,
        /// Which.
        n: N,
        /// Where; with a snapshot, the snapshot's place.
        seq: Seq,
        /// The action.
        action: A,
    },
    /// An action of ours was rejected and is no longer shown.
    Rejected {
        /// Whose.
        client: ClientId,
        /// Which.
        n: N,
        /// Where.
        seq: Seq,
        /// Why.
        error: Rejection,
        /// The action.
        action: A,
    },
    /// An action is kept, but no longer shown or sent.
    Held {
        /// Whose.
        client: ClientId,
        /// Which.
        n: N,
        /// Why.
        reason: HeldReason,
        /// The action.
        action: A,
    },
    /// An accepted event did not fold here; the state is being taken from the server.
    Diverged {
        /// Which event.
        seq: Seq,
    },
    /// The server could not take a frame of ours.
    Failed {
        /// One of the codes of the wire.
        code: String,
        /// For people.
        message: String,
    },
    /// The server was reset or restored from a backup; this many actions are held.
    Reset {
        /// How many.
        held: usize,
    },
}

impl<A> StoredEntry<A> {
    /// The entry as it travels, settling `from..n`.
    pub(crate) fn into_entry(self, from: Option<N>, schema: u32) -> Entry<A> {
        Entry {
            client: self.client,
            n: self.n,
            from,
            // The hello carries the app's own schema; only older rows name theirs.
            schema: (self.schema != schema).then_some(self.schema),
            action: self.action,
        }
    }
}

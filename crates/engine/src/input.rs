//! Facts: the closed list of everything that can wake the engine.

use twinstore_protocol::{
    ClientId, ClientRow, Cursor, ErrorFrame, Events, N, Pong, Refused, Seq, SnapshotPart, Verdicts,
    Welcome,
};

use crate::HeldReason;

/// A fact, in the past tense.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<A> {
    /// Storage was read: this is what the last run left.
    Restored(StoredState<A>),
    /// The app dispatched an action; it takes the number [`crate::Engine::next_n`] gave before.
    Dispatched {
        /// The stamped action.
        action: A,
        /// Its size as JSON text.
        bytes: u32,
        /// True: it is held back from the store until its verdict (`'server'` routing).
        hidden: bool,
    },
    /// This client's own actions up to this number are stored.
    Persisted(N),
    /// A client's lock was free and is held by this page now: its entries are ours to send.
    Adopted {
        /// Who is gone.
        client: ClientId,
        /// What storage holds of it, read after its lock was taken.
        entries: Vec<StoredEntry<A>>,
    },
    /// The app wants to be connected.
    Connected,
    /// The app wants to be offline.
    Disconnected,
    /// The app wants to drop an action.
    Dropped {
        /// Whose.
        client: ClientId,
        /// Which.
        n: N,
    },
    /// Something happened that makes a new try worth while: online, visible, resumed.
    Woken,
    /// The socket is open.
    LinkOpened {
        /// What the hello should carry.
        token: Option<String>,
    },
    /// The socket is closed, or could not be opened.
    LinkClosed,
    /// A frame came.
    Received(Message<A>),
    /// The text of a snapshot was read.
    SnapshotRead {
        /// The state.
        state: A,
        /// What the server knows of the clients we named.
        clients: Vec<ClientRow>,
    },
    /// A snapshot's text could not be read.
    SnapshotUnreadable,
    /// An accepted event threw in this client's reducer.
    FoldFailed {
        /// Which.
        seq: Seq,
    },
    /// The time that [`crate::Engine::poll_timeout`] gave has come.
    TimedOut,
    /// The app is done with this twin.
    Closed,
}

/// What storage held.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredState<A> {
    /// The state where the events begin; none: the reducer's initial state.
    pub base: Option<A>,
    /// The accepted events since.
    pub events: Vec<StoredEvent<A>>,
    /// The last event stored, accepted or not.
    pub cursor: Option<Cursor>,
    /// The last settled number of each client that storage knows.
    pub settled: Vec<(ClientId, N)>,
    /// Every tab's entries, in the order of their commits.
    pub entries: Vec<StoredEntry<A>>,
}

impl<A> Default for StoredState<A> {
    fn default() -> Self {
        Self {
            base: None,
            events: Vec::new(),
            cursor: None,
            settled: Vec::new(),
            entries: Vec::new(),
        }
    }
}

/// An accepted event as it is stored here.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent<A> {
    /// Its place.
    pub seq: Seq,
    /// Its action.
    pub action: A,
}

/// An entry as it is stored here.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEntry<A> {
    /// Who dispatched it.
    pub client: ClientId,
    /// Its number.
    pub n: N,
    /// The schema of the app that dispatched it.
    pub schema: u32,
    /// Its size as JSON text.
    pub bytes: u32,
    /// Why it is held; none: it is not.
    pub held: Option<HeldReason>,
    /// The stamped action.
    pub action: A,
}

/// A message of the server. See `docs/PROTOCOL.md`.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<A> {
    /// The answer to our hello.
    Welcome(Welcome),
    /// Events, in order.
    Events(Events<A>),
    /// A part of a state.
    Snapshot(SnapshotPart),
    /// Verdicts of actions decided before.
    Verdicts(Verdicts),
    /// An entry that never reached the model.
    Refused(Refused),
    /// The answer to our ping.
    Pong(Pong),
    /// A frame of ours that could not be taken.
    Error(ErrorFrame),
}

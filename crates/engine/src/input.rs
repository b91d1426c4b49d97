//! Facts: the closed list of everything that can wake the engine.

use twinstore_protocol::{N, Seq};

use crate::{Client, Entry, Id, Message, StoredState, Verdict};

/// A fact, in the past tense.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<A> {
    /// Storage was read: this is what the last run left.
    Restored(StoredState<A>),
    /// What others stored may have changed.
    Changed,
    /// Storage was read again ([`crate::Output::Reread`]): what other tabs made of it. None: there is none.
    Reread(Option<StoredState<A>>),
    /// The app dispatched an action; it takes the number [`crate::Engine::next_n`] gave before.
    Dispatched {
        /// The stamped action.
        action: A,
        /// Its size as JSON text.
        bytes: u32,
        /// True: it is held back from the store until its verdict (`'server'` routing).
        hidden: bool,
    },
    /// The app merged a new action into the last one, which [`crate::Engine::last_unsent`] gave: one action takes the
    /// place of both. It takes the next number, and settles the numbers of both.
    Merged {
        /// The merged action, with the new one's stamp.
        action: A,
        /// Its size as JSON text.
        bytes: u32,
    },
    /// This client's own actions up to this number are stored.
    Persisted(N),
    /// Another tab stored these entries.
    Arrived(Vec<Entry<A>>),
    /// A client is gone, and this page sends what it left from now on.
    Adopted {
        /// Who is gone.
        client: Client,
        /// What it left.
        entries: Vec<Entry<A>>,
        /// That is all of it. Without, numbers that are missing may lie where this page cannot read.
        whole: bool,
    },
    /// This tab leads from now on, or follows.
    Led(bool),
    /// The leader's link came up, or went: for a tab that follows.
    Relayed {
        /// Whether it is up.
        online: bool,
        /// The schema of the server's model, as the leader heard it.
        schema: u32,
    },
    /// The app wants to be connected.
    Connected,
    /// The app wants to be offline.
    Disconnected,
    /// The app wants to drop an action.
    Dropped(Id),
    /// The app gives an action of ours that was never sent another content.
    Edited {
        /// Which.
        id: Id,
        /// The new action, stamped.
        action: A,
        /// Its size as JSON text.
        bytes: u32,
    },
    /// Something happened that makes a new try worth while: online, visible, resumed.
    Woken,
    /// The socket is open.
    LinkOpened,
    /// The socket is closed, or could not be opened.
    LinkClosed,
    /// A frame came; to a tab that follows, from its leader.
    Received(Message<A>),
    /// The text of a snapshot was read.
    SnapshotRead {
        /// The state.
        state: A,
        /// The last settled number of each client we named.
        settled: Vec<Id>,
        /// The rejections among what was settled.
        rejections: Vec<Verdict>,
    },
    /// A snapshot's text could not be read.
    SnapshotUnreadable,
    /// An accepted event threw in this client's reducer, or led to another state than in the server's.
    FoldFailed(Seq),
    /// A tab that follows needs the server's state.
    StateAsked,
    /// The time that [`crate::Engine::poll_timeout`] gave has come.
    TimedOut,
    /// The app is done with this twin.
    Closed,
}

//! What a device stores of a stream.

use twinstore_protocol::{Cursor, N, Seq};

use crate::Id;

/// An action on its way to the server, as it lies in the outbox. It settles its client's numbers `from..=n`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<A> {
    /// Whose it is, and its number.
    pub id: Id,
    /// The first number it settles: its own, unless actions before it were dropped or merged into it.
    pub from: N,
    /// Its place among the entries of all tabs. Grows with time.
    pub order: u64,
    /// The schema of the app that dispatched it.
    pub schema: u32,
    /// Its size as JSON text.
    pub bytes: u32,
    /// Why it is held; none: it is not.
    pub held: Option<HeldReason>,
    /// The stamped action.
    pub action: A,
}

/// An accepted event.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent<A> {
    /// Its place.
    pub seq: Seq,
    /// Its action.
    pub action: A,
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
    /// Another one after each reset of the server.
    pub epoch: u64,
    /// The last settled number of each client that storage knows.
    pub settled: Vec<Id>,
    /// The last number of each client that was settled in an epoch before.
    pub passed: Vec<Id>,
    /// Every tab's entries, by their order.
    pub entries: Vec<Entry<A>>,
}

impl<A> Default for StoredState<A> {
    fn default() -> Self {
        Self {
            base: None,
            events: Vec::new(),
            cursor: None,
            epoch: 0,
            settled: Vec::new(),
            passed: Vec::new(),
            entries: Vec::new(),
        }
    }
}

/// Why an action is kept without being shown or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldReason {
    /// The server was reset, or restored from a backup, and may never have seen it.
    Reset,
    /// The server refused it: too many bytes.
    TooLarge,
    /// The server refused it: nested too deeply.
    TooDeep,
    /// The server refused it: not a plain action.
    NotPlain,
    /// The server refused it: it has forgotten clients of that day, so that it may have the action already.
    TooOld,
    /// The server refused it: its client is another user's.
    OtherSubject,
    /// The server has settled a later number without it.
    Skipped,
    /// Another version of the app dispatched it, and this one cannot bring it up to date.
    Schema,
}

impl HeldReason {
    const ALL: [Self; 8] = [
        Self::Reset,
        Self::TooLarge,
        Self::TooDeep,
        Self::NotPlain,
        Self::TooOld,
        Self::OtherSubject,
        Self::Skipped,
        Self::Schema,
    ];

    /// The reason as the app sees it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::TooLarge => "too-large",
            Self::TooDeep => "too-deep",
            Self::NotPlain => "not-plain",
            Self::TooOld => "too-old",
            Self::OtherSubject => "other-subject",
            Self::Skipped => "skipped",
            Self::Schema => "schema",
        }
    }

    /// The reason with this name, as storage and the wire give it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

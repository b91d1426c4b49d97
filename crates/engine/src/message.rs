//! What the server says, as far as the engine asks. `docs/PROTOCOL.md` has the whole frames, `wire.rs` the way here.

use twinstore_protocol::{Chain, Check, LogId, N, Rejection, Seq, WireLimits, code};

use crate::{HeldReason, Id};

/// A message of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<A> {
    /// The answer to our hello.
    Welcome(Welcome),
    /// Events, in order.
    Events(Events<A>),
    /// A part of a state.
    Snapshot(SnapshotPart<A>),
    /// Verdicts of actions decided before.
    Verdicts(Vec<Verdict>),
    /// An entry that never reached the model.
    Refused {
        /// Which.
        id: Id,
        /// What to do about it.
        refusal: Refusal,
        /// The client's last number that has a verdict.
        last: N,
    },
    /// The answer to our ping: the log's last place.
    Pong(Seq),
    /// A frame of ours could not be taken: the server leaves the stream.
    Failed,
}

/// The answer to our hello.
#[derive(Clone, Debug, PartialEq)]
pub struct Welcome {
    /// The log's last place.
    pub head: Seq,
    /// This server does not hold our cursor.
    pub reset: bool,
    /// The schema of the server's model.
    pub schema: u32,
    /// How often to ping, in milliseconds.
    pub ping_ms: u32,
    /// What this server takes.
    pub limits: WireLimits,
    /// The last settled number of each client that the hello named.
    pub settled: Vec<Id>,
}

/// Events, going on after `after`.
#[derive(Clone, Debug, PartialEq)]
pub struct Events<A> {
    /// Which log.
    pub log: LogId,
    /// The place before the first of them.
    pub after: Seq,
    /// One after the other.
    pub events: Vec<Event<A>>,
    /// The checksum of the state that they lead to.
    pub check: Option<Check>,
}

/// One event. Without `action` and `error` it is the one that was pushed here; without `id` another's rejection.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<A> {
    /// Its place.
    pub seq: Seq,
    /// Whose action it is.
    pub id: Option<Id>,
    /// The action, where it was accepted.
    pub action: Option<A>,
    /// Why it was rejected.
    pub error: Option<Rejection>,
    /// The chain at this place.
    pub chain: Chain,
}

/// One part of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotPart<A> {
    /// Which log; none while it is empty.
    pub log: Option<LogId>,
    /// The state is the fold up to here.
    pub seq: Seq,
    /// The chain at that place.
    pub chain: Chain,
    /// This part, from 1.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// Its length.
    pub bytes: usize,
    /// Its text, for the driver to join.
    pub data: A,
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Which.
    pub id: Id,
    /// The event's place.
    pub seq: Seq,
    /// Why it was rejected; none: it was accepted.
    pub error: Option<Rejection>,
}

/// What to do about an entry that never reached the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It will never be taken as it is.
    Hold(HeldReason),
    /// The numbers do not follow on; the server names its own.
    Correct,
    /// The stream waits.
    Later,
}

impl Refusal {
    /// What a code of the wire asks for. One of a later version lets the stream wait.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match HeldReason::parse(name) {
            Some(
                reason @ (HeldReason::TooLarge
                | HeldReason::TooDeep
                | HeldReason::NotPlain
                | HeldReason::TooOld
                | HeldReason::OtherSubject),
            ) => Self::Hold(reason),
            _ if name == code::GAP || name == code::OVERLAP => Self::Correct,
            _ => Self::Later,
        }
    }
}

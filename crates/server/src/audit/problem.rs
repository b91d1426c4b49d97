//! What can be wrong with a stream.

use twinstore_protocol::{Chain, ClientId, N, Seq};

use crate::fold::FoldError;

/// One thing that is not as it must be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Events are missing.
    #[error("events {} to {} are not in the store, and no snapshot stands in for them", from.0, to.0)]
    Hole {
        /// The first.
        from: Seq,
        /// The last.
        to: Seq,
    },
    /// An event is not what the chain was made over.
    #[error("event {}: the chain is {stored}, and {found} is what it and the events before make", seq.0)]
    Chain {
        /// Its place.
        seq: Seq,
        /// What the store has.
        stored: Chain,
        /// What comes out.
        found: Chain,
    },
    /// An event's columns do not agree with its text.
    #[error("event {}: its columns do not say what its text says", seq.0)]
    Event {
        /// Its place.
        seq: Seq,
    },
    /// A number was settled twice, or out of order.
    #[error("event {}: settles the numbers {} to {} of {client}, which had got to {}", seq.0, from.0, to.0, last.0)]
    Number {
        /// Its place.
        seq: Seq,
        /// Whose.
        client: ClientId,
        /// The first number that it settles.
        from: N,
        /// The last one.
        to: N,
        /// The last one that was settled before.
        last: N,
    },
    /// The head is not where the events end.
    #[error("the head is at {} with the chain {stored}, the events end there with {found}", seq.0)]
    Head {
        /// Its place.
        seq: Seq,
        /// What the store has.
        stored: Chain,
        /// What the events make.
        found: Chain,
    },
    /// The log cannot be folded; what is made from it was not compared.
    #[error(transparent)]
    Fold(FoldError),
    /// A client's last number is another one.
    #[error("client {client}: the last number is {}, by the events it is {}", stored.0, found.0)]
    Client {
        /// Whose.
        client: ClientId,
        /// What the store has.
        stored: N,
        /// What the events make.
        found: N,
    },
    /// A snapshot is not the state there.
    #[error("the snapshot at {} is not the state that the events make", seq.0)]
    Snapshot {
        /// Its place.
        seq: Seq,
    },
    /// A record is not what the state makes.
    #[error("record {key}: {how}")]
    Record {
        /// Its key.
        key: String,
        /// In which way.
        how: Differs,
    },
}

/// How a record is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differs {
    /// It is not stored.
    Missing,
    /// It is stored, and must not be.
    TooMany,
    /// It is another one.
    Other,
}

impl std::fmt::Display for Differs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "is not in the store",
            Self::TooMany => "is in the store, the state has none",
            Self::Other => "is not what the state makes",
        })
    }
}

impl Problem {
    /// Whether it is made from the log, so that it can be made anew; else the log is damaged.
    #[must_use]
    pub fn is_derived(&self) -> bool {
        matches!(self, Self::Client { .. } | Self::Snapshot { .. } | Self::Record { .. })
    }
}

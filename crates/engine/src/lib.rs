//! The client of Twinstore as a state machine: no I/O, no clock, no randomness of its own.
//!
//! ```text
//!   facts (Input) ──▶ Engine ──▶ orders (Output)
//!                       │
//!                       └──▶ poll_timeout: when to say Input::TimedOut
//! ```
//!
//! A driver feeds one [`Input`], performs every [`Output`] until there is none left, and only then feeds
//! the next. In the browser the driver is `src/driver.rs`; in tests it is a few lines. The engine decides
//! what to store, send, send again, apply and rebase, and when to reconnect. It is generic over the
//! action, which it moves but never looks into, and it never sees the application's state: it says which
//! actions to reduce.
//!
//! The invariants I1–I8 of `ARCHITECTURE.md` are named in comments where they are kept. Reading order:
//! `input.rs`, `output.rs`, `merge.rs`, `outbox.rs`, `link.rs`, `engine.rs`.
#![forbid(unsafe_code)]

mod clients;
mod engine;
mod error;
mod exchange;
mod input;
mod limits;
mod link;
mod merge;
mod message;
mod outbox;
mod output;
mod receive;
mod snapshot;
mod stored;
mod tabs;
pub mod wire;

// The public interface is:
pub use clients::{Client, Id};
pub use engine::{Config, Engine, LinkState, Status};
pub use error::InputError;
pub use input::Input;
pub use limits::{Limits, LinkLimits};
pub use merge::{Fate, Merge, merge};
pub use message::{Event, Events, Message, Refusal, SnapshotPart, Verdict, Welcome};
pub use outbox::Progress;
pub use output::{Frame, Notice, Output, Rebase, Standing, Write};
pub use stored::{Entry, HeldReason, StoredEvent, StoredState};

/// A point in time as the driver tells it, milliseconds from any origin; it may stand still, but not go back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// This point plus a duration in milliseconds.
    #[must_use]
    pub fn plus(self, duration_ms: u64) -> Self {
        Self(self.0.saturating_add(duration_ms))
    }
}

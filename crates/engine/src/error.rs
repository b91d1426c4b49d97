//! What the engine refuses to take in.

use thiserror::Error;

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InputError {
    /// The outbox holds as much as its limits allow.
    #[error("the outbox is full")]
    OutboxFull,
    /// The twin was closed.
    #[error("the twin is closed")]
    Closed,
    /// There is no such action in the outbox.
    #[error("no such pending action")]
    NotPending,
    /// The action was sent and may have been applied: only what was never sent can be dropped.
    #[error("the action was sent already")]
    AlreadySent,
    /// The driver fed an input before it had performed the outputs of the one before.
    #[error("outputs of the last input are still to be performed")]
    NotDrained,
}

//! The words both sides share: ids, limits and the messages of the wire.
//!
//! No I/O, no clock and no state live here. Reading frames is the business of `crates/server`
//! (serde) and of `src/codec.rs` (the browser's own JSON); what a frame *means* is decided in
//! `crates/engine` and in `crates/server/src/session.rs`. The prose is `docs/PROTOCOL.md`, and
//! `tests/wire/v1` holds one golden frame for each message.
#![forbid(unsafe_code)]

mod ids;
mod limits;
mod message;
#[doc(hidden)]
pub mod planted;

// The public interface is:
pub use ids::{Chain, ClientId, LogId, N, Seq, StreamId, StreamIdError};
pub use limits::WireLimits;
pub use message::{
    Auth, Authenticated, Check, ClientFrom, ClientRow, Cursor, Entry, ErrorFrame, Event, Events,
    Hello, Leave, Ping, Pong, Pull, Push, Refused, Rejection, RejectionRow, SnapshotBody,
    SnapshotPart, VerdictRow, Verdicts, Welcome, code, tag,
};

/// The version of the wire this crate speaks.
pub const VERSION: u32 = 1;

/// The oldest version of the wire this crate still understands.
pub const VERSION_MIN: u32 = 1;

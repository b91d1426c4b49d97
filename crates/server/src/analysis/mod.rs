//! Looking back at a log: states of the past and what differs between two of them.
//!
//! Reads by pages and never changes anything. The command line runs it on a store's file, HTTP in
//! the server. Not here: how it is shown (`crates/cli`, `http/`).

mod diff;
mod past;

pub use diff::{DiffError, Difference, difference};
pub use past::{Past, PastError};

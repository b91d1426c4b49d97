//! Looking back at a log: its events by filter, states of the past, and what differs between two.
//!
//! Reads by pages and never changes anything. The command line runs it on a store's file, HTTP in
//! the server. Not here: how it is shown (`crates/cli`, `http/`).

mod diff;
mod filter;
mod moment;
mod past;
mod reader;

pub use diff::{DiffError, Difference, difference};
pub use filter::{Filter, FilterError};
pub use moment::{MomentError, moment, written};
pub use past::{Past, PastError};
pub use reader::{Missing, Read, Reader};

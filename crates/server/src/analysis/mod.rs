//! Looking back at a log: its events by filter, counts of them, states of the past, and what
//! differs between two.
//!
//! Reads by pages and never changes anything. The command line runs it on a store's file, HTTP in
//! the server. Not here: how it is shown (`crates/cli`, `http/`).

mod count;
mod delays;
mod diff;
mod filter;
mod moment;
mod past;
mod reader;
mod stats;

pub use count::{Count, CountError};
pub use delays::{DelaySummary, dispatched};
pub use diff::{DiffError, Difference, difference};
pub use filter::{Filter, FilterError};
pub use moment::{MomentError, moment, written};
pub use past::{Past, PastError};
pub use reader::{Missing, Read, Reader};
pub use stats::{Counted, Reason, Rows, Stats, Summary, Verdicts};

//! What is billed, in units of billing.

use serde::{Deserialize, Serialize};

/// What was, or will be, billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages that clients sent, each begun 32 KB ([`units::messages`](crate::units::messages)).
    pub messages_in: u64,
    /// Messages that were sent to clients, likewise.
    pub messages_out: u64,
    /// Minutes that connections were open.
    pub connection_minutes: f64,
    /// Calls of functions.
    pub invocations: u64,
    /// How long they took, each call rounded up.
    pub billed_ms: u64,
    /// The memory that each function has, in MB of 2^20 bytes.
    pub memory_mb: u32,
    /// Writes, each begun KB; in a transaction twice.
    pub write_units: u64,
    /// Consistent reads, each begun 4 KB.
    pub read_units: u64,
    /// Reads of tables' streams.
    pub stream_reads: u64,
}

impl Counts {
    /// The time of functions as it is billed: memory times time.
    #[must_use]
    pub fn gb_seconds(&self) -> f64 {
        f64::from(self.memory_mb) / 1_024.0 * self.billed_ms as f64 / 1_000.0
    }
}

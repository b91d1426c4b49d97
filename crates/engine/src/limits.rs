//! The limits of this side (I7). Those of the wire come with each welcome.

/// What this client takes and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Actions in the outbox.
    pub outbox_actions: usize,
    /// Bytes of all actions in the outbox, as JSON text.
    pub outbox_bytes: usize,
    /// How the link behaves.
    pub link: LinkLimits,
}

/// Times of the link, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLimits {
    /// The first wait before trying again.
    pub retry_ms_min: u64,
    /// The longest wait before trying again.
    pub retry_ms_max: u64,
    /// How long opening a socket and greeting may take.
    pub open_ms_max: u64,
    /// How long after a ping nothing may be heard before the link counts as dead.
    pub answer_ms_max: u64,
    /// The longest text of a snapshot.
    pub snapshot_bytes_max: usize,
    /// The shortest time between two snapshots asked for because something did not fold.
    pub snapshot_ms_min: u64,
    /// The longest: each one that comes soon after another doubles the wait.
    pub snapshot_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            outbox_actions: 100_000,
            outbox_bytes: 64 << 20,
            link: LinkLimits {
                retry_ms_min: 250,
                retry_ms_max: 10_000,
                open_ms_max: 10_000,
                answer_ms_max: 10_000,
                snapshot_bytes_max: 256 << 20,
                snapshot_ms_min: 5_000,
                snapshot_ms_max: 60_000,
            },
        }
    }
}

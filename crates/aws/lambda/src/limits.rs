//! What functions keep to (I7): the server's limits, cut down to what a gateway lets through.

use std::time::Duration;

use twinstore_server::limits::{Limits, WireLimits};

/// Bytes of a message to or from a gateway, of 128 KB.
pub const MESSAGE_BYTES: usize = 120 << 10;

/// Posts that are under way at once.
pub const POSTS_AT_ONCE: usize = 16;

/// Pages of events in one push; who lacks more pulls.
pub const PUSH_PAGES: usize = 8;

/// How long one try of a post may take.
pub const POST_TIME: Duration = Duration::from_secs(3);

/// Conflicts in one append before its sender is told to come back later.
pub const CONFLICTS: u32 = 20;

/// Streams that a function keeps loaded.
pub const STREAMS_LOADED: usize = 32;

/// Bytes of a token or a stream's name in a request to connect.
pub const QUERY_BYTES: usize = 8 << 10;

/// What sessions and workers keep to. A browser sends a message as one frame, of which a gateway
/// takes 32 KB.
pub const LIMITS: Limits = Limits {
    wire: WireLimits {
        action_bytes: 20 << 10,
        batch_actions: 100,
        batch_bytes: 20 << 10,
        frame_bytes: 32 << 10,
        ..WireLimits::DEFAULT
    },
    // A gateway closes what is silent for ten minutes, and each ping is paid for.
    ping_ms: 240_000,
    page_events: 200,
    page_bytes: 32 << 10,
    // Escaping may double them.
    snapshot_part_bytes: 48 << 10,
    // A function that starts folds what came since.
    snapshot_every: 200,
    ..Limits::DEFAULT
};

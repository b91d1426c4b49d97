//! The limits of the wire (I7): what a server takes, told to each client in its welcome.
//!
//! Each side's other limits stand in its own `limits.rs`.

use serde::{Deserialize, Serialize};

/// What a server accepts from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireLimits {
    /// Bytes of one action as JSON text.
    pub action_bytes: u32,
    /// Nesting of objects and arrays in one action; the action itself is level 1.
    pub action_depth: u32,
    /// Entries in one push.
    pub batch_actions: u32,
    /// Bytes of all actions in one push.
    pub batch_bytes: u32,
    /// Bytes of one frame, in either direction.
    pub frame_bytes: u32,
}

impl WireLimits {
    /// The limits where nobody says otherwise.
    pub const DEFAULT: Self = Self {
        action_bytes: 64 << 10,
        action_depth: 64,
        batch_actions: 500,
        batch_bytes: 96 << 10,
        frame_bytes: 1 << 20,
    };
}

impl Default for WireLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

//! The link: whether there is a connection, when to try again, when it counts as dead.
//!
//! ```text
//!              Connected                OpenLink            LinkOpened            welcome
//!   Off ───────────────────▶ Waiting ───────────▶ Opening ───────────▶ Greeting ─────────▶ Online
//!    ▲  Disconnected            ▲                    │                     │                  │
//!    └──── from anywhere        └────────────────────┴─── closed, silent ──┴──────────────────┘
//! ```
//!
//! A link is dead when nothing was heard for a while after a ping of our own: what the browser says about
//! being online is a hint to try at once, never a reason not to.

use crate::{LinkLimits, Millis};

/// Where the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// The app does not want one.
    Off,
    /// No connection; the next try comes at `retry_at`.
    Waiting { retry_at: Millis, attempt: u32 },
    /// The socket is being opened.
    Opening { give_up_at: Millis, attempt: u32 },
    /// The hello is sent.
    Greeting { give_up_at: Millis, attempt: u32 },
    /// Welcome. `attempt` is kept until the link has lasted, for a server that welcomes and then fails.
    Online { ping_at: Millis, dead_at: Option<Millis>, attempt: u32 },
}

impl Link {
    /// When something is due.
    pub(crate) fn due(self) -> Option<Millis> {
        match self {
            Self::Off => None,
            Self::Waiting { retry_at, .. } => Some(retry_at),
            Self::Opening { give_up_at, .. } | Self::Greeting { give_up_at, .. } => {
                Some(give_up_at)
            }
            Self::Online { ping_at, dead_at, .. } => Some(dead_at.unwrap_or(ping_at)),
        }
    }

    /// How many tries have failed in a row.
    pub(crate) fn attempt(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Waiting { attempt, .. }
            | Self::Opening { attempt, .. }
            | Self::Greeting { attempt, .. }
            | Self::Online { attempt, .. } => attempt,
        }
    }

    pub(crate) fn is_online(self) -> bool {
        matches!(self, Self::Online { .. })
    }
}

/// How long to wait after `attempt` failures: doubled each time, bounded, and cut by up to a half at random
/// so that the clients of a server that restarts do not come back all at once.
pub(crate) fn retry_delay_ms(attempt: u32, limits: &LinkLimits, random: u64) -> u64 {
    let longest = limits.retry_ms_min.saturating_shl(attempt.min(20)).min(limits.retry_ms_max);
    longest - random % (longest / 2 + 1)
}

trait SaturatingShl {
    fn saturating_shl(self, by: u32) -> Self;
}

impl SaturatingShl for u64 {
    fn saturating_shl(self, by: u32) -> Self {
        self.saturating_mul(1 << by)
    }
}

/// A small generator for jitter (splitmix64, by Sebastiano Vigna); its seed comes with the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(pub(crate) u64);

impl Jitter {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn waits_grow_to_a_bound_and_are_jittered() {
        let limits = Limits::default().link;
        assert_eq!(retry_delay_ms(0, &limits, 0), 250);
        assert_eq!(retry_delay_ms(2, &limits, 0), 1_000);
        assert_eq!(retry_delay_ms(60, &limits, 0), 10_000);
        let mut jitter = Jitter(1);
        for _ in 0..100 {
            let delay_ms = retry_delay_ms(3, &limits, jitter.draw());
            assert!((1_000..=2_000).contains(&delay_ms));
        }
    }
}

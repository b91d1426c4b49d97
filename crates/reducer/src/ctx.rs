//! What a model may know beside state and action: a clock and dice that the log fixes (I9).
//!
//! The same numbers as `Date.now()` and `Math.random()` give to a model in JavaScript.

use sha2::{Digest, Sha256};

/// Clock and dice of one action.
#[derive(Clone, Debug)]
pub struct Ctx {
    now: u64,
    dice: [u32; 4],
}

impl Ctx {
    /// The time of the action, in milliseconds since 1970, and what its dice begin with.
    #[must_use]
    pub fn new(now: u64, seed: [u32; 4]) -> Self {
        let mut ctx = Self { now, dice: seed };
        // The first numbers of sfc32 still show its seed.
        for _ in 0..12 {
            ctx.roll();
        }
        ctx
    }

    /// When the action was dispatched, in milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The next random number, from 0 up to but not with 1.
    pub fn random(&mut self) -> f64 {
        f64::from(self.roll()) / 4_294_967_296.0
    }

    /// sfc32, by Chris Doty-Humphrey.
    fn roll(&mut self) -> u32 {
        let [a, b, c, d] = self.dice;
        let rolled = a.wrapping_add(b).wrapping_add(d);
        self.dice = [
            b ^ (b >> 9),
            c.wrapping_add(c << 3),
            c.rotate_left(21).wrapping_add(rolled),
            d.wrapping_add(1),
        ];
        rolled
    }
}

/// What the dice of an action begin with, which its stream, client and number name for ever.
#[must_use]
pub fn seed(stream: &str, client: &str, n: u64) -> [u32; 4] {
    let mut hash = Sha256::new();
    // A NUL is in none of them, so that no two triples give one text.
    hash.update(format!("{stream}\0{client}\0{n}").as_bytes());
    let bytes = hash.finalize();
    [0, 4, 8, 12].map(|i| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_action_rolls_the_same() {
        let rolls = |n| {
            let mut ctx = Ctx::new(7, seed("m/x", "c", n));
            [ctx.random(), ctx.random(), ctx.random()]
        };
        assert_eq!(rolls(1), rolls(1));
        assert_ne!(rolls(1), rolls(2));
        assert!(rolls(1).iter().all(|roll| (0.0..1.0).contains(roll)));
    }
}

//! How much in a second: a bucket that fills at its rate and holds some seconds' worth.
//!
//! Pure: the time is handed in. What is taken is only known once it was read, so a bucket may be
//! overdrawn; it is empty until that is made up for.

use crate::limits::BURST_SECONDS;

/// A bucket for one kind of thing of one client.
#[derive(Clone, Debug)]
pub struct Bucket {
    per_second: i64,
    /// Thousandths; below 0 it is overdrawn.
    level: i64,
    at: u64,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(per_second: u64, now: u64) -> Self {
        // Beyond this a rate is none.
        let per_second = i64::try_from(per_second).unwrap_or(i64::MAX).min(1 << 40);
        Self { per_second, level: full(per_second), at: now }
    }

    /// Takes so many.
    pub fn take(&mut self, now: u64, count: u64) {
        self.fill(now);
        let count = i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(1_000);
        self.level = self.level.saturating_sub(count);
    }

    /// Milliseconds until there is something to take; 0: there is.
    pub fn wait(&mut self, now: u64) -> u64 {
        self.fill(now);
        if self.level > 0 {
            return 0;
        }
        // Thousandths of a thing come at `per_second` a millisecond.
        let lacks = self.level.unsigned_abs() + 1;
        lacks.div_ceil(self.per_second.unsigned_abs().max(1))
    }

    /// Whether nothing was taken lately.
    pub fn is_full(&mut self, now: u64) -> bool {
        self.fill(now);
        self.level == full(self.per_second)
    }

    fn fill(&mut self, now: u64) {
        // A clock that was set back fills nothing.
        let passed = i64::try_from(now.saturating_sub(self.at)).unwrap_or(i64::MAX);
        self.at = now;
        let filled = self.level.saturating_add(passed.saturating_mul(self.per_second));
        self.level = filled.min(full(self.per_second));
    }
}

fn full(per_second: i64) -> i64 {
    per_second.saturating_mul(BURST_SECONDS * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut bucket = Bucket::new(10, 1_000);
        for _ in 0..100 {
            assert_eq!(bucket.wait(1_000), 0);
            bucket.take(1_000, 1);
        }
        assert_eq!(bucket.wait(1_000), 1);
        bucket.take(1_001, 1);
        assert_eq!(bucket.wait(1_001), 100);
        assert_eq!(bucket.wait(1_100), 1);
        assert_eq!(bucket.wait(1_101), 0);
    }

    #[test]
    fn what_was_overdrawn_is_made_up_for() {
        let mut bucket = Bucket::new(10, 0);
        bucket.take(0, 600);
        assert_eq!(bucket.wait(0), 50_001);
        assert!(!bucket.is_full(59_999));
        assert!(bucket.is_full(60_000));
        bucket.take(u64::MAX, u64::MAX);
        assert!(bucket.wait(u64::MAX) > 0);
    }

    #[test]
    fn a_clock_that_is_set_back_fills_nothing() {
        let mut bucket = Bucket::new(1, 100_000);
        bucket.take(100_000, 10);
        assert_eq!(bucket.wait(100_000), 1);
        assert_eq!(bucket.wait(0), 1);
        assert_eq!(bucket.wait(1), 0);
    }
}

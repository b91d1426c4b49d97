//! How far a long command is, on stderr: nothing in the first second, then a line a second.

use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);

/// Work that is counted.
#[derive(Debug)]
pub(crate) struct Progress {
    /// What was done to events: "folded".
    done_what: &'static str,
    done: u64,
    total: u64,
    next: Instant,
}

impl Progress {
    pub(crate) fn new(done_what: &'static str, total: u64) -> Self {
        Self { done_what, done: 0, total, next: Instant::now() + EVERY }
    }

    /// So many more events are done.
    pub(crate) fn add(&mut self, events: u64) {
        self.done += events;
        let now = Instant::now();
        if now >= self.next {
            self.next = now + EVERY;
            eprintln!("{}", self.line());
        }
    }

    fn line(&self) -> String {
        let percent = (100 * self.done).checked_div(self.total).unwrap_or(100);
        format!("{} {} of {} events ({percent} %)", self.done_what, self.done, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let mut progress = Progress::new("folded", 4_000);
        progress.add(1_000);
        assert_eq!(progress.line(), "folded 1000 of 4000 events (25 %)");
        assert_eq!(Progress::new("read", 0).line(), "read 0 of 0 events (100 %)");
    }
}

//! Counts appends under way, so that closing waits for them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Open until it is closed.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    inside: Mutex<Inside>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    closed: bool,
    count: usize,
}

impl Gate {
    /// False: it is closed.
    pub(crate) fn enter(&self) -> bool {
        let mut inside = self.lock();
        if !inside.closed {
            inside.count += 1;
        }
        !inside.closed
    }

    pub(crate) fn leave(&self) {
        self.lock().count -= 1;
        self.left.notify_all();
    }

    /// Lets nobody in any more, and waits for those inside.
    pub(crate) fn close(&self) {
        let mut inside = self.lock();
        inside.closed = true;
        while inside.count > 0 {
            inside = self.left.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // A count cannot be left half-written.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What calls took, in the service's own units.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// Counts calls and units, as the service names them in its answers.
#[derive(Debug, Default)]
pub struct Meter {
    calls: AtomicU64,
    /// In thousandths: an eventually consistent read takes half a unit.
    written: AtomicU64,
    read: AtomicU64,
}

impl Meter {
    /// Calls that were answered.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Write units.
    #[must_use]
    pub fn write_units(&self) -> u64 {
        self.written.load(Ordering::Relaxed).div_ceil(1_000)
    }

    /// Read units.
    #[must_use]
    pub fn read_units(&self) -> u64 {
        self.read.load(Ordering::Relaxed).div_ceil(1_000)
    }

    pub(crate) fn wrote(&self, capacity: &[ConsumedCapacity]) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.written.fetch_add(units(capacity), Ordering::Relaxed);
    }

    pub(crate) fn read(&self, capacity: &[ConsumedCapacity]) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.read.fetch_add(units(capacity), Ordering::Relaxed);
    }
}

fn units(capacity: &[ConsumedCapacity]) -> u64 {
    let units: f64 = capacity.iter().filter_map(ConsumedCapacity::capacity_units).sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let thousandths = (units * 1_000.0) as u64;
    thousandths
}

//! How sizes become units of billing. Every unit that is begun counts.

/// Bytes of a metered message.
pub const MESSAGE: u64 = 32 << 10;

/// Bytes of a write unit.
pub const WRITE: u64 = 1 << 10;

/// Bytes of a read unit.
pub const READ: u64 = 4 << 10;

/// Messages that one of so many bytes is metered as. An empty one is one, too.
#[must_use]
pub const fn messages(bytes: u64) -> u64 {
    begun(bytes, MESSAGE)
}

/// Write units of one item.
#[must_use]
pub const fn written(bytes: u64) -> u64 {
    begun(bytes, WRITE)
}

/// Write units of one item in a transaction.
#[must_use]
pub const fn written_together(bytes: u64) -> u64 {
    written(bytes).saturating_mul(2)
}

/// Read units of one item, or of all the items of one query together.
#[must_use]
pub const fn read(bytes: u64) -> u64 {
    begun(bytes, READ)
}

const fn begun(bytes: u64, unit: u64) -> u64 {
    let units = bytes.div_ceil(unit);
    if units == 0 { 1 } else { units }
}

//! What must be random or of today: ids of logs and of clients that the server names itself.
//!
//! Kept out of workers and sessions, which get these handed in.

use std::time::{SystemTime, UNIX_EPOCH};

use twinstore_protocol::{ClientId, LogId};

use crate::day::Day;

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A log's id.
///
/// # Panics
/// Where the system has no randomness.
#[must_use]
pub fn log_id() -> LogId {
    LogId(text())
}

/// A client's id: the day and randomness.
///
/// # Panics
/// Where the system has no randomness.
#[must_use]
pub fn client_id(now: u64) -> ClientId {
    ClientId(format!("{}-{}", Day::of(now), text()))
}

/// 72 bits as 12 characters.
fn text() -> String {
    const LETTERS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.";
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 63)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        assert_ne!(log_id(), log_id());
        assert!(client_id(0).as_str().starts_with("19700101-"));
    }
}

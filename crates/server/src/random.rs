//! What must be random or of today: ids of logs and of clients that the server names itself.
//!
//! Kept out of workers and sessions, which get these handed in.

use std::time::{SystemTime, UNIX_EPOCH};

use twinstore_protocol::{ClientId, LogId};

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
    ClientId(format!("{}-{}", day(now), text()))
}

/// 72 bits as 12 characters.
fn text() -> String {
    const LETTERS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.";
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 63)])).collect()
}

/// The UTC day as `YYYYMMDD` (the days of the civil calendar, by Howard Hinnant).
fn day(now: u64) -> String {
    let days = now / 86_400_000 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        assert_eq!(day(0), "19700101");
        assert_eq!(day(1_795_428_000_000), "20261123");
        assert_eq!(day(951_782_400_000), "20000229");
    }

    #[test]
    fn ids_differ() {
        assert_ne!(log_id(), log_id());
        assert!(client_id(0).as_str().starts_with("19700101-"));
    }
}

//! Points in time as people write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A text that is no point in time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` is no time: write 2026-11-23T18:00:00Z, 2026-11-23, milliseconds since 1970, or how \
     long ago: 90m, 2h, 7d"
)]
pub struct MomentError {
    /// The text.
    pub text: String,
}

/// Milliseconds since 1970. Times are UTC; `now` is what "ago" counts from.
///
/// # Errors
/// [`MomentError`].
pub fn moment(text: &str, now: u64) -> Result<u64, MomentError> {
    let wrong = || MomentError { text: text.to_owned() };
    if let Ok(milliseconds) = text.parse() {
        return Ok(milliseconds);
    }
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(now.saturating_sub(milliseconds(ago)));
    }
    // A day is its first moment.
    let day = text.len() == "2026-11-23".len();
    let time = if day { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let time = humantime::parse_rfc3339_weak(&time).map_err(|_| wrong())?;
    time.duration_since(UNIX_EPOCH).map(milliseconds).map_err(|_| wrong())
}

/// That point in time, to the second: `2026-11-23T18:00:00Z`.
#[must_use]
pub fn written(at: u64) -> String {
    /// The last moment that has a year of four digits.
    const LAST: u64 = 253_402_300_799_999;
    let since = Duration::from_millis(at.min(LAST));
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(text: &str, expect: u64) {
        assert_eq!(moment(text, 10_000_000).unwrap(), expect, "{text}");
    }

    #[test]
    fn all_ways_to_write_a_time() {
        is("0", 0);
        is("1795456800000", 1_795_456_800_000);
        is("2026-11-23T18:00:00Z", 1_795_456_800_000);
        is("2026-11-23T18:00:00.250Z", 1_795_456_800_250);
        is("2026-11-23 18:00:00", 1_795_456_800_000);
        is("2026-11-23", 1_795_392_000_000);
        is("90m", 4_600_000);
        is("1h 30m", 4_600_000);
        is("9d", 0);
        for text in ["", "yesterday", "-5", "2026-13-01", "2026-11-23T18:00:00+01:00", "1969-12-31"]
        {
            assert!(moment(text, 0).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_as_it_is_written() {
        assert_eq!(written(1_795_456_800_250), "2026-11-23T18:00:00Z");
        assert_eq!(written(u64::MAX), "9999-12-31T23:59:59Z");
    }
}

//! Days of the calendar, in UTC: a client's id begins with the one it was made on.

use std::fmt;

use twinstore_protocol::ClientId;

/// Milliseconds.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A day, as the number that its digits `YYYYMMDD` are. `Day(0)` is before all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub u32);

impl Day {
    /// The day of a moment, in milliseconds since 1970 (the days of the civil calendar, by Howard
    /// Hinnant).
    #[must_use]
    pub fn of(moment: u64) -> Self {
        let days = moment / DAY_MS + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year + era * 400 + u64::from(month <= 2);
        Self(u32::try_from(year * 10_000 + month * 100 + day).unwrap_or(u32::MAX))
    }

    /// Whether a client may be forgotten where those of earlier days are: its id says that it was made
    /// before this day. One whose id says no day never is.
    #[must_use]
    pub fn forgets(self, client: &ClientId) -> bool {
        Self::of_client(client).is_some_and(|made| made < self)
    }

    /// The day on which a client's id says that it was made; none where the id has another form.
    #[must_use]
    pub fn of_client(client: &ClientId) -> Option<Self> {
        let (digits, _) = client.as_str().split_once('-')?;
        let is_day = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_day.then(|| digits.parse().ok()).flatten().map(Self)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_moments() {
        assert_eq!(Day::of(0).to_string(), "19700101");
        assert_eq!(Day::of(1_795_428_000_000).to_string(), "20261123");
        assert_eq!(Day::of(951_782_400_000).to_string(), "20000229");
    }

    #[test]
    fn earlier_clients_are_forgotten() {
        let forgets = |id: &str| Day(20_261_123).forgets(&ClientId(id.to_owned()));
        assert!(forgets("20261122-abc"));
        for id in ["20261123-abc", "20261124-abc", "sensor"] {
            assert!(!forgets(id), "{id}");
        }
    }

    #[test]
    fn of_clients() {
        let day = |id: &str| Day::of_client(&ClientId(id.to_owned()));
        assert_eq!(day("20261123-abc"), Some(Day(20_261_123)));
        for other in ["sensor", "2026112-a", "20261123", "+0261123-a", "-"] {
            assert_eq!(day(other), None, "{other}");
        }
    }
}

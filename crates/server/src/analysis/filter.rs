//! Which events are meant.

use twinstore_protocol::Seq;

use crate::event::StoredEvent;

/// Which events are meant: those to which all that is said applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of actions of one of these types; empty: of any.
    pub kinds: Vec<String>,
    /// Of one of these clients; empty: of any.
    pub clients: Vec<String>,
    /// From this place on.
    pub from: Seq,
    /// Up to this place, it included.
    pub to: Seq,
    /// Decided at this time or later, by the server's clock.
    pub since: Option<u64>,
    /// Decided before this time.
    pub until: Option<u64>,
    /// Rejected ones, or accepted ones; none: both.
    pub rejected: Option<bool>,
}

impl Default for Filter {
    /// All of them.
    fn default() -> Self {
        Self {
            kinds: Vec::new(),
            clients: Vec::new(),
            from: Seq(1),
            to: Seq::MAX,
            since: None,
            until: None,
            rejected: None,
        }
    }
}

/// Why a filter can take nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FilterError {
    /// No place is in the range.
    #[error("`from` is {from}, after `to`, which is {to}")]
    Places {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// No time is in the range.
    #[error("`until` is not after `since`")]
    Times,
}

impl Filter {
    /// Whether it can take anything at all.
    ///
    /// # Errors
    /// [`FilterError`], where its ranges are empty.
    pub fn check(&self) -> Result<(), FilterError> {
        if self.from > self.to {
            return Err(FilterError::Places { from: self.from.0, to: self.to.0 });
        }
        match (self.since, self.until) {
            (Some(since), Some(until)) if since >= until => Err(FilterError::Times),
            _ => Ok(()),
        }
    }

    /// Whether that event is meant.
    #[must_use]
    pub fn takes(&self, event: &StoredEvent) -> bool {
        let one_of = |all: &[String], it: &str| all.is_empty() || all.iter().any(|one| one == it);
        (self.from..=self.to).contains(&event.seq)
            && one_of(&self.kinds, &event.kind)
            && one_of(&self.clients, event.client.as_str())
            && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at < until)
            && self.rejected.is_none_or(|rejected| event.error.is_some() == rejected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance::Sample;

    /// The places that it takes of nine events; 3, 6 and 9 are rejected, `at` is 1,000 and the place.
    #[track_caller]
    fn takes(filter: &Filter, expect: &[u64]) {
        let events = Sample::new("m/x").append(9).events;
        let taken = events.iter().filter(|event| filter.takes(event)).map(|event| event.seq.0);
        assert_eq!(taken.collect::<Vec<_>>(), expect);
    }

    #[test]
    fn what_is_said_must_all_apply() {
        let all = Filter::default();
        takes(&all, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        takes(&Filter { from: Seq(8), ..all.clone() }, &[8, 9]);
        takes(&Filter { to: Seq(2), ..all.clone() }, &[1, 2]);
        takes(&Filter { rejected: Some(true), ..all.clone() }, &[3, 6, 9]);
        takes(&Filter { rejected: Some(false), to: Seq(3), ..all.clone() }, &[1, 2]);
        takes(&Filter { since: Some(1_004), until: Some(1_006), ..all.clone() }, &[4, 5]);
        let kinds = ["other".to_owned(), "sample".to_owned()];
        takes(&Filter { kinds: kinds[..1].to_vec(), ..all.clone() }, &[]);
        takes(&Filter { kinds: kinds.to_vec(), to: Seq(1), ..all.clone() }, &[1]);
        takes(&Filter { clients: vec!["20261123-b".to_owned()], ..all.clone() }, &[]);
        takes(&Filter { clients: vec!["20261123-a".to_owned()], from: Seq(9), ..all }, &[9]);
    }

    #[test]
    fn ranges_that_hold_nothing() {
        let all = Filter::default();
        assert_eq!(all.check(), Ok(()));
        let places = Filter { from: Seq(3), to: Seq(2), ..all.clone() };
        assert_eq!(places.check(), Err(FilterError::Places { from: 3, to: 2 }));
        let times = Filter { since: Some(5), until: Some(5), ..all };
        assert_eq!(times.check(), Err(FilterError::Times));
    }
}

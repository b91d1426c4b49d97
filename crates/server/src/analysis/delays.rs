//! The time from dispatch to verdict.
//!
//! The log holds both ends: the dispatch by the client's clock, in the action's stamp, and the
//! verdict by the server's. What the server stamped itself has no dispatch.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::action::{Stamp, server_id};
use crate::event::StoredEvent;

/// Delays in a histogram of a fixed size: their first two digits are kept.
#[derive(Debug)]
pub(super) struct Delays {
    histogram: Histogram<u64>,
    ahead: u64,
    unknown: u64,
}

/// What can be said of delays, in milliseconds. Values are right to one in a hundred.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct DelaySummary {
    /// How many were measured.
    pub measured: u64,
    /// Half of them were no longer than this.
    pub p50: Option<u64>,
    /// Nine tenths.
    pub p90: Option<u64>,
    /// All but one in a hundred.
    pub p99: Option<u64>,
    /// The longest.
    pub max: Option<u64>,
    /// Verdicts before their dispatch: that client's clock was ahead. They are not measured.
    pub ahead: u64,
    /// Actions that no client stamped.
    pub unknown: u64,
}

/// Longer delays count as this: 2^53 − 1 milliseconds.
const MOST: u64 = 9_007_199_254_740_991;

impl Default for Delays {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, MOST, 2);
        Self { histogram: histogram.expect("these bounds are allowed"), ahead: 0, unknown: 0 }
    }
}

impl Delays {
    pub(super) fn add(&mut self, event: &StoredEvent) {
        match dispatched(event) {
            None => self.unknown += 1,
            Some(at) if at > event.at => self.ahead += 1,
            Some(at) => self.histogram.saturating_record(event.at - at),
        }
    }

    pub(super) fn summary(&self) -> DelaySummary {
        let measured = self.histogram.len();
        let quantile = |q| (measured > 0).then(|| self.histogram.value_at_quantile(q));
        DelaySummary {
            measured,
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            max: quantile(1.0),
            ahead: self.ahead,
            unknown: self.unknown,
        }
    }
}

/// When an event's action was dispatched, by its client's clock. None: its client did not say.
#[must_use]
pub fn dispatched(event: &StoredEvent) -> Option<u64> {
    let stamp = Stamp::of(event.decided());
    let by_server = stamp.id.is_some_and(|id| id == server_id(event.client.as_str(), event.n.0));
    stamp.at.filter(|_| !by_server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Parts;
    use twinstore_protocol::{Chain, ClientId, N, Rejection, Seq};

    fn event(at: u64, meta: &str, rejected: bool) -> StoredEvent {
        let action = format!(r#"{{"type":"a","meta":{meta}}}"#);
        let (client, action) = (&ClientId("c".to_owned()), action.as_str());
        let (seq, n, kind, model) = (Seq(1), N(2), "a", "h");
        let parts = Parts { seq, client, n, from: None, at, kind, model, schema: 1, action };
        let error = rejected.then(|| Rejection { code: "invalid".into(), reason: String::new() });
        StoredEvent::new(&Chain::default(), parts, error)
    }

    #[test]
    fn only_what_a_client_said_is_measured() {
        let mut delays = Delays::default();
        let none = DelaySummary {
            measured: 0,
            p50: None,
            p90: None,
            p99: None,
            max: None,
            ahead: 0,
            unknown: 0,
        };
        assert_eq!(delays.summary(), none);
        for (at, meta, rejected) in [
            (150, r#"{"twin":{"id":"x","at":100}}"#, false),
            (100, r#"{"twin":{"id":"x","at":100}}"#, true),
            (86_400_100, r#"{"twin":{"at":100}}"#, false),
            (99, r#"{"twin":{"id":"x","at":100}}"#, false),
            // The server's own stamp.
            (100, r#"{"twin":{"id":"c-2","at":100,"client":"c","n":2}}"#, true),
            (100, "5", false),
        ] {
            delays.add(&event(at, meta, rejected));
        }
        let DelaySummary { measured, p50, max, ahead, unknown, .. } = delays.summary();
        assert_eq!((measured, p50, ahead, unknown), (3, Some(50), 1, 2));
        let max = max.expect("some are measured");
        assert!(max.abs_diff(86_400_000) < 864_000, "{max}");
    }
}

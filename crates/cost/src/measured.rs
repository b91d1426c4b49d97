//! What an embedded server did since it was started, by its metrics (docs/OPERATIONS.md, "Metrics"),
//! and the run that this was, so that one can see what it would have cost elsewhere.

use std::str::FromStr;

use serde::Serialize;

use crate::counts::Counts;
use crate::run::Run;
use crate::units::MESSAGE;

/// What a server counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// Actions that were decided, rejected ones as well.
    pub actions: u64,
    /// Frames from sockets.
    pub frames_in: u64,
    /// Frames to sockets.
    pub frames_out: u64,
    /// Bytes from sockets.
    pub bytes_in: u64,
    /// Bytes to sockets.
    pub bytes_out: u64,
    /// HTTP requests.
    pub requests: u64,
    /// Appends that were made durable.
    pub appends: u64,
    /// How long they took, in ms.
    pub append_ms: f64,
    /// How long models ran, in ms.
    pub model_ms: f64,
    /// When the server was started, in seconds since 1970.
    pub started: u64,
}

/// Why a text tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these are no metrics of this server's: `{missing}` is missing")]
pub struct BadMetrics {
    missing: &'static str,
}

impl FromStr for Measured {
    type Err = BadMetrics;
    fn from_str(text: &str) -> Result<Self, BadMetrics> {
        let sum = |name| sum(text, name).ok_or(BadMetrics { missing: name });
        Ok(Self {
            actions: whole(sum("twinstore_actions_total")?),
            frames_in: whole(sum("twinstore_received_frames_total")?),
            frames_out: whole(sum("twinstore_sent_frames_total")?),
            bytes_in: whole(sum("twinstore_received_bytes_total")?),
            bytes_out: whole(sum("twinstore_sent_bytes_total")?),
            // There is no line before the first one.
            requests: whole(sum("twinstore_http_requests_total").unwrap_or(0.0)),
            appends: whole(sum("twinstore_commit_seconds_count")?),
            append_ms: 1_000.0 * sum("twinstore_commit_seconds_sum")?,
            model_ms: 1_000.0 * sum("twinstore_reducer_seconds_sum")?,
            started: whole(sum("process_start_time_seconds")?),
        })
    }
}

impl Measured {
    /// The same in units of billing. Nobody bills a server for them; a frame of more than 32 KB is
    /// counted by its bytes.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            messages_in: self.frames_in.max(self.bytes_in.div_ceil(MESSAGE)),
            messages_out: self.frames_out.max(self.bytes_out.div_ceil(MESSAGE)),
            ..Counts::default()
        }
    }

    /// The run that this was, as far as one can see from here: actions as they shared appends, and as
    /// many receivers as there were frames for each append. None: nothing was decided yet.
    #[must_use]
    pub fn run(&self, others: &Run) -> Option<Run> {
        if self.actions == 0 || self.appends == 0 {
            return None;
        }
        let at_least_one = |number: u64, most| number.clamp(1, most);
        Some(Run {
            actions: self.actions,
            batch: at_least_one(self.actions.div_ceil(self.appends), 500),
            receivers: at_least_one(self.frames_out.div_ceil(self.appends), 100_000),
            bytes: match self.bytes_in / self.actions {
                0 => others.bytes,
                bytes => at_least_one(bytes, 20 << 10),
            },
            ..*others
        })
    }
}

/// The values of a metric together, whatever their labels. None: there is no such metric.
fn sum(text: &str, name: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.split_once('}') {
            Some((labels, value)) if labels.starts_with('{') => value,
            _ => rest.starts_with(' ').then_some(rest)?,
        };
        value.split_whitespace().next()?.parse::<f64>().ok().filter(|value| value.is_finite())
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let whole = number as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# TYPE twinstore_actions counter
twinstore_actions_total{model="a",verdict="accepted"} 90
twinstore_actions_total{model="a",verdict="invalid"} 10
twinstore_received_frames_total 25
twinstore_sent_frames_total 60
twinstore_received_bytes_total 25600
twinstore_sent_bytes_total 6553600
twinstore_commit_seconds_sum 0.5
twinstore_commit_seconds_count 20
twinstore_commit_seconds_bucket{le="0.1"} 20
twinstore_reducer_seconds_sum{model="a",work="decide"} 0.25
twinstore_reducer_seconds_sum{model="a",work="fold"} 0.25
process_start_time_seconds 1795490983
# EOF
"#;

    #[test]
    fn metrics_become_a_run() {
        let measured: Measured = TEXT.parse().unwrap();
        assert_eq!((measured.actions, measured.appends, measured.requests), (100, 20, 0));
        assert_eq!((measured.append_ms, measured.model_ms), (500.0, 500.0));
        let counts = measured.counts();
        assert_eq!((counts.messages_in, counts.messages_out), (25, 200), "by their bytes");
        let run = measured.run(&Run::default()).unwrap();
        assert_eq!((run.actions, run.batch, run.receivers, run.bytes), (100, 5, 3, 256));
        run.check().unwrap();
    }

    #[test]
    fn what_tells_nothing() {
        assert_eq!("hello".parse::<Measured>().unwrap_err().missing, "twinstore_actions_total");
        let other =
            TEXT.replace("twinstore_commit_seconds_count", "twinstore_commit_seconds_counts");
        assert!(other.parse::<Measured>().is_err());
        let nothing = TEXT.replace(" 90\n", " 0\n").replace(" 10\n", " 0\n");
        assert_eq!(nothing.parse::<Measured>().unwrap().run(&Run::default()), None);
        let odd = TEXT.replace(" 90\n", " NaN\n");
        assert_eq!(odd.parse::<Measured>().unwrap().actions, 10);
    }
}

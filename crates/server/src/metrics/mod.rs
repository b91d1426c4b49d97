//! What a server counts and measures, for Prometheus.
//!
//! Counted in place, with no allocation: labels are those of models, verdicts and codes, never of
//! streams or clients, so that their number is bounded. What can be asked for (sockets, how far
//! they are behind) is asked for when the text is made.
//! Not here: whether the server is well (`health.rs`).

mod process;
mod timed;

use std::collections::BTreeMap;
use std::time::Instant;

use axum::http::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use twinstore_protocol::code;

use crate::log::{Append, AppendError, Head};
use crate::model::Models;
use crate::sockets::Census;
use crate::stream::commit::Commit;

use self::process::Process;
pub(crate) use self::timed::Timed;

/// The text's media type.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One label whose values are known when the program is built.
type Known = [(&'static str, &'static str); 1];

/// The counts of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    models: BTreeMap<String, ModelMetrics>,
    refused: Family<Known, Counter>,
    http: Family<Known, Counter>,
    sockets: Family<Known, Gauge>,
    append_failures: Family<Known, Counter>,
    commit_seconds: Histogram,
    commit_events: Histogram,
    appends_waiting: Gauge,
    lag_sum: Gauge,
    lag_max: Gauge,
    queue_bytes: Gauge,
    process: Process,
    /// Questions that wait for a reducer thread.
    pub(crate) questions_waiting: Gauge,
    /// Streams whose state is in memory.
    pub(crate) streams_loaded: Gauge,
    /// Subscriptions that were ended because their socket did not keep up.
    pub(crate) cut_off: Counter,
    /// States that twins were given, since events alone would not do.
    pub(crate) snapshots: Counter,
    /// Frames that sockets sent to the server.
    pub(crate) received: Frames,
    /// Frames that the server sent to sockets.
    pub(crate) sent: Frames,
    /// 1 from the order to stop on.
    pub(crate) draining: Gauge,
}

/// The counts of one model.
#[derive(Debug)]
struct ModelMetrics {
    accepted: Counter,
    invalid: Counter,
    threw: Counter,
    limit: Counter,
    other: Counter,
    decide_seconds: Histogram,
    fold_seconds: Histogram,
}

/// Frames and their bytes, in one direction.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    frames: Counter,
    bytes: Counter,
}

impl Frames {
    pub(crate) fn count(&self, bytes: usize) {
        self.frames.inc();
        self.bytes.inc_by(bytes as u64);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::of(&Models::default())
    }
}

impl Metrics {
    /// The counts of a server of these models, all at zero.
    #[must_use]
    pub fn of(models: &Models) -> Self {
        let mut registry = Registry::default();
        let r = &mut registry;
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        r.register("twinstore_build", "The server's version", Info::new(version));
        Self {
            models: models_metrics(r, models.keys()),
            refused: family(r, "twinstore_refused", "Frames and entries refused, by code"),
            http: family(
                r,
                "twinstore_http_requests",
                "HTTP requests answered, by class of status",
            ),
            sockets: gauges(r, "twinstore_sockets", "Open sockets, by what they speak"),
            append_failures: family(r, "twinstore_append_failures", "Appends without success"),
            commit_seconds: seconds(
                r,
                "twinstore_commit",
                "From the order of an append until it is durable",
            ),
            commit_events: events(
                r,
                "twinstore_commit_events",
                "Events of one append of one stream",
            ),
            appends_waiting: gauge(
                r,
                "twinstore_appends_waiting",
                "Appends that are not durable yet",
            ),
            lag_sum: gauge(
                r,
                "twinstore_lag_events",
                "Events that subscribers were not sent yet, all together",
            ),
            lag_max: gauge(
                r,
                "twinstore_lag_events_max",
                "The same of the subscriber that is most behind",
            ),
            queue_bytes: gauge(r, "twinstore_socket_queue_bytes", "Bytes that wait to be sent"),
            process: Process::register(r),
            questions_waiting: gauge(
                r,
                "twinstore_questions_waiting",
                "Questions that wait for a reducer thread",
            ),
            streams_loaded: gauge(
                r,
                "twinstore_streams_loaded",
                "Streams whose state is in memory",
            ),
            cut_off: counter(
                r,
                "twinstore_socket_cut_off",
                "Subscriptions ended because their socket did not keep up",
            ),
            snapshots: counter(r, "twinstore_snapshots_sent", "States given to twins"),
            received: frames(r, "received", "from sockets"),
            sent: frames(r, "sent", "to sockets"),
            draining: gauge(r, "twinstore_draining", "1 from the order to stop on"),
            registry,
        }
    }

    /// Events are durable and about to be told.
    pub(crate) fn committed(&self, commit: &Commit) {
        let Some(model) = self.models.get(commit.stream.model()) else { return };
        // What others decided they have counted.
        if commit.is_of_others() {
            return;
        }
        for decided in &commit.events {
            let error = decided.event.error.as_ref();
            model.verdict(error.map(|error| error.code.as_str())).inc();
        }
    }

    /// An append is ordered. What it gives goes to [`Metrics::append_ends`].
    pub(crate) fn append_begins(&self, append: &Append) -> Instant {
        self.appends_waiting.inc();
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        self.commit_events.observe(append.events.len() as f64);
        Instant::now()
    }

    /// It has this outcome.
    pub(crate) fn append_ends(&self, began: Instant, outcome: &Result<Head, AppendError>) {
        self.appends_waiting.dec();
        let failure = match outcome {
            Ok(_) => return self.commit_seconds.observe(began.elapsed().as_secs_f64()),
            Err(AppendError::Conflict { .. }) => "conflict",
            Err(AppendError::Failed(_)) => "failed",
            Err(AppendError::Unknown(_)) => "unknown",
        };
        self.append_failures.get_or_create(&[("outcome", failure)]).inc();
    }

    /// A frame, or an entry of one, was refused.
    pub(crate) fn refused(&self, code: &'static str) {
        self.refused.get_or_create(&[("code", code)]).inc();
    }

    /// A request was answered.
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = match status.as_u16() {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.http.get_or_create(&[("status", class)]).inc();
    }

    /// The text for Prometheus, with the sockets as they are now.
    pub(crate) fn text(&self, sockets: &Census) -> String {
        for (kind, count) in [("twin", sockets.twins), ("thin", sockets.thin)] {
            self.sockets.get_or_create(&[("kind", kind)]).set(signed(count));
        }
        self.lag_sum.set(signed(sockets.lag_sum));
        self.lag_max.set(signed(sockets.lag_max));
        self.queue_bytes.set(signed(sockets.queue_bytes));
        self.process.look();
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a text takes all that is written to it");
        text
    }
}

impl ModelMetrics {
    fn verdict(&self, code: Option<&str>) -> &Counter {
        match code {
            None => &self.accepted,
            Some(code::INVALID) => &self.invalid,
            Some(code::THREW) => &self.threw,
            Some(code::LIMIT) => &self.limit,
            Some(_) => &self.other,
        }
    }
}

/// Labels of what is made once, at the start.
type Given = Vec<(&'static str, String)>;

fn models_metrics<'a>(
    registry: &mut Registry,
    models: impl Iterator<Item = &'a String>,
) -> BTreeMap<String, ModelMetrics> {
    let actions = Family::<Given, Counter>::default();
    registry.register(
        "twinstore_actions",
        "Actions decided, by model and verdict",
        actions.clone(),
    );
    let work: Family<Given, Histogram, fn() -> Histogram> =
        Family::new_with_constructor(|| Histogram::new(reducer_buckets()));
    let help = "One run of a model: to decide an action, or to fold an event";
    registry.register_with_unit("twinstore_reducer", help, Unit::Seconds, work.clone());
    let of_model = |name: &String| {
        let labels = |key, value: &str| vec![("model", name.clone()), (key, value.to_owned())];
        let verdict = |verdict| actions.get_or_create_owned(&labels("verdict", verdict));
        let seconds = |of| work.get_or_create_owned(&labels("work", of));
        let metrics = ModelMetrics {
            accepted: verdict("accepted"),
            invalid: verdict(code::INVALID),
            threw: verdict(code::THREW),
            limit: verdict(code::LIMIT),
            other: verdict("other"),
            decide_seconds: seconds("decide"),
            fold_seconds: seconds("fold"),
        };
        (name.clone(), metrics)
    };
    models.map(of_model).collect()
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn family(registry: &mut Registry, name: &str, help: &str) -> Family<Known, Counter> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

fn gauges(registry: &mut Registry, name: &str, help: &str) -> Family<Known, Gauge> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

fn frames(registry: &mut Registry, verb: &str, direction: &str) -> Frames {
    let frames =
        counter(registry, &format!("twinstore_{verb}_frames"), &format!("Frames {direction}"));
    let bytes = Counter::default();
    let (name, help) = (format!("twinstore_{verb}"), format!("Bytes of frames {direction}"));
    registry.register_with_unit(name, help, Unit::Bytes, bytes.clone());
    Frames { frames, bytes }
}

/// From a tenth of a millisecond to some 26 seconds.
fn seconds(registry: &mut Registry, name: &str, help: &str) -> Histogram {
    let histogram = Histogram::new(exponential_buckets(0.0001, 2.0, 19));
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

fn events(registry: &mut Registry, name: &str, help: &str) -> Histogram {
    let histogram = Histogram::new([1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]);
    registry.register(name, help, histogram.clone());
    histogram
}

/// From ten microseconds to some ten seconds.
fn reducer_buckets() -> impl Iterator<Item = f64> {
    exponential_buckets(0.00001, 4.0, 11)
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

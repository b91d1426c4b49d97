//! What every backend must do: one suite, run on each (`conformance::check`).
//!
//! A new backend is done when it passes. Public, so that backends elsewhere can run it.
#![expect(clippy::unwrap_used, reason = "a suite of tests: what fails is its finding")]

use std::sync::Arc;
use std::sync::mpsc::channel;

use twinstore_protocol::{Chain, ClientId, LogId, N, Rejection, Seq, StreamId};

use super::{
    Append, AppendError, Base, Compaction, Derived, Head, Log, Page, Snapshot, StoredModel, Verdict,
};
use crate::day::Day;
use crate::event::{Parts, StoredEvent};

/// Runs all checks, each on a new log.
///
/// # Panics
/// Where a check finds a fault.
pub fn check(new: &dyn Fn() -> Box<dyn Log>) {
    an_empty_log_is_empty(&*new());
    an_append_is_read_back(&*new());
    a_page_ends_by_count_and_by_bytes(&*new());
    another_head_is_a_conflict(&*new());
    streams_do_not_meet(&*new());
    streams_are_listed(&*new());
    clients_and_verdicts(&*new());
    clients_are_bound_once(&*new());
    records_follow_the_log(&*new());
    snapshots_are_found_by_place(&*new());
    what_events_make_is_replaced(&*new());
    a_base_takes_the_place_of_events(&*new());
    old_clients_are_forgotten_with_their_events(&*new());
    models_are_kept(&*new());
    one_of_many_racing_appends_wins(&*new());
    nothing_is_written_once_closed(&*new());
}

/// Appends and waits for the outcome.
///
/// # Errors
/// As the log's.
///
/// # Panics
/// Where the log never answers.
pub fn append(log: &dyn Log, append: Append) -> Result<Head, AppendError> {
    let (done, outcome) = channel();
    log.append(append, Box::new(move |result| done.send(result).expect("the check waits")));
    outcome.recv().expect("an append is answered")
}

/// Makes appends of a stream by one client; each third action is rejected.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The stream.
    pub stream: StreamId,
    /// Its log.
    pub log: LogId,
    /// The client.
    pub client: ClientId,
}

impl Sample {
    /// For the stream of that name.
    ///
    /// # Panics
    /// Where it is not a stream's name.
    #[must_use]
    pub fn new(stream: &str) -> Self {
        Self {
            stream: StreamId::parse(stream).expect("a stream's name"),
            log: LogId(format!("log of {stream}")),
            client: ClientId("20261123-a".to_owned()),
        }
    }

    /// The first `count` events.
    #[must_use]
    pub fn append(&self, count: u64) -> Append {
        self.append_after(0, count)
    }

    /// The `count` events after a place.
    #[must_use]
    pub fn append_after(&self, after: u64, count: u64) -> Append {
        let events = (after + 1..=after + count).map(|seq| self.event(seq)).collect();
        let stream = self.stream.clone();
        Append {
            stream,
            log: self.log.clone(),
            after: Seq(after),
            events,
            records: Vec::new(),
            bound: Vec::new(),
        }
    }

    fn event(&self, seq: u64) -> StoredEvent {
        let rejected = seq
            .is_multiple_of(3)
            .then(|| Rejection { code: "invalid".to_owned(), reason: format!("event {seq}") });
        let parts = Parts {
            seq: Seq(seq),
            client: &self.client,
            // Numbers 2, 4, 6 …: each settles the odd one before as well.
            n: N(2 * seq),
            from: Some(N(2 * seq - 1)),
            at: 1_000 + seq,
            kind: "sample",
            model: "0123456789abcdef",
            schema: 1,
            action: r#"{"type":"sample","text":"ü\ud800"}"#,
        };
        StoredEvent::new(&Chain(format!("{:016x}", seq - 1)), parts, rejected)
    }
}

const ALL: Page = Page { events: 1_000, bytes: usize::MAX };

fn an_empty_log_is_empty(log: &dyn Log) {
    let Sample { stream, client, .. } = Sample::new("m/empty");
    assert_eq!(log.head(&stream).unwrap(), None);
    assert_eq!(log.read(&stream, Seq(0), ALL).unwrap(), []);
    assert_eq!(log.chain(&stream, Seq(0)).unwrap(), None);
    assert_eq!(log.last_n(&stream, &client).unwrap(), N(0));
    assert_eq!(log.rejections(&stream, &client, N(0), 9).unwrap(), []);
    assert_eq!(log.verdict(&stream, &client, N(1)).unwrap(), None);
    assert_eq!(log.records(&stream).unwrap(), []);
    assert_eq!(log.snapshot(&stream, Seq::MAX).unwrap(), None);
    assert_eq!(log.model("none").unwrap(), None);
}

fn an_append_is_read_back(log: &dyn Log) {
    let sample = Sample::new("m/x");
    let first = sample.append(3);
    assert_eq!(append(log, first.clone()).unwrap(), first.head());
    let second = sample.append_after(3, 2);
    append(log, second.clone()).unwrap();
    assert_eq!(log.head(&sample.stream).unwrap(), Some(second.head()));
    let all: Vec<_> = first.events.into_iter().chain(second.events).collect();
    assert_eq!(log.read(&sample.stream, Seq(0), ALL).unwrap(), all);
    assert_eq!(log.read(&sample.stream, Seq(4), ALL).unwrap(), all[4..]);
    assert_eq!(log.read(&sample.stream, Seq(5), ALL).unwrap(), []);
    assert_eq!(log.chain(&sample.stream, Seq(2)).unwrap().as_ref(), Some(&all[1].chain));
    assert_eq!(log.chain(&sample.stream, Seq(6)).unwrap(), None);
}

fn a_page_ends_by_count_and_by_bytes(log: &dyn Log) {
    let sample = Sample::new("m/x");
    append(log, sample.append(10)).unwrap();
    let len = |page| log.read(&sample.stream, Seq(2), page).unwrap().len();
    assert_eq!(len(Page { events: 3, bytes: usize::MAX }), 3);
    assert_eq!(len(Page { events: 9, bytes: 1 }), 1);
}

fn another_head_is_a_conflict(log: &dyn Log) {
    let sample = Sample::new("m/x");
    let conflict = |appended: Append| {
        let outcome = append(log, appended);
        assert!(matches!(outcome, Err(AppendError::Conflict { .. })), "{outcome:?}");
    };
    conflict(sample.append_after(1, 1));
    append(log, sample.append(2)).unwrap();
    conflict(sample.append(1));
    conflict(sample.append_after(1, 1));
    conflict(sample.append_after(3, 1));
    let other = Sample { log: LogId("another".to_owned()), ..sample.clone() };
    conflict(other.append_after(2, 1));
    assert_eq!(log.head(&sample.stream).unwrap().unwrap().seq, Seq(2));
    assert_eq!(log.last_n(&sample.stream, &sample.client).unwrap(), N(4));
}

fn streams_do_not_meet(log: &dyn Log) {
    let (one, two) = (Sample::new("m/one"), Sample::new("other/one"));
    append(log, one.append(2)).unwrap();
    append(log, two.append(3)).unwrap();
    assert_eq!(log.head(&one.stream).unwrap().unwrap().seq, Seq(2));
    assert_eq!(log.read(&two.stream, Seq(0), ALL).unwrap().len(), 3);
    assert_eq!(log.last_n(&one.stream, &one.client).unwrap(), N(4));
}

fn streams_are_listed(log: &dyn Log) {
    assert_eq!(log.streams(None, 9).unwrap(), []);
    let samples = ["m/b", "m/a", "other/a"].map(Sample::new);
    for (sample, events) in samples.iter().zip(1..) {
        append(log, sample.append(events)).unwrap();
    }
    // A snapshot alone makes no stream.
    let (seq, model, state) = (Seq(1), "h".to_owned(), "{}".to_owned());
    log.put_snapshot(&Sample::new("m/none").stream, Snapshot { seq, model, state });
    let names = |after: Option<&StreamId>, limit| {
        let streams = log.streams(after, limit).unwrap();
        streams.iter().map(|(id, head)| format!("{id} {}", head.0)).collect::<Vec<_>>()
    };
    assert_eq!(names(None, 9), ["m/a 2", "m/b 1", "other/a 3"]);
    assert_eq!(names(None, 1), ["m/a 2"]);
    assert_eq!(names(Some(&samples[1].stream), 9), ["m/b 1", "other/a 3"]);
    assert_eq!(names(Some(&samples[2].stream), 9), [""; 0]);
}

fn clients_and_verdicts(log: &dyn Log) {
    let sample = Sample::new("m/x");
    append(log, sample.append(7)).unwrap();
    let Sample { stream, client, .. } = &sample;
    assert_eq!(log.last_n(stream, client).unwrap(), N(14));
    let verdict = |n| log.verdict(stream, client, N(n)).unwrap();
    assert_eq!(verdict(15), None);
    let settled = verdict(4).unwrap();
    assert_eq!((settled.n, settled.seq, settled.error), (N(4), Seq(2), None));
    // A number that was skipped has the event that settled it.
    let skipped = verdict(5).unwrap();
    assert_eq!((skipped.n, skipped.seq), (N(6), Seq(3)));
    assert_eq!(skipped.error.unwrap().reason, "event 3");
    let rows = |from, limit| {
        let rows = log.rejections(stream, client, N(from), limit).unwrap();
        rows.iter().map(|row| row.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(rows(0, 9), [3, 6]);
    assert_eq!(rows(7, 9), [6]);
    assert_eq!(rows(0, 1), [6]);
}

/// A binding comes with its append or not at all, and outlives the client's events, but not the client.
fn clients_are_bound_once(log: &dyn Log) {
    let (one, two) = (Sample::new("m/x"), Sample::new("m/y"));
    let (stream, client) = (&one.stream, &one.client);
    let ann: Arc<str> = "ann \0 \u{fdd0} ü".into();
    let bound = |append| Append { bound: vec![(client.clone(), Arc::clone(&ann))], ..append };
    assert_eq!(log.subject(stream, client).unwrap(), None);
    append(log, bound(one.append_after(7, 1))).unwrap_err();
    assert_eq!(log.subject(stream, client).unwrap(), None);
    append(log, one.append(2)).unwrap();
    assert_eq!(log.subject(stream, client).unwrap(), None);
    append(log, bound(one.append_after(2, 1))).unwrap();
    append(log, one.append_after(3, 2)).unwrap();
    append(log, two.append(1)).unwrap();
    assert_eq!(log.subject(stream, client).unwrap(), Some(Arc::clone(&ann)));
    assert_eq!(log.last_n(stream, client).unwrap(), N(10));
    assert_eq!(log.subject(stream, &ClientId("20261123-b".to_owned())).unwrap(), None);
    assert_eq!(log.subject(&two.stream, client).unwrap(), None);
    let head = log.head(stream).unwrap().unwrap();
    let base = Snapshot { seq: Seq(5), model: "h".to_owned(), state: "{}".to_owned() };
    let derived = Derived {
        head,
        records: Vec::new(),
        clients: vec![(client.clone(), N(10))],
        snapshots: vec![base.clone()],
    };
    log.replace_derived(stream, derived).unwrap();
    assert_eq!(log.subject(stream, client).unwrap(), Some(Arc::clone(&ann)));
    if !log.compacts() {
        return;
    }
    let to = |seq, clients_since| Compaction {
        head: log.head(stream).unwrap().unwrap(),
        base: Snapshot { seq: Seq(seq), ..base.clone() },
        forget: Vec::new(),
        clients_since,
    };
    log.compact(stream, to(4, 0)).unwrap();
    assert_eq!(log.subject(stream, client).unwrap(), Some(ann));
    log.compact(stream, to(5, 1_900_000_000_000)).unwrap(); // in 2030
    assert_eq!(log.last_n(stream, client).unwrap(), N(0));
    assert_eq!(log.subject(stream, client).unwrap(), None);
}

fn records_follow_the_log(log: &dyn Log) {
    let sample = Sample::new("m/x");
    let record = |key: &str, json: Option<&str>| (key.to_owned(), json.map(str::to_owned));
    let mut first = sample.append(1);
    first.records = vec![record("b", Some("1")), record("a", Some("{}"))];
    append(log, first).unwrap();
    let mut second = sample.append_after(1, 1);
    second.records = vec![record("a", None), record("b", Some("2"))];
    append(log, second).unwrap();
    assert_eq!(log.records(&sample.stream).unwrap(), [("b".to_owned(), "2".to_owned())]);
}

fn snapshots_are_found_by_place(log: &dyn Log) {
    let sample = Sample::new("m/x");
    let put = |seq: u64| {
        let state = format!("{seq}");
        log.put_snapshot(&sample.stream, Snapshot { seq: Seq(seq), model: "h".to_owned(), state });
    };
    [1, 5, 9, 9].into_iter().for_each(put);
    // Whatever is written before an append is there after it.
    append(log, sample.append(1)).unwrap();
    let at = |seq| log.snapshot(&sample.stream, Seq(seq)).unwrap().map(|s| s.state);
    assert_eq!(at(100).as_deref(), Some("9"));
    assert_eq!(at(8).as_deref(), Some("5"));
    assert_eq!(at(4), None, "only the newest are kept");
}

fn what_events_make_is_replaced(log: &dyn Log) {
    let sample = Sample::new("m/x");
    let mut first = sample.append(2);
    first.records = vec![("wrong".to_owned(), Some("1".to_owned()))];
    append(log, first).unwrap();
    let other = Sample::new("m/other");
    append(log, other.append(1)).unwrap();
    let snapshot = |seq, state: &str| Snapshot {
        seq: Seq(seq),
        model: "h".to_owned(),
        state: state.to_owned(),
    };
    log.put_snapshot(&sample.stream, snapshot(1, "old"));
    let derived = Derived {
        head: log.head(&sample.stream).unwrap().unwrap(),
        records: vec![("a".to_owned(), "{}".to_owned())],
        clients: vec![(sample.client.clone(), N(4))],
        snapshots: vec![snapshot(2, "new")],
    };
    append(log, sample.append_after(2, 1)).unwrap();
    assert!(log.replace_derived(&sample.stream, derived.clone()).is_err(), "the head has moved");
    assert_eq!(log.records(&sample.stream).unwrap().len(), 1);
    assert_eq!(log.snapshot(&sample.stream, Seq::MAX).unwrap(), Some(snapshot(1, "old")));

    let head = log.head(&sample.stream).unwrap().unwrap();
    let derived = Derived { head, clients: vec![(sample.client.clone(), N(6))], ..derived };
    log.replace_derived(&sample.stream, derived.clone()).unwrap();
    assert_eq!(log.records(&sample.stream).unwrap(), derived.records);
    assert_eq!(log.snapshot(&sample.stream, Seq::MAX).unwrap(), Some(snapshot(2, "new")));
    assert_eq!(log.snapshot(&sample.stream, Seq(1)).unwrap(), None);
    assert_eq!(log.last_n(&sample.stream, &sample.client).unwrap(), N(6));
    assert_eq!(log.last_n(&other.stream, &other.client).unwrap(), N(2));
}

fn a_base_takes_the_place_of_events(log: &dyn Log) {
    let sample = Sample::new("m/x");
    if !log.compacts() {
        return;
    }
    // Events 3 and 6 are rejections, of the numbers 5 to 6 and 11 to 12.
    append(log, sample.append(8)).unwrap();
    let (stream, client) = (&sample.stream, &sample.client);
    let chains: Vec<_> = (0..=9).map(|seq| log.chain(stream, Seq(seq)).unwrap()).collect();
    let verdicts = |n| log.verdict(stream, client, N(n)).unwrap();
    let rejected = [verdicts(5), verdicts(12)];
    assert_eq!(log.base(stream).unwrap(), None);
    let snapshot = |seq| Snapshot { seq: Seq(seq), model: "h".to_owned(), state: format!("{seq}") };
    let to = |seq| Compaction {
        head: log.head(stream).unwrap().unwrap(),
        base: snapshot(seq),
        forget: Vec::new(),
        clients_since: 0,
    };
    let stale = to(5);
    append(log, sample.append_after(8, 1)).unwrap();
    let rows = log.rejections(stream, client, N(0), 9).unwrap();
    assert!(log.compact(stream, stale).is_err(), "the head has moved");
    assert!(log.compact(stream, to(10)).is_err(), "there is no such event");
    assert_eq!(log.read(stream, Seq(0), ALL).unwrap().len(), 9);
    log.put_snapshot(stream, snapshot(2));

    assert_eq!(log.compact(stream, to(5)).unwrap(), 5);
    let chain = chains[5].clone().unwrap();
    assert_eq!(log.base(stream).unwrap(), Some(Base { seq: Seq(5), chain: chain.clone() }));
    let left: Vec<_> = log.read(stream, Seq(0), ALL).unwrap().iter().map(|e| e.seq.0).collect();
    assert_eq!(left, [6, 7, 8, 9]);
    assert_eq!(log.read(stream, Seq(7), ALL).unwrap().len(), 2);
    assert_eq!(log.chain(stream, Seq(5)).unwrap(), Some(chain));
    assert_eq!(log.chain(stream, Seq(4)).unwrap(), None);
    assert_eq!(log.chain(stream, Seq(8)).unwrap(), chains[8]);
    assert_eq!(log.snapshot(stream, Seq(4)).unwrap(), None);
    assert_eq!(log.snapshot(stream, Seq(6)).unwrap(), Some(snapshot(5)));
    // Numbers and rejections are known as before; of the others that they were accepted.
    assert_eq!(log.last_n(stream, client).unwrap(), N(18));
    assert_eq!([verdicts(5), verdicts(12)], rejected);
    assert_eq!(log.rejections(stream, client, N(0), 2).unwrap(), rows[1..]);
    assert_eq!(log.rejections(stream, client, N(0), 9).unwrap(), rows);
    assert_eq!(verdicts(2), Some(Verdict { n: N(2), seq: Seq(5), error: None }));
    assert_eq!(verdicts(16).map(|verdict| verdict.seq), Some(Seq(8)));
    assert_eq!(verdicts(19), None);

    // It goes on, the base's snapshot stays, and it moves again; never back.
    append(log, sample.append_after(9, 1)).unwrap();
    for seq in 6..=10 {
        log.put_snapshot(stream, snapshot(seq));
    }
    append(log, sample.append_after(10, 1)).unwrap();
    assert_eq!(log.snapshot(stream, Seq(5)).unwrap(), Some(snapshot(5)));
    assert!(log.compact(stream, to(5)).is_err());
    let forgets = Compaction { forget: vec![client.clone()], ..to(11) };
    assert_eq!(log.compact(stream, forgets).unwrap(), 6);
    assert_eq!(log.read(stream, Seq(0), ALL).unwrap(), []);
    assert_eq!(log.head(stream).unwrap().unwrap().seq, Seq(11));
    assert_eq!(log.last_n(stream, client).unwrap(), N(22));
    let reasons = log.rejections(stream, client, N(0), 9).unwrap();
    assert_eq!(reasons.len(), 3);
    assert!(reasons.iter().all(|row| row.error.reason.is_empty()), "{reasons:?}");
    append(log, sample.append_after(11, 1)).unwrap();
    assert_eq!(log.read(stream, Seq(0), ALL).unwrap().len(), 1);
}

/// Made long ago and still since: what is known of such a client goes, but only once no event of it is left.
fn old_clients_are_forgotten_with_their_events(log: &dyn Log) {
    let stream = Sample::new("m/x").stream;
    assert_eq!(log.clients_since(&stream).unwrap(), Day(0));
    if !log.compacts() {
        return;
    }
    let [old, busy, new, plain, late] =
        ["20250101-a", "20250101-b", "20260301-c", "sensor", "20250101-d"].map(client);
    let clients_since = 1_770_000_000_000; // 2026-02-02
    let long_ago = clients_since - 1;
    let events = [
        (&old, long_ago),
        (&busy, clients_since),
        (&new, long_ago),
        (&plain, long_ago),
        (&late, long_ago),
    ];
    append(log, rejected(&stream, &events)).unwrap();
    let to = |seq| Compaction {
        head: log.head(&stream).unwrap().unwrap(),
        base: Snapshot { seq: Seq(seq), model: "h".to_owned(), state: "{}".to_owned() },
        forget: Vec::new(),
        clients_since,
    };
    let known = || {
        let known = [&old, &busy, &new, &plain, &late].map(|client| {
            let row = log.rejections(&stream, client, N(0), 9).unwrap();
            let last = log.last_n(&stream, client).unwrap();
            assert_eq!(row.len() as u64, last.0, "{client}");
            assert_eq!(log.verdict(&stream, client, N(1)).unwrap().is_some(), last == N(1));
            last.0
        });
        (known, log.clients_since(&stream).unwrap())
    };
    log.compact(&stream, to(4)).unwrap();
    assert_eq!(known(), ([0, 1, 1, 1, 1], Day(20_260_202)));
    log.compact(&stream, to(5)).unwrap();
    assert_eq!(known(), ([0, 1, 1, 1, 0], Day(20_260_202)));
}

fn client(id: &str) -> ClientId {
    ClientId(id.to_owned())
}

/// A first action of each of them, decided then, and rejected.
fn rejected(stream: &StreamId, events: &[(&ClientId, u64)]) -> Append {
    let event = |(seq, (client, at)): (u64, &(&ClientId, u64))| {
        let parts = Parts {
            seq: Seq(seq),
            client,
            n: N(1),
            from: None,
            at: *at,
            kind: "sample",
            model: "0123456789abcdef",
            schema: 1,
            action: r#"{"type":"sample"}"#,
        };
        let why = Rejection { code: "invalid".to_owned(), reason: "why".to_owned() };
        StoredEvent::new(&Chain::default(), parts, Some(why))
    };
    let events = (1..).zip(events).map(event).collect();
    let log = LogId("log".to_owned());
    Append {
        stream: stream.clone(),
        log,
        after: Seq(0),
        events,
        records: Vec::new(),
        bound: Vec::new(),
    }
}

fn models_are_kept(log: &dyn Log) {
    let model = StoredModel {
        hash: "h".to_owned(),
        name: "m".to_owned(),
        schema: 2,
        source: "export default s => s".to_owned(),
    };
    log.put_model(model.clone()).unwrap();
    log.put_model(model.clone()).unwrap();
    assert_eq!(log.model("h").unwrap(), Some(model));
}

fn one_of_many_racing_appends_wins(log: &dyn Log) {
    let sample = Sample::new("m/x");
    let wins = std::thread::scope(|scope| {
        let racers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| append(log, sample.append(2)).is_ok())).collect();
        racers.into_iter().filter_map(|racer| racer.join().ok()).filter(|won| *won).count()
    });
    assert_eq!(wins, 1);
    assert_eq!(log.read(&sample.stream, Seq(0), ALL).unwrap().len(), 2);
}

fn nothing_is_written_once_closed(log: &dyn Log) {
    let sample = Sample::new("m/x");
    append(log, sample.append(1)).unwrap();
    log.close();
    assert!(append(log, sample.append_after(1, 1)).is_err());
    assert_eq!(log.head(&sample.stream).unwrap().unwrap().seq, Seq(1));
}

use twinstore_protocol::{Chain, ClientId, LogId, N};

use super::*;
use crate::event::{Parts, StoredEvent};
use crate::log::{Append, MemoryLog, Snapshot, conformance};
use crate::model::from_source;
use crate::reducer::QuickJs;

const PUT: &str = "export default (state = { entities: {} }, { type, payload }) =>
    type === 'put' ? { entities: { ...state.entities, [payload]: { id: payload } } } : state";

/// A stream of four `put`, and a way to spoil an event before it is stored.
struct Log4 {
    log: MemoryLog,
    stream: StreamId,
}

impl Log4 {
    fn new(spoil: impl Fn(&mut StoredEvent)) -> Self {
        let (log, stream) = (MemoryLog::new(), StreamId::parse("m/x").unwrap());
        let model = from_source("m", "m.js", PUT.to_owned()).unwrap();
        log.put_model(model.clone()).unwrap();
        let mut previous = Chain::default();
        let mut events = Vec::new();
        for seq in 1..=4 {
            let action = format!(r#"{{"type":"put","payload":"{seq}"}}"#);
            let client = ClientId(if seq % 2 == 0 { "a" } else { "b" }.to_owned());
            let parts = Parts {
                seq: Seq(seq),
                client: &client,
                n: N(seq.div_ceil(2)),
                from: None,
                at: 1,
                kind: "put",
                model: &model.hash,
                schema: 1,
                action: &action,
            };
            let mut event = StoredEvent::new(&previous, parts, None);
            spoil(&mut event);
            previous = event.chain.clone();
            events.push(event);
        }
        let records = (1..=4).map(|id| (id.to_string(), Some(format!(r#"{{"id":"{id}"}}"#))));
        let (log_id, records) = (LogId("l".to_owned()), records.collect());
        let append = Append {
            stream: stream.clone(),
            log: log_id,
            after: Seq(0),
            events,
            records,
            bound: Vec::new(),
        };
        conformance::append(&log, append).unwrap();
        Self { log, stream }
    }

    fn whole() -> Self {
        Self::new(|_| ())
    }

    fn audit(&self) -> Audit {
        audit(&self.log, &QuickJs, &self.stream, &mut |_| true).unwrap()
    }

    #[track_caller]
    fn has(&self, expect: &[&str]) {
        let found: Vec<_> = self.audit().problems.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expect.len(), "{found:?}");
        for (found, expect) in found.iter().zip(expect) {
            assert!(found.contains(expect), "{found} is not: {expect}");
        }
    }

    fn replace(&self, change: impl FnOnce(&mut crate::log::Derived)) {
        let mut derived = crate::log::Derived {
            head: self.log.head(&self.stream).unwrap().unwrap(),
            records: self.log.records(&self.stream).unwrap(),
            clients: Vec::new(),
            snapshots: Vec::new(),
        };
        change(&mut derived);
        self.log.replace_derived(&self.stream, derived).unwrap();
    }
}

#[test]
fn a_whole_log_is_clean() {
    let audit = Log4::whole().audit();
    assert!(audit.is_clean(), "{:?}", audit.problems);
    assert_eq!((audit.head, audit.events, audit.clients, audit.records), (Seq(4), 4, 2, Some(4)));
}

#[test]
fn a_changed_event_breaks_the_chain_there_alone() {
    let at_two = |change: fn(&mut StoredEvent)| {
        move |event: &mut StoredEvent| {
            if event.seq == Seq(2) {
                change(event);
            }
        }
    };
    let text =
        at_two(|event| event.body = event.body.replace(r#""payload":"2""#, r#""payload":"7""#));
    Log4::new(text).has(&[
        "event 2: the chain is",
        "record 2: is in the store",
        "record 7: is not in",
    ]);
    Log4::new(at_two(|event| event.at = 9)).has(&["event 2: its columns"]);
    Log4::new(at_two(|event| event.kind = "other".to_owned())).has(&["event 2: its columns"]);
    Log4::new(at_two(|event| event.body.clear())).has(&[
        "event 2: the chain is",
        "event 2: its columns",
        "record 2: is in the store",
    ]);
}

#[test]
fn numbers_are_settled_once_and_in_order() {
    let renumbered = |seq: u64, n: u64| {
        let (log, stream) = (MemoryLog::new(), StreamId::parse("m/x").unwrap());
        let model = from_source("m", "m.js", PUT.to_owned()).unwrap();
        log.put_model(model.clone()).unwrap();
        let client = ClientId("c".to_owned());
        let mut previous = Chain::default();
        let mut events = Vec::new();
        for place in 1..=3 {
            let n = N(if place == seq { n } else { place });
            let (kind, model, action) =
                ("put", model.hash.as_str(), r#"{"type":"put","payload":"1"}"#);
            let (seq, client) = (Seq(place), &client);
            let parts = Parts { seq, client, n, from: None, at: 1, kind, model, schema: 1, action };
            let event = StoredEvent::new(&previous, parts, None);
            previous = event.chain.clone();
            events.push(event);
        }
        let records = vec![("1".to_owned(), Some(r#"{"id":"1"}"#.to_owned()))];
        let append = Append {
            stream: stream.clone(),
            log: LogId("l".to_owned()),
            after: Seq(0),
            events,
            records,
            bound: Vec::new(),
        };
        conformance::append(&log, append).unwrap();
        Log4 { log, stream }
    };
    renumbered(1, 1).has(&[]);
    renumbered(3, 5).has(&["event 3: settles the numbers 5 to 5 of c, which had got to 2"]);
    renumbered(2, 9)
        .has(&["to 9 of c", "event 3: settles the numbers 3 to 3 of c, which had got to 9"]);
}

#[test]
fn what_is_made_from_the_log_is_compared_and_made_anew() {
    let log = Log4::whole();
    let snapshot = |seq, state: &str| Snapshot {
        seq: Seq(seq),
        model: crate::model::hash(PUT),
        state: state.to_owned(),
    };
    log.replace(|derived| {
        derived.records = vec![("2".to_owned(), "{}".to_owned()), ("9".to_owned(), "1".to_owned())];
        derived.snapshots = vec![
            snapshot(2, r#"{"entities":{"2":{"id":"2"},"1":{"id":"1"}}}"#),
            snapshot(3, r#"{"entities":{}}"#),
        ];
    });
    let audit = log.audit();
    assert_eq!((audit.snapshots, audit.records), (2, Some(4)));
    log.has(&[
        "the snapshot at 3",
        "record 2: is not what the state makes",
        "record 9: is in the store, the state has none",
        "record 1: is not in the store",
        "record 3: is not in the store",
        "record 4: is not in the store",
    ]);
    let rebuilt = rebuild(&log.log, &QuickJs, &log.stream, &mut |_| true).unwrap();
    assert_eq!(rebuilt, Rebuilt { events: 4, clients: 2, records: 4 });
    log.has(&[]);
    assert_eq!(log.audit().snapshots, 1);
}

#[test]
fn nothing_is_made_anew_from_a_damaged_log() {
    let log = Log4::new(|event| {
        if event.seq == Seq(3) {
            event.at = 9;
        }
    });
    log.replace(|derived| derived.records.clear());
    let error = rebuild(&log.log, &QuickJs, &log.stream, &mut |_| true).unwrap_err();
    assert_eq!(
        error.to_string(),
        "m/x: the log itself is damaged, and only a backup helps: event 3: its columns do not say \
         what its text says"
    );
    assert!(log.log.records(&log.stream).unwrap().is_empty(), "nothing was written");
}

#[test]
fn an_event_that_the_model_does_not_take_is_told_and_the_rest_is_still_looked_at() {
    let log = Log4::new(|event| {
        if event.seq == Seq(2) {
            event.model = "feedfeedfeedfeed".to_owned();
        }
        if event.seq == Seq(4) {
            event.at = 9;
        }
    });
    log.has(&["event 2: its columns", "does not have model feed", "event 4: its columns"]);
    assert_eq!(log.audit().records, None);
}

#[test]
fn who_watches_can_stop_it() {
    let log = Log4::whole();
    let stopped = audit(&log.log, &QuickJs, &log.stream, &mut |_| false).unwrap_err();
    assert!(matches!(stopped, AuditError::Stopped));
    let none = StreamId::parse("m/none").unwrap();
    let none = audit(&log.log, &QuickJs, &none, &mut |_| true).unwrap_err();
    assert_eq!(none.to_string(), "the store has no stream m/none");
}

//! The worker by given, when and then: no threads, no clock, a log whose appends can fail.

use std::fmt::Write as _;

use twinstore_protocol::{ClientFrom, Cursor, Seq, WireLimits};

use super::ask::{Join, Number, Submission, Submitted};
use super::*;
use crate::action::ActionText;
use crate::log::{Compaction, MemoryLog};
use crate::reducer::QuickJs;

const MODEL: &str = "
export default (s = { entities: { n: 0 } }, a) => {
  if (a.type === 'add') return { entities: { n: s.entities.n + 1 } }
  if (a.type === 'throw') throw new Error('no')
  if (a.type === 'loop') for (;;) {}
  return s
}
export const validate = (s, a) => a.type === 'invalid' ? 'not so' : undefined
";

struct World {
    worker: Worker<&'static str>,
    log: Arc<MemoryLog>,
    ordered: Option<Append>,
    said: String,
    /// What twins compare their states with, a commit each.
    checks: Vec<Option<u64>>,
}

impl World {
    fn new() -> Self {
        Self::on(Arc::new(MemoryLog::new()), 100)
    }

    fn on(log: Arc<MemoryLog>, commit_entries: usize) -> Self {
        let model = crate::model::from_source("m", "m.js", MODEL.to_owned()).expect("a model");
        log.put_model(model.clone()).expect("it keeps");
        let config = Config {
            stream: stream(),
            model: Arc::new(model),
            log: Arc::<MemoryLog>::clone(&log),
            engine: Arc::new(QuickJs),
            new_log: LogId("L".to_owned()),
            limits: Limits { commit_entries, ..Limits::DEFAULT },
        };
        Self {
            worker: Worker::new(config),
            log,
            ordered: None,
            said: String::new(),
            checks: Vec::new(),
        }
    }

    /// `client:n[-from] type` each, separated by commas; `client type` lets the server count.
    fn push(&mut self, to: &'static str, entries: &str) -> &mut Self {
        self.submit(to, entries, false)
    }

    fn submit(&mut self, to: &'static str, entries: &str, whole: bool) -> &mut Self {
        let entries = entries.split(", ").map(entry).collect();
        let submission = Submission { entries, whole, ..Submission::default() };
        self.ask(to, Ask::Submit(submission))
    }

    /// By somebody with a token that names it.
    fn push_as(&mut self, subject: &'static str, entries: &str) -> &mut Self {
        let entries = entries.split(", ").map(entry).collect();
        let caller = Some(subject.into());
        let submission = Submission { entries, subject: caller, ..Submission::default() };
        self.ask(subject, Ask::Submit(submission))
    }

    fn ask(&mut self, to: &'static str, ask: Ask) -> &mut Self {
        let by = SessionId(to.len() as u64);
        self.feed(Input::Asked(Command { to, by, ask }))
    }

    /// What a client that joins is told of those that it names.
    fn rows(&mut self, join: Ask) -> String {
        let command = Command { to: "a", by: SessionId(9), ask: join };
        self.worker.handle_input(1_000, Input::Asked(command));
        let mut rows = Vec::new();
        while let Some(output) = self.worker.poll_output() {
            if let Output::Answer(_, _, Answer::Joined(joined)) = output {
                rows.extend(joined.rows.iter().map(|row| format!("{} {}", row.client, row.last.0)));
            }
        }
        rows.join(", ")
    }

    /// The append that was ordered succeeds.
    fn written(&mut self) -> &mut Self {
        let append = self.ordered.take().expect("an append was ordered");
        let outcome = crate::log::conformance::append(&*self.log, append);
        self.feed(Input::Appended(outcome))
    }

    /// Its outcome is not known; it may have been written all the same.
    fn lost(&mut self, written: bool) -> &mut Self {
        let append = self.ordered.take().expect("an append was ordered");
        if written {
            crate::log::conformance::append(&*self.log, append).expect("it is written");
        }
        self.feed(Input::Appended(Err(AppendError::Unknown("a test".into()))))
    }

    fn feed(&mut self, input: Input<&'static str>) -> &mut Self {
        self.worker.handle_input(1_000, input);
        while let Some(output) = self.worker.poll_output() {
            self.said(output);
        }
        self
    }

    fn said(&mut self, output: Output<&'static str>) {
        let said = &mut self.said;
        match output {
            Output::Append(append) => {
                writeln!(said, "append {}", append.events.len()).expect("text");
                assert!(self.ordered.replace(append).is_none(), "one append at a time");
            }
            Output::Publish(commit) => {
                let events = commit.events.iter().map(|decided| {
                    let event = &decided.event;
                    let verdict = event.error.as_ref().map_or("ok", |error| &error.code);
                    format!("{}={}:{} {verdict}", event.seq.0, event.client, event.n.0)
                });
                let events = events.collect::<Vec<_>>().join(", ");
                writeln!(said, "publish {events}").expect("text");
                self.checks.push(commit.check.map(|check| check.sum));
            }
            Output::Subscribe(to, _) => writeln!(said, "subscribe {to}").expect("text"),
            Output::Lock => writeln!(said, "lock").expect("text"),
            Output::Unlock => writeln!(said, "unlock").expect("text"),
            Output::CutOff(head) => writeln!(said, "cut off at {}", head.0).expect("text"),
            Output::Unsubscribe(_) => {}
            Output::Answer(to, _, answer) => {
                writeln!(said, "{to} <- {}", shown(&answer)).expect("text");
            }
            Output::Keep(snapshot) => {
                writeln!(said, "keep {} {}", snapshot.seq.0, snapshot.state).expect("text");
                self.log.put_snapshot(&stream(), snapshot);
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, expected: &[&str]) -> &mut Self {
        let said = std::mem::take(&mut self.said);
        assert_eq!(said.lines().collect::<Vec<_>>(), expected);
        self
    }
}

fn stream() -> StreamId {
    StreamId::parse("m/x").expect("a stream")
}

fn entry(text: &str) -> Submitted {
    let (who, kind) = text.split_once(' ').expect("client and type");
    let (client, number) = match who.split_once(':') {
        None => (who, Number::Next),
        Some((client, number)) => {
            let (n, from) = match number.split_once('-') {
                Some((from, n)) => (n, Some(N(from.parse().expect("a number")))),
                None => (number, None),
            };
            (client, Number::Given { n: N(n.parse().expect("a number")), from })
        }
    };
    let action = ActionText::inspect(&format!(r#"{{"type":"{kind}"}}"#), &WireLimits::DEFAULT);
    let (client, action) = (ClientId(client.to_owned()), action.expect("an action"));
    Submitted { client, number, action, schema: None }
}

fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Settled(settled) => {
            let outcomes = settled.outcomes.iter().map(|outcome| match outcome {
                Outcome::New(commit, index) => format!("new {}", commit.events[*index].event.seq.0),
                Outcome::Known(row) => {
                    let verdict = row.error.as_ref().map_or("ok", |error| &error.code);
                    format!("known {}={} {verdict}", row.seq.0, row.n.0)
                }
            });
            let refused = settled
                .refused
                .iter()
                .map(|refused| format!("{} last {}", refused.refusal.code, refused.last.0));
            outcomes.chain(refused).collect::<Vec<_>>().join(", ")
        }
        Answer::State { seq, state } => format!("{} {state}", seq.0),
        Answer::Head(head) => format!("head {}", head.0),
        Answer::Joined(joined) => {
            let missing = match &joined.missing {
                Missing::Events(page) => format!("{} events", page.events.len()),
                Missing::State(state) => format!("state {}", state.seq.0),
            };
            format!("head {} reset {} {missing}", joined.head.0, joined.reset)
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn nothing_leaves_before_it_is_durable() {
    World::new()
        .push("a", "c:1 add, c:2 invalid, c:3 throw")
        .expect(&["append 3"])
        .ask("b", Ask::State)
        .ask("b", Ask::Head)
        .expect(&[])
        .written()
        .expect(&[
            "publish 1=c:1 ok, 2=c:2 invalid, 3=c:3 threw",
            "a <- new 1, new 2, new 3",
            r#"b <- 3 {"entities":{"n":1}}"#,
            "b <- head 3",
        ]);
}

#[test]
fn what_waits_is_one_batch() {
    World::new()
        .push("a", "c:1 add")
        .push("b", "d:1 add")
        .push("c", "e add")
        .push("a", "c:2 add")
        .expect(&["append 1"])
        .written()
        .expect(&["publish 1=c:1 ok", "a <- new 1", "append 3"])
        .written()
        .expect(&[
            "publish 2=d:1 ok, 3=e:1 ok, 4=c:2 ok",
            "b <- new 2",
            "c <- new 3",
            "a <- new 4",
        ]);
}

#[test]
fn a_long_submission_takes_several_batches_and_one_answer() {
    World::on(Arc::new(MemoryLog::new()), 2)
        .push("a", "c:1 add, c:2 add, c:3 add, c:3 add, c:5-5 add")
        .expect(&["append 2"])
        .written()
        .expect(&["publish 1=c:1 ok, 2=c:2 ok", "append 1"])
        .written()
        .expect(&["publish 3=c:3 ok", "a <- new 1, new 2, new 3, known 3=3 ok, gap last 3"]);
}

#[test]
fn numbers() {
    World::new()
        .push("a", "c:1 add, c:3-4 add, c:2 add")
        .written()
        .expect(&["append 1", "publish 1=c:1 ok", "a <- new 1, gap last 1"])
        .push("a", "c:2-4 add")
        .written()
        .expect(&["append 1", "publish 2=c:4 ok", "a <- new 2"])
        .push("a", "c:1 add, c:3 add, c:4-5 add")
        .expect(&["a <- known 1=1 ok, known 2=3 dropped, overlap last 4"]);
}

#[test]
fn one_number_in_two_submissions_of_a_batch_is_one_event() {
    World::new()
        .push("a", "c:1 add")
        .push("a", "c:2 add, c:3 invalid")
        .push("b", "c:2 add, c:3 invalid, c:4 add")
        .written()
        .written()
        .expect(&[
            "append 1",
            "publish 1=c:1 ok",
            "a <- new 1",
            "append 3",
            "publish 2=c:2 ok, 3=c:3 invalid, 4=c:4 ok",
            "a <- new 2, new 3",
            "b <- known 2=2 ok, known 3=3 invalid, new 4",
        ]);
}

#[test]
fn as_a_whole_or_not_at_all() {
    let mut world = World::new();
    world.submit("a", "c:1 add, c:3 add", true).expect(&["a <- gap last 1"]);
    world.submit("a", "c:1 add, c:2 add", true).written();
    world.expect(&["append 2", "publish 1=c:1 ok, 2=c:2 ok", "a <- new 1, new 2"]);
}

#[test]
fn a_whole_is_not_cut_by_a_full_batch() {
    let mut world = World::on(Arc::new(MemoryLog::new()), 3);
    world.push("a", "c:1 add").push("a", "c:2 add, c:3 add").submit("b", "d add, d add", true);
    world.written().written().written().expect(&[
        "append 1",
        "publish 1=c:1 ok",
        "a <- new 1",
        "append 2",
        "publish 2=c:2 ok, 3=c:3 ok",
        "a <- new 2, new 3",
        "append 2",
        "publish 4=d:1 ok, 5=d:2 ok",
        "b <- new 4, new 5",
    ]);
}

#[test]
fn an_unknown_outcome_is_read_back() {
    let mut world = World::new();
    world.push("a", "c:1 add, c:2 invalid, d add").expect(&["append 3"]);
    world.push("b", "e:1 add").lost(true);
    // It was written: all have their verdicts, by the log. What waited behind is decided.
    world.expect(&["append 1"]).written().expect(&[
        "publish 4=e:1 ok",
        "a <- known 1=1 ok, known 2=2 invalid, known 3=1 ok",
        "b <- new 4",
    ]);

    let mut world = World::new();
    world.push("a", "c:1 add, c:2 add").ask("b", Ask::State).lost(false);
    // It was not: no verdict, the client sends again, and no state was seen that was not durable.
    world.expect(&["append 2", "a <- busy last 0", r#"b <- 0 {"entities":{"n":0}}"#]);
    world.push("a", "c:1 add, c:2 add").written();
    world.expect(&["append 2", "publish 1=c:1 ok, 2=c:2 ok", "a <- new 1, new 2"]);
}

#[test]
fn an_old_client_is_refused_once_it_may_have_been_forgotten() {
    let log = Arc::new(MemoryLog::new());
    let mut world = World::on(Arc::clone(&log), 9);
    world.push("a", "20250101-a:1 add, 20250101-b:1 invalid, 20250101-c:1 add").written();
    let join = |client: &str| {
        let clients = vec![ClientFrom { client: ClientId(client.to_owned()), from: N(1) }];
        Ask::Join(Join { cursor: None, clients, empty_too: false, subject: None })
    };
    // Nobody was forgotten yet: one that comes late is taken.
    world.push("a", "20250101-d:1 add").written();
    world.expect(&[
        "append 3",
        "publish 1=20250101-a:1 ok, 2=20250101-b:1 invalid, 3=20250101-c:1 ok",
        "a <- new 1, new 2, new 3",
        "append 1",
        "publish 4=20250101-d:1 ok",
        "a <- new 4",
    ]);
    assert_eq!(world.rows(join("20250101-x")), "20250101-x 0");
    let head = log.head(&stream()).expect("it reads").expect("it is there");
    let state = r#"{"entities":{"n":3}}"#.to_owned();
    let base = Snapshot { seq: head.seq, model: crate::model::hash(MODEL), state };
    let clients_since = 1_770_000_000_000; // in 2026; the events are of 1970
    let compaction = Compaction { head, base, forget: Vec::new(), clients_since };
    log.compact(&stream(), compaction).expect("it is written");

    let mut world = World::on(log, 9);
    world.push("a", "20250101-a:2 add").expect(&["a <- too-old last 0"]);
    world.push("a", "20250101-b:1 invalid").expect(&["a <- too-old last 0"]);
    world.submit("a", "20250101-c:1 add", true).expect(&["a <- too-old last 0"]);
    world.push("a", "20250101-x:1 add").expect(&["a <- too-old last 0"]);
    // Younger ones, those whose id says no day, and those that the server counts for, are taken.
    world.push("a", "20260301-e:1 add, sensor:1 add, 20250101-y add").written();
    world.expect(&[
        "append 3",
        "publish 5=20260301-e:1 ok, 6=sensor:1 ok, 7=20250101-y:1 ok",
        "a <- new 5, new 6, new 7",
    ]);
    // And from then on it is known.
    world.push("a", "20250101-y:2 add").written();
    world.expect(&["append 1", "publish 8=20250101-y:2 ok", "a <- new 8"]);
    // Who joins is told nothing of a client of which nothing is known for sure.
    let rows = |world: &mut World, client| world.rows(join(client));
    assert_eq!(rows(&mut world, "20250101-a"), "");
    assert_eq!(rows(&mut world, "20250101-y"), "20250101-y 2");
    assert_eq!(rows(&mut world, "20260301-f"), "20260301-f 0");
}

#[test]
fn a_place_that_another_process_let_go_of_is_no_other_logs() {
    let log = Arc::new(MemoryLog::new());
    let mut world = World::on(Arc::clone(&log), 9);
    world.push("a", "c:1 add, c:2 add, c:3 add").written();
    world.said.clear();
    let head = log.head(&stream()).expect("it reads").expect("it is there");
    let chain = log.chain(&stream(), Seq(1)).expect("it reads").expect("it is there");
    let cursor = Cursor { log: head.log.clone(), seq: Seq(1), chain, schema: None };
    let join = || {
        let cursor = Some(cursor.clone());
        Ask::Join(Join { cursor, clients: Vec::new(), empty_too: false, subject: None })
    };
    world.ask("a", join()).expect(&["subscribe a", "a <- head 3 reset false 2 events"]);
    let state = r#"{"entities":{"n":2}}"#.to_owned();
    let base = Snapshot { seq: Seq(2), model: crate::model::hash(MODEL), state };
    let compaction = Compaction { head, base, forget: Vec::new(), clients_since: 0 };
    log.compact(&stream(), compaction).expect("it is written");
    world.ask("a", join()).expect(&["subscribe a", "a <- head 3 reset false state 3"]);
    // Nor is a page given that does not follow on the place that it was asked for.
    world.ask("a", Ask::Follow { after: Seq(1) }).expect(&["a <- Unavailable"]);
}

#[test]
fn another_writers_events_are_read_and_the_batch_decided_anew() {
    let log = Arc::new(MemoryLog::new());
    let (mut one, mut two) = (World::on(Arc::clone(&log), 9), World::on(Arc::clone(&log), 9));
    one.ask("a", Ask::Head).expect(&["a <- head 0"]);
    two.push("b", "d:1 add").written();
    one.push("a", "c:1 add").written().expect(&["append 1", "append 1"]);
    one.written().expect(&["publish 2=c:1 ok", "a <- new 2"]);
}

#[test]
fn a_model_past_its_limit_loses_nothing_of_the_batch() {
    let mut world = World::new();
    world.push("a", "c:1 add").written();
    world.push("a", "c:2 add, c:3 loop, c:4 add").written().ask("b", Ask::State).expect(&[
        "append 1",
        "publish 1=c:1 ok",
        "a <- new 1",
        "append 3",
        "publish 2=c:2 ok, 3=c:3 limit, 4=c:4 ok",
        "a <- new 2, new 3, new 4",
        r#"b <- 4 {"entities":{"n":3}}"#,
    ]);
}

#[test]
fn a_stopped_worker_leaves_a_snapshot_and_the_next_goes_on_from_it() {
    let log = Arc::new(MemoryLog::new());
    let mut world = World::on(Arc::clone(&log), 9);
    world.push("a", "c:1 add, c:2 add").written().feed(Input::Stopping).feed(Input::Stopping);
    assert!(world.said.ends_with("keep 2 {\"entities\":{\"n\":2}}\n"), "{}", world.said);
    World::on(log, 9).push("a", "c:3 add").written().ask("a", Ask::State).expect(&[
        "append 1",
        "publish 3=c:3 ok",
        "a <- new 3",
        r#"a <- 3 {"entities":{"n":3}}"#,
    ]);
}

#[test]
fn snapshots_come_with_the_log() {
    let mut world = World::on(Arc::new(MemoryLog::new()), usize::MAX);
    let entries = vec!["c add"; 999].join(", ");
    world.push("a", &entries).written();
    assert!(!world.said.contains("keep"));
    world.push("a", "c add").written();
    assert!(world.said.ends_with("keep 1000 {\"entities\":{\"n\":1000}}\n"));
}

#[test]
fn a_stream_that_cannot_be_folded_halts_and_never_skips() {
    let log = Arc::new(MemoryLog::new());
    World::on(Arc::clone(&log), 9).push("a", "c:1 add").written();
    // The store lost the model, or has another under its hash.
    let broken = StoredModel {
        source: "export default (s = 0, a) => { if (a.type === 'add') throw 1; return s }"
            .to_owned(),
        ..log.model(&crate::model::hash(MODEL)).expect("it reads").expect("it is there")
    };
    log.put_model(broken.clone()).expect("it keeps");
    let mut world = World::on(Arc::clone(&log), 9);
    log.put_model(broken).expect("it keeps");
    world.push("a", "c:2 add").ask("b", Ask::State);
    world.expect(&["a <- halted last 0", "b <- Halted"]);
    assert_eq!(log.head(&stream()).expect("it reads").expect("a head").seq, Seq(1));
}

#[test]
fn cursors() {
    let mut world = World::new();
    let join =
        |cursor| Ask::Join(Join { cursor, clients: Vec::new(), empty_too: false, subject: None });
    world.ask("a", join(None)).expect(&["subscribe a", "a <- head 0 reset false 0 events"]);
    world.push("a", "c:1 add, c:2 add").written().said.clear();
    world.ask("a", join(None)).expect(&["subscribe a", "a <- head 2 reset false state 2"]);
    let event = &world.log.read(&stream(), Seq(0), ALL).expect("it reads")[0];
    let held = Cursor {
        log: LogId("L".to_owned()),
        seq: Seq(1),
        chain: event.chain.clone(),
        schema: None,
    };
    world.ask("a", join(Some(held.clone())));
    world.expect(&["subscribe a", "a <- head 2 reset false 1 events"]);
    let beyond = Cursor { seq: Seq(3), ..held.clone() };
    let other_log = Cursor { log: LogId("M".to_owned()), ..held.clone() };
    let other_past = Cursor { chain: Chain("0000000000000000".to_owned()), ..held };
    for strange in [beyond, other_log, other_past] {
        world.ask("a", join(Some(strange)));
        world.expect(&["subscribe a", "a <- head 2 reset true state 2"]);
    }
}

#[test]
fn commits_carry_checksums_once_a_twin_has_joined() {
    let sum = |n: u64| crate::reducer::checksum(&serde_json::json!({ "entities": { "n": n } }));
    let mut world = World::new();
    world.push("a", "c:1 add").written();
    assert_eq!(world.checks, [None], "nobody has a state to compare");
    world.ask(
        "b",
        Ask::Join(Join { cursor: None, clients: Vec::new(), empty_too: false, subject: None }),
    );
    world.push("a", "c:2 add, c:3 add").written();
    world.push("a", "c:4 throw").written();
    assert_eq!(world.checks, [None, Some(sum(3)), Some(sum(3))]);
}

#[test]
fn what_is_caught_up_ends_with_a_checksum() {
    let mut world = World::new();
    world.push("a", "c:1 add, c:2 add").written();
    let Phase::Ready(replica) = &mut world.worker.phase else { panic!("it is loaded") };
    let mut config = world.worker.config.clone();
    let whole = replica.page(&config, Seq(0)).expect("it reads");
    assert!(whole.check.is_some() && whole.live);
    assert_eq!(replica.page(&config, Seq(2)).expect("it reads").check, whole.check);
    config.limits.page_events = 1;
    let first = replica.page(&config, Seq(0)).expect("it reads");
    assert_eq!((first.check, first.live), (None, false));
}

const ALL: crate::log::Page = crate::log::Page { events: 9, bytes: usize::MAX };

#[test]
fn a_client_belongs_to_its_first_subject() {
    let mut world = World::new();
    world.push_as("ann", "a:1 add, b:1 invalid").expect(&["append 2"]);
    // What is not durable yet binds as well.
    world.push_as("bob", "a:2 add").expect(&[]);
    world.written().expect(&[
        "publish 1=a:1 ok, 2=b:1 invalid",
        "ann <- new 1, new 2",
        "bob <- other-subject last 0",
    ]);
    // Neither its next number nor what became of its earlier ones, whatever else comes with it.
    world.push_as("bob", "b:1 invalid").expect(&["bob <- other-subject last 0"]);
    world.push_as("bob", "c:1 add, a:2 add, c:2 add").written();
    world.expect(&["append 1", "publish 3=c:1 ok", "bob <- new 3, other-subject last 0"]);
    assert_eq!(world.rows(join_as("bob")), "c 1, d 0");
    assert_eq!(world.rows(join_as("ann")), "a 1, b 1, d 0");
    // One that came before there were tokens is the first one's who goes on with it.
    world.push("x", "d:1 add").written();
    world.push_as("bob", "d:2 add").written();
    world.said.clear();
    world.push_as("ann", "d:3 add").expect(&["ann <- other-subject last 0"]);
    // Where no tokens are asked for, nobody is anybody.
    world.push("x", "a:2 add").written();
    world.expect(&["append 1", "publish 6=a:2 ok", "x <- new 6"]);

    // It is the log that knows, not the worker.
    let mut world = World::on(world.log, 9);
    world.push_as("bob", "a:3 add").expect(&["bob <- other-subject last 0"]);
    world.push_as("ann", "a:3 add").written();
    world.expect(&["append 1", "publish 7=a:3 ok", "ann <- new 7"]);
}

#[test]
fn what_was_not_stored_binds_nobody() {
    let mut world = World::new();
    world.push_as("ann", "a:1 add").lost(false);
    world.said.clear();
    world.push_as("bob", "a:1 add").written();
    world.expect(&["append 1", "publish 1=a:1 ok", "bob <- new 1"]);
    world.push_as("ann", "b:1 add").lost(true);
    world.said.clear();
    world.push_as("bob", "b:2 add").expect(&["bob <- other-subject last 0"]);
}

fn join_as(subject: &str) -> Ask {
    let row = |client: &str| ClientFrom { client: ClientId(client.to_owned()), from: N(1) };
    let clients = ["a", "b", "c", "d"].map(row).to_vec();
    Ask::Join(Join { cursor: None, clients, empty_too: false, subject: Some(subject.into()) })
}

//! A shard by given, when and then: which streams are loaded, what is kept of them, and what is refused.

use std::cell::RefCell;
use std::rc::Rc;

use twinstore_protocol::{ClientId, N, Seq, WireLimits, code};

use super::*;
use crate::action::ActionText;
use crate::log::MemoryLog;
use crate::reducer::QuickJs;
use crate::stream::ask::{Ask, Number, SessionId, Submission, Submitted};
use crate::stream::commit::Commit;

const MODEL: &str = "export default (sum = 0, action) => action.type === 'add' ? sum + 1 : sum";

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Post(Rc<RefCell<Vec<Answer>>>);

impl Recipient for Post {
    fn answer(&self, _: &StreamId, answer: Answer) {
        self.0.borrow_mut().push(answer);
    }

    fn offer(&self, _: &Arc<Commit>) -> bool {
        true
    }

    fn cut_off(&self, _: &StreamId, _: Seq) {}
}

struct World {
    shard: Shard<Post>,
    log: Arc<MemoryLog>,
    post: Post,
}

impl World {
    fn new(limits: Limits) -> Self {
        let log = Arc::new(MemoryLog::new());
        let model = crate::model::from_source("m", "m.js", MODEL.to_owned()).unwrap();
        log.put_model(model.clone()).unwrap();
        let shared = Shared {
            models: Arc::new(Models::from([("m".to_owned(), Arc::new(model))])),
            log: Arc::<MemoryLog>::clone(&log),
            engine: Arc::new(QuickJs),
            limits,
            metrics: Arc::new(Metrics::default()),
        };
        let shard = Shard::new(shared, Box::new(|| LogId("l".to_owned())));
        Self { shard, log, post: Post::default() }
    }

    fn ask(&mut self, stream: &str, by: u64, ask: Ask) {
        let command = Command { to: self.post.clone(), by: SessionId(by), ask };
        self.shard.asked(1, &id(stream), command);
    }

    /// An action of a client that is named like the stream, and what waits is written.
    fn add(&mut self, stream: &str, n: u64) {
        self.submit(stream, n);
        self.write();
    }

    fn submit(&mut self, stream: &str, n: u64) {
        let action = ActionText::inspect(r#"{"type":"add"}"#, &WireLimits::DEFAULT).unwrap();
        let (client, number) = (ClientId(stream.to_owned()), Number::Given { n: N(n), from: None });
        let entries = vec![Submitted { client, number, action, schema: None }];
        self.ask(stream, 1, Ask::Submit(Submission { entries, ..Submission::default() }));
    }

    fn write(&mut self) {
        while let Some(append) = self.shard.poll_append() {
            let stream = append.stream.clone();
            let outcome = crate::log::conformance::append(&*self.log, append);
            self.shard.appended(1, &stream, outcome);
        }
    }

    fn state(&mut self, stream: &str) -> String {
        self.ask(stream, 1, Ask::State);
        match self.post.0.borrow_mut().pop() {
            Some(Answer::State { seq, state }) => format!("{} {state}", seq.0),
            other => panic!("no state: {other:?}"),
        }
    }

    fn loaded(&self) -> Vec<&str> {
        self.shard.workers.keys().map(StreamId::as_str).collect()
    }

    /// The place of the newest snapshot.
    fn kept(&self, stream: &str) -> u64 {
        self.log.snapshot(&id(stream), Seq::MAX).unwrap().map_or(0, |snapshot| snapshot.seq.0)
    }
}

fn id(stream: &str) -> StreamId {
    StreamId::parse(stream).unwrap()
}

#[test]
fn the_stream_that_was_idle_for_longest_is_unloaded_and_is_there_again_when_asked() {
    let mut world = World::new(Limits { streams_idle: 2, ..Limits::DEFAULT });
    world.add("m/a", 1);
    world.add("m/b", 1);
    world.add("m/a", 2);
    assert_eq!(world.loaded(), ["m/a", "m/b"]);
    assert_eq!(world.kept("m/b"), 0);
    world.add("m/c", 1);
    assert_eq!(world.loaded(), ["m/a", "m/c"]);
    assert_eq!(world.kept("m/b"), 1, "its state is kept, so that nothing is folded again");
    assert_eq!(world.state("m/b"), "1 1");
    assert_eq!(world.loaded(), ["m/b", "m/c"]);
    assert_eq!(world.state("m/a"), "2 2");
    world.add("m/a", 3);
    assert_eq!(world.state("m/a"), "3 3");
}

#[test]
fn a_stream_that_is_idle_for_long_is_unloaded() {
    let mut world = World::new(Limits { stream_idle_ms: 100, ..Limits::DEFAULT });
    assert_eq!(world.shard.next_tick(), None);
    world.add("m/a", 1);
    world.ask("m/b", 2, Ask::Watch { records: false });
    world.add("m/b", 1);
    assert_eq!(world.shard.next_tick(), Some(101));
    world.shard.tick(100);
    assert_eq!((world.loaded(), world.kept("m/a")), (vec!["m/a", "m/b"], 0));
    world.shard.tick(101);
    assert_eq!((world.loaded(), world.kept("m/a")), (vec!["m/b"], 1));
    assert_eq!(world.shard.next_tick(), None, "somebody listens to the other");
    assert_eq!(world.state("m/a"), "1 1");
    world.ask("m/b", 2, Ask::Leave);
    world.shard.tick(101);
    assert_eq!((world.loaded(), world.kept("m/b")), (vec![], 1));
}

#[test]
fn a_stream_that_somebody_listens_to_or_that_has_work_stays() {
    let mut world = World::new(Limits { streams_idle: 1, ..Limits::DEFAULT });
    for (session, stream) in (1..).zip(["m/a", "m/b", "m/c"]) {
        world.ask(stream, session, Ask::Watch { records: false });
    }
    world.submit("m/d", 1);
    world.add("m/e", 1);
    assert_eq!(world.loaded(), ["m/a", "m/b", "m/c", "m/e"], "what was written is idle again");
    // When those who listened leave, there are no more than the limit.
    for (session, stream) in (1..).zip(["m/a", "m/b", "m/c"]) {
        world.ask(stream, session, Ask::Leave);
    }
    assert_eq!(world.loaded(), ["m/c"]);
}

#[test]
fn a_state_is_kept_every_so_many_events_and_when_the_shard_stops() {
    let mut world = World::new(Limits { snapshot_every: 3, ..Limits::DEFAULT });
    let mut kept = Vec::new();
    for n in 1..=7 {
        world.add("m/a", n);
        kept.push(world.kept("m/a"));
    }
    assert_eq!(kept, [0, 0, 3, 3, 3, 6, 6]);
    world.shard.stop(1);
    assert_eq!((world.kept("m/a"), world.loaded().len()), (7, 0));
}

#[test]
fn senders_are_told_to_wait_where_a_stream_has_too_much_to_do() {
    let mut world = World::new(Limits { stream_queue: 2, ..Limits::DEFAULT });
    // The first is under way, two wait.
    (1..=5).for_each(|n| world.submit("m/a", n));
    let refused = |answer: &Answer| match answer {
        Answer::Settled(settled) => settled.refused.as_ref().map(|refused| refused.refusal.code),
        other => panic!("{other:?}"),
    };
    let told: Vec<_> = world.post.0.borrow().iter().map(refused).collect();
    assert_eq!(told, [Some(code::BUSY); 2]);
    world.write();
    let told: Vec<_> = world.post.0.borrow().iter().skip(2).map(refused).collect();
    assert_eq!(told, [None; 3]);
    // What was refused is taken when it comes again.
    world.add("m/a", 4);
    assert_eq!(world.state("m/a"), "4 4");
}

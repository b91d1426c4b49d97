//! Goal: three functions joined by two tables' streams do what one does, whatever the streams bring
//! twice, late or in another order. Where a function dies: `killed.rs`.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use common::streams::Streams;
use common::{World, connect, dynamodb, hello, push, say};
use serde_json::{Value, json};
use twinstore_lambda::{Function, Role};

const DEMO: &str = "salesOrder/demo";
const EVENTS: &str = "salesOrder_events";
const MODEL: &str = "salesOrder";

/// A world with the three functions, and what their streams have brought.
struct Pipeline {
    world: World,
    ingest: Function,
    reduce: Function,
    push: Function,
    streams: Streams,
}

impl Pipeline {
    async fn new() -> Self {
        let world = World::new().await;
        world.prepare().await;
        let (ingest, reduce) = (world.role(Role::Ingest), world.role(Role::Reduce));
        let push = world.role(Role::Push);
        let streams = Streams::new(&world.prefix);
        Self { world, ingest, reduce, push, streams }
    }

    /// Brings both streams to their functions, as they are.
    async fn run(&mut self) {
        for change in self.streams.next(EVENTS).await.chunks(10) {
            assert_eq!(failures(&self.reduce, change).await, [""; 0]);
        }
        for change in self.streams.next(MODEL).await.chunks(10) {
            assert_eq!(failures(&self.push, change).await, [""; 0]);
        }
    }
}

/// Which changes must come again.
async fn failures(function: &Function, changes: &[Value]) -> Vec<String> {
    let answer = function.handle(json!({ "Records": changes })).await.unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

fn create(id: u32) -> Value {
    json!({ "type": "create", "payload": { "id": format!("{id}"), "customer": "Ann" } })
}

#[tokio::test]
async fn the_articles_transcript_to_all_sockets() {
    let mut pipeline = Pipeline::new().await;
    for connection in ["ann", "bo"] {
        let query = json!({ "stream": DEMO });
        assert_eq!(connect(&pipeline.ingest, connection, query).await, 200);
    }
    say(&pipeline.ingest, "ann", &create(1)).await;
    assert!(pipeline.world.frames("ann").is_empty(), "nothing is promised by the inbox");
    pipeline.run().await;
    for connection in ["ann", "bo"] {
        let frames = pipeline.world.frames(connection);
        assert_eq!(frames.len(), 1, "{connection}");
        assert_eq!(
            (&frames[0]["seq"], &frames[0]["record"]["customer"]),
            (&json!(1), &json!("Ann"))
        );
    }
    say(&pipeline.ingest, "ann", &json!({ "type": "confirm", "payload": { "id": "1" } })).await;
    pipeline.run().await;
    assert_eq!(pipeline.world.frames("ann")[0]["error"]["reason"], "order 1 has no lines");
    assert_eq!(pipeline.world.events(DEMO).len(), 2);
}

#[tokio::test]
async fn twins_hear_of_their_own_by_the_push_to_all() {
    let mut pipeline = Pipeline::new().await;
    for (connection, client) in [("a", "20261124-a"), ("b", "20261124-b")] {
        connect(&pipeline.ingest, connection, json!(null)).await;
        say(&pipeline.ingest, connection, &hello(DEMO, client)).await;
        assert_eq!(pipeline.world.frames(connection)[0]["t"], "welcome");
    }
    say(&pipeline.ingest, "a", &push(DEMO, "20261124-a", 1, 3)).await;
    pipeline.run().await;
    for connection in ["a", "b"] {
        let frames = pipeline.world.frames(connection);
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert_eq!((&frames[0]["after"], &frames[0]["events"][2]["n"]), (&json!(0), &json!(3)));
    }
    // Again, and with a gap: who sent it is told, by the function that decides.
    say(&pipeline.ingest, "a", &push(DEMO, "20261124-a", 3, 3)).await;
    say(&pipeline.ingest, "a", &push(DEMO, "20261124-a", 9, 9)).await;
    pipeline.run().await;
    let kinds: Vec<_> = pipeline.world.frames("a").iter().map(|f| f["t"].clone()).collect();
    assert_eq!(kinds, ["verdicts", "refused"]);
    assert!(pipeline.world.frames("b").is_empty());
}

#[tokio::test]
async fn brought_twice_late_and_in_another_order() {
    let mut pipeline = Pipeline::new().await;
    connect(&pipeline.ingest, "thin", json!({ "stream": DEMO })).await;
    connect(&pipeline.ingest, "a", json!(null)).await;
    say(&pipeline.ingest, "a", &hello(DEMO, "20261124-a")).await;
    for id in 1..=12 {
        say(&pipeline.ingest, "thin", &create(id)).await;
        let n = u64::from(id);
        say(&pipeline.ingest, "a", &push(DEMO, "20261124-a", n, n)).await;
    }
    let changes = pipeline.streams.next(EVENTS).await;
    // Backwards as across shards, in two functions at once, and then all of it once more.
    let mut backwards = changes.clone();
    backwards.reverse();
    let other = pipeline.world.role(Role::Reduce);
    tokio::join!(failures(&pipeline.reduce, &backwards[..16]), failures(&other, &backwards[8..]));
    for _ in 0..2 {
        for change in changes.chunks(5) {
            assert_eq!(failures(&pipeline.reduce, change).await, [""; 0]);
        }
    }
    let events = pipeline.world.events(DEMO);
    assert_eq!(events.len(), 24, "each once");
    let own: Vec<_> =
        events.iter().filter(|e| e.client.as_str() == "20261124-a").map(|e| e.n.0).collect();
    assert_eq!(own, (1..=12).collect::<Vec<_>>(), "a twin's in its order");
    // The push, backwards and twice: each frame says its place.
    pipeline.world.frames("a");
    let mut heads = pipeline.streams.next(MODEL).await;
    heads.reverse();
    for change in heads.chunks(7).chain(heads.chunks(4)) {
        assert_eq!(failures(&pipeline.push, change).await, [""; 0]);
    }
    let mut seen = std::collections::BTreeSet::new();
    for frame in pipeline.world.frames("a") {
        let after = frame["after"].as_u64().unwrap();
        for (event, seq) in frame["events"].as_array().unwrap().iter().zip(after + 1..) {
            assert_eq!(event["seq"], seq);
            seen.insert(seq);
        }
    }
    assert_eq!(seen, (1..=24).collect());
}

#[tokio::test]
async fn what_one_batch_brings_shares_an_append() {
    let mut pipeline = Pipeline::new().await;
    connect(&pipeline.ingest, "thin", json!({ "stream": DEMO })).await;
    connect(&pipeline.ingest, "a", json!(null)).await;
    say(&pipeline.ingest, "a", &hello(DEMO, "20261124-a")).await;
    for id in 1..=20 {
        say(&pipeline.ingest, "thin", &create(id)).await;
    }
    // Who sends the same twice, and what is refused, have an answer of their own all the same.
    for (from, to) in [(1, 2), (2, 2)] {
        say(&pipeline.ingest, "a", &push(DEMO, "20261124-a", from, to)).await;
    }
    say(&pipeline.ingest, "thin", &json!({ "type": "confirm", "payload": { "id": "1" } })).await;
    // The last, since a gap ends an append: whether another process has filled it is read first.
    say(&pipeline.ingest, "a", &push(DEMO, "20261124-a", 9, 9)).await;
    let changes = pipeline.streams.next(EVENTS).await;
    let (log, faults) = dynamodb::with_faults(&pipeline.world.prefix);
    let reduce = pipeline.world.role_on(log, Role::Reduce);
    pipeline.world.frames("a");
    assert_eq!(failures(&reduce, &changes).await, [""; 0]);
    let appends = faults.sent().iter().filter(|name| *name == "TransactWriteItems").count();
    assert_eq!((appends, pipeline.world.events(DEMO).len()), (1, 23));
    let kinds: Vec<_> = pipeline.world.frames("a").iter().map(|f| f["t"].clone()).collect();
    assert_eq!(kinds, ["verdicts", "refused"]);
    let told = pipeline.world.frames("thin");
    assert_eq!(told.len(), 1, "what changed records the push tells: {told:?}");
    assert_eq!(told[0]["error"]["reason"], "order 1 has no lines");
}

#[tokio::test]
async fn what_cannot_be_decided_now_comes_again() {
    let mut pipeline = Pipeline::new().await;
    connect(&pipeline.ingest, "thin", json!({ "stream": DEMO })).await;
    // Two appends: one takes no more clients.
    for id in 1..=66 {
        say(&pipeline.ingest, "thin", &create(id)).await;
    }
    let changes = pipeline.streams.next(EVENTS).await;
    let (log, faults) = dynamodb::with_faults(&pipeline.world.prefix);
    let reduce = pipeline.world.role_on(log, Role::Reduce);
    faults.plan("TransactWriteItems", 1, dynamodb::How::Unsent);
    let failed = failures(&reduce, &changes).await;
    assert_eq!(failed, [changes[64]["dynamodb"]["SequenceNumber"].as_str().unwrap()]);
    assert_eq!(pipeline.world.events(DEMO).len(), 64);
    assert_eq!(failures(&reduce, &changes[64..]).await, [""; 0]);
    assert_eq!(pipeline.world.events(DEMO).len(), 66);
    // What is no message is passed over, and so is everything that is none of the inbox.
    let mut broken = changes[0].clone();
    broken["dynamodb"]["NewImage"]["said"] = json!({ "S": "{}" });
    assert_eq!(failures(&reduce, &[broken]).await, [""; 0]);
}

#[tokio::test]
async fn poison_is_rejected_in_the_log() {
    let mut pipeline = Pipeline::new().await;
    let poison = "poison/demo";
    connect(&pipeline.ingest, "thin", json!({ "stream": poison })).await;
    for kind in ["well", "loop", "throw", "well"] {
        say(&pipeline.ingest, "thin", &json!({ "type": kind })).await;
    }
    let changes = pipeline.streams.next("poison_events").await;
    assert_eq!(failures(&pipeline.reduce, &changes).await, [""; 0], "it is not tried for ever");
    let codes: Vec<_> =
        pipeline.world.frames("thin").iter().map(|f| f["error"]["code"].clone()).collect();
    assert_eq!(codes, ["limit", "threw"]);
    let events = pipeline.world.events(poison);
    let accepted: Vec<_> = events.iter().map(|event| event.error.is_none()).collect();
    assert_eq!(accepted, [true, false, false, true]);
}

#[tokio::test]
async fn who_is_told_only_the_first_of_many_is_told_the_head() {
    let mut pipeline = Pipeline::new().await;
    connect(&pipeline.ingest, "b", json!(null)).await;
    say(&pipeline.ingest, "b", &hello(DEMO, "20261124-b")).await;
    connect(&pipeline.ingest, "a", json!(null)).await;
    say(&pipeline.ingest, "a", &hello(DEMO, "20261124-a")).await;
    for batch in 0..20 {
        say(&pipeline.ingest, "a", &push(DEMO, "20261124-a", batch * 100 + 1, batch * 100 + 100))
            .await;
    }
    for change in pipeline.streams.next(EVENTS).await.chunks(10) {
        assert_eq!(failures(&pipeline.reduce, change).await, [""; 0]);
    }
    pipeline.world.frames("b");
    // All of it in one batch.
    let changes = pipeline.streams.next(MODEL).await;
    assert_eq!(failures(&pipeline.push, &changes).await, [""; 0]);
    let frames = pipeline.world.frames("b");
    let told: usize = frames.iter().filter_map(|f| f["events"].as_array()).map(Vec::len).sum();
    assert!((1..2_000).contains(&told), "{told}");
    let last = frames.last().unwrap();
    assert_eq!((&last["t"], &last["head"]), (&json!("pong"), &json!(2_000)));
}

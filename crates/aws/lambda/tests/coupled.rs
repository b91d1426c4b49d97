//! Goal: one function answers twins and thin clients as the server does, whichever process it is.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use common::{World, connect, dynamodb, event, hello, push, say};
use serde_json::{Value, json};
use twinstore_dynamodb::DynamoLog;
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::audit::{Keep, audit, compact};
use twinstore_server::log::Log;
use twinstore_server::reducer::QuickJs;

const DEMO: &str = "salesOrder/demo";

fn thin() -> Value {
    json!({ "stream": DEMO })
}

fn kinds(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["t"].as_str().unwrap_or("")).collect()
}

#[tokio::test]
async fn the_articles_transcript() {
    let world = World::new().await;
    world.prepare().await;
    let function = world.function();
    for connection in ["ann", "bo"] {
        assert_eq!(connect(&function, connection, thin()).await, 200);
    }
    say(
        &function,
        "ann",
        &json!({ "type": "create", "payload": { "id": "1", "customer": "Ann" } }),
    )
    .await;
    let record =
        json!({ "id": "1", "customer": "Ann", "status": "draft", "lines": [], "total": 0 });
    let frame = json!({ "seq": 1, "key": "1", "record": record });
    assert_eq!(world.frames("ann"), std::slice::from_ref(&frame));
    assert_eq!(world.frames("bo"), [frame]);
    say(&function, "ann", &json!({ "type": "confirm", "payload": { "id": "1" } })).await;
    let refused = json!({ "code": "invalid", "reason": "order 1 has no lines" });
    assert_eq!(world.frames("ann"), [json!({ "seq": 2, "error": refused })]);
    assert_eq!(world.frames("bo"), [json!({ "seq": 2 })]);
    // Another process, and a connection that closed.
    function.handle(event("DISCONNECT", "bo", json!({}))).await.unwrap();
    say(
        &world.function(),
        "ann",
        &json!({ "type": "create", "payload": { "id": "2", "customer": "Cy" } }),
    )
    .await;
    assert_eq!(world.frames("ann").len(), 1);
    assert!(world.frames("bo").is_empty());
    assert_eq!(world.events(DEMO).len(), 3);
}

#[tokio::test]
async fn twins_through_processes_that_remember_nothing() {
    let world = World::new().await;
    world.prepare().await;
    for (connection, client) in [("a", "20261124-a"), ("b", "20261124-b")] {
        assert_eq!(connect(&world.function(), connection, json!(null)).await, 200);
        say(&world.function(), connection, &hello(DEMO, client)).await;
        assert_eq!(kinds(&world.frames(connection)), ["welcome"]);
    }
    say(&world.function(), "a", &push(DEMO, "20261124-a", 1, 3)).await;
    let own = world.frames("a");
    assert_eq!(kinds(&own), ["events"]);
    assert_eq!(own[0]["events"][2]["seq"], 3);
    assert_eq!(own[0]["events"][2].get("action"), None, "its own come short");
    let others = world.frames("b");
    assert_eq!(others[0]["events"][2]["action"]["type"], "create");
    assert_eq!(others[0]["check"], own[0]["check"]);

    // What is sent again has its verdict; what leaves numbers out is refused by the number held.
    say(&world.function(), "a", &push(DEMO, "20261124-a", 2, 3)).await;
    assert_eq!(kinds(&world.frames("a")), ["verdicts"]);
    say(&world.function(), "a", &push(DEMO, "20261124-a", 6, 6)).await;
    let refused = &world.frames("a")[0];
    assert_eq!((refused["t"].as_str(), refused["code"].as_str()), (Some("refused"), Some("gap")));
    assert_eq!(refused["last"], 3);
    say(&world.function(), "b", &json!({ "t": "ping", "stream": DEMO })).await;
    let pong = &world.frames("b")[0];
    assert_eq!((pong["t"].as_str(), pong["head"].as_u64()), (Some("pong"), Some(3)));
    assert_eq!(world.events(DEMO).len(), 3);
}

#[tokio::test]
async fn a_process_that_others_overtook() {
    let world = World::new().await;
    world.prepare().await;
    let (one, two) = (world.function(), world.function());
    connect(&one, "a", json!(null)).await;
    say(&one, "a", &hello(DEMO, "20261124-a")).await;
    say(&one, "a", &push(DEMO, "20261124-a", 1, 1)).await;
    say(&two, "a", &push(DEMO, "20261124-a", 2, 3)).await;
    world.frames("a");
    say(&one, "a", &push(DEMO, "20261124-a", 4, 4)).await;
    assert_eq!(kinds(&world.frames("a")), ["events"], "it knows of the numbers between");
    say(&two, "a", &json!({ "t": "ping", "stream": DEMO })).await;
    assert_eq!(world.frames("a")[0]["head"], 4);
}

#[tokio::test]
async fn a_process_under_which_the_stream_was_compacted() {
    let world = World::new().await;
    world.prepare().await;
    let function = world.function();
    connect(&function, "a", json!(null)).await;
    say(&function, "a", &hello(DEMO, "20261124-a")).await;
    say(&function, "a", &push(DEMO, "20261124-a", 1, 3)).await;
    let cursor = |log: &DynamoLog| {
        let stream = StreamId::parse(DEMO).unwrap();
        let chain = log.chain(&stream, Seq(1)).unwrap();
        json!({ "log": log.head(&stream).unwrap().unwrap().log, "seq": 1, "chain": chain })
    };
    let cursor = compacting(&world, 1, cursor).await;
    connect(&function, "b", json!(null)).await;
    let mut stood_there = hello(DEMO, "20261124-b");
    stood_there["cursor"] = cursor;
    say(&function, "b", &stood_there).await;
    let frames = world.frames("b");
    assert_eq!(kinds(&frames), ["welcome", "snapshot"]);
    assert_eq!((&frames[0]["reset"], &frames[1]["seq"]), (&json!(false), &json!(3)));
    // Of one who is so old the numbers may be forgotten; of one who is known they are not.
    say(&function, "b", &push(DEMO, "20250101-x", 1, 1)).await;
    assert_eq!(world.frames("b")[0]["code"], "too-old");
    say(&function, "a", &push(DEMO, "20261124-a", 2, 4)).await;
    let log = dynamodb::open(&world.prefix);
    assert_eq!(log.head(&StreamId::parse(DEMO).unwrap()).unwrap().unwrap().seq, Seq(4));
}

/// Compacts the stream in a process of its own, after something was read.
async fn compacting<T: Send + 'static>(
    world: &World,
    events: u64,
    first: impl FnOnce(&DynamoLog) -> T + Send + 'static,
) -> T {
    let prefix = world.prefix.clone();
    let work = move || {
        let (log, stream) = (dynamodb::open(&prefix), StreamId::parse(DEMO).unwrap());
        let read = first(&log);
        let clients_since = 1_770_000_000_000; // 2026-02-02
        let keep = Keep { events, forget: Vec::new(), clients_since };
        let done = compact(&log, &QuickJs, &stream, keep, &mut |_| true).unwrap().unwrap();
        assert_eq!((done.base, done.gone), (Seq(2), 2));
        assert!(audit(&log, &QuickJs, &stream, &mut |_| true).unwrap().is_clean());
        read
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn two_messages_of_one_client_at_once() {
    let world = World::new().await;
    world.prepare().await;
    let (one, two) = (world.function(), world.function());
    connect(&one, "a", json!(null)).await;
    say(&one, "a", &hello(DEMO, "20261124-a")).await;
    world.frames("a");
    let mut next = 1;
    for _ in 0..12 {
        let (first, second) =
            (push(DEMO, "20261124-a", next, next), push(DEMO, "20261124-a", next + 1, next + 1));
        tokio::join!(say(&one, "a", &first), say(&two, "a", &second));
        // The later one either waited, or was refused; then its client sends it again.
        say(&one, "a", &second).await;
        next += 2;
    }
    let events = world.events(DEMO);
    let numbers: Vec<_> = events.iter().map(|event| event.n.0).collect();
    assert_eq!(numbers, (1..next).collect::<Vec<_>>(), "each once, in order");
    for frame in world.frames("a") {
        if frame["t"] == "refused" {
            assert_eq!(frame["code"], "gap");
        }
    }
}

#[tokio::test]
async fn who_is_gone_is_forgotten() {
    let world = World::new().await;
    world.prepare().await;
    let function = world.function();
    for connection in ["ann", "bo"] {
        connect(&function, connection, thin()).await;
    }
    world.lose("bo");
    say(
        &function,
        "ann",
        &json!({ "type": "create", "payload": { "id": "1", "customer": "Ann" } }),
    )
    .await;
    assert_eq!(world.frames("ann").len(), 1);
    let log = dynamodb::open(&world.prefix);
    assert_eq!(log.connections().get("bo").await.unwrap(), None);
    let stream = StreamId::parse(DEMO).unwrap();
    assert_eq!(log.connections().listeners(&stream).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_message_is_answered_and_stored_nowhere() {
    let world = World::new().await;
    world.prepare().await;
    let function = world.function();
    assert_eq!(connect(&function, "x", json!({ "stream": "nowhere" })).await, 400);
    assert_eq!(connect(&function, "x", json!({ "stream": "other/demo" })).await, 404);
    assert_eq!(connect(&function, "x", json!({ "stream": DEMO, "from": "start" })).await, 400);
    connect(&function, "thin", thin()).await;
    let long = json!({ "type": "create", "payload": { "id": "x".repeat(40_000) } });
    for frame in [json!([1]), json!({ "payload": 1 }), json!("text")] {
        say(&function, "thin", &frame).await;
        assert!(world.frames("thin")[0]["error"]["code"].is_string(), "{frame}");
    }
    say(&function, "thin", &long).await;
    assert_eq!(world.frames("thin")[0]["code"], "frame-too-large");
    assert!(world.is_closed("thin"));
    connect(&function, "twin", json!(null)).await;
    say(&function, "twin", &push(DEMO, "20261124-a", 1, 1)).await;
    assert_eq!(world.frames("twin")[0]["code"], "out-of-turn");
    say(&function, "twin", &json!({ "t": "what", "stream": DEMO })).await;
    assert_eq!(world.frames("twin")[0]["code"], "bad-message");
    assert!(world.is_closed("twin"));
    // Who was never let in says nothing.
    say(&function, "nobody", &push(DEMO, "20261124-a", 1, 1)).await;
    assert!(world.is_closed("nobody") && world.frames("nobody").is_empty());
    assert!(function.handle(json!({ "Records": [] })).await.is_err());
    connect(&function, "again", thin()).await;
    say(
        &function,
        "again",
        &json!({ "type": "create", "payload": { "id": "1", "customer": "A" } }),
    )
    .await;
    assert_eq!(world.events(DEMO).len(), 1, "the function is well");
}

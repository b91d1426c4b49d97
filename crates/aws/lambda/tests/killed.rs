//! Goal: a function that dies between any two of its calls leaves nothing half done: a client that
//! sends again gets each action stored exactly once.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use common::{World, connect, dynamodb, hello, push, say};
use serde_json::json;

const DEMO: &str = "salesOrder/demo";
const CLIENT: &str = "20261124-a";

#[tokio::test]
async fn killed_after_each_call() {
    for arrives in [false, true] {
        let mut calls = 1;
        while !survives(calls, arrives).await {
            calls += 1;
            assert!(calls < 50, "a push takes fewer calls");
        }
        assert!(calls > 4, "it was killed between some calls: {calls}");
    }
}

/// Whether a function that dies after so many calls gets through.
async fn survives(calls: u32, arrives: bool) -> bool {
    let world = World::new().await;
    world.prepare().await;
    let well = world.function();
    for connection in ["a", "b"] {
        connect(&well, connection, json!(null)).await;
        say(&well, connection, &hello(DEMO, &format!("{CLIENT}{connection}"))).await;
    }
    say(&well, "a", &push(DEMO, CLIENT, 1, 2)).await;
    let (log, faults) = dynamodb::with_faults(&world.prefix);
    let dying = world.function_on(log);
    faults.die_after(calls, arrives);
    let event =
        common::event("MESSAGE", "a", json!({ "body": push(DEMO, CLIENT, 3, 4).to_string() }));
    let _ = dying.handle(event).await;
    let dead = faults.is_dead();
    // The client connects again and sends what has no verdict, and what comes next.
    connect(&well, "c", json!(null)).await;
    say(&well, "c", &hello(DEMO, CLIENT)).await;
    say(&well, "c", &push(DEMO, CLIENT, 3, 4)).await;
    say(&well, "c", &push(DEMO, CLIENT, 5, 5)).await;
    let numbers: Vec<_> = world.events(DEMO).iter().map(|event| event.n.0).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5], "killed after {calls} calls");
    let log = dynamodb::open(&world.prefix);
    let stream = twinstore_protocol::StreamId::parse(DEMO).unwrap();
    assert!(!twinstore_server::log::Log::owes_records(&log, &stream).unwrap());
    !dead
}

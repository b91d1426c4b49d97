//! Goal: what a gateway and its tables do to everyone, and an emulator to nobody: connections that end
//! after two hours, or after ten silent minutes, messages beyond a size, calls that are throttled.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use std::sync::atomic::Ordering;

use common::dynamodb::How;
use common::twin::Twin;
use common::{World, connect, dynamodb, hello, orders_of, push, say, say_text};
use serde_json::{Value, json};
use twinstore_lambda::Function;

const STREAM: &str = "salesOrder/demo";
const MINUTE: u64 = 60_000;
const THROTTLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}"#;

/// Says what a twin has to say, and lets it hear what its connection is sent.
async fn talk(world: &World, function: &Function, connection: &str, twin: &mut Twin) {
    while let Some(frame) = twin.says() {
        say_text(function, connection, &frame).await;
        hear(world, connection, twin);
    }
}

fn hear(world: &World, connection: &str, twin: &mut Twin) {
    for frame in world.frames(connection) {
        twin.hears(&frame);
    }
}

fn create(id: &str) -> Value {
    json!({ "type": "create", "payload": { "id": id, "customer": "Ann" } })
}

#[tokio::test]
async fn two_silent_hours_and_the_end_of_the_connection() {
    let world = World::new().await;
    world.prepare().await;
    let function = world.function();
    let (mut a, mut b) = (Twin::new(STREAM, "20261124-a"), Twin::new(STREAM, "20261124-b"));
    for (connection, twin) in [("a", &mut a), ("b", &mut b)] {
        connect(&function, connection, json!(null)).await;
        twin.opened();
        talk(&world, &function, connection, twin).await;
    }
    a.dispatch(create("1"));
    talk(&world, &function, "a", &mut a).await;
    let mut silent = 0;
    while silent < 120 * MINUTE {
        let waited = a.waits();
        assert!(waited < 10 * MINUTE, "a gateway closes what is silent for so long: {waited}");
        silent += waited;
        talk(&world, &function, "a", &mut a).await;
    }
    // The gateway ends the connection; what happens meanwhile waits, here and there.
    world.lose("a");
    a.dispatch(create("2"));
    b.dispatch(create("3"));
    talk(&world, &function, "b", &mut b).await;
    a.reopened();
    connect(&function, "a again", json!(null)).await;
    talk(&world, &function, "a again", &mut a).await;
    hear(&world, "b", &mut b);
    assert_eq!(a.settled, 2);
    let all = orders_of(&world.events(STREAM));
    assert_eq!((all.len(), a.orders(), b.orders()), (3, all.clone(), all));
}

#[tokio::test]
async fn tables_that_are_throttled_make_nobody_lose_anything() {
    let world = World::new().await;
    world.prepare().await;
    let (log, faults) = dynamodb::with_faults(&world.prefix);
    let function = world.function_on(log);
    let mut a = Twin::new(STREAM, "20261124-a");
    connect(&function, "a", json!(null)).await;
    a.opened();
    talk(&world, &function, "a", &mut a).await;
    // As often as it is tried.
    for _ in 0..3 {
        faults.plan("TransactWriteItems", 0, How::Answered(THROTTLED));
    }
    a.dispatch(create("1"));
    let frame = a.says().unwrap();
    say_text(&function, "a", &frame).await;
    let told = world.frames("a");
    assert_eq!((&told[0]["t"], &told[0]["code"]), (&json!("refused"), &json!("busy")));
    told.iter().for_each(|frame| a.hears(frame));
    assert_eq!(a.says(), None, "it does not send again at once");
    a.waits();
    talk(&world, &function, "a", &mut a).await;
    assert_eq!((a.settled, world.events(STREAM).len()), (1, 1));
}

#[tokio::test]
async fn a_gateway_that_takes_no_more_posts_makes_nobody_lose_anything() {
    let world = World::new().await;
    world.prepare().await;
    let function = world.function();
    let (mut a, mut b) = (Twin::new(STREAM, "20261124-a"), Twin::new(STREAM, "20261124-b"));
    for (connection, twin) in [("a", &mut a), ("b", &mut b)] {
        connect(&function, connection, json!(null)).await;
        twin.opened();
        talk(&world, &function, connection, twin).await;
    }
    world.sockets.throttled.store(2, Ordering::Relaxed);
    a.dispatch(create("1"));
    talk(&world, &function, "a", &mut a).await;
    hear(&world, "b", &mut b);
    assert_eq!((a.settled, b.orders().len()), (0, 0), "neither was told");
    for (connection, twin) in [("a", &mut a), ("b", &mut b)] {
        twin.waits();
        talk(&world, &function, connection, twin).await;
    }
    assert_eq!((a.settled, b.orders().len(), world.events(STREAM).len()), (1, 1, 1));
}

#[tokio::test]
async fn what_is_larger_than_a_message_goes_out_in_parts_or_is_said_to_be() {
    let world = World::new().await;
    world.prepare().await;
    let function = world.function();
    connect(&function, "thin", json!({ "stream": STREAM, "subscribe": "state" })).await;
    connect(&function, "a", json!(null)).await;
    say(&function, "a", &hello(STREAM, "20261124-a")).await;
    // A state of 200 kB, a third of which are quotes: in a frame each of them takes two bytes.
    for batch in 0..12 {
        let mut push = push(STREAM, "20261124-a", batch * 50 + 1, batch * 50 + 50);
        for entry in push["entries"].as_array_mut().unwrap() {
            entry["action"]["payload"]["customer"] = json!("a\"b".repeat(66));
        }
        say(&function, "a", &push).await;
    }
    let last = world.frames("thin").pop().unwrap();
    assert_eq!(last["error"]["code"], "too-large");
    let mut late = Twin::new(STREAM, "20261124-b");
    connect(&function, "b", json!(null)).await;
    late.opened();
    talk(&world, &function, "b", &mut late).await;
    assert_eq!(late.orders(), orders_of(&world.events(STREAM)));
}

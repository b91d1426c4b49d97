//! Goal: a function asks for tokens as the server does, and forgets none between two messages.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use common::{World, connect, event, hello, push, say};
use serde_json::{Value, json};
use twinstore_server::auth::{Claims, KeySource, Options, SigningKey, mint};
use twinstore_server::random;

const DEMO: &str = "salesOrder/demo";
const SECRET: &str = "a secret of thirty-two bytes, no less";

async fn guarded() -> World {
    let keys = vec![KeySource::Secret(SECRET.to_owned())];
    let world = World::with_auth(Options { keys, ..Options::default() }).await;
    world.prepare().await;
    world
}

fn token(subject: &str, streams: &[&str], seconds: i64) -> String {
    let now = i64::try_from(random::now() / 1_000).unwrap();
    let claims = Claims {
        sub: subject.to_owned(),
        exp: u64::try_from(now + seconds).unwrap(),
        streams: streams.iter().map(|&name| name.to_owned()).collect(),
        ..Claims::default()
    };
    mint(&claims, &SigningKey::Secret(SECRET.to_owned())).unwrap()
}

fn with_token(token: &str, mut frame: Value) -> Value {
    frame["token"] = json!(token);
    frame
}

#[tokio::test]
async fn thin_clients_bring_theirs_as_they_connect() {
    let world = guarded().await;
    let function = world.function();
    let query = |token: &str| json!({ "stream": DEMO, "access_token": token });
    assert_eq!(connect(&function, "x", json!({ "stream": DEMO })).await, 401);
    assert_eq!(connect(&function, "x", query("a.b.c")).await, 401);
    assert_eq!(connect(&function, "x", query(&token("eve", &["other/*"], 600))).await, 403);
    assert_eq!(connect(&function, "ann", query(&token("ann", &[DEMO], 600))).await, 200);
    let create = json!({ "type": "create", "payload": { "id": "1", "customer": "Ann" } });
    say(&world.function(), "ann", &create).await;
    assert_eq!(world.frames("ann")[0]["seq"], 1);
    // By the sub-protocol, which must be answered.
    let protocol = format!("twinstore.bearer, {}", token("bo", &[DEMO], 600));
    let extra = json!({ "headers": { "Sec-WebSocket-Protocol": protocol } });
    let answer = function.handle(event("CONNECT", "bo", extra)).await.unwrap();
    assert_eq!(answer["headers"]["Sec-WebSocket-Protocol"], "twinstore.bearer");
}

#[tokio::test]
async fn twins_bring_theirs_with_the_hello() {
    let world = guarded().await;
    let client = "20261124-a";
    assert_eq!(connect(&world.function(), "a", json!(null)).await, 200);
    say(&world.function(), "a", &hello(DEMO, client)).await;
    assert_eq!(world.frames("a")[0]["code"], "unauthorized");
    let ann = token("ann", &[DEMO], 600);
    say(&world.function(), "a", &with_token(&ann, hello(DEMO, client))).await;
    let welcome = &world.frames("a")[0];
    assert_eq!(
        (welcome["t"].as_str(), welcome["subject"].as_str()),
        (Some("welcome"), Some("ann"))
    );
    say(&world.function(), "a", &push(DEMO, client, 1, 1)).await;
    assert_eq!(world.frames("a")[0]["t"], "events");
    // On another's socket the client is still hers.
    connect(&world.function(), "b", json!(null)).await;
    let bo = with_token(&token("bo", &[DEMO], 600), hello(DEMO, client));
    say(&world.function(), "b", &bo).await;
    assert_eq!(world.frames("b")[0]["clients"], json!([]), "nothing is told of it");
    say(&world.function(), "b", &push(DEMO, client, 2, 2)).await;
    assert_eq!(world.frames("b")[0]["code"], "other-subject");
    // Another's token on the same socket, then a new one of its own that may only look.
    let auth = |token: &str| json!({ "t": "auth", "token": token });
    say(&world.function(), "a", &auth(&token("bo", &[DEMO], 600))).await;
    assert_eq!(world.frames("a")[0]["code"], "forbidden");
    say(&world.function(), "a", &auth(&token("ann", &["other/*"], 600))).await;
    assert_eq!(world.frames("a")[0]["t"], "authenticated");
    say(&world.function(), "a", &push(DEMO, client, 2, 2)).await;
    assert_eq!(world.frames("a")[0]["code"], "forbidden");
    assert_eq!(world.events(DEMO).len(), 1);
}

#[tokio::test]
async fn a_token_ends_and_its_socket_with_it() {
    let world = guarded().await;
    let function = world.function();
    // Clocks may be off by half a minute, which is on top.
    let query = |token: &str| json!({ "stream": DEMO, "access_token": token });
    connect(&function, "short", query(&token("ann", &[DEMO], -28))).await;
    connect(&function, "long", query(&token("bo", &[DEMO], 600))).await;
    let ended = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let create = |id: u32| json!({ "type": "create", "payload": { "id": format!("{id}") } });
    let mut id = 0;
    while !world.is_closed("short") {
        id += 1;
        say(&function, "long", &create(id)).await;
        assert!(std::time::Instant::now() < ended, "it hears for ever");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    world.frames("short");
    say(&function, "short", &create(0)).await;
    let frames = world.frames("short");
    assert_eq!(frames.first().map_or(&json!(null), |frame| &frame["code"]), "expired");
    say(&function, "long", &create(0)).await;
    assert!(world.frames("short").is_empty());
}

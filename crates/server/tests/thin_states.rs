//! Thin clients that want the state: all of it, at once and after each batch; the newest if slow.

mod common;

use std::sync::Arc;

use common::{ORDERS, create, entry, hello, push, serve, serve_on};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;
use twinstore_server::log::MemoryLog;

#[tokio::test]
async fn the_state_at_once_and_after_each_batch() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut early = server.thin("o/x&subscribe=state").await;
    let empty = early.json().await;
    assert_eq!(empty["seq"], 0);
    let mut sender = server.thin("o/x&subscribe=state&from=start").await;
    assert_eq!(sender.json().await, empty);

    sender.send(create("1")).await;
    assert_eq!(sender.text().await, r#"{"seq":1}"#, "its verdict comes first");
    let state = sender.json().await;
    let (_, asked) = server.json("GET", "/streams/o%2Fx/state", "").await;
    assert_eq!((&state["seq"], &state["state"]), (&json!(1), &asked["state"]));
    assert_eq!(early.json().await, state);

    sender.send(json!({ "type": "confirm", "payload": { "id": "1" } })).await;
    assert_eq!(sender.json().await["error"]["code"], "invalid");
    sender.send("nonsense").await;
    assert_eq!(sender.json().await["error"]["code"], "bad-json");
    // Others hear nothing of a rejection; and one batch is one state.
    let mut twin = server.twin().await;
    twin.send(hello("o/x")).await;
    twin.expect("welcome").await;
    twin.send(push("o/x", &[entry("c", 1, &create("2")), entry("c", 2, &create("3"))])).await;
    for client in [&mut early, &mut sender] {
        let frame = client.json().await;
        assert_eq!(frame["seq"], 4, "{frame}");
        assert_eq!(frame["state"]["entities"].as_object().map(serde_json::Map::len), Some(3));
    }
    let mut late = server.thin("o/x&subscribe=state").await;
    assert_eq!(late.json().await["seq"], 4);
    let url = format!("ws://127.0.0.1:{}/sync?stream=o%2Fx&subscribe=stat", server.port);
    let refused = tokio_tungstenite::connect_async(url).await;
    let Err(Error::Http(refused)) = refused else { panic!("it took it: {refused:?}") };
    assert_eq!(refused.status(), 400);
    server.stop().await;
}

/// Replaces its whole state, of some 60 kB, by another one.
const PAGE: &str =
    "export default (state = '', { type, payload }) => type === 'write' ? payload : state";

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_gets_the_newest_and_stays() {
    let server = serve_on(&[("page", PAGE)], Arc::new(MemoryLog::new())).await;
    let mut slow = server.thin("page/x&subscribe=state").await;
    assert_eq!(slow.json().await["seq"], 0);
    // Far more than sockets and the server's queue hold, as one by one as they come.
    let count = 600;
    let text = |n: usize| format!("{n} {}", "x".repeat(60_000));
    for n in 1..=count {
        let body = json!({ "type": "write", "payload": text(n) }).to_string();
        assert_eq!(server.http("POST", "/streams/page%2Fx/actions", &body).await.0, 200);
    }
    let (mut frames, mut seq) = (0, 0);
    while seq < count as u64 {
        let frame: Value = slow.json().await;
        let next = frame["seq"].as_u64().expect("a number");
        assert!(next > seq, "{seq} and then {next}");
        (frames, seq) = (frames + 1, next);
        let n = usize::try_from(seq).expect("a place");
        assert_eq!(frame["state"], text(n), "the state is the one of its place");
    }
    assert!(frames < count / 2, "{frames} states of {count}");
    slow.send(json!({ "type": "write", "payload": "done" })).await;
    assert_eq!(slow.text().await, format!(r#"{{"seq":{}}}"#, count + 1));
    assert_eq!(slow.json().await["state"], "done");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_beyond_the_limit_is_refused() {
    const GROWS: &str =
        "export default (state = 'x', { type }) => type === 'double' ? state + state : state";
    let server = serve(&[("page", GROWS)]).await;
    let mut client = server.thin("page/x&subscribe=state").await;
    assert_eq!(client.json().await["state"], "x");
    let body = json!(vec![json!({ "type": "double" }); 24]).to_string();
    let (status, answer) = server.http("POST", "/streams/page%2Fx/actions", &body).await;
    assert_eq!(status, 200, "{answer:.200}");
    assert_eq!(client.json().await["error"]["code"], "too-large");
    assert_eq!(client.closed().await, 1009);
    server.stop().await;
}

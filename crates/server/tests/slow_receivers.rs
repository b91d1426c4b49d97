//! A client that does not read: it stops nobody, is cut off, and finds its way back by a pull.

mod common;

use common::{ORDERS, cursor, hello, serve};
use serde_json::{Value, json};

const S: &str = "o/x";

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_told_the_head_and_back_by_a_pull() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut slow = server.twin().await;
    slow.send(hello(S)).await;
    slow.expect("welcome").await;
    let mut thin = server.thin(&format!("{S}&subscribe=events")).await;

    // Far more than sockets and the server's queue hold.
    let text = "x".repeat(60_000);
    let body = json!({ "type": "note", "payload": { "id": 1, "text": text } }).to_string();
    let count = 500_u64;
    for _ in 0..count {
        assert_eq!(server.http("POST", "/streams/o%2Fx/actions", &body).await.0, 200);
    }

    let mut at = Value::Null;
    let mut seq = 0;
    let head = loop {
        let frame = slow.json().await;
        if frame["t"] == "pong" {
            break frame["head"].as_u64().expect("a number");
        }
        assert_eq!((&frame["t"], &frame["after"]), (&json!("events"), &json!(seq)));
        at = cursor(&frame);
        seq = at["seq"].as_u64().expect("a number");
    };
    assert!(seq < head, "it did not get all: {seq} of {head}");
    slow.send(json!({ "t": "pull", "stream": S, "cursor": at, "clients": [] })).await;
    while seq < count {
        let frame = slow.expect("events").await;
        assert_eq!(frame["after"], seq);
        seq = cursor(&frame)["seq"].as_u64().expect("a number");
    }
    slow.quiet(S).await;

    // A thin client cannot pull: it gets what was queued, and is closed.
    let mut heard = 0;
    let code = loop {
        match thin.text_or_close().await {
            Ok(frame) => {
                heard += 1;
                assert!(frame.starts_with(&format!(r#"{{"seq":{heard},"#)));
            }
            Err(code) => break code,
        }
    };
    assert!(heard < count);
    assert_eq!(code, 1013);
    server.stop().await;
}

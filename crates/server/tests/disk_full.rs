//! A full disk: no verdict while it lasts, and once it is over the retry succeeds, once.

mod common;

use std::sync::Arc;

use common::{ORDERS, create, entry, hello, push, serve_on};
use serde_json::json;
use twinstore_server::log::SqliteLog;

#[tokio::test]
async fn no_verdict_and_after_it_each_action_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = Arc::new(SqliteLog::open(&dir.path().join("t.db")).expect("it opens"));
    let server = serve_on(&[("o", ORDERS)], log.clone()).await;
    let mut client = server.twin().await;
    client.send(hello("o/x")).await;
    client.expect("welcome").await;
    client.send(push("o/x", &[entry("c", 1, &create("1"))])).await;
    client.expect("events").await;

    log.limit_pages(1);
    let text = "x".repeat(900);
    let large = json!({ "type": "create", "payload": { "id": "big", "customer": text } });
    let entries: Vec<_> = (2..=80).map(|n| entry("c", n, &large)).collect();
    for _ in 0..3 {
        client.send(push("o/x", &entries)).await;
        let refused = client.expect("refused").await;
        assert_eq!(
            (&refused["code"], &refused["n"], &refused["last"]),
            (&json!("busy"), &json!(2), &json!(1))
        );
    }
    let body = serde_json::Value::from(vec![large.clone(); 80]).to_string();
    let (status, error) = server.json("POST", "/streams/o%2Fx/actions", &body).await;
    assert_eq!((status, &error["error"]["code"]), (429, &json!("busy")));
    let (_, state) = server.json("GET", "/streams/o%2Fx/state", "").await;
    assert_eq!(state["seq"], 1, "what is not durable is not shown");

    log.limit_pages(0);
    client.send(push("o/x", &entries)).await;
    assert_eq!(client.expect("events").await["events"][0]["seq"], 2);
    client.send(push("o/x", &entries)).await;
    assert_eq!(client.expect("verdicts").await["verdicts"].as_array().map(Vec::len), Some(79));
    let (_, state) = server.json("GET", "/streams/o%2Fx/state", "").await;
    assert_eq!(state["seq"], 80);
    server.stop().await;
}

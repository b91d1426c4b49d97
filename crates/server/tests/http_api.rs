//! HTTP beside the socket: actions, events, state, records, files.

mod common;

use common::{ORDERS, create, serve, serve_with};
use serde_json::json;

const S: &str = "/streams/o%2Fx";

#[tokio::test]
async fn posted_actions_are_answered_in_order() {
    let server = serve(&[("o", ORDERS)]).await;
    let (status, frames) =
        server.json("POST", &format!("{S}/actions"), &create("1").to_string()).await;
    assert_eq!((status, &frames[0]["seq"], &frames[0]["key"]), (200, &json!(1), &json!("1")));
    let several = json!([
        { "type": "confirm", "payload": { "id": "1" } },
        { "type": "nothing" },
        { "type": "delete", "payload": { "id": "1" } },
    ]);
    let (status, frames) = server.json("POST", &format!("{S}/actions"), &several.to_string()).await;
    assert_eq!(status, 200);
    assert_eq!(
        frames,
        json!([
            { "seq": 2, "error": { "code": "invalid", "reason": "order 1 has no lines" } },
            { "seq": 3 },
            { "seq": 4, "key": "1", "record": null },
        ])
    );
    assert_eq!(server.json("POST", &format!("{S}/actions"), "[]").await, (200, json!([])));
}

#[tokio::test]
async fn a_refused_post_stores_nothing() {
    let server = serve(&[("o", ORDERS)]).await;
    let stamped = |n| json!({ "type": "a", "meta": { "twin": { "client": "c", "n": n } } });
    let huge = json!({ "type": "x", "text": "y".repeat(70_000) });
    let many = vec![json!({ "type": "a" }); 501];
    let cases = [
        ("nonsense".to_owned(), 400, "bad-json"),
        ("5".to_owned(), 422, "not-plain"),
        (json!([create("1"), { "type": 1 }]).to_string(), 422, "not-plain"),
        (json!([create("1"), stamped(2)]).to_string(), 409, "gap"),
        (json!([create("1"), { "type": "a", "meta": 1 }]).to_string(), 422, "not-plain"),
        (json!([create("1"), huge]).to_string(), 413, "too-large"),
        (json!(many).to_string(), 413, "batch-too-large"),
    ];
    for (body, expect, code) in cases {
        let (status, error) = server.json("POST", &format!("{S}/actions"), &body).await;
        assert_eq!((status, &error["error"]["code"]), (expect, &json!(code)), "{body:.80}");
    }
    let (status, _) = server.http("POST", &format!("{S}/actions"), &"x".repeat(300 << 10)).await;
    assert_eq!(status, 413);
    let (_, events) = server.json("GET", &format!("{S}/events"), "").await;
    assert_eq!(
        events,
        json!({ "stream": "o/x", "log": null, "head": 0, "reached": 0, "events": [] })
    );
    for _ in 0..2 {
        let (status, frames) =
            server.json("POST", &format!("{S}/actions"), &stamped(1).to_string()).await;
        assert_eq!((status, frames), (200, json!([{ "seq": 1 }])), "sent again it is not doubled");
    }
}

#[tokio::test]
async fn events_state_and_records() {
    let server = serve(&[("o", ORDERS)]).await;
    let actions =
        json!([create("a/b"), { "type": "confirm", "payload": { "id": "a/b" } }, create("2")]);
    server.json("POST", &format!("{S}/actions"), &actions.to_string()).await;
    let (_, found) = server.json("GET", &format!("{S}/events?after=1"), "").await;
    assert_eq!((&found["head"], found["events"].as_array().map(Vec::len)), (&json!(3), Some(2)));
    assert_eq!(found["events"][0]["error"]["code"], "invalid");
    assert_eq!(found["events"][0]["action"]["type"], "confirm", "what was rejected is shown");
    let (_, found) = server.json("GET", &format!("{S}/events?type=create&limit=1"), "").await;
    assert_eq!(found["events"].as_array().map(Vec::len), Some(1));
    let (_, state) = server.json("GET", &format!("{S}/state"), "").await;
    assert_eq!(
        (&state["seq"], &state["state"]["entities"]["2"]["customer"]),
        (&json!(3), &json!("Ann"))
    );
    let (_, records) = server.json("GET", &format!("{S}/records"), "").await;
    assert_eq!(records["records"]["a/b"]["status"], "draft");
    let (_, record) = server.json("GET", &format!("{S}/records/a%2Fb"), "").await;
    assert_eq!((&record["seq"], &record["key"]), (&json!(3), &json!("a/b")));
    assert_eq!(server.http("GET", &format!("{S}/records/none"), "").await.0, 404);
    assert_eq!(server.http("GET", "/streams/nobody%2Fx/state", "").await.0, 404);
    assert_eq!(server.http("GET", "/streams/o/state", "").await.0, 400);
    assert_eq!(server.http("GET", &format!("{S}/events?after=-1"), "").await.0, 400);
    assert_eq!(server.http("GET", "/healthz", "").await, (200, "ok".to_owned()));
    assert_eq!(server.http("GET", "/sync?stream=o%2Fx", "").await.0, 400, "no upgrade");
}

#[tokio::test]
async fn the_records_table_follows_the_state() {
    let server = serve(&[("o", ORDERS)]).await;
    let actions = json!([create("1"), create("2"), { "type": "delete", "payload": { "id": "1" } }]);
    server.json("POST", &format!("{S}/actions"), &actions.to_string()).await;
    let stream = twinstore_protocol::StreamId::parse("o/x").expect("a name");
    let rows = server.log.records(&stream).expect("it reads");
    assert_eq!(rows.len(), 1);
    assert!(rows[0].1.contains(r#""id":"2""#));
}

#[tokio::test]
async fn files_of_an_app() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in [("index.html", "<p>app"), ("a.wasm", "\0asm"), ("x.js", "1")] {
        std::fs::write(dir.path().join(name), text).expect("it writes");
    }
    std::fs::write(dir.path().parent().expect("a parent").join("outside.txt"), "no").ok();
    let log = std::sync::Arc::new(twinstore_server::log::MemoryLog::new());
    let www = dir.path().to_owned();
    let server = serve_with(&[("o", ORDERS)], log, |options| options.www = Some(www)).await;
    assert_eq!(server.http("GET", "/", "").await, (200, "<p>app".to_owned()));
    assert_eq!(server.http("GET", "/orders/1", "").await, (200, "<p>app".to_owned()));
    assert_eq!(server.http("GET", "/x.js", "").await, (200, "1".to_owned()));
    assert_eq!(server.http("GET", "/missing.js", "").await.0, 404);
    assert_eq!(server.http("GET", "/../outside.txt", "").await.0, 404);
    assert_eq!(server.http("GET", "/healthz", "").await.1, "ok");
    let raw = server.raw("GET", "/a.wasm").await.to_lowercase();
    assert!(raw.contains("content-type: application/wasm"), "{raw}");
    assert!(raw.contains("cache-control: no-cache"), "{raw}");
}

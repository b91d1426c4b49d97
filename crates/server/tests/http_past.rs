//! States of the past over HTTP, and what is not to be had.

mod common;

use common::{ORDERS, create, serve, serve_with};
use serde_json::json;
use std::sync::Arc;
use twinstore_server::log::MemoryLog;

const STATE: &str = "/streams/o%2Fx/state";

async fn act(server: &common::Running, actions: serde_json::Value) {
    let (status, _) = server.json("POST", "/streams/o%2Fx/actions", &actions.to_string()).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_state_of_the_past_and_what_differs() {
    let server = serve(&[("o", ORDERS)]).await;
    act(&server, json!([create("1"), { "type": "confirm", "payload": { "id": "1" } }])).await;
    act(&server, json!([create("2"), { "type": "delete", "payload": { "id": "1" } }])).await;
    let (status, state) = server.json("GET", &format!("{STATE}?at=1"), "").await;
    assert_eq!((status, &state["seq"]), (200, &json!(1)));
    assert_eq!(state["state"]["entities"]["1"]["customer"], "Ann");
    assert_eq!(state["state"]["entities"].as_object().map(serde_json::Map::len), Some(1));
    let (_, state) = server.json("GET", &format!("{STATE}?at=0"), "").await;
    assert_eq!(state, json!({ "seq": 0, "state": { "entities": {} } }));
    let (_, found) = server.json("GET", &format!("{STATE}?at=2&diff=4"), "").await;
    assert_eq!((&found["from"], &found["to"]), (&json!(2), &json!(4)));
    let patch = found["patch"].as_array().expect("a patch");
    let of = |i: usize| (patch[i]["op"].as_str(), patch[i]["path"].as_str());
    assert_eq!(patch.len(), 2, "{found}");
    assert_eq!(of(0), (Some("add"), Some("/entities/2")));
    assert_eq!(of(1), (Some("remove"), Some("/entities/1")));
    assert_eq!(patch[1]["before"]["customer"], "Ann");
    let (_, same) = server.json("GET", &format!("{STATE}?at=1&diff=2"), "").await;
    assert_eq!(same["patch"], json!([]), "a rejection changes nothing");
}

#[tokio::test]
async fn what_cannot_be_had_says_why() {
    let log = Arc::new(MemoryLog::new());
    let server = serve_with(&[("o", ORDERS)], log, |options| options.limits.fold_events = 3).await;
    let refused = async |query: &str, status: u16, code: &str, part: &str| {
        let (found, answer) = server.json("GET", &format!("{STATE}?{query}"), "").await;
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{query}");
        let reason = answer["error"]["reason"].as_str().expect("a sentence");
        assert!(reason.contains(part), "`{part}` is not in: {reason}");
    };
    refused("at=0", 404, "no-stream", "no stream o/x").await;
    act(&server, json!([create("1"), create("2"), create("3"), create("4")])).await;
    refused("at=5", 404, "beyond-head", "name a place from 0 to 4").await;
    refused("at=1&diff=9", 404, "beyond-head", "from 0 to 4").await;
    refused("at=4", 422, "too-far", "4 events would be folded, at most 3").await;
    refused("at=4&diff=1", 422, "too-far", "twinstore state").await;
    refused("diff=1", 400, "bad-message", "`diff` needs `at`").await;
    refused("at=-1", 400, "bad-message", "at").await;
    assert_eq!(server.http("GET", &format!("{STATE}?at=3&diff=1"), "").await.0, 200);
}

#[tokio::test]
async fn statistics_of_too_many_events_are_refused() {
    let log = Arc::new(MemoryLog::new());
    let server = serve_with(&[("o", ORDERS)], log, |options| options.limits.stats_events = 3).await;
    act(&server, json!([create("1"), create("2"), create("3"), create("4")])).await;
    for path in ["/stats", "/streams/o%2Fx/stats"] {
        let (status, answer) = server.json("GET", path, "").await;
        assert_eq!((status, &answer["error"]["code"]), (422, &json!("too-far")));
        let (status, counted) = server.json("GET", &format!("{path}?from=2"), "").await;
        assert_eq!((status, &counted["verdicts"]["accepted"]), (200, &json!(3)));
    }
}

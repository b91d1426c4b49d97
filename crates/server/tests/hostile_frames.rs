//! Frames that are wrong: a typed error each, and the server goes on for everyone else.

mod common;

use common::{ORDERS, create, entry, hello, push, serve};
use serde_json::json;

const S: &str = "o/x";

#[tokio::test]
async fn a_frame_that_is_no_message_closes_the_socket() {
    let server = serve(&[("o", ORDERS)]).await;
    let cases = [
        ("{", "bad-json"),
        ("", "bad-json"),
        ("nonsense", "bad-json"),
        (r#"{"t":"hello""#, "bad-json"),
        ("5", "bad-message"),
        (r#"["hello"]"#, "bad-message"),
        ("{}", "bad-message"),
        (r#"{"t":5}"#, "bad-message"),
        (r#"{"t":"dance","stream":"o/x"}"#, "bad-message"),
        (r#"{"t":"hello","stream":"o/x"}"#, "bad-message"),
        (r#"{"t":"hello","v":"1","min":1,"stream":"o/x","schema":1}"#, "bad-message"),
        (r#"{"t":"push","stream":"o/x","entries":5}"#, "bad-message"),
        (
            r#"{"t":"push","stream":"o/x","entries":[{"client":"","n":1,"action":{}}]}"#,
            "bad-message",
        ),
        (
            r#"{"t":"push","stream":"o/x","entries":[{"client":"c","n":0,"action":{}}]}"#,
            "bad-message",
        ),
        (
            r#"{"t":"push","stream":"o/x","entries":[{"client":"c","n":2,"from":3,"action":{}}]}"#,
            "bad-message",
        ),
        (
            r#"{"t":"push","stream":"o/x","entries":[{"client":"c","n":-1,"action":{}}]}"#,
            "bad-message",
        ),
        (r#"{"t":"pull","stream":"o/x","cursor":5}"#, "bad-message"),
    ];
    for (frame, code) in cases {
        let mut client = server.twin().await;
        client.send(frame).await;
        assert_eq!(client.expect("error").await["code"], code, "{frame}");
        assert_eq!(client.closed().await, 1007, "{frame}");
    }
    let mut binary = server.twin().await;
    binary.send_binary(&[0, 159, 146, 150]).await;
    assert_eq!(binary.expect("error").await["code"], "bad-message");
    assert_eq!(binary.closed().await, 1007);
    goes_on(&server).await;
}

#[tokio::test]
async fn a_message_too_many_leaves_its_stream_only() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut client = server.twin().await;
    let mut check = async |frame: serde_json::Value, code: &str| {
        client.send(&frame).await;
        let error = client.expect("error").await;
        assert_eq!(error["code"], code, "{frame}");
        assert_eq!(error["stream"], frame["stream"]);
    };
    check(json!({ "t": "ping", "stream": S }), "out-of-turn").await;
    check(json!({ "t": "pull", "stream": S, "cursor": null }), "out-of-turn").await;
    check(push(S, &[entry("c", 1, &create("1"))]), "out-of-turn").await;
    check(hello("o"), "bad-stream").await;
    check(hello("nobody/x"), "unknown-model").await;
    check(hello("constructor/x"), "unknown-model").await;
    let mut newer = hello(S);
    newer["schema"] = json!(2);
    check(newer, "schema").await;
    let mut later = hello(S);
    later["min"] = json!(2);
    later["v"] = json!(3);
    check(later, "version").await;
    client.send(hello(S)).await;
    client.expect("welcome").await;
    let many: Vec<_> = (1..=501).map(|n| entry("c", n, &create("1"))).collect();
    client.send(push(S, &many)).await;
    assert_eq!(client.expect("error").await["code"], "batch-too-large");
    client.send(push(S, &[])).await;
    assert_eq!(client.expect("error").await["code"], "out-of-turn", "the stream was left");
    goes_on(&server).await;
}

#[tokio::test]
async fn frames_beyond_the_limit() {
    let server = serve(&[("o", ORDERS)]).await;
    for bytes in [(1 << 20) + 1, 2 << 20] {
        let mut client = server.twin().await;
        client.send("x".repeat(bytes)).await;
        assert_eq!(client.expect("error").await["code"], "frame-too-large");
        assert_eq!(client.closed().await, 1009);
    }
    let mut thin = server.thin(S).await;
    thin.send("x".repeat(2 << 20)).await;
    assert_eq!(thin.json().await["code"], "frame-too-large");
    assert_eq!(thin.closed().await, 1009);
    goes_on(&server).await;
}

#[tokio::test]
async fn deep_and_strange_json() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut client = server.twin().await;
    client.send(hello(S)).await;
    client.expect("welcome").await;
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    let frame = |action: &str| {
        format!(
            r#"{{"t":"push","stream":"{S}","entries":[{{"client":"c","n":1,"action":{action}}}]}}"#
        )
    };
    client.send(frame(&format!(r#"{{"type":"x","deep":{deep}}}"#))).await;
    assert_eq!(client.expect("refused").await["code"], "too-deep");
    for action in
        [r#"{"type":"x","a":{"__proto__":1}}"#, r#"{"type":"x","\u005f_proto__":1}"#, "null"]
    {
        client.send(frame(action)).await;
        assert_eq!(client.expect("refused").await["code"], "not-plain", "{action}");
    }
    // An unknown field, deep as it may be, is ignored.
    client.send(format!(r#"{{"t":"ping","stream":"{S}","x":{deep}}}"#)).await;
    client.expect("pong").await;
}

#[tokio::test]
async fn a_flood_of_frames_is_answered_in_order() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut client = server.twin().await;
    client.send(hello(S)).await;
    client.expect("welcome").await;
    for _ in 0..2_000 {
        client.send(json!({ "t": "ping", "stream": S })).await;
    }
    for _ in 0..2_000 {
        client.expect("pong").await;
    }
}

async fn goes_on(server: &common::Running) {
    let mut client = server.thin("o/other").await;
    client.send(create("1")).await;
    assert_eq!(client.json().await["key"], "1");
}

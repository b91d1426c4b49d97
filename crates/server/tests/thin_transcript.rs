//! Thin clients: the transcript of the design, word for word, and what the others hear.

mod common;

use common::{ORDERS, create, serve};
use serde_json::json;

#[tokio::test]
async fn the_transcript_word_for_word() {
    let server = serve(&[("salesOrder", ORDERS)]).await;
    let mut client = server.thin("salesOrder/demo").await;
    client.send(r#"{"type":"create","payload":{"id":"1","customer":"Ann"}}"#).await;
    assert_eq!(
        client.text().await,
        r#"{"seq":1,"key":"1","record":{"id":"1","customer":"Ann","status":"draft","lines":[],"total":0}}"#
    );
    client.send(r#"{"type":"confirm","payload":{"id":"1"}}"#).await;
    assert_eq!(
        client.text().await,
        r#"{"seq":2,"error":{"code":"invalid","reason":"order 1 has no lines"}}"#
    );
}

#[tokio::test]
async fn others_hear_records_and_numbers() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut other = server.thin("o/a/b").await;
    let mut events = server.thin("o/a/b&subscribe=events").await;
    let mut sender = server.thin("o/a/b").await;
    sender.send(create("1")).await;
    assert_eq!(sender.json().await["key"], "1");
    assert_eq!(other.json().await["record"]["customer"], "Ann");
    sender.send(json!({ "type": "confirm", "payload": { "id": "1" } })).await;
    assert_eq!(sender.json().await["error"]["code"], "invalid");
    assert_eq!(other.text().await, r#"{"seq":2}"#);
    // No record changes: only the sender hears of it.
    sender.send(json!({ "type": "nothing" })).await;
    assert_eq!(sender.text().await, r#"{"seq":3}"#);
    sender.send(json!({ "type": "delete", "payload": { "id": "1" } })).await;
    assert_eq!(sender.text().await, r#"{"seq":4,"key":"1","record":null}"#);
    assert_eq!(other.text().await, r#"{"seq":4,"key":"1","record":null}"#);

    let first = events.json().await;
    assert_eq!(first["action"]["payload"]["id"], "1");
    assert!(first["action"]["meta"]["twin"]["at"].is_u64());
    let rejected = events.json().await;
    assert_eq!(rejected.as_object().expect("an object").len(), 2, "{rejected}");
    assert_eq!(events.json().await["seq"], 3);
    assert_eq!(events.json().await["seq"], 4);
}

#[tokio::test]
async fn what_is_malformed_is_no_event() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut client = server.thin("o/x").await;
    for (frame, code) in [
        ("nonsense", "bad-json"),
        ("[]", "not-plain"),
        (r#"{"type":1}"#, "not-plain"),
        (r#"{"type":"create","meta":1}"#, "not-plain"),
        (r#"{"type":"create","payload":{"__proto__":{}}}"#, "not-plain"),
    ] {
        client.send(frame).await;
        let answer = client.json().await;
        assert_eq!(answer["error"]["code"], code, "{frame}");
        assert_eq!(answer.get("seq"), None);
    }
    client.send_binary(b"x").await;
    assert_eq!(client.json().await["error"]["code"], "bad-json");
    client.send(create("1")).await;
    assert_eq!(client.json().await["seq"], 1);
}

#[tokio::test]
async fn from_start_everything_first() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut client = server.thin("o/x").await;
    for id in ["b", "a", "c"] {
        client.send(create(id)).await;
        client.json().await;
    }
    client.send(json!({ "type": "confirm", "payload": { "id": "a" } })).await;
    client.json().await;
    let mut late = server.thin("o/x&from=start").await;
    for key in ["a", "b", "c"] {
        let frame = late.json().await;
        assert_eq!((&frame["seq"], &frame["key"]), (&json!(4), &json!(key)));
    }
    let mut log = server.thin("o/x&subscribe=events&from=start").await;
    for seq in 1..=4 {
        assert_eq!(log.json().await["seq"], seq);
    }
    client.send(create("d")).await;
    assert_eq!(late.json().await["seq"], 5);
    assert_eq!(log.json().await["seq"], 5);
}

#[tokio::test]
async fn an_action_with_its_own_stamp_is_not_doubled() {
    let server = serve(&[("o", ORDERS)]).await;
    let action = json!({
        "type": "create", "payload": { "id": "1", "customer": "Ann" },
        "meta": { "twin": { "client": "mine", "n": 1, "at": 7 } },
    });
    let mut first = server.thin("o/x").await;
    first.send(&action).await;
    assert_eq!(first.json().await["key"], "1");
    drop(first);
    let mut second = server.thin("o/x").await;
    second.send(&action).await;
    assert_eq!(second.text().await, r#"{"seq":1}"#);
    let gap = json!({ "type": "a", "meta": { "twin": { "client": "mine", "n": 3 } } });
    second.send(&gap).await;
    assert_eq!(second.json().await["error"]["code"], "gap");
}

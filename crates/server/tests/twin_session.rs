//! The twin protocol over a real socket: hello, push, duplicates, gaps, cursors and snapshots.

mod common;

use common::{ORDERS, create, cursor, entry, hello, push, serve};
use serde_json::{Value, json};

const S: &str = "o/x";

#[tokio::test]
async fn hello_push_and_what_the_other_hears() {
    let server = serve(&[("o", ORDERS)]).await;
    let (mut a, mut b) = (server.twin().await, server.twin().await);
    for client in [&mut a, &mut b] {
        client.send(hello(S)).await;
        let welcome = client.expect("welcome").await;
        assert_eq!((&welcome["log"], &welcome["head"]), (&Value::Null, &json!(0)));
        assert_eq!(welcome["reset"], false);
        assert_eq!(welcome["limits"]["batch_actions"], 500);
        client.quiet(S).await;
    }
    let confirm = json!({ "type": "confirm", "payload": { "id": "1" } });
    a.send(push(S, &[entry("c", 1, &create("1")), entry("c", 2, &confirm)])).await;
    let own = a.expect("events").await;
    assert_eq!(own["after"], 0);
    assert_eq!(own["events"][0].get("action"), None, "it has it");
    assert_eq!(own["events"][1]["error"]["reason"], "order 1 has no lines");
    let others = b.expect("events").await;
    assert_eq!(others["events"][0]["action"], create("1"));
    assert_eq!(others["events"][1].as_object().expect("an object").len(), 2);
    assert_eq!(cursor(&own), cursor(&others));
    a.quiet(S).await;
}

#[tokio::test]
async fn an_actions_bytes_are_not_touched() {
    let server = serve(&[("o", ORDERS)]).await;
    let (mut a, mut b) = (server.twin().await, server.twin().await);
    b.send(hello(S)).await;
    b.expect("welcome").await;
    a.send(hello(S)).await;
    a.expect("welcome").await;
    let action = r#"{ "type" : "x",  "n":1.0e2,"big":12345678901234567890,"s":"\u00fc\ud800" }"#;
    let entries = format!(r#"[{{"client":"c","n":1,"action":{action}}}]"#);
    a.send(format!(r#"{{"t":"push","stream":"{S}","entries":{entries}}}"#)).await;
    a.expect("events").await;
    assert!(b.text().await.contains(action));
}

#[tokio::test]
async fn numbers_that_are_known_missing_or_overlapping() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut a = server.twin().await;
    a.send(hello(S)).await;
    a.expect("welcome").await;
    let confirm = json!({ "type": "confirm", "payload": { "id": "1" } });
    a.send(push(S, &[entry("c", 1, &create("1")), entry("c", 2, &confirm)])).await;
    a.expect("events").await;

    // Known: their verdicts. New ones in the same push are taken.
    let all = [entry("c", 1, &create("1")), entry("c", 2, &confirm), entry("c", 3, &create("3"))];
    a.send(push(S, &all)).await;
    assert_eq!(a.expect("events").await["events"][0]["seq"], 3);
    let verdicts = a.expect("verdicts").await;
    assert_eq!(verdicts["verdicts"][0], json!({ "client": "c", "n": 1, "seq": 1 }));
    assert_eq!(verdicts["verdicts"][1]["error"]["code"], "invalid");

    // A gap ends the push: what lies before it is taken.
    a.send(push(
        S,
        &[entry("c", 4, &create("4")), entry("c", 6, &create("6")), entry("c", 7, &create("7"))],
    ))
    .await;
    assert_eq!(a.expect("events").await["events"][0]["seq"], 4);
    let refused = a.expect("refused").await;
    assert_eq!(
        (&refused["code"], &refused["last"], &refused["n"]),
        (&json!("gap"), &json!(4), &json!(6))
    );

    // The remedy settles the missing number as well.
    let mut over = entry("c", 6, &create("6"));
    over["from"] = json!(5);
    a.send(push(S, &[over.clone()])).await;
    assert_eq!(a.expect("events").await["events"][0]["from"], 5);
    let mut overlap = entry("c", 8, &create("8"));
    overlap["from"] = json!(6);
    a.send(push(S, &[overlap])).await;
    let refused = a.expect("refused").await;
    assert_eq!((&refused["code"], &refused["last"]), (&json!("overlap"), &json!(6)));
    a.send(push(S, &[entry("c", 5, &create("5"))])).await;
    let verdicts = a.expect("verdicts").await;
    assert_eq!(
        (&verdicts["verdicts"][0]["seq"], &verdicts["verdicts"][0]["error"]["code"]),
        (&json!(5), &json!("dropped"))
    );
    a.quiet(S).await;
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_and_what_lies_before_is_taken() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut a = server.twin().await;
    a.send(hello(S)).await;
    a.expect("welcome").await;
    let deep =
        serde_json::from_str::<Value>(&format!("{}{}", "[".repeat(80), "]".repeat(80))).unwrap();
    let bad = [
        (json!({ "type": "x", "text": "y".repeat(70_000) }), "too-large"),
        (json!({ "type": "x", "deep": deep }), "too-deep"),
        (json!({ "type": 5 }), "not-plain"),
    ];
    for (n, (action, code)) in (1..).zip(bad) {
        a.send(push(S, &[entry("c", n, &create("1")), entry("c", n + 1, &action)])).await;
        assert_eq!(a.expect("events").await["events"][0]["n"], n);
        let refused = a.expect("refused").await;
        assert_eq!((&refused["code"], &refused["last"]), (&json!(code), &json!(n)));
    }
}

#[tokio::test]
async fn a_cursor_goes_on_and_a_strange_one_is_a_reset() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut a = server.twin().await;
    a.send(hello(S)).await;
    a.expect("welcome").await;
    a.send(push(S, &[entry("c", 1, &create("1"))])).await;
    let at_1 = cursor(&a.expect("events").await);
    let confirm = json!({ "type": "confirm", "payload": { "id": "1" } });
    a.send(push(S, &[entry("c", 2, &confirm), entry("c", 3, &create("2"))])).await;
    a.expect("events").await;

    let mut b = server.twin().await;
    let mut again = hello(S);
    again["cursor"] = at_1.clone();
    again["clients"] = json!([{ "client": "c", "from": 1 }, { "client": "new", "from": 1 }]);
    b.send(&again).await;
    let welcome = b.expect("welcome").await;
    assert_eq!(welcome["clients"][0]["last"], 3);
    assert_eq!(welcome["clients"][0]["rejections"][0]["seq"], 2);
    assert_eq!(welcome["clients"][1], json!({ "client": "new", "last": 0 }));
    let events = b.expect("events").await;
    assert_eq!((&events["after"], &events["events"][1]["seq"]), (&json!(1), &json!(3)));
    assert_eq!(events["events"][0]["error"]["code"], "invalid", "its client is waited for");
    b.quiet(S).await;

    for (field, value) in
        [("chain", json!("0000000000000000")), ("log", json!("other")), ("seq", json!(99))]
    {
        let mut strange = again.clone();
        strange["cursor"][field] = value;
        b.send(&strange).await;
        assert_eq!(b.expect("welcome").await["reset"], true);
        let part = b.expect("snapshot").await;
        let body: Value = serde_json::from_str(part["data"].as_str().expect("text")).expect("JSON");
        assert_eq!(body["state"]["entities"].as_object().expect("orders").len(), 2);
        assert_eq!(body["clients"][0]["last"], 3);
    }
    b.send(json!({ "t": "pull", "stream": S, "cursor": at_1, "clients": [] })).await;
    assert_eq!(b.expect("events").await["after"], 1);
    b.send(json!({ "t": "pull", "stream": S, "cursor": null, "clients": [] })).await;
    assert_eq!(b.expect("snapshot").await["seq"], 3);
    a.send(push(S, &[entry("c", 4, &create("4"))])).await;
    assert_eq!(b.expect("events").await["after"], 3);
}

#[tokio::test]
async fn a_long_log_comes_in_frames_and_a_longer_one_as_a_snapshot() {
    let server = serve(&[("o", ORDERS)]).await;
    let nothing = json!({ "type": "nothing" });
    let batch = Value::from(vec![nothing; 500]).to_string();
    for _ in 0..11 {
        server.json("POST", "/streams/o%2Fx/actions", &batch).await;
    }
    let at = async |seq: u64| {
        let path = format!("/streams/o%2Fx/events?after={}&limit=1", seq - 1);
        let (_, found) = server.json("GET", &path, "").await;
        cursor(&found)
    };
    let mut client = server.twin().await;
    let mut behind = hello(S);
    behind["cursor"] = at(499).await;
    client.send(&behind).await;
    assert_eq!(client.expect("welcome").await["reset"], false);
    assert_eq!(client.expect("snapshot").await["seq"], 5_500);
    behind["cursor"] = at(500).await;
    client.send(&behind).await;
    assert_eq!(client.expect("welcome").await["head"], 5_500);
    let (mut seq, mut frames) = (500, 0);
    while seq < 5_500 {
        let events = client.expect("events").await;
        assert_eq!(events["after"], seq);
        seq = cursor(&events)["seq"].as_u64().expect("a number");
        frames += 1;
    }
    assert!(frames >= 10);
    client.quiet(S).await;
}

#[tokio::test]
async fn a_large_state_comes_in_parts() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut a = server.twin().await;
    a.send(hello(S)).await;
    a.expect("welcome").await;
    for n in 1..=20 {
        let action =
            json!({ "type": "create", "payload": { "id": n, "customer": "é\"".repeat(10_000) } });
        a.send(push(S, &[entry("c", n, &action)])).await;
        a.expect("events").await;
    }
    a.send(json!({ "t": "pull", "stream": S, "cursor": null, "clients": [] })).await;
    let (mut data, mut part, mut parts) = (String::new(), 0, 1);
    while part < parts {
        let frame = a.expect("snapshot").await;
        assert!(frame.to_string().len() <= 1 << 20);
        part += 1;
        assert_eq!(frame["part"], part);
        parts = frame["parts"].as_u64().expect("a number");
        data += frame["data"].as_str().expect("text");
    }
    assert!(parts > 2);
    let body: Value = serde_json::from_str(&data).expect("JSON");
    assert_eq!(body["state"]["entities"].as_object().expect("orders").len(), 20);
}

#[tokio::test]
async fn several_streams_share_a_socket_and_can_be_left() {
    let server = serve(&[("o", ORDERS), ("p", ORDERS)]).await;
    let mut a = server.twin().await;
    for stream in ["o/1", "o/2", "p/1"] {
        a.send(hello(stream)).await;
        a.expect("welcome").await;
    }
    let mut b = server.thin("o/2").await;
    a.send(json!({ "t": "leave", "stream": "o/2" })).await;
    a.quiet("o/1").await;
    b.send(create("1")).await;
    b.json().await;
    a.send(push("p/1", &[entry("c", 1, &create("1"))])).await;
    assert_eq!(a.expect("events").await["stream"], "p/1");
    a.send(json!({ "t": "ping", "stream": "o/2" })).await;
    assert_eq!(a.expect("error").await["code"], "out-of-turn");
}

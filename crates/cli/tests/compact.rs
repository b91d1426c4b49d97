//! `twinstore compact`: old events become a state, and clients do not notice.

mod common;

use common::client::Client;
use common::{Place, fails, post, request, text};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

fn put(id: u32) -> Value {
    json!({ "type": "put", "payload": { "id": id.to_string() } })
}

fn get(port: u16, path: &str) -> (u16, Value) {
    let (status, body) = request(port, "GET", path, "");
    (status, serde_json::from_str(&body).expect("JSON"))
}

#[track_caller]
fn says(place: &Place, args: &[&str], expect: &str) {
    let output = place.run(args);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(text(&output.stdout), expect);
}

/// 30 events by HTTP, the tenth and the twentieth rejected, and a server that is stopped.
fn thirty() -> Place {
    let place = Place::new();
    let server = place.serve();
    let action = |n| {
        if n == 10 || n == 20 { json!({ "type": "bad", "payload": "a-secret" }) } else { put(n) }
    };
    post(server.port, &json!((1..=30).map(action).collect::<Vec<_>>()).to_string());
    assert_eq!(server.terminate().0, Some(0));
    place
}

#[test]
fn events_are_exported_and_become_a_state() {
    let place = thirty();
    fails(&place, &["compact"], 2, &["--export"]);
    let before = text(&place.run(&["state", "m/x"]).stdout);
    let all = text(&place.run(&["events", "m/x"]).stdout);
    let args = ["compact", "--keep", "5", "--export", "old"];
    says(&place, &args, "m/x: 25 events up to 25 are a state now\n");
    says(&place, &args, "m/x: nothing to let go of\n");
    // What went is in the file, as `events` printed it.
    let exported =
        std::fs::read_to_string(place.path().join("old/m%2Fx.1-25.ndjson")).expect("it is there");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&exported).len(), 25);
    let events = |line: &String| serde_json::from_str::<Value>(line).expect("JSON")["seq"].clone();
    assert_eq!(
        lines(&exported).iter().map(events).collect::<Vec<_>>(),
        (1..=25).map(Value::from).collect::<Vec<_>>()
    );
    assert_eq!(text(&place.run(&["events", "m/x"]).stdout), lines(&all)[25..].join("\n") + "\n");
    assert_eq!(text(&place.run(&["state", "m/x"]).stdout), before);
    fails(&place, &["state", "m/x", "--at", "24"], 1, &["not in the store"]);
    says(&place, &["check"], "m/x: clean up to 30: 5 events, 1 clients, 1 snapshots, 28 records\n");

    // It goes on, over many snapshots, and is compacted again.
    let server = place.serve_by(
        &["serve", "--model", "m=m.js", "--listen", "127.0.0.1:0", "--config", &limits(&place)],
        &[],
    );
    for n in 31..=50 {
        post(server.port, &put(n).to_string());
    }
    let (status, past) = get(server.port, "/streams/m%2Fx/state?at=24");
    assert_eq!((status, &past["error"]["code"]), (410, &json!("gone")));
    assert_eq!(get(server.port, "/streams/m%2Fx/state?at=25").0, 200);
    fails(&place, &["compact", "--discard"], 1, &["another process"]);
    server.kill();
    let checked = place.run(&["check"]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
    says(
        &place,
        &["compact", "--keep", "0", "--discard"],
        "m/x: 25 events up to 50 are a state now\n",
    );
    let checked = place.run(&["check"]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
    let rebuilt = place.run(&["rebuild"]);
    assert!(rebuilt.status.success(), "{}", text(&rebuilt.stderr));
    let server = place.serve();
    post(server.port, &put(51).to_string());
    let (_, state) = get(server.port, "/streams/m%2Fx/state");
    assert_eq!(state["state"]["entities"].as_object().map(serde_json::Map::len), Some(49));
    assert_eq!(server.terminate().0, Some(0));
    let checked = place.run(&["check"]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
}

/// A snapshot every third event.
fn limits(place: &Place) -> String {
    place.file("t.toml", "[limits]\nsnapshot_every = 3\n");
    "t.toml".to_owned()
}

/// What a client that stands at this event says, and all frames up to the one of that kind.
async fn joins(port: u16, cursor: &Value, push: &Value, until: &str) -> Vec<Value> {
    let url = format!("ws://127.0.0.1:{port}/sync");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("it listens");
    let hello = json!({
        "t": "hello", "v": 1, "min": 1, "stream": "m/x", "cursor": cursor, "schema": 1,
        "clients": [{ "client": "c", "from": 21 }],
    });
    for frame in [&hello, push] {
        socket.send(Message::text(frame.to_string())).await.expect("it reads");
    }
    let mut frames: Vec<Value> = Vec::new();
    while frames.last().is_none_or(|frame| frame["t"] != until) {
        let Some(Ok(Message::Text(frame))) = socket.next().await else { panic!("{frames:?}") };
        frames.push(serde_json::from_str(&frame).expect("JSON"));
    }
    frames
}

#[tokio::test]
async fn a_client_of_before_takes_the_state_and_nothing_counts_twice() {
    let place = Place::new();
    let server = place.serve();
    let mut client = Client::new("c", 25, 5);
    client.run(server.port).await;
    assert!(client.is_done());
    assert_eq!(server.terminate().0, Some(0));
    let events = text(&place.run(&["events", "m/x"]).stdout);
    let stands_at = |seq: usize| {
        let line = events.lines().nth(seq - 1).expect("it is there");
        let event: Value = serde_json::from_str(line).expect("JSON");
        json!({ "log": "?", "seq": event["seq"], "chain": event["chain"] })
    };
    let args = ["compact", "m/x", "--keep", "2", "--discard"];
    says(&place, &args, "m/x: 23 events up to 23 are a state now\n");
    let server = place.serve();
    // Sent again: 21 to 25 are in the log, the first three of them below the base.
    let entries: Vec<_> = (21..=25).map(|n| client.entry(n)).collect();
    let push = json!({ "t": "push", "stream": "m/x", "entries": entries });
    let welcome = joins(server.port, &Value::Null, &push, "welcome").await.pop().expect("one");
    let at = |seq| {
        let mut cursor = stands_at(seq);
        cursor["log"] = welcome["log"].clone();
        cursor
    };
    for (seq, answer) in [(20, "snapshot"), (23, "events"), (24, "events")] {
        let frames = joins(server.port, &at(seq), &push, "verdicts").await;
        let kinds: Vec<_> =
            frames.iter().map(|frame| frame["t"].as_str().expect("a kind")).collect();
        assert_eq!(kinds[..2], ["welcome", answer], "{frames:?}");
        assert!(frames[0].get("reset").is_none_or(|reset| reset == false), "{frames:?}");
        let verdicts = frames.last().and_then(|frame| frame["verdicts"].as_array()).expect("some");
        assert_eq!(verdicts.len(), 5);
        assert!(verdicts.iter().all(|row| row.get("error").is_none()), "{verdicts:?}");
    }
    let (_, state) = get(server.port, "/streams/m%2Fx/state");
    assert_eq!(state["seq"], 25);
    assert_eq!(server.terminate().0, Some(0));
}

#[test]
fn a_client_that_is_forgotten_leaves_its_numbers_only() {
    let place = thirty();
    let events = text(&place.run(&["events", "m/x", "--rejected"]).stdout);
    assert!(events.contains("not this"), "{events}");
    let client = serde_json::from_str::<Value>(events.lines().next().expect("one")).expect("JSON")
        ["client"]
        .clone();
    let client = client.as_str().expect("a name").to_owned();
    fails(&place, &["compact", "--forget", &client, "--discard"], 2, &["STREAM"]);
    let args = ["compact", "m/x", "--forget", &client, "--discard"];
    says(&place, &args, "m/x: 30 events up to 30 are a state now\n");
    let store = rusqlite::Connection::open(place.path().join("twinstore.db")).expect("it opens");
    let mut rows = store.prepare("SELECT reason FROM twin_rejections").expect("it is there");
    let left = rows.query_map([], |row| row.get(0)).expect("it reads");
    let left: Vec<String> = left.collect::<Result<_, _>>().expect("texts");
    assert_eq!(left, ["", ""]);
    let file = std::fs::read(place.path().join("twinstore.db")).expect("it is there");
    let has = |text: &[u8]| file.windows(text.len()).any(|bytes| bytes == text);
    assert!(has(client.as_bytes()), "its numbers");
    assert!(!has(b"a-secret"), "its rejected actions");
}

/// 30 events of a client of 2020; that they are of then, too, is made so by hand.
#[test]
fn clients_that_were_still_for_long_are_forgotten_and_not_taken_for_new_ones() {
    let (place, old) = (Place::new(), "20200101-old");
    let by_old = |n: u32, mut action: Value| {
        action["meta"] = json!({ "twin": { "client": old, "n": n } });
        action
    };
    let server = place.serve();
    let action = |n| if n % 10 == 0 { json!({ "type": "bad" }) } else { put(n) };
    let actions: Vec<_> = (1..=30).map(|n| by_old(n, action(n))).collect();
    post(server.port, &json!(actions).to_string());
    assert_eq!(server.terminate().0, Some(0));
    {
        let store =
            rusqlite::Connection::open(place.path().join("twinstore.db")).expect("it opens");
        store.execute("UPDATE m_events SET at = 1577880000000", []).expect("it writes");
    }
    let known = || {
        let store =
            rusqlite::Connection::open(place.path().join("twinstore.db")).expect("it opens");
        let count = |table| {
            let sql = format!("SELECT count(*) FROM {table} WHERE client = ?1");
            store.query_row(&sql, [old], |row| row.get::<_, i64>(0)).expect("a count")
        };
        [count("twin_clients"), count("twin_rejections")]
    };
    place.file("t.toml", "[limits]\nclient_days = 100000\n");
    let compact = |keep, more: &[&str]| {
        let args = [&["compact", "m/x", "--keep", keep, "--discard"], more].concat();
        let output = place.run(&args);
        assert!(output.status.success(), "{}", text(&output.stderr));
    };
    compact("1", &[]);
    assert_eq!(known(), [1, 2], "an event of it is left, a rejection");
    let server = place.serve();
    post(server.port, &put(31).to_string());
    assert_eq!(server.terminate().0, Some(0));
    compact("1", &["--config", "t.toml"]);
    assert_eq!(known(), [1, 3], "it is not that old");
    compact("0", &["--client-days", "30"]);
    assert_eq!(known(), [0, 0]);

    let server = place.serve();
    let late = by_old(31, put(33)).to_string();
    let (status, answer) = request(server.port, "POST", "/streams/m%2Fx/actions", &late);
    assert_eq!(status, 409, "{answer}");
    assert!(answer.contains("too-old"), "{answer}");
    post(server.port, &put(32).to_string());
    assert_eq!(server.terminate().0, Some(0));
    let checked = place.run(&["check"]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
}

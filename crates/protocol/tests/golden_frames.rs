//! Every golden frame of `tests/wire/v1` reads into its type and writes back the same JSON.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use twinstore_protocol::*;

#[track_caller]
fn check<T: Serialize + DeserializeOwned>(name: &str, tag: &str) {
    let path = format!("{}/../../tests/wire/v1/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the golden frame is there");
    let mut golden: Value = serde_json::from_str(&text).expect("it is JSON");
    let frame: T = serde_json::from_value(golden.clone()).expect("it reads into its type");
    let fields = golden.as_object_mut().expect("a frame is an object");
    assert_eq!(fields.remove("t"), Some(Value::from(tag)));
    assert_eq!(serde_json::to_value(frame).expect("it writes"), golden);
}

#[test]
fn client_frames() {
    check::<Hello>("hello", tag::HELLO);
    check::<Hello>("hello-new", tag::HELLO);
    check::<Push<Value>>("push", tag::PUSH);
    check::<Pull>("pull", tag::PULL);
    check::<Pull>("pull-snapshot", tag::PULL);
    check::<Ping>("ping", tag::PING);
    check::<Leave>("leave", tag::LEAVE);
    check::<Auth>("auth", tag::AUTH);
}

#[test]
fn server_frames() {
    check::<Welcome>("welcome", tag::WELCOME);
    check::<Welcome>("welcome-empty", tag::WELCOME);
    check::<Events<Value>>("events", tag::EVENTS);
    check::<Events<Value>>("events-own", tag::EVENTS);
    check::<Events<Value>>("events-other", tag::EVENTS);
    check::<Events<Value>>("events-check", tag::EVENTS);
    check::<SnapshotPart>("snapshot", tag::SNAPSHOT);
    check::<Verdicts>("verdicts", tag::VERDICTS);
    check::<Refused>("refused", tag::REFUSED);
    check::<Pong>("pong", tag::PONG);
    check::<Authenticated>("authenticated", tag::AUTHENTICATED);
    check::<ErrorFrame>("error", tag::ERROR);
}

#[test]
fn a_snapshots_data_is_a_body() {
    let path = format!("{}/../../tests/wire/v1/snapshot.json", env!("CARGO_MANIFEST_DIR"));
    let part: SnapshotPart = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let body: SnapshotBody<Value> = serde_json::from_str(&part.data).unwrap();
    assert_eq!(body.clients[0].last, N(3));
}

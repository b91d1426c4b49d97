//! `twinstore state --at A --diff B` on a real store, and over HTTP.

mod common;

use common::{Place, fails, post, request, text};
use serde_json::{Value, json};

/// Three events (put 1, put 2, put 1 anew) by one model, then one by another.
fn four_events() -> Place {
    let place = Place::new();
    let server = place.serve();
    let put = |id: &str, v: u32| json!({ "type": "put", "payload": { "id": id, "v": v } });
    post(server.port, &json!([put("1", 1), put("2", 1), put("1", 2)]).to_string());
    assert_eq!(server.terminate().0, Some(0));
    place.file(
        "m.js",
        "export default (s = { entities: {} }, a) => a.type === 'put' ? { entities: {}, now: 4 } : s",
    );
    let server = place.serve();
    post(server.port, &put("3", 3).to_string());
    assert_eq!(server.terminate().0, Some(0));
    place
}

#[track_caller]
fn says(place: &Place, args: &[&str], expect: &str) {
    let output = place.run(&[&["state", "m/x"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), expect);
}

#[test]
fn what_differs_between_two_states_as_a_list() {
    let place = four_events();
    says(&place, &["--at", "1", "--diff", "1"], "");
    says(
        &place,
        &["--at", "1", "--diff", "3"],
        "~ /entities/1/v  1 → 2\n+ /entities/2  {\"id\":\"2\",\"v\":1}\n",
    );
    says(
        &place,
        &["--at", "3", "--diff", "1"],
        "~ /entities/1/v  2 → 1\n- /entities/2  {\"id\":\"2\",\"v\":1}\n",
    );
    says(
        &place,
        &["--at", "2", "--diff", "4"],
        "- /entities/1  {\"id\":\"1\",\"v\":1}\n- /entities/2  {\"id\":\"2\",\"v\":1}\n+ /now  4\n",
    );
}

#[test]
fn what_differs_as_a_json_patch_is_the_same_over_http() {
    let place = four_events();
    let output = place.run(&["state", "m/x", "--at", "1", "--diff", "3", "--json"]);
    let patch: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        patch,
        json!([
            { "op": "replace", "path": "/entities/1/v", "value": 2, "before": 1 },
            { "op": "add", "path": "/entities/2", "value": { "id": "2", "v": 1 } },
        ])
    );
    let server = place.serve();
    let (status, body) = request(server.port, "GET", "/streams/m%2Fx/state?at=1&diff=3", "");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, body), (200, json!({ "from": 1, "to": 3, "patch": patch })));
    let (status, body) = request(server.port, "GET", "/streams/m%2Fx/state?at=4", "");
    assert_eq!((status, body.as_str()), (200, r#"{"seq":4,"state":{"entities":{},"now":4}}"#));
}

#[test]
fn states_that_are_not_there() {
    let place = four_events();
    fails(&place, &["state", "m/none", "--at", "1"], 1, &["the store has no stream m/none"]);
    fails(&place, &["state", "m/x", "--at", "5"], 2, &["ends at 4", "from 0 to 4"]);
    fails(&place, &["state", "m/x", "--at", "1", "--diff", "9"], 2, &["no event 9"]);
    fails(&place, &["state", "m/x", "--diff", "1"], 2, &["--at"]);
    fails(&place, &["state", "m/x", "--json"], 2, &["--diff"]);
}

#[test]
fn a_state_before_the_first_event_that_is_kept() {
    let place = four_events();
    // As after a compaction: events up to 2 are gone, snapshots at 3 and 4 are there.
    let store = rusqlite::Connection::open(place.path().join("twinstore.db")).expect("a store");
    store.execute("DELETE FROM m_events WHERE seq <= 2", []).expect("it deletes");
    says(
        &place,
        &["--at", "3", "--diff", "4"],
        "- /entities/1  {\"id\":\"1\",\"v\":2}\n- /entities/2  {\"id\":\"2\",\"v\":1}\n+ /now  4\n",
    );
    let gone = ["events 1 to 1 are not in the store", "later place"];
    fails(&place, &["state", "m/x", "--at", "1"], 1, &gone);
    let server = place.serve();
    let (status, body) = request(server.port, "GET", "/streams/m%2Fx/state?at=2", "");
    assert_eq!(status, 410, "{body}");
    assert!(body.contains(r#""code":"gone""#) && body.contains("events 1 to 2"), "{body}");
    assert_eq!(server.terminate().0, Some(0));
    store.execute("DELETE FROM twin_snapshots WHERE seq = 3", []).expect("it deletes");
    let gone = ["events 1 to 2 are not in the store", "later place"];
    fails(&place, &["state", "m/x", "--at", "3"], 1, &gone);
}

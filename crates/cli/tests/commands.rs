//! What the commands print, and what they say and exit with when they cannot.

mod common;

use common::{Place, fails, post, text};

#[test]
fn a_file_that_is_no_model_exits_2_and_says_where_and_why() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 8] = [
        ("\nexport default (s = 0) => {\n  return s +\n}", &["bad.js:4:", "unexpected token"]),
        ("export const x = 1", &["bad.js", "default export"]),
        ("export default 1", &["bad.js", "default export"]),
        (
            "const a = 1\nthrow new Error('at load')\nexport default s => s",
            &["bad.js:2:", "at load"],
        ),
        ("export default (s) => s", &["bad.js", "undefined"]),
        (
            "import { createSlice } from '@reduxjs/toolkit'\nexport default s => s",
            &["bad.js", "@reduxjs/toolkit", "npx esbuild", "--bundle"],
        ),
        ("for (;;);\nexport default (s = 0) => s", &["bad.js", "interrupted"]),
        ("export default (s = 0) => s\nexport const schema = 1.5", &["bad.js", "schema"]),
    ];
    for (source, parts) in cases {
        place.file("bad.js", source);
        fails(&place, &["serve", "--model", "m=bad.js", "--listen", "127.0.0.1:0"], 2, parts);
    }
    assert!(!place.path().join("twinstore.db").exists(), "no store was made");
}

#[test]
fn arguments_that_make_no_sense_exit_2() {
    let place = Place::new();
    fails(&place, &["serve"], 2, &["--model"]);
    fails(&place, &["serve", "--model", "m.js"], 2, &["NAME=FILE.js"]);
    fails(&place, &["serve", "--model", "a-b=m.js"], 2, &["a-b", "letters"]);
    fails(&place, &["serve", "--model", "x_events=m.js"], 2, &["x_events", "store's own"]);
    fails(&place, &["serve", "--model", "m=m.js", "--model", "M=m.js"], 2, &["two models"]);
    fails(&place, &["serve", "--model", "m=none.js"], 2, &["none.js"]);
    fails(&place, &["serve", "--model", "m=m.js", "--store", "oracle:x"], 2, &["sqlite:FILE"]);
    fails(&place, &["events", "nothing"], 2, &["<model>/<name>"]);
    fails(&place, &["state", "m/x", "--store", "memory"], 2, &["sqlite:FILE"]);
}

#[test]
fn a_world_that_does_not_fit_exits_1() {
    let place = Place::new();
    fails(&place, &["events", "m/x"], 1, &["no store"]);
    let server = place.serve();
    let serve = ["serve", "--model", "m=m.js", "--listen", "127.0.0.1:0"];
    fails(&place, &serve, 1, &["another process", "one server per store"]);
    let taken = format!("127.0.0.1:{}", server.port);
    let other = ["serve", "--model", "m=m.js", "--store", "memory", "--listen", &taken];
    fails(&place, &other, 1, &["cannot listen", &taken]);
    fails(&place, &["events", "m/x"], 1, &["no stream m/x"]);
    fails(&place, &["state", "m/x"], 1, &["no stream m/x"]);
}

#[test]
fn events_and_state_beside_a_running_server() {
    let place = Place::new();
    let server = place.serve();
    post(
        server.port,
        r#"[{"type":"put","payload":{"id":"1","v":1}},{"type":"bad"},
        {"type":"put","payload":{"id":"1","v":2},
         "note":"line one\nline two"}]"#,
    );
    let events = text(&place.run(&["events", "m/x"]).stdout);
    let lines: Vec<_> = events.lines().collect();
    assert_eq!(lines.len(), 3, "{events}");
    for (line, seq) in lines.iter().zip(1..) {
        let event: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert_eq!(event["seq"], seq);
        assert!(event["action"]["type"].is_string(), "rejected actions are shown, too");
    }
    let of = |args: &[&str]| {
        let output = place.run(&[&["events", "m/x"], args].concat());
        assert!(output.status.success());
        text(&output.stdout).lines().count()
    };
    assert_eq!(of(&["--type", "put"]), 2);
    assert_eq!(of(&["--after", "1", "--limit", "1"]), 1);
    assert_eq!(of(&["--after", "9"]), 0);
    let state = |args: &[&str]| text(&place.run(&[&["state", "m/x"], args].concat()).stdout);
    assert_eq!(state(&[]), "{\"entities\":{\"1\":{\"id\":\"1\",\"v\":2}}}\n");
    assert_eq!(state(&["--at", "2"]), "{\"entities\":{\"1\":{\"id\":\"1\",\"v\":1}}}\n");
    assert_eq!(state(&["--at", "0"]), "{\"entities\":{}}\n");
    fails(&place, &["state", "m/x", "--at", "4"], 2, &["ends at 3"]);
    assert_eq!(server.terminate().0, Some(0));
    assert_eq!(state(&["--at", "1"]), "{\"entities\":{\"1\":{\"id\":\"1\",\"v\":1}}}\n");
}

#[test]
fn a_state_of_the_past_is_folded_with_the_models_of_the_past() {
    let place = Place::new();
    let server = place.serve();
    post(server.port, r#"{"type":"put","payload":{"id":"1"}}"#);
    assert_eq!(server.terminate().0, Some(0));
    place.file(
        "m.js",
        "export default (s = { entities: {} }, a) => a.type === 'put'
          ? { entities: { ...s.entities, [a.payload.id]: { new: true } } } : s",
    );
    let server = place.serve();
    post(server.port, r#"{"type":"put","payload":{"id":"2"}}"#);
    server.kill();
    let state = |args: &[&str]| text(&place.run(&[&["state", "m/x"], args].concat()).stdout);
    assert_eq!(state(&[]), "{\"entities\":{\"1\":{\"id\":\"1\"},\"2\":{\"new\":true}}}\n");
    assert_eq!(state(&["--at", "1"]), "{\"entities\":{\"1\":{\"id\":\"1\"}}}\n");
}

#[test]
fn follow_prints_what_is_appended() {
    let place = Place::new();
    let server = place.serve();
    let mut command = place.command(&["events", "m/x", "--follow", "--limit", "2"]);
    let child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    for _ in 0..2 {
        post(server.port, r#"{"type":"put","payload":{"id":"1"}}"#);
    }
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(text(&output.stdout).lines().count(), 2);
}

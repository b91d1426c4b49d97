//! `twinstore cost`: estimates, as a table and as JSON.

mod common;

use common::{Place, fails, post, text};
use serde_json::Value;

fn estimates(args: &[&str]) -> Vec<Value> {
    let output = Place::new().run(&[&["cost", "--json"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(all["region"], "us-east-1");
    all["estimates"].as_array().expect("a list").clone()
}

/// Three single actions over HTTP, one of them rejected.
#[test]
fn what_a_server_did() {
    let place = Place::new();
    let server = place.serve();
    let url = format!("http://127.0.0.1:{}", server.port);
    fails(&place, &["cost", "--measured", &url], 1, &["nothing is measured yet"]);
    for action in
        [r#"{"type":"put","payload":{"id":"1"}}"#, r#"{"type":"put","payload":{"id":"2"}}"#]
    {
        post(server.port, action);
    }
    post(server.port, r#"{"type":"bad"}"#);
    let output = place.run(&["cost", "--measured", &url, "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let measured = &all["measured"]["measured"];
    assert_eq!((&measured["actions"], &measured["appends"]), (&3.into(), &3.into()));
    assert!(
        measured["model_ms"].as_f64() > Some(0.0) && measured["append_ms"].as_f64() > Some(0.0)
    );
    let run = &all["estimates"][0]["run"];
    assert_eq!(
        (&run["actions"], &run["batch"], &run["receivers"]),
        (&3.into(), &1.into(), &1.into())
    );
    let table = text(&place.run(&["cost", "--measured", &url]).stdout);
    assert!(table.starts_with("3 actions in 0.0 hours"), "{table}");
    assert!(table.contains("1000.0 appends") && table.contains("$ in all"), "{table}");
    fails(
        &place,
        &["cost", "--measured", &format!("{url}/healthz")],
        1,
        &["does not tell its metrics"],
    );
    fails(&place, &["cost", "--measured", &url, "--actions", "1"], 2, &["cannot be used with"]);
}

/// 10,000 messages in and out, $0.02; 10,000 calls, $0.002; each writes a pack, the client, the
/// head and a record, 8 units, and every 200th a state, 3 units to put and to delete, $0.0502; and so on.
#[test]
fn counts_and_dollars() {
    let one = estimates(&["--actions", "1e4", "--batch", "1", "--topology", "coupled"]);
    assert_eq!(one.len(), 1);
    let counts = &one[0]["counts"];
    assert_eq!((&counts["messages_in"], &counts["messages_out"]), (&10_000.into(), &10_000.into()));
    assert_eq!(counts["write_units"], 8 * 10_000 + (50 + 48) * 3);
    let lines = one[0]["bill"]["lines"].as_array().expect("lines");
    let of = |item: &str| {
        let line = lines.iter().find(|line| line["item"] == item).expect("it is there");
        line["dollars"].as_f64().expect("a number")
    };
    assert!((of("messages in") - 0.01).abs() < 1e-9);
    assert!((of("write units") - 80_294.0 * 0.625e-6).abs() < 1e-9);
    let sum: f64 = lines.iter().map(|line| line["dollars"].as_f64().expect("a number")).sum();
    assert!((one[0]["dollars"].as_f64().expect("a number") - sum).abs() < 1e-9);
}

#[test]
fn a_table_of_all() {
    let output = Place::new().run(&["cost", "--actions", "1e6", "--receivers", "10"]);
    let table = text(&output.stdout);
    assert!(output.status.success() && table.starts_with("1,000,000 actions of 200 bytes"));
    let names = table.lines().nth(2).expect("a header");
    let names: Vec<_> = names.split_whitespace().collect();
    assert_eq!(names, ["coupled", "coupled", "pipeline", "pipeline", "sqlite"]);
    let in_all = table.lines().find(|line| line.contains("$ in all")).expect("a sum");
    assert!(in_all.trim_end().ends_with("17.5140"), "{in_all}");
}

#[test]
fn prices_of_ones_own() {
    let place = Place::new();
    let table = include_str!("../../cost/prices.toml");
    place.file("mine.toml", &table.replace("region = \"us-east-1\"", "region = \"moon\""));
    let output = place.run(&["cost", "--prices", "mine.toml"]);
    assert!(text(&output.stdout).contains("moon"), "{}", text(&output.stderr));
    place.file("bad.toml", "region = 1");
    fails(&place, &["cost", "--prices", "bad.toml"], 2, &["bad.toml", "region"]);
    fails(&place, &["cost", "--prices", "none.toml"], 2, &["cannot read none.toml"]);
}

#[test]
fn what_cannot_be_is_refused() {
    let place = Place::new();
    for (args, why) in [
        (&["cost", "--actions", "0"][..], "from 1"),
        (&["cost", "--batch", "501"], "from 1 to 500"),
        (&["cost", "--machine-hours", "nan"], "hours"),
        (&["cost", "--actions", "many"], "no number"),
    ] {
        fails(&place, args, 2, &[why]);
    }
}

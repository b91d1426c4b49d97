//! `twinstore stats` on a real store, and over HTTP.

mod common;

use common::{Place, fails, post, request, text};
use serde_json::{Value, json};

/// Ann: two puts, two rejected for two reasons. Bo: one put in another stream. And a thin put.
/// Each twin's action was dispatched in 1970.
fn counted() -> Place {
    let place = Place::new();
    place.file(
        "m.js",
        "export default (s = {}, { type, payload }) => type === 'put' ? { ...s, ...payload } : s
         export const validate = (_, { type, why }) => type === 'bad' ? why : undefined",
    );
    let server = place.serve();
    let by = |client: &str, n: u32, action: Value| {
        let mut action = action;
        action["meta"] = json!({ "twin": { "id": "x", "client": client, "n": n, "at": 1_000 } });
        action
    };
    let put = json!({ "type": "put" });
    let bad = |why: &str| json!({ "type": "bad", "why": why });
    let ann = [put.clone(), bad("no"), put.clone(), bad("not \u{1b}[31mthis")];
    let ann: Vec<_> = ann.into_iter().zip(1..).map(|(a, n)| by("ann", n, a)).collect();
    post(server.port, &json!(ann).to_string());
    post(server.port, &put.to_string());
    let other = by("bo", 1, put).to_string();
    assert_eq!(request(server.port, "POST", "/streams/m%2Fother/actions", &other).0, 200);
    assert_eq!(server.terminate().0, Some(0));
    place
}

fn stats(place: &Place, args: &[&str]) -> Value {
    let output = place.run(&[&["stats", "--json"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn row(name: &str, accepted: u64, rejected: u64) -> Value {
    json!({ "name": name, "accepted": accepted, "rejected": rejected })
}

#[test]
fn counts_of_a_stream_and_of_all() {
    let place = counted();
    let one = stats(&place, &["m/x"]);
    assert_eq!(one["verdicts"], json!({ "accepted": 3, "rejected": 2 }));
    assert_eq!(one["types"]["rows"], json!([row("put", 3, 0), row("bad", 0, 2)]));
    assert_eq!(one["clients"]["rows"][0], row("ann", 2, 2));
    assert_eq!(one["clients"]["rows"].as_array().map(Vec::len), Some(2), "one is the thin one's");
    assert_eq!(one["streams"]["rows"], json!([row("m/x", 3, 2)]));
    assert_eq!(one["models"]["rows"][0]["accepted"], 3);
    assert_eq!(
        one["rejections"],
        json!([
            { "code": "invalid", "reason": "no", "count": 1 },
            { "code": "invalid", "reason": "not \u{1b}[31mthis", "count": 1 },
        ])
    );
    let hours = one["hours"]["rows"].as_array().expect("hours");
    assert!(hours.iter().all(|hour| hour["name"].as_str().expect("an hour").ends_with(":00:00Z")));
    assert_eq!((&one["delay"]["measured"], &one["delay"]["unknown"]), (&json!(4), &json!(1)));
    let half = one["delay"]["p50"].as_u64().expect("a delay");
    let since = one["last"].as_u64().expect("a time") - 1_000;
    assert!(half.abs_diff(since) < since / 50, "{half} is about {since}");
    let all = stats(&place, &[]);
    assert_eq!(all["streams"]["rows"], json!([row("m/x", 3, 2), row("m/other", 1, 0)]));
    let ann = stats(&place, &["--client", "ann", "--rejected", "--top", "1"]);
    assert_eq!(ann["verdicts"], json!({ "accepted": 0, "rejected": 2 }));
    assert_eq!((&ann["rejections"][1], &ann["other_rejections"]), (&Value::Null, &json!(1)));
}

#[test]
fn http_counts_the_same() {
    let place = counted();
    let server = place.serve();
    let get = |path: &str| {
        let (status, body) = request(server.port, "GET", path, "");
        (status, serde_json::from_str::<Value>(&body).expect("JSON"))
    };
    assert_eq!(get("/stats"), (200, stats(&place, &[])));
    assert_eq!(get("/streams/m%2Fx/stats?top=1"), (200, stats(&place, &["m/x", "--top", "1"])));
    let rejected = stats(&place, &["m/x", "--rejected", "--from", "3"]);
    assert_eq!(get("/streams/m%2Fx/stats?rejected=true&from=3"), (200, rejected));
    for (path, status, part) in [
        ("/streams/m%2Fnone/stats", 404, "no-stream"),
        ("/streams/n%2Fx/stats", 404, "unknown-model"),
        ("/streams/m%2Fx/stats?from=6", 404, "beyond-head"),
        ("/stats?limit=1", 400, "no `limit`"),
        ("/stats?top=few", 400, "`top` is `few`"),
        ("/stats?kind=put", 400, "no parameter `kind`"),
    ] {
        let (found, body) = get(path);
        assert_eq!(found, status, "{body}");
        assert!(body.to_string().contains(part), "{body}");
    }
}

#[test]
fn tables_for_people() {
    let place = counted();
    let output = place.run(&["stats", "m/x"]);
    let shown = text(&output.stdout);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = shown.lines().map(words).collect();
    assert_eq!(lines[0], "5 events: 3 accepted, 2 rejected");
    for line in
        ["type events accepted rejected", "put 3 3 0", "bad 2 0 2", "ann 4 2 2", "no invalid 1"]
    {
        assert!(lines.iter().any(|found| found == line), "`{line}` is not in:\n{shown}");
    }
    assert!(lines[2].starts_with("from dispatch to verdict: half within 5"), "{}", lines[2]);
    assert!(!shown.contains('\u{1b}'), "a client's text gives no orders to a terminal");
    let none = text(&place.run(&["stats", "m/x", "--until", "1h"]).stdout);
    assert!(none.starts_with("0 events: 0 accepted, 0 rejected\nfrom dispatch"), "{none}");
}

#[test]
fn what_cannot_be_counted() {
    let place = Place::new();
    fails(&place, &["stats"], 1, &["no store"]);
    let place = counted();
    fails(&place, &["stats", "m/none"], 1, &["no stream m/none"]);
    fails(&place, &["stats", "m/x", "--from", "6"], 2, &["ends at 5", "no event 6"]);
    fails(&place, &["stats", "nothing"], 2, &["<model>/<name>"]);
    fails(&place, &["stats", "--from", "3", "--to", "2"], 2, &["`from` is 3"]);
    fails(&place, &["stats", "--store", "memory"], 2, &["sqlite:FILE"]);
}

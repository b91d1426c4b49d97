//! `twinstore events` with its filters on a real store, the same over HTTP, and following.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{Place, fails, post, request, text};
use serde_json::{Value, json};

const EVENTS: &str = "/streams/m%2Fx/events";

/// Six events: put by ann, put by bo, bad by ann (rejected), other by ann, and two puts of a
/// client that the server named.
fn six_events(place: &Place) {
    let server = place.serve();
    let by = |client: &str, n: u32, kind: &str| {
        json!({ "type": kind, "payload": { "id": client },
            "meta": { "twin": { "client": client, "n": n, "at": 1_000 } } })
    };
    let ours =
        [by("ann", 1, "put"), by("bo", 1, "put"), by("ann", 2, "bad"), by("ann", 3, "other")];
    post(server.port, &json!(ours).to_string());
    let thin = json!({ "type": "put", "payload": { "id": "thin" } });
    post(server.port, &json!([thin, thin]).to_string());
    assert_eq!(server.terminate().0, Some(0));
}

fn seqs(lines: &str) -> Vec<u64> {
    let seq = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("each line is JSON");
        event["seq"].as_u64().expect("a place")
    };
    lines.lines().filter(|line| !line.is_empty()).map(seq).collect()
}

/// What the command and HTTP both find, and HTTP when it follows.
#[track_caller]
fn finds(place: &Place, port: u16, args: &[&str], expect: &[u64]) {
    let output = place.run(&[&["events", "m/x"], args].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(seqs(&text(&output.stdout)), expect, "{args:?}");
    let mut query = String::new();
    let mut words = args.iter().peekable();
    while let Some(name) = words.next() {
        let name = name.trim_start_matches("--");
        let value = words.next_if(|word| !word.starts_with("--")).unwrap_or(&"true");
        query += &match name {
            "accepted" => "rejected=false&".to_owned(),
            _ => format!("{name}={}&", value.replace(' ', "%20")),
        };
    }
    let (status, body) = request(port, "GET", &format!("{EVENTS}?{query}"), "");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(status, 200, "{body}");
    let lines = body["events"].as_array().expect("a list").iter().map(|event| format!("{event}\n"));
    assert_eq!(seqs(&lines.collect::<String>()), expect, "{query}");
    if !expect.is_empty() && !query.contains("limit") {
        let limit = expect.len();
        let path = format!("{EVENTS}?{query}follow=true&limit={limit}");
        let (status, lines) = request(port, "GET", &path, "");
        assert_eq!((status, seqs(&lines)), (200, expect.to_vec()), "{query}");
    }
}

#[test]
fn filters_on_the_command_line_and_over_http() {
    let place = Place::new();
    six_events(&place);
    let server = place.serve();
    let finds = |args: &[&str], expect: &[u64]| finds(&place, server.port, args, expect);
    finds(&[], &[1, 2, 3, 4, 5, 6]);
    finds(&["--type", "put"], &[1, 2, 5, 6]);
    finds(&["--type", "bad", "--type", "other"], &[3, 4]);
    finds(&["--client", "ann"], &[1, 3, 4]);
    finds(&["--client", "ann", "--client", "bo", "--type", "put"], &[1, 2]);
    finds(&["--from", "2", "--to", "4"], &[2, 3, 4]);
    finds(&["--to", "99", "--after", "4"], &[5, 6]);
    finds(&["--rejected"], &[3]);
    finds(&["--accepted", "--client", "ann"], &[1, 4]);
    finds(&["--since", "1h"], &[1, 2, 3, 4, 5, 6]);
    finds(&["--until", "1h"], &[]);
    finds(&["--since", "1 day", "--until", "2999-01-01", "--limit", "2"], &[1, 2]);
    finds(&["--limit", "1", "--type", "other"], &[4]);
}

#[test]
fn what_makes_no_sense_is_said() {
    let place = Place::new();
    six_events(&place);
    let bad = |args: &[&str], parts: &[&str]| {
        fails(&place, &[&["events", "m/x"], args].concat(), 2, parts);
    };
    bad(&["--from", "7"], &["ends at 6", "no event 7"]);
    bad(&["--from", "3", "--to", "2"], &["`from` is 3", "`to`"]);
    bad(&["--since", "yesterday"], &["`yesterday` is no time", "2026-11-23"]);
    bad(&["--since", "1h", "--until", "2h"], &["not after"]);
    bad(&["--rejected", "--accepted"], &["--accepted"]);
    bad(&["--from", "1", "--after", "1"], &["--after"]);
    fails(&place, &["events", "m/none", "--rejected"], 1, &["no stream m/none"]);
    let server = place.serve();
    let refused = |query: &str, part: &str| {
        let (status, body) = request(server.port, "GET", &format!("{EVENTS}?{query}"), "");
        assert_eq!(status, 400, "{body}");
        assert!(body.contains("bad-message") && body.contains(part), "{body}");
    };
    refused("kind=put", "no parameter `kind`");
    refused("rejected=1", "`rejected` is `1`");
    refused("from=3&to=2", "after `to`");
    refused("since=soon", "`soon` is no time");
    refused("after=x", "`after` is `x`");
}

#[test]
fn events_that_are_gone_are_said_to_be() {
    let place = Place::new();
    six_events(&place);
    let store = rusqlite::Connection::open(place.path().join("twinstore.db")).expect("a store");
    store.execute("DELETE FROM m_events WHERE seq <= 2", []).expect("it deletes");
    let output = place.run(&["events", "m/x"]);
    assert_eq!(seqs(&text(&output.stdout)), [3, 4, 5, 6]);
    assert_eq!(text(&output.stderr), "events 1 to 2 are not in the store any more\n");
    let output = place.run(&["events", "m/x", "--from", "3"]);
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_page_says_where_the_next_one_begins() {
    let place = Place::new();
    six_events(&place);
    let server = place.serve();
    let (mut after, mut found) = (0, Vec::new());
    while after < 6 {
        let path = format!("{EVENTS}?client=ann&limit=1&after={after}");
        let body: Value =
            serde_json::from_str(&request(server.port, "GET", &path, "").1).expect("JSON");
        found.extend(body["events"].as_array().expect("a list").iter().map(|e| e["seq"].clone()));
        after = body["reached"].as_u64().expect("a place");
    }
    assert_eq!(found, [1, 3, 4]);
}

#[test]
fn http_follows_and_ends_with_the_server() {
    let place = Place::new();
    let server = place.serve();
    let put = r#"{"type":"put","payload":{"id":"1"}}"#;
    let follow = |query: &str| {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
        write!(socket, "GET {EVENTS}?follow=true{query} HTTP/1.0\r\nhost: x\r\n\r\n")
            .expect("it reads");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let mut lines = BufReader::new(socket).lines().map(|line| line.expect("a line"));
        let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        assert!(head[0].contains("200"), "{head:?}");
        assert!(head.iter().any(|line| line == "content-type: application/x-ndjson"), "{head:?}");
        lines
    };
    let (mut all, mut rejected) = (follow(""), follow("&rejected=true&to=4"));
    for seq in 1..=3 {
        post(server.port, put);
        assert_eq!(seqs(&all.next().expect("a line")), [seq]);
    }
    post(server.port, r#"[{"type":"bad"},{"type":"bad"}]"#);
    assert_eq!(seqs(&rejected.next().expect("a line")), [4]);
    assert_eq!(rejected.next(), None, "`to` is reached");
    assert_eq!(seqs(&all.next().expect("a line")), [4]);
    assert_eq!(seqs(&all.next().expect("a line")), [5]);
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(all.next(), None, "it ends with the server");
}

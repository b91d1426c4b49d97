//! What an operator asks: counts, readiness, and that a server which stops brings all to an end.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{ORDERS, Running, create, entry, hello, push, serve, serve_on};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use twinstore_server::log::SqliteLog;

const PATIENCE: Duration = Duration::from_secs(30);

/// Each sample by its name and labels.
async fn samples(server: &Running) -> BTreeMap<String, f64> {
    let (status, text) = server.http("GET", "/metrics", "").await;
    assert_eq!(status, 200);
    assert!(text.ends_with("# EOF\n"), "{text}");
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

#[track_caller]
fn check(samples: &BTreeMap<String, f64>, expect: &[(&str, f64)]) {
    for (name, value) in expect {
        assert_eq!(samples.get(*name), Some(value), "{name} in {samples:#?}");
    }
}

async fn until(what: &str, mut test: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !test().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut twin = server.twin().await;
    twin.send(hello("o/x")).await;
    twin.expect("welcome").await;
    let mut thin = server.thin("o/x").await;
    let before = samples(&server).await;
    check(
        &before,
        &[
            (r#"twinstore_sockets{kind="twin"}"#, 1.0),
            (r#"twinstore_sockets{kind="thin"}"#, 1.0),
            (r#"twinstore_actions_total{model="o",verdict="accepted"}"#, 0.0),
            ("twinstore_streams_loaded", 1.0),
            ("twinstore_draining", 0.0),
        ],
    );

    let confirm = json!({ "type": "confirm", "payload": { "id": "1" } });
    let entries = [entry("c", 1, &create("1")), entry("c", 2, &confirm), entry("c", 4, &confirm)];
    let frame = push("o/x", &entries).to_string();
    twin.send(&frame).await;
    twin.expect("events").await;
    twin.expect("refused").await;
    thin.send("nonsense").await;
    until("the thin client's refusal is counted", async || {
        samples(&server).await.contains_key(r#"twinstore_refused_total{code="bad-json"}"#)
    })
    .await;

    let after = samples(&server).await;
    check(
        &after,
        &[
            (r#"twinstore_actions_total{model="o",verdict="accepted"}"#, 1.0),
            (r#"twinstore_actions_total{model="o",verdict="invalid"}"#, 1.0),
            (r#"twinstore_refused_total{code="gap"}"#, 1.0),
            (r#"twinstore_refused_total{code="bad-json"}"#, 1.0),
            ("twinstore_commit_seconds_count", 1.0),
            ("twinstore_commit_events_count", 1.0),
            ("twinstore_commit_events_sum", 2.0),
            (r#"twinstore_reducer_seconds_count{model="o",work="decide"}"#, 2.0),
            ("twinstore_appends_waiting", 0.0),
            ("twinstore_questions_waiting", 0.0),
        ],
    );
    let bytes = after["twinstore_received_bytes_total"] - before["twinstore_received_bytes_total"];
    assert_eq!(bytes, (frame.len() + "nonsense".len()) as f64);
    assert!(after["twinstore_sent_frames_total"] >= before["twinstore_sent_frames_total"] + 2.0);
    assert!(after["process_resident_memory_bytes"] > 1e6);

    drop((twin, thin));
    until("both sockets are gone", async || {
        let now = samples(&server).await;
        let open = |kind| now[&format!(r#"twinstore_sockets{{kind="{kind}"}}"#)];
        open("twin") + open("thin") == 0.0
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_seen_to_be_behind() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut slow = server.thin("o/x&subscribe=events").await;
    let text = "x".repeat(60_000);
    let body = json!({ "type": "note", "payload": { "id": 1, "text": text } }).to_string();
    until("it is behind", async || {
        assert_eq!(server.http("POST", "/streams/o%2Fx/actions", &body).await.0, 200);
        let now = samples(&server).await;
        assert_eq!(now["twinstore_lag_events"], now["twinstore_lag_events_max"]);
        now["twinstore_lag_events"] >= 3.0 && now["twinstore_socket_queue_bytes"] > 120_000.0
    })
    .await;
    let head = server.json("GET", "/streams/o%2Fx/state", "").await.1["seq"].as_u64();
    for seq in 1..=head.expect("a number") {
        assert_eq!(slow.json().await["seq"], seq);
    }
    until("it is not behind any more", async || {
        samples(&server).await["twinstore_lag_events"] == 0.0
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_only_while_the_store_can_be_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = Arc::new(SqliteLog::open(&dir.path().join("t.db")).expect("it opens"));
    log.limit_pages(1);
    let server = serve_on(&[("o", ORDERS)], log.clone()).await;
    let ready = async || server.http("GET", "/readyz", "").await;
    // Nothing was appended yet: it tries.
    assert_eq!(ready().await, (503, "not ready: the store cannot be written".to_owned()));
    assert_eq!(server.http("GET", "/healthz", "").await, (200, "ok".to_owned()));
    log.limit_pages(0);
    until("it is ready", async || ready().await.0 == 200).await;

    log.limit_pages(1);
    let text = "x".repeat(60_000);
    let large = json!({ "type": "note", "payload": { "id": 1, "text": text } }).to_string();
    assert_eq!(server.http("POST", "/streams/o%2Fx/actions", &large).await.0, 429);
    assert_eq!(ready().await.0, 503, "an append that failed counts at once");
    check(
        &samples(&server).await,
        &[(r#"twinstore_append_failures_total{outcome="failed"}"#, 1.0)],
    );
    log.limit_pages(0);
    until("it is ready again", async || ready().await.0 == 200).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drains_before_it_stops() {
    let server = serve(&[("o", ORDERS)]).await;
    let port = server.port;
    let mut client = server.twin().await;
    client.send(hello("o/x")).await;
    client.expect("welcome").await;
    // Actions that are on their way: half of a body. That it goes on is said once it is taken.
    let body = create("1").to_string();
    let (first, rest) = body.split_at(10);
    let mut post = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let head = format!(
        "POST /streams/o%2Fx/actions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    post.write_all(head.as_bytes()).await.expect("it reads");
    let mut go_on = [0; 25];
    post.read_exact(&mut go_on).await.expect("it answers");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    post.write_all(first.as_bytes()).await.expect("it reads");

    let stopping = tokio::spawn(server.stop());
    until("it says so", async || {
        get(port, "/readyz").await == (503, "not ready: the server is about to stop".to_owned())
    })
    .await;
    assert_eq!(client.closed().await, 1012);
    let refused = tokio_tungstenite::connect_async(format!("ws://127.0.0.1:{port}/sync")).await;
    let Err(Error::Http(refused)) = refused else { panic!("it took a socket: {refused:?}") };
    assert_eq!(refused.status(), 503);
    assert_eq!(get(port, "/healthz").await.0, 200);
    assert!(!stopping.is_finished(), "a request is still there");
    post.write_all(rest.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    post.read_to_string(&mut answer).await.expect("it answers");
    assert!(answer.contains(r#""key":"1""#), "{answer}");
    stopping.await.expect("it stops");
}

/// A request to a server that is being stopped.
async fn get(port: u16, path: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, body.to_owned())
}

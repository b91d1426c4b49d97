//! What `serve` logs: which of it, and in which form.

mod common;

use common::{Place, fails};
use futures_util::SinkExt;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

async fn log_of(args: &[&str]) -> String {
    let place = Place::new();
    let server = place.serve_with(args, &[("RUST_LOG", "error")]);
    let url = format!("ws://127.0.0.1:{}/sync?stream=m%2Fx", server.port);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("it connects");
    socket.send(Message::text("no-action-at-all")).await.expect("it is open");
    socket.close(None).await.expect("it closes");
    common::post(server.port, r#"{"type":"put","payload":{"id":"confidential"}}"#);
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("confidential") && !log.contains("no-action"), "{log}");
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_with_the_socket_and_the_stream() {
    let log = log_of(&["--log", "debug", "--log-format", "json"]).await;
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let refused = lines.iter().find(|line| line["message"] == "refused").expect("a refusal");
    assert_eq!((&refused["code"], &refused["level"]), (&"bad-json".into(), &"DEBUG".into()));
    assert_eq!(refused["span"]["name"], "socket");
    assert_eq!(refused["span"]["kind"], "thin");
    assert!(refused["span"]["id"].is_u64());
    let told = |text: &str| lines.iter().any(|line| line["message"] == text);
    assert!(told("draining") && told("stopping"), "{log}");
    let in_stream = |line: &&Value| line["span"]["name"] == "stream";
    let stored = lines.iter().find(in_stream).expect("something happened in a stream");
    assert_eq!((&stored["span"]["stream"], &stored["message"]), (&"m/x".into(), &"stored".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_the_level_that_was_asked_for() {
    let log = log_of(&["--log", "info"]).await;
    assert!(log.contains(" INFO ") && log.contains("draining"), "{log}");
    assert!(!log.contains("DEBUG") && !log.starts_with('{'), "{log}");
    let log = log_of(&["--log", "warn,twinstore_server::socket=debug"]).await;
    assert!(log.contains(r#"socket{id="#) && log.contains("refused"), "{log}");
    assert!(!log.contains("INFO"), "{log}");
    assert_eq!(log_of(&[]).await, "", "the environment says error");
    fails(&Place::new(), &["serve", "--model", "m=m.js", "--log", "a=b=c"], 2, &["--log a=b=c"]);
}

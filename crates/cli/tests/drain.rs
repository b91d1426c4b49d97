//! A server that is told to stop brings what it took to its end, and the next one takes over.

mod common;

use std::time::{Duration, Instant};

use common::Place;
use common::client::{Client, check};
use futures_util::{SinkExt, StreamExt};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The store is held, so that a batch is under way when the server is told to stop.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_answered_before_the_server_stops() {
    let place = Place::new();
    let server = place.serve();
    let port = server.port;
    common::post(port, r#"{"type":"put","payload":{"id":"first"}}"#);
    let url = format!("ws://127.0.0.1:{port}/sync");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("it connects");
    let other = json!({
        "t": "hello", "v": 1, "min": 1, "stream": "m/other", "cursor": null, "schema": 1, "clients": [],
    });
    let hello = json!({
        "t": "hello", "v": 1, "min": 1, "stream": "m/x", "cursor": null, "schema": 1,
        "clients": [{ "client": "a", "from": 1 }],
    });
    for frame in [&other, &hello] {
        socket.send(Message::text(frame.to_string())).await.expect("it is open");
    }
    until_heard(&mut socket, "snapshot").await;

    let file = Connection::open(place.path().join("twinstore.db")).expect("it opens");
    file.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    let client = Client::new("a", 20, 20);
    let entries: Vec<_> = (1..=20).map(|n| client.entry(n)).collect();
    let push = json!({ "t": "push", "stream": "m/x", "entries": entries });
    socket.send(Message::text(push.to_string())).await.expect("it is open");
    // Frames are taken in order: once this is answered the push is with its worker.
    let ping = json!({ "t": "ping", "stream": "m/other" });
    socket.send(Message::text(ping.to_string())).await.expect("it is open");
    until_heard(&mut socket, "pong").await;

    let stopped = tokio::task::spawn_blocking(move || server.terminate());
    while common::request(port, "GET", "/readyz", "").0 != 503 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    file.execute_batch("ROLLBACK").expect("it ends");
    let events = until_heard(&mut socket, "events").await;
    assert_eq!(events["events"].as_array().map(Vec::len), Some(20), "{events}");
    let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else { panic!("no goodbye") };
    assert_eq!(u16::from(frame.code), 1012);
    drop(socket);
    let (code, log) = stopped.await.expect("it ends");
    assert_eq!(code, Some(0), "{log}");
}

async fn until_heard(socket: &mut Socket, t: &str) -> Value {
    loop {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame comes");
        let Some(Ok(Message::Text(text))) = next else { panic!("no {t}: {next:?}") };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if frame["t"] == t {
            return frame;
        }
    }
}

/// Clients go from server to server, each of which is told to stop under load.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_server_on_the_store_takes_over() {
    let place = Place::new();
    let mut clients: Vec<_> =
        [("a", 7), ("b", 50), ("c", 1)].map(|(id, batch)| Client::new(id, 900, batch)).into();
    for round in 1..=4 {
        let server = place.serve_with(&["--drain", "20s"], &[("TWINSTORE_BATCH_MAX", "10")]);
        let port = server.port;
        let heard = 300 * round;
        let stop = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            while head(port) < heard {
                assert!(begun.elapsed() < PATIENCE, "the clients do not get on");
            }
            server.terminate()
        });
        let runs = clients.iter_mut().map(|client| client.run(port));
        let (_, ended) = tokio::join!(futures_util::future::join_all(runs), stop);
        let (code, log) = ended.expect("it ends");
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("draining") && !log.contains("ERROR"), "{log}");
        check(&place, &clients);
    }
    let server = place.serve();
    for client in &mut clients {
        client.run(server.port).await;
        assert!(client.is_done());
    }
    assert_eq!(check(&place, &clients), 2700);
}

fn head(port: u16) -> u64 {
    let (status, state) = common::request(port, "GET", "/streams/m%2Fx/events?limit=1", "");
    assert_eq!(status, 200, "{state}");
    let page: Value = serde_json::from_str(&state).expect("JSON");
    page["head"].as_u64().expect("a number")
}

//! Floods: what many clients, and hostile ones, do to a real process. Limits hold, memory stays
//! bounded, and an honest client is answered.

mod common;

use std::time::{Duration, Instant};

use common::{Place, Server, get_metrics};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// One flood at a time: each is as much as the machine may bear.
static ALONE: Mutex<()> = Mutex::const_new(());

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server and 10,000 sockets may take: 6 kB each, a tenth of this, and room for a debug build.
const MEMORY: u64 = 600 << 20;

/// Of both ends' files; the system may allow fewer.
fn sockets() -> usize {
    let files = rlimit::increase_nofile_limit(u64::MAX).expect("it says");
    usize::try_from(files).map_or(10_000, |files| files.saturating_sub(500).min(10_000))
}

/// As a client does: again, where it is refused for the moment.
async fn connect(port: u16, query: &str) -> Socket {
    let url = format!("ws://127.0.0.1:{port}/sync{query}");
    let begun = Instant::now();
    loop {
        let connecting = tokio_tungstenite::connect_async(&url);
        match tokio::time::timeout(PATIENCE, connecting).await.expect("in time") {
            Ok((socket, _)) => return socket,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "no socket: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// So many, a hundred at a time.
async fn connect_all(port: u16, count: usize, query: &str) -> Vec<Socket> {
    let connecting = futures_util::stream::iter(0..count).map(|_| connect(port, query));
    connecting.buffer_unordered(100).collect().await
}

async fn heard(socket: &mut Socket) -> Value {
    loop {
        let next = tokio::time::timeout(PATIENCE, socket.next()).await.expect("in time");
        match next.expect("it is open").expect("it is whole") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Close(close) => panic!("closed: {close:?}"),
            _ => {}
        }
    }
}

/// An honest client's action, with its verdict.
async fn honest(port: u16) -> u64 {
    let mut socket = connect(port, "?stream=m/honest").await;
    let action = json!({ "type": "put", "payload": { "id": "honest" } });
    socket.send(Message::text(action.to_string())).await.expect("it is read");
    let said = heard(&mut socket).await;
    said["seq"].as_u64().unwrap_or_else(|| panic!("no verdict: {said}"))
}

fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id()));
    let status = status.expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is told");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kib << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_sockets_hear_of_an_action_and_come_back_at_once() {
    let _alone = ALONE.lock().await;
    let place = Place::new();
    let server = place.serve();
    let (port, count) = (server.port, sockets());
    let before = resident(&server);
    let mut all = connect_all(port, count, "?stream=m/honest").await;
    let seq = honest(port).await;
    let listening = futures_util::stream::iter(all.iter_mut()).map(heard).buffer_unordered(100);
    let frames: Vec<Value> = listening.collect().await;
    assert!(frames.iter().all(|frame| frame["seq"] == seq && frame["key"] == "honest"));
    let taken = resident(&server) - before;
    println!("{count} sockets: {} bytes each", taken / count as u64);
    assert!(resident(&server) < MEMORY, "{taken} bytes for {count} sockets");

    // All lose the server, and all want it back at the same moment.
    server.kill();
    let address = format!("127.0.0.1:{port}");
    let server = place.serve_by(&["serve", "--model", "m=m.js", "--listen", address.as_str()], &[]);
    drop(all);
    let begun = Instant::now();
    let again = connect_all(port, count, "?stream=m/honest").await;
    println!("{} sockets back after {:?}", again.len(), begun.elapsed());
    assert_eq!(honest(port).await, seq + 1);
    assert!(resident(&server) < MEMORY, "{} bytes", resident(&server));
}

#[tokio::test(flavor = "multi_thread")]
async fn megabytes_from_everyone_are_refused_and_not_kept() {
    let _alone = ALONE.lock().await;
    let place = Place::new();
    let server = place.serve();
    let port = server.port;
    let text = "x".repeat(1 << 20);
    let huge = json!({ "type": "put", "payload": { "id": "huge", "text": text } }).to_string();
    let flood = async |_: usize| {
        for _ in 0..10 {
            let mut socket = connect(port, "?stream=m/flood").await;
            // The server may close before it has read all of it.
            let _ = socket.send(Message::text(huge.clone())).await;
            if let Some(Ok(Message::Text(text))) =
                tokio::time::timeout(PATIENCE, socket.next()).await.expect("in time")
            {
                let said: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(said["code"], "frame-too-large", "{said}");
            }
        }
    };
    let floods = futures_util::stream::iter(0..50).map(flood).buffer_unordered(50);
    let ((), seq) = tokio::join!(floods.collect::<()>(), honest(port));
    assert_eq!(seq, 1);
    assert!(resident(&server) < MEMORY, "{} bytes", resident(&server));
    common::fails(&place, &["events", "m/flood"], 1, &["no stream"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_is_cut_off_and_holds_no_memory() {
    let _alone = ALONE.lock().await;
    let place = Place::new();
    let server = place.serve();
    let port = server.port;
    let silent = connect_all(port, 300, "?stream=m/loud&subscribe=events").await;
    let text = "x".repeat(50_000);
    let mut loud = connect(port, "?stream=m/loud").await;
    for n in 0..600 {
        let action = json!({ "type": "put", "payload": { "id": n.to_string(), "text": text } });
        loud.send(Message::text(action.to_string())).await.expect("it is read");
        let said = heard(&mut loud).await;
        assert_eq!(said["seq"], n + 1, "{said}");
    }
    // 30 MB of events for each of 300 would be 9 GB.
    assert!(resident(&server) < MEMORY, "{} bytes", resident(&server));
    assert_eq!(honest(port).await, 1);
    let cut_off = get_metrics(port, "twinstore_socket_cut_off_total");
    assert!(cut_off > 0.0, "{cut_off} were cut off");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_end_and_keep_nobody_out() {
    let _alone = ALONE.lock().await;
    let place = Place::new();
    let server = place.serve();
    let port = server.port;
    let mut half = Vec::new();
    for begun in [
        "",
        "GET /sync HTTP/1.1\r\nhost: x\r\n",
        "POST /streams/m%2Fx/actions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
    ] {
        for _ in 0..300 {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
            stream.write_all(begun.as_bytes()).await.expect("it reads");
            half.push(stream);
        }
    }
    assert_eq!(honest(port).await, 1);
    assert!(resident(&server) < MEMORY, "{} bytes", resident(&server));
    // Nobody waits for ever for the rest.
    let begun = Instant::now();
    for stream in &mut half {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        let _ = ended.expect("it is ended by the server");
    }
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(honest(port).await, 2);
}

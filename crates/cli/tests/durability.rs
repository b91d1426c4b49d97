//! What had a verdict is there after SIGKILL and SIGTERM, and no action is there twice.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Place, Server, text};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A client that sends what has no verdict until it has one.
struct Client {
    id: String,
    total: u64,
    batch: u64,
    /// All up to here have their verdict.
    settled: u64,
    /// Verdicts, by number.
    seqs: BTreeMap<u64, u64>,
    fuse: Option<Fuse>,
}

/// Kills the server the moment so many more verdicts were heard: what was answered before it was
/// durable is lost then.
#[derive(Clone)]
struct Fuse(Arc<Mutex<(usize, Option<Server>)>>);

impl Fuse {
    fn burn(&self) {
        let mut guard = self.0.lock().expect("nobody panicked");
        let (left, server) = &mut *guard;
        *left = left.saturating_sub(1);
        if *left == 0
            && let Some(server) = server.take()
        {
            server.kill();
        }
    }
}

impl Client {
    fn new(id: &str, total: u64, batch: u64) -> Self {
        Self { id: id.to_owned(), total, batch, settled: 0, seqs: BTreeMap::new(), fuse: None }
    }

    fn is_done(&self) -> bool {
        self.seqs.len() as u64 == self.total
    }

    /// Sends for as long as the server lives.
    async fn run(&mut self, port: u16) {
        // A server that is gone, or goes, ends it.
        let _ = self.session(port).await;
    }

    async fn session(&mut self, port: u16) -> Option<()> {
        let url = format!("ws://127.0.0.1:{port}/sync");
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.ok()?;
        let hello = json!({
            "t": "hello", "v": 1, "min": 1, "stream": "m/x", "cursor": null, "schema": 1,
            "clients": [{ "client": self.id, "from": 1 }],
        });
        socket.send(Message::text(hello.to_string())).await.ok()?;
        while !self.is_done() {
            self.push(&mut socket).await?;
        }
        Some(())
    }

    async fn push(&mut self, socket: &mut Socket) -> Option<()> {
        while self.seqs.contains_key(&(self.settled + 1)) {
            self.settled += 1;
        }
        let first = self.settled + 1;
        let last = self.total.min(first + self.batch - 1);
        let entries: Vec<_> = (first..=last).map(|n| self.entry(n)).collect();
        let push = json!({ "t": "push", "stream": "m/x", "entries": entries });
        socket.send(Message::text(push.to_string())).await.ok()?;
        while !(first..=last).all(|n| self.seqs.contains_key(&n)) {
            let Message::Text(text) = socket.next().await?.ok()? else { return None };
            self.hear(&serde_json::from_str(&text).ok()?);
        }
        Some(())
    }

    fn entry(&self, n: u64) -> Value {
        let id = format!("{}-{n}", self.id);
        let kind = if n.is_multiple_of(10) { "bad" } else { "put" };
        json!({ "client": self.id, "n": n, "action": { "type": kind, "payload": { "id": id } } })
    }

    fn hear(&mut self, frame: &Value) {
        let rows = frame["events"].as_array().or_else(|| frame["verdicts"].as_array());
        for row in rows.into_iter().flatten().filter(|row| row["client"] == self.id.as_str()) {
            let n = row["n"].as_u64().expect("a number");
            let seq = row["seq"].as_u64().expect("a place");
            let before = self.seqs.insert(n, seq);
            assert!(before.is_none_or(|before| before == seq), "{n}: {before:?} and {seq}");
            if let Some(fuse) = &self.fuse {
                fuse.burn();
            }
        }
    }
}

fn events(place: &Place) -> Vec<Value> {
    let output = place.run(&["events", "m/x"]);
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Each verdict is an event at its place; each number is there at most once, without a gap; and the
/// store is whole: chain, records, snapshots.
fn check(place: &Place, clients: &[Client]) -> usize {
    let audit = place.run(&["check"]);
    assert!(audit.status.success(), "{}{}", text(&audit.stdout), text(&audit.stderr));
    let events = events(place);
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for (event, seq) in events.iter().zip(1_u64..) {
        assert_eq!(event["seq"], seq);
        let client = event["client"].as_str().expect("a client").to_owned();
        let before = last.insert(client, event["n"].as_u64().expect("a number")).unwrap_or(0);
        assert_eq!(event["n"], before + 1, "once each, in order");
    }
    for client in clients {
        for (n, seq) in &client.seqs {
            let place = usize::try_from(*seq - 1).expect("a place");
            let event = events.get(place).unwrap_or_else(|| panic!("event {seq} is lost"));
            assert_eq!((&event["client"], &event["n"]), (&json!(client.id), &json!(n)));
            assert_eq!(event.get("error").is_some(), n.is_multiple_of(10));
        }
    }
    events.len()
}

async fn until_killed(server: Server, clients: &mut [Client], verdicts: usize) {
    let port = server.port;
    let fuse = Fuse(Arc::new(Mutex::new((verdicts, Some(server)))));
    clients.iter_mut().for_each(|client| client.fuse = Some(fuse.clone()));
    futures_util::future::join_all(clients.iter_mut().map(|client| client.run(port))).await;
    clients.iter_mut().for_each(|client| client.fuse = None);
}

/// How often the server is killed: in an hour's run, a thousand times (docs/RELIABILITY.md).
fn kills() -> u64 {
    std::env::var("TWINSTORE_SERVER_KILLS").map_or(100, |kills| kills.parse().expect("a number"))
}

/// SIGKILL at moments that nobody chose: after so many milliseconds, or as so many verdicts are heard.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_under_load() {
    let place = Place::new();
    let mut dice = Dice(20_261_124);
    let mut clients: Vec<_> =
        [("a", 7), ("b", 50), ("c", 1)].map(|(id, batch)| Client::new(id, u64::MAX, batch)).into();
    for kill in 1..=kills() {
        let server = place.serve_with(&[], &[("TWINSTORE_BATCH_MAX", "10")]);
        if dice.below(2) == 0 {
            until_killed(server, &mut clients, 1 + dice.below(60)).await;
        } else {
            let port = server.port;
            let runs = futures_util::future::join_all(clients.iter_mut().map(|c| c.run(port)));
            let killing = async {
                tokio::time::sleep(Duration::from_micros(dice.below(80_000) as u64)).await;
                tokio::task::spawn_blocking(move || server.kill()).await.expect("it ends");
            };
            tokio::join!(runs, killing);
        }
        if kill.is_multiple_of(10) {
            check(&place, &clients);
        }
    }
    let server = place.serve();
    for client in &mut clients {
        client.total = client.seqs.last_key_value().map_or(0, |(n, _)| *n) + 100;
        client.run(server.port).await;
        assert!(client.is_done());
    }
    let (code, _) = server.terminate();
    assert_eq!(code, Some(0));
    let total: u64 = clients.iter().map(|client| client.total).sum();
    assert_eq!(check(&place, &clients) as u64, total);
    println!("killed {} times: {total} actions, 0 lost, 0 doubled", kills());
}

/// Numbers that are the same in each run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).expect("below `end`")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_under_load() {
    let place = Place::new();
    let server = place.serve();
    let port = server.port;
    let mut clients = vec![Client::new("a", 100_000, 100), Client::new("b", 100_000, 1)];
    let runs = futures_util::future::join_all(clients.iter_mut().map(|client| client.run(port)));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        tokio::task::spawn_blocking(move || server.terminate()).await.expect("it ends")
    };
    let (_, (code, log)) = tokio::join!(runs, stop);
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("payload"), "{log}");
    assert!(check(&place, &clients) > 100);
    // The state of the head lies in the store: the next start folds nothing.
    let state = text(&place.run(&["state", "m/x"]).stdout);
    assert!(state.contains(r#""a-1""#), "{state:.200}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_hear_that_the_server_stops() {
    let place = Place::new();
    let server = place.serve();
    let url = format!("ws://127.0.0.1:{}/sync?stream=m%2Fx", server.port);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("it connects");
    let ended = tokio::task::spawn_blocking(move || server.terminate());
    let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else { panic!("no goodbye") };
    assert_eq!(u16::from(frame.code), 1001);
    drop(socket);
    assert_eq!(ended.await.expect("it ends").0, Some(0));
}

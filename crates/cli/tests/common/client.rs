//! Clients that send until they have a verdict, and what must be in the store then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{Place, Server, text};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A client that sends what has no verdict until it has one.
pub struct Client {
    pub id: String,
    pub total: u64,
    batch: u64,
    /// All up to here have their verdict.
    settled: u64,
    /// Verdicts, by number.
    pub seqs: BTreeMap<u64, u64>,
    pub fuse: Option<Fuse>,
}

/// Kills the server the moment so many more verdicts were heard: what was answered before it was
/// durable is lost then.
#[derive(Clone)]
pub struct Fuse(Arc<Mutex<(usize, Option<Server>)>>);

impl Fuse {
    pub fn new(verdicts: usize, server: Server) -> Self {
        Self(Arc::new(Mutex::new((verdicts, Some(server)))))
    }

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
    pub fn new(id: &str, total: u64, batch: u64) -> Self {
        Self { id: id.to_owned(), total, batch, settled: 0, seqs: BTreeMap::new(), fuse: None }
    }

    pub fn is_done(&self) -> bool {
        self.seqs.len() as u64 == self.total
    }

    /// Sends for as long as the server lives.
    pub async fn run(&mut self, port: u16) {
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

    pub fn entry(&self, n: u64) -> Value {
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
pub fn check(place: &Place, clients: &[Client]) -> usize {
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

/// Numbers that are the same in each run (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).expect("below `end`")
    }
}

//! Server processes on one PostgreSQL database: nothing is lost, nothing is doubled, everyone hears everything,
//! whoever is killed, stopped or started again.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::client::Dice;
use common::{Place, Server, fails, request, text};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use twinstore_postgres::testing::Database;

/// How often a server is killed while clients send.
const KILLS: u64 = 4;

/// Where the servers listen; one that was started again has another port.
type Ports = Arc<Mutex<Vec<u16>>>;

/// A twin that sends until all has its verdict, to whichever server it comes next.
struct Twin {
    id: String,
    total: u64,
    ports: Ports,
    at: usize,
    /// Verdicts, by number.
    seqs: BTreeMap<u64, u64>,
}

impl Twin {
    async fn run(mut self) -> Self {
        while self.seqs.len() as u64 != self.total {
            // A server that is gone, or a refusal, ends a session.
            let _ = self.session().await;
            self.at += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self
    }

    fn port(&self) -> u16 {
        let ports = self.ports.lock().unwrap();
        ports[self.at % ports.len()]
    }

    async fn session(&mut self) -> Option<()> {
        let url = format!("ws://127.0.0.1:{}/sync", self.port());
        let (mut socket, _) = connect_async(url).await.ok()?;
        let hello = json!({
            "t": "hello", "v": 1, "min": 1, "stream": "m/x", "cursor": null, "schema": 1,
            "clients": [{ "client": self.id, "from": 1 }],
        });
        socket.send(Message::text(hello.to_string())).await.ok()?;
        while self.seqs.len() as u64 != self.total {
            let first = (1..).find(|n| !self.seqs.contains_key(n))?;
            let last = self.total.min(first + 6);
            let entries: Vec<_> = (first..=last).map(|n| self.entry(n)).collect();
            let push = json!({ "t": "push", "stream": "m/x", "entries": entries });
            socket.send(Message::text(push.to_string())).await.ok()?;
            while !(first..=last).all(|n| self.seqs.contains_key(&n)) {
                let next = tokio::time::timeout(Duration::from_secs(60), socket.next()).await;
                let Message::Text(text) = next.ok()??.ok()? else { return None };
                self.hear(&serde_json::from_str(&text).ok()?)?;
            }
        }
        Some(())
    }

    fn entry(&self, n: u64) -> Value {
        let id = format!("{}-{n}", self.id);
        let kind = if n.is_multiple_of(10) { "bad" } else { "put" };
        json!({ "client": self.id, "n": n, "action": { "type": kind, "payload": { "id": id } } })
    }

    fn hear(&mut self, frame: &Value) -> Option<()> {
        if frame["t"] == "refused" || frame["t"] == "error" {
            return None;
        }
        let rows = frame["events"].as_array().or_else(|| frame["verdicts"].as_array());
        for row in rows.into_iter().flatten().filter(|row| row["client"] == self.id.as_str()) {
            let (n, seq) = (row["n"].as_u64().unwrap(), row["seq"].as_u64().unwrap());
            let before = self.seqs.insert(n, seq);
            assert!(before.is_none_or(|before| before == seq), "{n}: {before:?} and {seq}");
        }
        Some(())
    }
}

/// A thin client that hears all events of the stream from its server, and asks for nothing twice.
async fn hear_all(port: u16, until: u64) -> Vec<u64> {
    let url = format!("ws://127.0.0.1:{port}/sync?stream=m%2Fx&subscribe=events&from=start");
    let (mut socket, _) = connect_async(url).await.unwrap();
    let mut heard = Vec::new();
    while heard.last() != Some(&until) {
        let next = tokio::time::timeout(Duration::from_secs(120), socket.next()).await;
        let Message::Text(text) = next.expect("it goes on").unwrap().unwrap() else { continue };
        let event: Value = serde_json::from_str(&text).unwrap();
        heard.push(event["seq"].as_u64().unwrap());
    }
    heard
}

struct World {
    place: Place,
    database: Database,
    store: String,
    ports: Ports,
}

impl World {
    fn new() -> Self {
        let (place, database) = (Place::new(), Database::start());
        let store = format!("postgres:{}", database.store_text("s"));
        Self { place, database, store, ports: Arc::default() }
    }

    fn serve(&self) -> Server {
        // Nobody reads what it logs, and a pipe that is full would stop it.
        let args = ["--store", &self.store, "--log", "off"];
        self.place.serve_with(&args, &[("TWINSTORE_BATCH_MAX", "10")])
    }

    /// Twins on all servers.
    fn twins(&self, total: u64) -> Vec<tokio::task::JoinHandle<Twin>> {
        let twin = |at: usize| Twin {
            id: format!("client{at}"),
            total,
            ports: Arc::clone(&self.ports),
            at,
            seqs: BTreeMap::new(),
        };
        (0..4).map(|at| tokio::spawn(twin(at).run())).collect()
    }

    /// All verdicts are events, once each, without a gap, and the store is whole. Gives the last place.
    async fn check(&self, twins: Vec<tokio::task::JoinHandle<Twin>>) -> u64 {
        let twins = futures_util::future::join_all(twins).await;
        let of = |args: &[&str]| {
            let output = self.place.run(&[args, &["--store", &self.store]].concat());
            assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
            text(&output.stdout)
        };
        let events = of(&["events", "m/x"]);
        let events: Vec<Value> =
            events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for (event, seq) in events.iter().zip(1_u64..) {
            assert_eq!(event["seq"], seq);
            let n = last.entry(event["client"].as_str().unwrap()).or_default();
            *n += 1;
            assert_eq!(event["n"], *n, "once each, in order");
        }
        for twin in twins {
            let twin = twin.unwrap();
            assert_eq!(last[twin.id.as_str()], twin.total);
            for (n, seq) in twin.seqs {
                let event = &events[usize::try_from(seq - 1).unwrap()];
                assert_eq!((&event["client"], &event["n"]), (&json!(twin.id), &json!(n)));
            }
        }
        assert!(of(&["check"]).contains("clean"));
        events.len() as u64
    }
}

fn signal(server: &Server, signal: &str) {
    let status = Command::new("kill").args([signal, &server.child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_which_one_is_killed_again_and_again() {
    let world = World::new();
    let stays = world.serve();
    let mut killed = world.serve();
    *world.ports.lock().unwrap() = vec![stays.port, killed.port];
    let listens = tokio::spawn(hear_all(stays.port, 4 * 300));
    let twins = world.twins(300);
    let mut dice = Dice(20_261_128);
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(50 + dice.below(400) as u64)).await;
        killed.kill();
        killed = world.serve();
        world.ports.lock().unwrap()[1] = killed.port;
    }
    let events = world.check(twins).await;
    assert_eq!(events, 4 * 300);
    // What other processes appended is heard here, all of it and in order.
    assert_eq!(listens.await.unwrap(), (1..=events).collect::<Vec<_>>());
    assert_eq!(hear_all(killed.port, events).await.len() as u64, events);
    for server in [stays, killed] {
        assert_eq!(server.terminate().0, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_and_comes_back() {
    let mut world = World::new();
    let servers = [world.serve(), world.serve()];
    *world.ports.lock().unwrap() = servers.iter().map(|server| server.port).collect();
    let ready = |server: &Server| request(server.port, "GET", "/readyz", "").0;
    assert_eq!(ready(&servers[0]), 200);
    let twins = world.twins(150);
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.database.kill();
    // What was written a moment ago is believed for some seconds.
    until(|| ready(&servers[0]) == 503).await;
    world.database.start_again(&[]);
    assert_eq!(world.check(twins).await, 4 * 150);
    until(|| ready(&servers[0]) == 200).await;
}

async fn until(reached: impl Fn() -> bool) {
    let waiting = async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it comes");
}

/// Whoever stands still in the middle of a transaction holds nothing up for long, and writes nothing afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stands_still() {
    let world = World::new();
    let (stays, stops) = (world.serve(), world.serve());
    *world.ports.lock().unwrap() = vec![stays.port, stops.port];
    let twins = world.twins(200);
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        signal(&stops, "-STOP");
        // Longer than a transaction may stand still.
        tokio::time::sleep(Duration::from_secs(12)).await;
        let path = "/streams/m%2Fx/actions";
        let (status, answer) =
            request(stays.port, "POST", path, r#"{"type":"put","payload":{"id":"1"}}"#);
        assert_eq!(status, 200, "{answer}");
        signal(&stops, "-CONT");
    }
    assert_eq!(world.check(twins).await, 4 * 200 + 2);
}

#[test]
fn the_commands_work_on_it() {
    let world = World::new();
    let server = world.serve();
    let put = r#"[{"type":"put","payload":{"id":"1"}},{"type":"bad"},{"type":"put","payload":{"id":"2"}}]"#;
    let (status, answer) = request(server.port, "POST", "/streams/m%2Fx/actions", put);
    assert_eq!(status, 200, "{answer}");
    let of = |args: &[&str]| {
        let output = world.place.run(&[args, &["--store", &world.store]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(of(&["events", "m/x", "--follow", "--limit", "3"]).lines().count(), 3);
    assert_eq!(of(&["state", "m/x", "--at", "1"]), "{\"entities\":{\"1\":{\"id\":\"1\"}}}\n");
    assert!(of(&["state", "m/x", "--at", "1", "--diff", "3"]).contains("+ /entities/2"));
    assert!(of(&["stats"]).contains("3 events: 2 accepted, 1 rejected"));
    of(&["export", "m/x", "--to", "x.ndjson"]);
    assert!(of(&["check"]).contains("clean"));
    assert_eq!(server.terminate().0, Some(0));
    assert!(of(&["rebuild"]).contains("made anew from 3 events"));
    assert!(of(&["compact", "--keep", "1", "--discard"]).contains("2 events up to 2"));
    assert!(of(&["check"]).contains("clean"));
    assert_eq!(of(&["events", "m/x"]).lines().count(), 1);
    let backup = ["backup", "--to", "b.db", "--store", &world.store];
    fails(&world.place, &backup, 2, &["pg_dump"]);
}

#[test]
fn what_is_wrong_is_named() {
    let place = Place::new();
    let refused = |store: &str, parts: &[&str]| {
        fails(&place, &["serve", "--model", "m=m.js", "--store", store], 2, parts);
    };
    refused("postgres:app", &["postgres://USER@HOST/DATABASE"]);
    refused("postgres://ann@/app?wrong=1", &["wrong"]);
    refused("postgres:///app?user=ann&host=/nowhere", &["cannot open the database", "PGPASSWORD"]);
    fails(&place, &["events", "m/x", "--store", "memory"], 2, &["ends with its server"]);
    place.file("t.toml", "store = 'postgres://ann:secret@db/app'\n[models]\nm = 'm.js'\n");
    let printed = text(&place.run(&["config", "--config", "t.toml"]).stdout);
    assert!(printed.contains("postgres://ann@db/app") && !printed.contains("secret"), "{printed}");
}

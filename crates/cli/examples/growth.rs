//! Whether a server slows down as a log grows: how long it takes to start, and to read, on a stream
//! of 10^3 to 10^7 events.
//!
//! ```sh
//! cargo build --release -p twinstore && cargo run --release -p twinstore --example growth
//! ```
//!
//! All events lie in one stream, a client to each thousand of them. They are appended through the log
//! that servers append through; then a server is started on it, and killed, so that the next one finds what a
//! crash leaves: the last snapshot lies 990 events back. 10^7 take 6 GB of disk, which are given back.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool: what fails ends it")]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use twinstore_protocol::{Chain, ClientId, LogId, N, Seq, StreamId};
use twinstore_server::event::{Parts, StoredEvent};
use twinstore_server::log::conformance::append;
use twinstore_server::log::{Append, Head, Log, Snapshot, SqliteLog, StoredModel};
use twinstore_server::{model, random};

use common::{MODEL, ORDER, Server, action};

#[derive(Debug, Parser)]
struct Options {
    /// Where to end: 10^POWER events.
    #[arg(long, default_value_t = 7)]
    power: u32,
    /// Starts at each size; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The server's program; without it, the one that was built beside this.
    #[arg(long)]
    server: Option<PathBuf>,
}

const STREAM: &str = "salesOrder/growth";
/// Events of one append, and of one client.
const APPEND: u64 = 1_000;
/// How far behind the head the last snapshot is: servers store one every 1,000 events.
const BEHIND: u64 = 990;
/// How far behind the head a client stands that comes back.
const AWAY: u64 = 100;

#[tokio::main]
async fn main() {
    let (options, dir) = (Options::parse(), tempfile::tempdir().unwrap());
    let store = dir.path().join("growth.db");
    tokio::select! {
        () = grow(&options, &store) => {}
        _ = tokio::signal::ctrl_c() => println!("stopped"),
    }
}

async fn grow(options: &Options, store: &Path) {
    let program = common::program(options.server.as_deref());
    println!(
        "| events | file | start | first state | events after a place | client back | action |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    for power in 3..=options.power {
        let events = 10_u64.pow(power);
        fill(store, events);
        let megabytes = std::fs::metadata(store).unwrap().len() >> 20;
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            rounds.push(round(&program, store).await);
        }
        let median = |of: fn(&Round) -> Duration| {
            let mut times: Vec<_> = rounds.iter().map(of).collect();
            times.sort();
            format!("{:.1} ms", times[times.len() / 2].as_secs_f64() * 1_000.0)
        };
        let columns = [
            median(|round| round.start),
            median(|round| round.state),
            median(|round| round.page),
            median(|round| round.back),
            median(|round| round.action),
        ];
        println!("| 10^{power} | {megabytes} MB | {} |", columns.join(" | "));
    }
}

/// Appends until there are so many events.
fn fill(store: &Path, events: u64) {
    let log = SqliteLog::open(store).unwrap();
    let model = model::read(MODEL.0, Path::new(MODEL.1)).unwrap();
    log.put_model(model.clone()).unwrap();
    let stream = StreamId::parse(STREAM).unwrap();
    let none = Head { log: random::log_id(), seq: Seq(0), chain: Chain::default() };
    let mut head = log.head(&stream).unwrap().unwrap_or(none);
    while head.seq.0 < events {
        // Rounds leave whole orders behind, so that a snapshot between two is always the empty state.
        let count = APPEND.min(events - head.seq.0).next_multiple_of(ORDER);
        head = append(&log, batch(&stream, &model, &head, count)).unwrap();
    }
    let seq = Seq(head.seq.0 - BEHIND);
    let state = r#"{"entities":{}}"#.to_owned();
    log.put_snapshot(&stream, Snapshot { seq, model: model.hash, state });
    log.close();
}

/// The next events of the stream, of a client of their own.
fn batch(stream: &StreamId, model: &StoredModel, head: &Head, count: u64) -> Append {
    let client = ClientId(format!("20261124-growth-{}", head.seq.0));
    let mut chain = head.chain.clone();
    let mut events = Vec::new();
    for n in 1..=count {
        let seq = head.seq.0 + n;
        let mut action = action(n);
        let at = 1_795_000_000_000 + seq;
        action["meta"] = json!({ "twin": { "client": client, "n": n, "at": at } });
        let text = action.to_string();
        let parts = Parts {
            seq: Seq(seq),
            client: &client,
            n: N(n),
            from: None,
            at,
            kind: action["type"].as_str().unwrap(),
            model: &model.hash,
            schema: model.schema,
            action: &text,
        };
        let event = StoredEvent::new(&chain, parts, None);
        chain = event.chain.clone();
        events.push(event);
    }
    let (stream, log) = (stream.clone(), LogId(head.log.0.clone()));
    Append { stream, log, after: head.seq, events, records: Vec::new(), bound: Vec::new() }
}

/// What one start took.
struct Round {
    /// From the process to its listening.
    start: Duration,
    /// The stream's state, which is folded from the last snapshot.
    state: Duration,
    /// 500 events in the midst of the log.
    page: Duration,
    /// From a twin's hello, 100 events behind, to its last event.
    back: Duration,
    /// An action, until it is durable.
    action: Duration,
}

async fn round(program: &Path, store: &Path) -> Round {
    let begun = Instant::now();
    let server = Server::start(program, store);
    let start = begun.elapsed();
    let at = format!("{}/streams/{}", http(&server), STREAM.replace('/', "%2F"));
    let (state, answer) = timed(|| get(&format!("{at}/state")));
    let head = answer["seq"].as_u64().unwrap();
    let middle = head / 2;
    let (page, answer) = timed(|| get(&format!("{at}/events?after={middle}&limit=500")));
    assert_eq!(answer["events"][0]["seq"], middle + 1);
    let back = back(&server, &cursor(&at, head - AWAY), head).await;
    let (action, answer) = timed(|| {
        // An order that comes and goes.
        let both = json!([action(1), action(ORDER)]).to_string();
        let mut posted = ureq::post(&format!("{at}/actions")).send(both).unwrap();
        serde_json::from_str::<Value>(&posted.body_mut().read_to_string().unwrap()).unwrap()
    });
    assert!(
        answer.as_array().unwrap().iter().all(|frame| frame.get("error").is_none()),
        "{answer}"
    );
    Round { start, state, page, back, action }
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let result = work();
    (begun.elapsed(), result)
}

fn http(server: &Server) -> String {
    let address = server.url.strip_prefix("ws://").and_then(|rest| rest.strip_suffix("/sync"));
    format!("http://{}", address.unwrap())
}

fn get(url: &str) -> Value {
    let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Of a client that holds the events up to there.
fn cursor(at: &str, seq: u64) -> Value {
    let answer = get(&format!("{at}/events?after={}&limit=1", seq - 1));
    json!({ "log": answer["log"], "seq": seq, "chain": answer["events"][0]["chain"] })
}

async fn back(server: &Server, cursor: &Value, head: u64) -> Duration {
    let (mut socket, _) = tokio_tungstenite::connect_async(&server.url).await.unwrap();
    let begun = Instant::now();
    let hello = json!({
        "t": "hello", "v": 1, "min": 1, "stream": STREAM, "cursor": cursor, "schema": 1, "clients": [],
    });
    socket.send(Message::text(hello.to_string())).await.unwrap();
    loop {
        let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        assert!(frame["t"] != "snapshot" && frame["t"] != "error", "{frame}");
        let last = frame["events"].as_array().and_then(|events| events.last());
        if last.is_some_and(|event| event["seq"] == head) {
            return begun.elapsed();
        }
    }
}

//! Load on a real server for as long as one likes: what it can do at most, then half of that, with
//! memory and latency minute by minute, and how long it takes to start on the log that came of it.
//!
//! ```sh
//! cargo build --release -p twinstore && cargo run --release -p twinstore --example soak -- --minutes 60
//! ```
//!
//! Each client is a twin in a stream of its own: orders that are made, filled, confirmed and deleted,
//! ten actions a push. A latency is the time from when a push was due until its last verdict. The store,
//! some 450 bytes an action, lies in a temporary folder that is deleted at the end, also after Ctrl-C.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool: what fails ends it")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;

use common::{ORDER as BATCH, Server, action};

#[derive(Debug, Parser)]
struct Options {
    /// Minutes at half of what the server can do.
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Clients, each with a socket and a stream.
    #[arg(long, default_value_t = 40)]
    clients: u64,
    /// Seconds to find out what it can do.
    #[arg(long, default_value_t = 30)]
    ceiling_seconds: u64,
    /// The server's program; without it, the one that was built beside this.
    #[arg(long)]
    server: Option<PathBuf>,
}

#[tokio::main]
async fn main() {
    let (options, dir) = (Options::parse(), tempfile::tempdir().unwrap());
    let store = dir.path().join("soak.db");
    tokio::select! {
        () = soak(&options, &store) => {}
        _ = tokio::signal::ctrl_c() => println!("stopped"),
    }
}

async fn soak(options: &Options, store: &Path) {
    let program = common::program(options.server.as_deref());
    let server = Server::start(&program, store);
    let ceiling = run(&server, options, 0, options.ceiling_seconds, None).await;
    println!("ceiling: {ceiling:.0} actions/s\n");
    println!("| minute | actions/s | p50 ms | p99 ms | max ms | memory MB |");
    println!("|---:|---:|---:|---:|---:|---:|");
    run(&server, options, 1, options.minutes * 60, Some(ceiling / 2.0)).await;
    drop(server);
    let megabytes = std::fs::metadata(store).unwrap().len() >> 20;
    let begun = Instant::now();
    drop(Server::start(&program, store));
    println!(
        "\nstarted again, after a kill, on a store of {megabytes} MB: {:.1?}",
        begun.elapsed()
    );
}

/// Runs all clients for some seconds, at that many actions a second together or as fast as they
/// can, and gives how many there were a second. Paced ones are reported minute by minute.
async fn run(
    server: &Server,
    options: &Options,
    round: u64,
    seconds: u64,
    rate: Option<f64>,
) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let (tell, mut told) = mpsc::unbounded_channel();
    let pace = rate.map(|rate| {
        let each = rate / options.clients as f64 / BATCH as f64;
        Duration::from_secs_f64(1.0 / each)
    });
    let mut clients = Vec::new();
    for number in 0..options.clients {
        let client = Client {
            url: server.url.clone(),
            stream: format!("salesOrder/{round}-{number}"),
            id: format!("20261124-soak-{round}-{number}"),
            pace,
            offset: pace.map(|pace| pace.mul_f64(number as f64 / options.clients as f64)),
        };
        let (stop, done, tell) = (Arc::clone(&stop), Arc::clone(&done), tell.clone());
        clients.push(tokio::spawn(async move { client.run(&stop, &done, &tell).await }));
    }
    drop(tell);
    let begun = Instant::now();
    let mut minute = 0;
    let mut counted = 0;
    while begun.elapsed() < Duration::from_secs(seconds) {
        let left = Duration::from_secs(seconds).saturating_sub(begun.elapsed());
        sleep(left.min(Duration::from_secs(60))).await;
        minute += 1;
        let mut latencies = Histogram::<u64>::new(3).unwrap();
        while let Ok(micros) = told.try_recv() {
            latencies.record(micros).unwrap();
        }
        let total = done.load(Ordering::Relaxed);
        if rate.is_some() {
            let ms = |micros: u64| micros as f64 / 1000.0;
            println!(
                "| {minute} | {} | {:.1} | {:.1} | {:.1} | {} |",
                (total - counted) / 60,
                ms(latencies.value_at_quantile(0.5)),
                ms(latencies.value_at_quantile(0.99)),
                ms(latencies.max()),
                memory_mb(server),
            );
        }
        counted = total;
    }
    let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    rate
}

/// Memory that the server has in use: VmRSS, in MB.
fn memory_mb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

struct Client {
    url: String,
    stream: String,
    id: String,
    pace: Option<Duration>,
    offset: Option<Duration>,
}

impl Client {
    async fn run(self, stop: &AtomicBool, done: &AtomicU64, tell: &mpsc::UnboundedSender<u64>) {
        let (mut socket, _) = tokio_tungstenite::connect_async(&self.url).await.unwrap();
        let hello = json!({
            "t": "hello", "v": 1, "min": 1, "stream": self.stream, "cursor": null, "schema": 1,
            "clients": [{ "client": self.id, "from": 1 }],
        });
        socket.send(Message::text(hello.to_string())).await.unwrap();
        let mut due = tokio::time::Instant::now() + self.offset.unwrap_or_default();
        let mut first = 1;
        while !stop.load(Ordering::Relaxed) {
            match self.pace {
                Some(pace) => {
                    sleep_until(due).await;
                    due += pace;
                }
                None => due = tokio::time::Instant::now(),
            }
            let asked = self.pace.map_or(due, |pace| due - pace);
            let last = first + BATCH - 1;
            let entries: Vec<_> = (first..=last).map(|n| self.entry(n)).collect();
            let push = json!({ "t": "push", "stream": self.stream, "entries": entries });
            socket.send(Message::text(push.to_string())).await.unwrap();
            let mut settled = 0;
            while settled < last {
                let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
                let frame: Value = serde_json::from_str(&text).unwrap();
                assert!(frame["t"] != "refused" && frame["t"] != "error", "{frame}");
                let rows = frame["events"].as_array().or_else(|| frame["verdicts"].as_array());
                for row in rows.into_iter().flatten() {
                    assert!(row.get("error").is_none(), "{row}");
                    settled = settled.max(row["n"].as_u64().unwrap());
                }
            }
            let _ = tell.send(u64::try_from(asked.elapsed().as_micros()).unwrap());
            done.fetch_add(BATCH, Ordering::Relaxed);
            first = last + 1;
        }
    }

    fn entry(&self, n: u64) -> Value {
        json!({ "client": self.id, "n": n, "action": action(n) })
    }
}

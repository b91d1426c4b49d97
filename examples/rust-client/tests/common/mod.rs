//! A device with the program on it, and a server on a port of its own.
#![allow(missing_docs, unreachable_pub, missing_debug_implementations, reason = "a test's own")]

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sales_order::SalesOrder;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_tungstenite::tungstenite::Message;
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::log::{Log, MemoryLog, Page};
use twinstore_server::model::Models;
use twinstore_server::{Options, Server as Serving};

/// Nobody listens there.
pub const DOWN: &str = "ws://127.0.0.1:9/sync";

const STREAM: &str = "salesOrder/demo";
/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn create(id: &str, customer: &str) -> Value {
    json!({ "type": "create", "payload": { "id": id, "customer": customer } })
}

pub fn add_line(order: &str, line: &str) -> Value {
    let line = json!({ "id": line, "sku": "apple", "quantity": 2, "price": 45 });
    json!({ "type": "addLine", "payload": { "id": order, "line": line } })
}

/// A folder with the program's file.
pub struct Device(tempfile::TempDir);

impl Device {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    /// Starts the program and lets it run.
    pub fn run(&self, url: &str) -> Program {
        let mut command = self.command(&["--url", url, "run"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("piped")).lines();
        Program { told: child.stdin.take().expect("piped"), said, child }
    }

    pub async fn dispatch(&self, action: &Value) {
        let said = self.output(DOWN, &["dispatch", &action.to_string()]).await;
        assert!(said[0].get("stored").is_some(), "{said:?}");
    }

    pub async fn list(&self) -> Vec<Value> {
        self.output(DOWN, &["list"]).await
    }

    /// What a command that ends well prints.
    pub async fn output(&self, url: &str, args: &[&str]) -> Vec<Value> {
        let output = self.command(&["--url", url]).args(args).output();
        let output =
            tokio::time::timeout(PATIENCE, output).await.expect("it ends").expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {text}");
        let lines = String::from_utf8(output.stdout).expect("text");
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    pub async fn fails(&self, args: &[&str], reason: &str) {
        let output = self.command(args).output();
        let output =
            tokio::time::timeout(PATIENCE, output).await.expect("it ends").expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{args:?}: {said}");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sales-order-client"));
        command.args(args).current_dir(self.0.path()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

/// The program, running.
pub struct Program {
    child: Child,
    told: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Program {
    pub async fn say(&mut self, action: &Value) {
        self.told.write_all(format!("{action}\n").as_bytes()).await.expect("it listens");
    }

    /// Waits for so many lines of that kind.
    pub async fn hear(&mut self, kind: &str, count: usize) {
        let mut heard = 0;
        while heard < count {
            heard += usize::from(self.line().await.get(kind).is_some());
        }
    }

    /// Waits until so many are stored and so many confirmed. Gives how many are stored.
    pub async fn hear_both(&mut self, stored: usize, confirmed: usize) -> usize {
        let mut heard = (0, 0);
        while heard.0 < stored || heard.1 < confirmed {
            let line = self.line().await;
            heard.0 += usize::from(line.get("stored").is_some());
            heard.1 += usize::from(line.get("confirmed").is_some());
        }
        heard.0
    }

    /// SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.said.next_line()).await;
        let line = line.expect("it speaks").expect("it can be read").expect("it goes on");
        serde_json::from_str(&line).expect("JSON")
    }
}

/// A server with the same model.
pub struct Server {
    pub url: String,
    log: Arc<dyn Log>,
}

impl Server {
    pub async fn start() -> Self {
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new());
        let options = Options::new(Models::new(), Arc::clone(&log)).with_model::<SalesOrder>();
        let server = Serving::start(options.expect("a model")).expect("it starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}/sync", listener.local_addr().expect("an address"));
        tokio::spawn(twinstore_server::run(listener, server, std::future::pending()));
        Self { url, log }
    }

    /// The accepted actions of its log.
    pub fn actions(&self) -> Vec<Value> {
        let stream = StreamId::parse(STREAM).expect("a name");
        let page = Page { events: usize::MAX, bytes: usize::MAX };
        let events = self.log.read(&stream, Seq(0), page).expect("it reads");
        let accepted = events.iter().filter_map(|event| event.action());
        accepted.map(|action| serde_json::from_str(action).expect("JSON")).collect()
    }

    /// One action of a thin client, with its answer.
    pub async fn thin(&self, action: &Value) -> Value {
        let mut socket = self.socket("").await;
        socket.send(Message::text(action.to_string())).await.expect("it listens");
        next(&mut socket).await
    }

    /// The records, as a thin client is told them.
    pub async fn orders(&self) -> Vec<Value> {
        let mut socket = self.socket("&from=start").await;
        // An action that is rejected says where the records that came before it end.
        socket.send(Message::text(r#"{"type":"end"}"#)).await.expect("it listens");
        let mut records = Vec::new();
        loop {
            let frame = next(&mut socket).await;
            if frame.get("error").is_some() {
                return records;
            }
            records.push(frame["record"].clone());
        }
    }

    async fn socket(&self, query: &str) -> Socket {
        let url = format!("{}?stream={STREAM}{query}", self.url);
        tokio_tungstenite::connect_async(url).await.expect("it connects").0
    }
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn next(socket: &mut Socket) -> Value {
    let next = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame comes");
    let Message::Text(text) = next.expect("it is open").expect("it is well") else {
        panic!("not a text");
    };
    serde_json::from_str(&text).expect("JSON")
}

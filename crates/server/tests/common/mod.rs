//! A server on a port of its own, and clients that speak to it as programs elsewhere do.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    reason = "each test uses a part"
)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use twinstore_server::log::{Log, MemoryLog};
use twinstore_server::{Options, Server, model};

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sales orders in short: drafts that can be confirmed once they have lines.
pub const ORDERS: &str = include_str!("orders.js");

/// A running server.
pub struct Running {
    pub port: u16,
    pub log: Arc<dyn Log>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

pub async fn serve(models: &[(&str, &str)]) -> Running {
    serve_on(models, Arc::new(MemoryLog::new())).await
}

pub async fn serve_on(models: &[(&str, &str)], log: Arc<dyn Log>) -> Running {
    serve_with(models, log, |_| {}).await
}

pub async fn serve_with(
    models: &[(&str, &str)],
    log: Arc<dyn Log>,
    change: impl FnOnce(&mut Options),
) -> Running {
    let load = |(name, source): &(&str, &str)| {
        model::from_source(name, name, (*source).to_owned()).expect("it is a model")
    };
    let models = model::together(models.iter().map(load)).expect("names differ");
    let mut options = Options::new(models, Arc::clone(&log));
    change(&mut options);
    run(options).await
}

pub async fn run(options: Options) -> Running {
    let log = Arc::clone(&options.log);
    let server = Server::start(options).expect("it starts");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let shutdown = async { drop(stopped.await) };
        twinstore_server::run(listener, server, shutdown).await.expect("it serves");
    });
    Running { port, log, stop: Some(stop), task }
}

impl Running {
    pub async fn thin(&self, query: &str) -> Client {
        Client::connect(&format!("ws://127.0.0.1:{}/sync?stream={query}", self.port)).await
    }

    pub async fn twin(&self) -> Client {
        Client::connect(&format!("ws://127.0.0.1:{}/sync", self.port)).await
    }

    pub async fn stop(mut self) {
        drop(self.stop.take());
        tokio::time::timeout(PATIENCE, &mut self.task).await.expect("it stops").expect("well");
    }

    /// One HTTP request, by hand: status and body.
    pub async fn http(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.http_with("", method, path, body).await
    }

    /// The same with more headers, each with its line's end.
    pub async fn http_with(
        &self,
        headers: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> (u16, String) {
        let answer = self.answer(headers, method, path, body).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, body.to_owned())
    }

    /// The answer's head, with these headers.
    pub async fn head_with(&self, headers: &str, method: &str, path: &str) -> String {
        let answer = self.answer(headers, method, path, "").await;
        answer.split_once("\r\n\r\n").expect("an answer has a head").0.to_owned()
    }

    /// The answer's head and its body.
    pub async fn whole(&self, method: &str, path: &str, body: &str) -> (String, String) {
        let answer = self.answer("", method, path, body).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        (head.to_owned(), body.to_owned())
    }

    /// The answer's head and body as they came.
    pub async fn raw(&self, method: &str, path: &str) -> String {
        self.answer("", method, path, "").await
    }

    async fn answer(&self, headers: &str, method: &str, path: &str, body: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens");
        let host = if headers.starts_with("host:") { "" } else { "host: x\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{host}connection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    }

    pub async fn json(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.http(method, path, body).await;
        (status, serde_json::from_str(&body).expect("JSON"))
    }
}

/// A WebSocket client.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub async fn connect(url: &str) -> Self {
        let connected = tokio_tungstenite::connect_async(url).await;
        Self { socket: connected.expect("it connects").0 }
    }

    /// With these headers; the error says how it was refused.
    pub async fn connect_with(
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, tokio_tungstenite::tungstenite::Error> {
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Self { socket })
    }

    pub async fn send(&mut self, frame: impl ToString) {
        let frame = frame.to_string();
        self.socket.send(Message::text(frame)).await.expect("the socket is open");
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).await.expect("the socket is open");
    }

    /// The next frame as text.
    pub async fn text(&mut self) -> String {
        match self.message().await {
            Message::Text(text) => text.to_string(),
            other => panic!("not a text frame: {other:?}"),
        }
    }

    /// The next frame as text, or the code the server closes with.
    pub async fn text_or_close(&mut self) -> Result<String, u16> {
        match self.message().await {
            Message::Text(text) => Ok(text.to_string()),
            Message::Close(Some(frame)) => Err(frame.code.into()),
            other => panic!("neither text nor close: {other:?}"),
        }
    }

    /// The next frame as JSON.
    pub async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).expect("a frame is JSON")
    }

    /// The next frame, which is of that kind.
    pub async fn expect(&mut self, t: &str) -> Value {
        let frame = self.json().await;
        assert_eq!(frame["t"], t, "{frame}");
        frame
    }

    /// The code the server closes with.
    pub async fn closed(&mut self) -> u16 {
        match self.message().await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("not a close: {other:?}"),
        }
    }

    /// That nothing more is on its way: a pong is the next frame.
    pub async fn quiet(&mut self, stream: &str) {
        self.send(json!({ "t": "ping", "stream": stream })).await;
        self.expect("pong").await;
    }

    async fn message(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        next.expect("a frame comes").expect("the socket is open").expect("it is well")
    }
}

/// A hello without a past.
pub fn hello(stream: &str) -> Value {
    json!({ "t": "hello", "v": 1, "min": 1, "stream": stream, "cursor": null, "schema": 1, "clients": [] })
}

pub fn create(id: &str) -> Value {
    json!({ "type": "create", "payload": { "id": id, "customer": "Ann" } })
}

pub fn entry(client: &str, n: u64, action: &Value) -> Value {
    json!({ "client": client, "n": n, "action": action })
}

pub fn push(stream: &str, entries: &[Value]) -> Value {
    json!({ "t": "push", "stream": stream, "entries": entries })
}

/// The cursor after an `events` frame.
pub fn cursor(events: &Value) -> Value {
    let last = events["events"].as_array().and_then(|all| all.last()).expect("an event");
    json!({ "log": events["log"], "seq": last["seq"], "chain": last["chain"] })
}

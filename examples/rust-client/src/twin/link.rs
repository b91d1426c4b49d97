//! The socket: opened, closed and written to as the engine orders; what it sees are facts.

use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use twinstore_engine::wire::Incoming;
use twinstore_reducer::Model;

use super::wire::decode;
use super::{LinkOrder, Text, Twin};

/// A server that takes nothing for this long is gone.
const WRITE_STALL: Duration = Duration::from_secs(10);

/// The link to one server.
pub(crate) struct Link {
    url: String,
    phase: Phase,
}

/// What the link saw.
#[derive(Debug)]
pub(crate) enum Fact {
    Opened,
    Closed,
    Frame(Incoming<Text>),
    /// The engine wanted to be woken.
    TimedOut,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Opening = Pin<Box<dyn Future<Output = Result<Socket, tungstenite::Error>>>>;

enum Phase {
    Closed,
    Opening(Opening),
    Open(Box<Socket>),
    /// It broke while it was written to, and the twin was not told yet.
    Lost,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Link {
    /// No connection is made before the twin wants one.
    pub(crate) fn new(url: String) -> Self {
        Self { url, phase: Phase::Closed }
    }

    /// Does what the twin wants of its link.
    pub(crate) async fn obey<M: Model>(&mut self, twin: &mut Twin<M>) {
        while let Some(order) = twin.poll_order() {
            match order {
                LinkOrder::Open => {
                    let url = self.url.clone();
                    let opening = async move { Ok(connect_async(url).await?.0) };
                    self.phase = Phase::Opening(Box::pin(opening));
                }
                LinkOrder::Close => self.phase = Phase::Closed,
                LinkOrder::Send(frame) => self.send(frame).await,
            }
        }
    }

    /// Waits for what happens next. Nothing is lost where the wait is given up.
    pub(crate) async fn fact<M: Model>(&mut self, twin: &Twin<M>) -> Fact {
        let due = async {
            match twin.due_in() {
                Some(due) => tokio::time::sleep(due).await,
                None => pending().await,
            }
        };
        tokio::select! {
            fact = self.seen() => fact,
            () = due => Fact::TimedOut,
        }
    }

    async fn send(&mut self, frame: String) {
        if let Phase::Open(socket) = &mut self.phase {
            let sent = tokio::time::timeout(WRITE_STALL, socket.send(Message::text(frame))).await;
            if !matches!(sent, Ok(Ok(()))) {
                self.phase = Phase::Lost;
            }
        }
    }

    async fn seen(&mut self) -> Fact {
        let fact = match &mut self.phase {
            Phase::Closed => pending().await,
            Phase::Lost => Fact::Closed,
            Phase::Opening(opening) => match opening.await {
                Ok(socket) => {
                    self.phase = Phase::Open(Box::new(socket));
                    Fact::Opened
                }
                Err(_) => Fact::Closed,
            },
            Phase::Open(socket) => frame(socket).await.map_or(Fact::Closed, Fact::Frame),
        };
        if matches!(fact, Fact::Closed) {
            self.phase = Phase::Closed;
        }
        fact
    }
}

/// The next message; none where the socket ends, or says what is no message.
async fn frame(socket: &mut Socket) -> Option<Incoming<Text>> {
    loop {
        match socket.next().await?.ok()? {
            Message::Text(text) => return decode(&text),
            Message::Close(_) => return None,
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

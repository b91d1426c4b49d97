//! Target: whatever text a server sends, a native client reads it or not, keeps its rules, and goes on speaking the
//! protocol: all that it answers is taken by the server's own session.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use twinstore_engine::wire::{Incoming, Outgoing};
use twinstore_engine::{Config, Engine, Input, Limits, Millis, Output, StoredState};
use twinstore_protocol::{ClientId, StreamId, tag};
use twinstore_server::session::Output as Said;
use twinstore_server::session::{Input as Heard, Session};

use crate::chance::Chance;
use crate::session::twin;
use crate::text::{self, SERVERS};

/// Feeds frames until the bytes are used up.
pub fn frames(bytes: &[u8]) {
    let mut chance = Chance::new(bytes);
    let mut client = NativeClient::new();
    client.feed(Input::Restored(StoredState::default()));
    client.feed(Input::Connected);
    let mut numbers = 0;
    while !chance.is_over() && numbers < 50 {
        numbers += 1;
        match chance.roll(8) {
            0 => client.feed(Input::LinkOpened),
            1 => {
                let action = text::any(&mut chance);
                client.feed(Input::Dispatched { action, bytes: 10, hidden: false });
                client.feed(Input::Persisted(client.engine.next_n()));
            }
            2 => client.feed(Input::TimedOut),
            3 => client.hear(SERVERS[3]),
            _ => client.hear(&text::frame(&mut chance, SERVERS)),
        }
    }
}

struct NativeClient {
    engine: Engine<Value>,
    stream: StreamId,
    /// The server's end of the socket.
    session: Session,
    now: u64,
}

impl NativeClient {
    fn new() -> Self {
        let config = Config {
            client: ClientId("20260102-abcdefgh".to_owned()),
            schema: 1,
            seed: 1,
            leads: true,
            limits: Limits::default(),
        };
        Self {
            engine: Engine::new(config),
            stream: StreamId::parse("salesOrder/demo").expect("a stream"),
            session: twin(),
            now: 0,
        }
    }

    fn hear(&mut self, text: &str) {
        let Some(frame) = incoming(text) else { return };
        if let Some(message) = self.engine.read(&self.stream, frame, Value::String) {
            self.feed(Input::Received(message));
        }
    }

    fn feed(&mut self, input: Input<Value>) {
        self.now += 1_000;
        self.engine.handle_input(Millis(self.now), input).expect("it is open and has room");
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::OpenLink => self.session = twin(),
                Output::Transmit(frame) => {
                    let frame = self.engine.write(&self.stream, None, frame);
                    self.say(&outgoing(frame));
                }
                _ => {}
            }
        }
    }

    /// The server takes it: it may say that it is out of turn, but not that it is no message.
    fn say(&mut self, text: &str) {
        self.session.handle_input(Heard::Frame(text));
        while let Some(output) = self.session.poll_output() {
            assert!(!matches!(output, Said::Close(..)), "{text} leads to {output:?}");
        }
    }
}

/// A frame as a native driver reads it. What is read and written is read again as the same.
fn incoming(text: &str) -> Option<Incoming<Value>> {
    let frame: Value = serde_json::from_str(text).ok()?;
    Some(match frame.get("t")?.as_str()? {
        tag::WELCOME => Incoming::Welcome(both_ways(frame)?),
        tag::EVENTS => Incoming::Events(both_ways(frame)?),
        tag::SNAPSHOT => Incoming::Snapshot(both_ways(frame)?),
        tag::VERDICTS => Incoming::Verdicts(both_ways(frame)?),
        tag::REFUSED => Incoming::Refused(both_ways(frame)?),
        tag::PONG => Incoming::Pong(both_ways(frame)?),
        tag::ERROR => Incoming::Error(both_ways(frame)?),
        _ => return None,
    })
}

pub(crate) fn both_ways<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    frame: Value,
) -> Option<T> {
    let read: T = serde_json::from_value(frame).ok()?;
    let text = serde_json::to_string(&read).expect("it writes");
    let again: T = serde_json::from_str(&text).expect("what was written is read");
    assert_eq!(read, again, "{text}");
    Some(read)
}

fn outgoing(frame: Outgoing<Value>) -> String {
    let (tag, body) = match frame {
        Outgoing::Hello(f) => (tag::HELLO, serde_json::to_value(f)),
        Outgoing::Push(f) => (tag::PUSH, serde_json::to_value(f)),
        Outgoing::Pull(f) => (tag::PULL, serde_json::to_value(f)),
        Outgoing::Ping(f) => (tag::PING, serde_json::to_value(f)),
        Outgoing::Leave(f) => (tag::LEAVE, serde_json::to_value(f)),
    };
    let mut body = body.expect("it writes");
    body["t"] = tag.into();
    body.to_string()
}

//! Frames as text, as the browser's codec writes and reads them.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twinstore_engine::wire::{Incoming, Outgoing};
use twinstore_engine::{Engine, Input};
use twinstore_protocol::{SnapshotBody, tag};

use crate::model::{Action, State};

/// What the engine moves: an action, a state, or a piece of a snapshot's text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Action(Arc<Action>),
    State(State),
    Text(String),
}

impl Item {
    pub(crate) fn action(&self) -> &Arc<Action> {
        match self {
            Self::Action(action) => action,
            Self::State(_) | Self::Text(_) => panic!("an action must stand here"),
        }
    }

    pub(crate) fn state(&self) -> State {
        match self {
            Self::State(state) => *state,
            Self::Action(_) | Self::Text(_) => panic!("a state must stand here"),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Action(_) | Self::State(_) => panic!("a text must stand here"),
        }
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.action().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::Action(Arc::new(Action::deserialize(deserializer)?)))
    }
}

/// A client's frame as text.
pub(crate) fn encode(frame: &Outgoing<Item>) -> String {
    match frame {
        Outgoing::Hello(hello) => text(tag::HELLO, hello),
        Outgoing::Push(push) => text(tag::PUSH, push),
        Outgoing::Pull(pull) => text(tag::PULL, pull),
        Outgoing::Ping(ping) => text(tag::PING, ping),
        Outgoing::Leave(leave) => text(tag::LEAVE, leave),
    }
}

/// A server's frame.
pub(crate) fn decode(text: &str) -> Incoming<Item> {
    let rest = text.strip_prefix(r#"{"t":""#).expect("a frame begins with its tag");
    let (tag, _) = rest.split_once('"').expect("a tag ends");
    match tag {
        tag::WELCOME => Incoming::Welcome(read(text)),
        tag::EVENTS => Incoming::Events(read(text)),
        tag::SNAPSHOT => Incoming::Snapshot(read(text)),
        tag::VERDICTS => Incoming::Verdicts(read(text)),
        tag::REFUSED => Incoming::Refused(read(text)),
        tag::PONG => Incoming::Pong(read(text)),
        tag::ERROR => Incoming::Error(read(text)),
        other => panic!("the server sent a frame `{other}`"),
    }
}

/// The pieces of a snapshot as the engine takes it.
pub(crate) fn read_snapshot(engine: &Engine<Item>, pieces: &[Item]) -> Input<Item> {
    let text: String = pieces.iter().map(Item::text).collect();
    match serde_json::from_str::<SnapshotBody<State>>(&text) {
        Ok(SnapshotBody { state, clients }) => {
            let (settled, rejections) = engine.read_rows(&clients);
            Input::SnapshotRead { state: Item::State(state), settled, rejections }
        }
        Err(_) => Input::SnapshotUnreadable,
    }
}

fn text<T: Serialize>(tag: &str, message: &T) -> String {
    let body = serde_json::to_string(message).expect("our own types have string keys");
    format!(r#"{{"t":"{tag}",{}"#, &body[1..])
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text)
        .unwrap_or_else(|error| panic!("the server sent what is no message: {error}: {text}"))
}

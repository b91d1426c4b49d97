//! Frames as text. What the server says is not trusted: what is no message is none.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use twinstore_engine::wire::{Incoming, Outgoing};
use twinstore_engine::{Engine, Input};
use twinstore_protocol::{SnapshotBody, tag};
use twinstore_reducer::Model;

use super::Text;

/// A frame for the server.
pub(crate) fn encode(frame: &Outgoing<Text>) -> String {
    match frame {
        Outgoing::Hello(hello) => tagged(tag::HELLO, hello),
        Outgoing::Push(push) => tagged(tag::PUSH, push),
        Outgoing::Pull(pull) => tagged(tag::PULL, pull),
        Outgoing::Ping(ping) => tagged(tag::PING, ping),
        Outgoing::Leave(leave) => tagged(tag::LEAVE, leave),
    }
}

/// A frame of the server.
pub(crate) fn decode(text: &str) -> Option<Incoming<Text>> {
    #[derive(Deserialize)]
    struct Tagged {
        t: String,
    }
    let Tagged { t } = read(text)?;
    match t.as_str() {
        tag::WELCOME => read(text).map(Incoming::Welcome),
        tag::EVENTS => read(text).map(Incoming::Events),
        tag::SNAPSHOT => read(text).map(Incoming::Snapshot),
        tag::VERDICTS => read(text).map(Incoming::Verdicts),
        tag::REFUSED => read(text).map(Incoming::Refused),
        tag::PONG => read(text).map(Incoming::Pong),
        tag::ERROR => read(text).map(Incoming::Error),
        _ => None,
    }
}

/// The pieces of a snapshot as the engine takes it, if they are a state of this model.
pub(crate) fn read_snapshot<M: Model>(engine: &Engine<Text>, pieces: &[Text]) -> Input<Text> {
    let text: String = pieces.iter().map(Text::as_str).collect();
    let Some(SnapshotBody { state, clients }) = read::<SnapshotBody<Text>>(&text) else {
        return Input::SnapshotUnreadable;
    };
    if serde_json::from_str::<M::State>(state.as_str()).is_err() {
        return Input::SnapshotUnreadable;
    }
    let (settled, rejections) = engine.read_rows(&clients);
    Input::SnapshotRead { state, settled, rejections }
}

fn tagged<T: Serialize>(tag: &str, message: &T) -> String {
    let body = serde_json::to_string(message).expect("messages have string keys");
    format!(r#"{{"t":"{tag}",{}"#, &body[1..])
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

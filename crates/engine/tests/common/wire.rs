//! The server knows actions, the engine [`Value`]s: messages from the one to the other.

use twinstore_engine::{Frame, Message};
use twinstore_protocol::{Entry, Event, Events, Push};

use super::{Action, Value, action};

pub(crate) fn lift(message: Message<Action>) -> Message<Value> {
    match message {
        Message::Events(events) => Message::Events(Events {
            stream: events.stream,
            log: events.log,
            after: events.after,
            events: events
                .events
                .into_iter()
                .map(|e| Event {
                    seq: e.seq,
                    client: e.client,
                    n: e.n,
                    from: e.from,
                    at: e.at,
                    model: e.model,
                    schema: e.schema,
                    action: e.action.map(Value::Action),
                    error: e.error,
                    chain: e.chain,
                })
                .collect(),
        }),
        Message::Welcome(x) => Message::Welcome(x),
        Message::Snapshot(x) => Message::Snapshot(x),
        Message::Verdicts(x) => Message::Verdicts(x),
        Message::Refused(x) => Message::Refused(x),
        Message::Pong(x) => Message::Pong(x),
        Message::Error(x) => Message::Error(x),
    }
}

pub(crate) fn lower(frame: Frame<Value>) -> Frame<Action> {
    match frame {
        Frame::Push(push) => Frame::Push(Push {
            stream: push.stream,
            entries: push
                .entries
                .into_iter()
                .map(|e| Entry {
                    client: e.client,
                    n: e.n,
                    from: e.from,
                    schema: e.schema,
                    action: action(&e.action),
                })
                .collect(),
        }),
        Frame::Hello(x) => Frame::Hello(x),
        Frame::Pull(x) => Frame::Pull(x),
        Frame::Ping(x) => Frame::Ping(x),
        Frame::Leave(x) => Frame::Leave(x),
    }
}

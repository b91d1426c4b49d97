//! The server knows actions, the engine [`Value`]s: messages from the one to the other.

use twinstore_engine::wire::{Incoming, Outgoing};
use twinstore_protocol::{Entry, Event, Events, Push};

use super::{Action, Value, action};

pub(crate) fn lift(message: Incoming<Action>) -> Incoming<Value> {
    match message {
        Incoming::Events(events) => Incoming::Events(Events {
            stream: events.stream,
            log: events.log,
            after: events.after,
            check: events.check,
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
        Incoming::Welcome(x) => Incoming::Welcome(x),
        Incoming::Snapshot(x) => Incoming::Snapshot(x),
        Incoming::Verdicts(x) => Incoming::Verdicts(x),
        Incoming::Refused(x) => Incoming::Refused(x),
        Incoming::Pong(x) => Incoming::Pong(x),
        Incoming::Error(x) => Incoming::Error(x),
    }
}

pub(crate) fn lower(frame: Outgoing<Value>) -> Outgoing<Action> {
    match frame {
        Outgoing::Push(push) => Outgoing::Push(Push {
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
        Outgoing::Hello(x) => Outgoing::Hello(x),
        Outgoing::Pull(x) => Outgoing::Pull(x),
        Outgoing::Ping(x) => Outgoing::Ping(x),
        Outgoing::Leave(x) => Outgoing::Leave(x),
    }
}

//! Frames, to and from what the browser's JSON made of them. `frames.js` puts them together and checks those that
//! come; it and this file alone know the fields of the wire (`docs/PROTOCOL.md`). No serde: reading by it would cost
//! the package 23 kB, and actions pass through as the values they are.

use js_sys::{Array, JsString};
use twinstore_engine::{
    Engine, Event, Events, Frame, Id, Message, Refusal, SnapshotPart, Standing, Verdict, Welcome,
};
use twinstore_protocol::{
    Chain, Check, Cursor, LogId, N, Rejection, Seq, VERSION, VERSION_MIN, WireLimits, tag,
};
use wasm_bindgen::prelude::*;

use crate::web::{Fields, float, small};

#[wasm_bindgen(module = "/src/frames.js")]
extern "C" {
    /// A frame that came, with all that its message must have; none: it is no message of the protocol.
    #[wasm_bindgen(js_name = frameOf)]
    pub(crate) fn frame_of(text: &JsValue) -> Option<Fields>;
    /// The body of a snapshot from its pieces, checked in the same way.
    #[wasm_bindgen(js_name = snapshotOf)]
    pub(crate) fn snapshot_of(pieces: &Array) -> Option<Fields>;
    #[wasm_bindgen(js_name = askText)]
    fn ask_text(
        t: &str,
        stream: &str,
        cursor: &JsValue,
        waiting: &Array,
        hello: &JsValue,
    ) -> String;
    #[wasm_bindgen(js_name = helloRow)]
    fn hello_row(v: u32, min: u32, schema: u32, token: &JsValue) -> JsValue;
    #[wasm_bindgen(js_name = waitingRow)]
    fn waiting_row(client: &str, from: f64) -> JsValue;
    #[wasm_bindgen(js_name = cursorRow)]
    fn cursor_row(log: &str, seq: f64, chain: &str, schema: Option<u32>) -> JsValue;
    #[wasm_bindgen(js_name = pushText)]
    fn push_text(stream: &str, entries: &Array) -> String;
    #[wasm_bindgen(js_name = entryText)]
    fn entry_text(
        client: &str,
        n: f64,
        from: Option<f64>,
        schema: Option<u32>,
        action: &JsValue,
    ) -> JsValue;
    #[wasm_bindgen(js_name = plainText)]
    fn plain_text(t: &str, stream: &str) -> String;
}

/// What frames of this twin say besides.
pub(crate) struct Signature<'a> {
    pub(crate) stream: &'a str,
    pub(crate) schema: u32,
    pub(crate) token: &'a JsValue,
}

/// A frame as JSON text.
pub(crate) fn encode(
    engine: &Engine<JsValue>,
    frame: &Frame<JsValue>,
    by: &Signature<'_>,
) -> String {
    match frame {
        Frame::Hello(standing) => {
            let hello = hello_row(VERSION, VERSION_MIN, by.schema, by.token);
            ask(engine, standing, tag::HELLO, by.stream, &hello)
        }
        Frame::Pull(standing) => ask(engine, standing, tag::PULL, by.stream, &JsValue::UNDEFINED),
        Frame::Push(entries) => {
            let texts = Array::new();
            for entry in entries {
                texts.push(&entry_text(
                    engine.client_name(entry.id.client),
                    float(entry.id.n.0),
                    (entry.from != entry.id.n).then(|| float(entry.from.0)),
                    // The hello carries the app's own schema; only older entries name theirs.
                    (entry.schema != by.schema).then_some(entry.schema),
                    &entry.action,
                ));
            }
            push_text(by.stream, &texts)
        }
        Frame::Ping => plain_text(tag::PING, by.stream),
        Frame::Leave => plain_text(tag::LEAVE, by.stream),
    }
}

fn ask(
    engine: &Engine<JsValue>,
    standing: &Standing,
    tag: &str,
    stream: &str,
    hello: &JsValue,
) -> String {
    let cursor = standing.cursor.as_ref().map_or(JsValue::NULL, |c: &Cursor| {
        cursor_row(c.log.as_str(), float(c.seq.0), c.chain.as_str(), c.schema)
    });
    let waiting = Array::new();
    for id in &standing.waiting {
        waiting.push(&waiting_row(engine.client_name(id.client), float(id.n.0)));
    }
    ask_text(tag, stream, &cursor, &waiting, hello)
}

/// A frame as a message; `frames.js` has checked that it has what is read here. None: of a later version.
pub(crate) fn decode(engine: &Engine<JsValue>, frame: &Fields) -> Option<Message<JsValue>> {
    Some(match frame.str("t").as_str() {
        tag::EVENTS => Message::Events(Events {
            log: LogId(frame.str("log")),
            after: seq(frame, "after"),
            check: frame
                .object("check")
                .map(|check| Check { schema: small(&check, "schema"), sum: check.count("sum") }),
            events: all(frame, "events", |event| {
                let action = event.get("action");
                Event {
                    seq: seq(event, "seq"),
                    id: event.text("client").map(|_| id(engine, event, "n")),
                    action: action.is_object().then_some(action),
                    error: rejection(event),
                    chain: Chain(event.str("chain")),
                }
            }),
        }),
        tag::WELCOME => Message::Welcome(Welcome {
            head: seq(frame, "head"),
            reset: frame.get("reset").is_truthy(),
            schema: small(frame, "schema"),
            ping_ms: small(frame, "ping_ms"),
            limits: limits(frame.get("limits").unchecked_ref()),
            settled: settled(engine, frame),
        }),
        tag::SNAPSHOT => Message::Snapshot(SnapshotPart {
            log: frame.text("log").map(LogId),
            seq: seq(frame, "seq"),
            chain: Chain(frame.str("chain")),
            part: small(frame, "part"),
            parts: small(frame, "parts"),
            bytes: frame.get("data").unchecked_ref::<JsString>().length() as usize,
            data: frame.get("data"),
        }),
        tag::VERDICTS => Message::Verdicts(all(frame, "verdicts", |row| verdict(engine, row))),
        tag::REFUSED => Message::Refused {
            id: id(engine, frame, "n"),
            refusal: Refusal::of(&frame.str("code")),
            last: N(frame.count("last")),
        },
        tag::PONG => Message::Pong(seq(frame, "head")),
        tag::ERROR => Message::Failed,
        _ => return None,
    })
}

/// The last settled numbers in a welcome, or in a snapshot's body.
pub(crate) fn settled(engine: &Engine<JsValue>, frame: &Fields) -> Vec<Id> {
    all(frame, "clients", |row| id(engine, row, "last"))
}

/// The rejections in a snapshot's body, in one list.
pub(crate) fn rejections(engine: &Engine<JsValue>, body: &Fields) -> Vec<Verdict> {
    all(body, "rejections", |row| verdict(engine, row))
}

fn verdict(engine: &Engine<JsValue>, row: &Fields) -> Verdict {
    Verdict { id: id(engine, row, "n"), seq: seq(row, "seq"), error: rejection(row) }
}

fn id(engine: &Engine<JsValue>, fields: &Fields, n: &str) -> Id {
    Id { client: engine.client(&fields.str("client")), n: N(fields.count(n)) }
}

fn seq(fields: &Fields, key: &str) -> Seq {
    Seq(fields.count(key))
}

fn rejection(fields: &Fields) -> Option<Rejection> {
    let error = fields.object("error")?;
    Some(Rejection { code: error.str("code"), reason: error.str("reason") })
}

fn limits(limits: &Fields) -> WireLimits {
    WireLimits {
        batch_actions: small(limits, "batch_actions"),
        batch_bytes: small(limits, "batch_bytes"),
        // What is too large for the server it refuses itself.
        ..WireLimits::DEFAULT
    }
}

fn all<T>(fields: &Fields, key: &str, each: impl Fn(&Fields) -> T) -> Vec<T> {
    let mut items = Vec::new();
    for item in fields.list(key).iter() {
        items.push(each(item.unchecked_ref()));
    }
    items
}

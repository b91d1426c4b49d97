//! Frames to text, and from what the browser's JSON made of them.
//!
//! The only file that knows the fields of the wire (`docs/PROTOCOL.md`). No serde: reading by it would cost
//! the package 23 kB, and actions pass through as the values they are.

use js_sys::JsString;
use twinstore_engine::{Frame, Message};
use twinstore_protocol::{
    Chain, ClientFrom, ClientId, ClientRow, Cursor, Entry, ErrorFrame, Event, Events, LogId, N,
    Pong, Refused, Rejection, RejectionRow, Seq, SnapshotPart, StreamId, VerdictRow, Verdicts,
    Welcome, WireLimits, tag,
};
use wasm_bindgen::{JsCast, JsValue};

use crate::web::{Fields, digits, float, quote, stringify};

/// What the engine moves here: an action, or a state. Never looked into.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// The value.
    pub(crate) value: JsValue,
    /// An action of ours as JSON text.
    pub(crate) text: Option<JsString>,
}

impl Item {
    pub(crate) fn of(value: JsValue) -> Self {
        Self { value, text: None }
    }

    pub(crate) fn json(&self) -> String {
        match &self.text {
            Some(text) => String::from(text),
            None => stringify(&self.value).map(String::from).unwrap_or_default(),
        }
    }
}

/// A frame as JSON text.
pub(crate) fn encode(frame: &Frame<Item>) -> String {
    let mut out = Json(String::new());
    match frame {
        Frame::Hello(hello) => {
            out.begin(tag::HELLO, &hello.stream);
            out.number("v", hello.v.into());
            out.number("min", hello.min.into());
            out.cursor(hello.cursor.as_ref());
            out.number("schema", hello.schema.into());
            out.clients(&hello.clients);
            if let Some(token) = &hello.token {
                out.text("token", token);
            }
        }
        Frame::Push(push) => {
            out.begin(tag::PUSH, &push.stream);
            out.entries(&push.entries);
        }
        Frame::Pull(pull) => {
            out.begin(tag::PULL, &pull.stream);
            out.cursor(pull.cursor.as_ref());
            out.clients(&pull.clients);
        }
        Frame::Ping(ping) => out.begin(tag::PING, &ping.stream),
        Frame::Leave(leave) => out.begin(tag::LEAVE, &leave.stream),
    }
    out.0.push('}');
    out.0
}

/// JSON text in the making; every field but the first of an object begins with a comma.
struct Json(String);

impl Json {
    fn begin(&mut self, tag: &str, stream: &StreamId) {
        self.0.push_str("{\"t\":\"");
        self.0.push_str(tag);
        self.0.push('"');
        self.text("stream", stream.as_str());
    }

    fn key(&mut self, key: &str) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        // Escaping is the browser's business.
        self.0.push_str(&quote(value));
    }

    fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        self.0.push_str(&digits(float(value)));
    }

    fn cursor(&mut self, cursor: Option<&Cursor>) {
        self.key("cursor");
        let Some(cursor) = cursor else { return self.0.push_str("null") };
        self.0.push('{');
        self.text("log", cursor.log.as_str());
        self.number("seq", cursor.seq.0);
        self.text("chain", cursor.chain.as_str());
        self.0.push('}');
    }

    fn clients(&mut self, clients: &[ClientFrom]) {
        self.list("clients", clients, |out, client| {
            out.text("client", client.client.as_str());
            out.number("from", client.from.0);
        });
    }

    fn entries(&mut self, entries: &[Entry<Item>]) {
        self.list("entries", entries, |out, entry| {
            out.text("client", entry.client.as_str());
            out.number("n", entry.n.0);
            if let Some(from) = entry.from {
                out.number("from", from.0);
            }
            if let Some(schema) = entry.schema {
                out.number("schema", schema.into());
            }
            out.key("action");
            out.0.push_str(&entry.action.json());
        });
    }

    fn list<T>(&mut self, key: &str, items: &[T], each: impl Fn(&mut Self, &T)) {
        self.key(key);
        self.0.push('[');
        for item in items {
            if !self.0.ends_with('[') {
                self.0.push(',');
            }
            self.0.push('{');
            each(self, item);
            self.0.push('}');
        }
        self.0.push(']');
    }
}

/// A parsed frame as a message; none: not one of this protocol.
pub(crate) fn decode(frame: &Fields, stream: &StreamId) -> Option<Message<Item>> {
    let stream = stream.clone();
    Some(match frame.text("t")?.as_str() {
        tag::EVENTS => Message::Events(Events {
            stream,
            log: LogId(frame.text("log")?),
            after: Seq(frame.number("after")?),
            events: all(frame, "events", event)?,
        }),
        tag::WELCOME => Message::Welcome(Welcome {
            v: small(frame, "v")?,
            stream,
            log: frame.text("log").map(LogId),
            head: Seq(frame.number("head")?),
            reset: frame.get("reset").is_truthy(),
            clients: client_rows(frame)?,
            schema: small(frame, "schema")?,
            model: frame.text("model")?,
            limits: limits(&frame.object("limits")?)?,
            ping_ms: small(frame, "ping_ms")?,
            subject: frame.text("subject"),
        }),
        tag::SNAPSHOT => Message::Snapshot(SnapshotPart {
            stream,
            log: frame.text("log").map(LogId),
            seq: Seq(frame.number("seq")?),
            chain: Chain(frame.text("chain")?),
            schema: small(frame, "schema")?,
            part: small(frame, "part")?,
            parts: small(frame, "parts")?,
            data: frame.text("data")?,
        }),
        tag::VERDICTS => Message::Verdicts(Verdicts {
            stream,
            verdicts: all(frame, "verdicts", |row| {
                let (client, n, seq) = (client(row)?, number_n(row)?, Seq(row.number("seq")?));
                Some(VerdictRow { client, n, seq, error: row.object("error").and_then(rejection) })
            })?,
        }),
        tag::REFUSED => Message::Refused(Refused {
            stream,
            client: client(frame)?,
            n: number_n(frame)?,
            code: frame.text("code")?,
            reason: frame.text("reason").unwrap_or_default(),
            last: N(frame.number("last")?),
        }),
        tag::PONG => Message::Pong(Pong { stream, head: Seq(frame.number("head")?) }),
        tag::ERROR => Message::Error(ErrorFrame {
            code: frame.text("code")?,
            message: frame.text("message").unwrap_or_default(),
            stream: frame.text("stream"),
        }),
        _ => return None,
    })
}

/// The rows of a welcome, or of a snapshot's body.
pub(crate) fn client_rows(frame: &Fields) -> Option<Vec<ClientRow>> {
    all(frame, "clients", |row| {
        let rejections = all(row, "rejections", |r| {
            let error = rejection(r.clone())?;
            Some(RejectionRow { n: number_n(r)?, seq: Seq(r.number("seq")?), error })
        })?;
        Some(ClientRow { client: client(row)?, last: N(row.number("last")?), rejections })
    })
}

fn event(event: &Fields) -> Option<Event<Item>> {
    let action = event.get("action");
    Some(Event {
        seq: Seq(event.number("seq")?),
        client: client(event),
        n: number_n(event),
        from: event.number("from").map(N),
        at: None,
        model: None,
        schema: None,
        action: action.is_object().then(|| Item::of(action)),
        error: event.object("error").and_then(rejection),
        chain: Chain(event.text("chain")?),
    })
}

fn limits(limits: &Fields) -> Option<WireLimits> {
    Some(WireLimits {
        action_bytes: small(limits, "action_bytes")?,
        action_depth: small(limits, "action_depth")?,
        batch_actions: small(limits, "batch_actions")?,
        batch_bytes: small(limits, "batch_bytes")?,
        frame_bytes: small(limits, "frame_bytes")?,
    })
}

#[allow(clippy::needless_pass_by_value, reason = "a handle, for `and_then`")]
fn rejection(error: Fields) -> Option<Rejection> {
    Some(Rejection { code: error.text("code")?, reason: error.text("reason")? })
}

fn client(fields: &Fields) -> Option<ClientId> {
    fields.text("client").map(ClientId)
}

fn number_n(fields: &Fields) -> Option<N> {
    fields.number("n").map(N)
}

fn small(fields: &Fields, key: &str) -> Option<u32> {
    fields.number(key).and_then(|n| u32::try_from(n).ok())
}

/// Every item of a list, or nothing if one of them is not what it should be.
fn all<T>(fields: &Fields, key: &str, each: impl Fn(&Fields) -> Option<T>) -> Option<Vec<T>> {
    fields.list(key).iter().map(|item| each(item.unchecked_ref())).collect()
}

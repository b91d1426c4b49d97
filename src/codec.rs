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

/// A frame as a message; `web.js` has checked that it has what is read here. None: of a later version.
pub(crate) fn decode(frame: &Fields, stream: &StreamId) -> Option<Message<Item>> {
    let stream = stream.clone();
    Some(match frame.str("t").as_str() {
        tag::EVENTS => Message::Events(Events {
            stream,
            log: LogId(frame.str("log")),
            after: Seq(frame.count("after")),
            events: all(frame, "events", event),
        }),
        tag::WELCOME => Message::Welcome(Welcome {
            v: small(frame, "v"),
            stream,
            log: frame.text("log").map(LogId),
            head: Seq(frame.count("head")),
            reset: frame.get("reset").is_truthy(),
            clients: client_rows(frame),
            schema: small(frame, "schema"),
            model: String::new(),
            limits: limits(&frame.get("limits").unchecked_into()),
            ping_ms: small(frame, "ping_ms"),
            subject: None,
        }),
        tag::SNAPSHOT => Message::Snapshot(SnapshotPart {
            stream,
            log: frame.text("log").map(LogId),
            seq: Seq(frame.count("seq")),
            chain: Chain(frame.str("chain")),
            schema: small(frame, "schema"),
            part: small(frame, "part"),
            parts: small(frame, "parts"),
            data: frame.str("data"),
        }),
        tag::VERDICTS => {
            let verdicts = all(frame, "verdicts", |row| VerdictRow {
                client: client(row),
                n: N(row.count("n")),
                seq: Seq(row.count("seq")),
                error: row.object("error").map(|e| rejection(&e)),
            });
            Message::Verdicts(Verdicts { stream, verdicts })
        }
        tag::REFUSED => Message::Refused(Refused {
            stream,
            client: client(frame),
            n: N(frame.count("n")),
            code: frame.str("code"),
            reason: String::new(),
            last: N(frame.count("last")),
        }),
        tag::PONG => Message::Pong(Pong { stream, head: Seq(frame.count("head")) }),
        tag::ERROR => Message::Error(ErrorFrame {
            code: frame.str("code"),
            message: frame.str("message"),
            stream: frame.text("stream"),
        }),
        _ => return None,
    })
}

/// The rows of a welcome, or of a snapshot's body.
pub(crate) fn client_rows(frame: &Fields) -> Vec<ClientRow> {
    all(frame, "clients", |row| ClientRow {
        client: client(row),
        last: N(row.count("last")),
        rejections: all(row, "rejections", |r| RejectionRow {
            n: N(r.count("n")),
            seq: Seq(r.count("seq")),
            error: rejection(r),
        }),
    })
}

fn event(event: &Fields) -> Event<Item> {
    let action = event.get("action");
    Event {
        seq: Seq(event.count("seq")),
        client: event.text("client").map(ClientId),
        n: event.number("n").map(N),
        from: None,
        at: None,
        model: None,
        schema: None,
        action: action.is_object().then(|| Item::of(action)),
        error: event.object("error").map(|e| rejection(&e)),
        chain: Chain(event.str("chain")),
    }
}

fn limits(limits: &Fields) -> WireLimits {
    WireLimits {
        action_bytes: small(limits, "action_bytes"),
        action_depth: small(limits, "action_depth"),
        batch_actions: small(limits, "batch_actions"),
        batch_bytes: small(limits, "batch_bytes"),
        frame_bytes: small(limits, "frame_bytes"),
    }
}

fn rejection(error: &Fields) -> Rejection {
    Rejection { code: error.str("code"), reason: error.str("reason") }
}

fn client(fields: &Fields) -> ClientId {
    ClientId(fields.str("client"))
}

fn small(fields: &Fields, key: &str) -> u32 {
    u32::try_from(fields.count(key)).unwrap_or(u32::MAX)
}

fn all<T>(fields: &Fields, key: &str, each: impl Fn(&Fields) -> T) -> Vec<T> {
    let mut items = Vec::new();
    for item in fields.list(key).iter() {
        items.push(each(item.unchecked_ref()));
    }
    items
}

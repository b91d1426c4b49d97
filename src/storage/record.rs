//! Entries and events as the values that are stored.
//!
//! An entry: `{ client, n, schema, bytes, held?, text }`, `text` being the action as JSON. An outbox record is
//! a list of them: what one transaction put there. An event: `{ seq, action }`, in lists by frame.

use twinstore_engine::{HeldReason, StoredEntry, StoredEvent};
use twinstore_protocol::{Chain, ClientId, Cursor, LogId, N, Seq};
use wasm_bindgen::{JsCast, JsValue};

use crate::codec::Item;
use crate::web::{Fields, number, parse_text};

pub(super) fn from_entry(entry: &StoredEntry<Item>) -> JsValue {
    let fields = Fields::new()
        .with("client", &JsValue::from_str(entry.client.as_str()))
        .with("n", &number(entry.n.0))
        .with("schema", &entry.schema.into())
        .with("bytes", &entry.bytes.into())
        .with("text", entry.action.text.as_ref().map_or(&JsValue::NULL, AsRef::as_ref));
    if let Some(reason) = entry.held {
        fields.set("held", &JsValue::from_str(reason.as_str()));
    }
    fields.into()
}

/// Whose a stored entry is.
pub(super) fn client_of(value: &JsValue) -> Option<ClientId> {
    Fields::of(value)?.text("client").map(ClientId)
}

pub(super) fn to_entry(value: &JsValue) -> Option<StoredEntry<Item>> {
    let fields = Fields::of(value)?;
    let text: js_sys::JsString = fields.get("text").dyn_into().ok()?;
    Some(StoredEntry {
        client: ClientId(fields.text("client")?),
        n: N(fields.number("n")?),
        schema: u32::try_from(fields.number("schema")?).ok()?,
        bytes: u32::try_from(fields.number("bytes")?).ok()?,
        held: fields.text("held").and_then(|name| HeldReason::parse(&name)),
        action: Item { value: parse_text(&text).ok()?, text: Some(text) },
    })
}

pub(super) fn from_event(event: &StoredEvent<Item>) -> JsValue {
    Fields::new().with("seq", &number(event.seq.0)).with("action", &event.action.value).into()
}

pub(super) fn to_event(value: &JsValue) -> Option<StoredEvent<Item>> {
    let fields = Fields::of(value)?;
    Some(StoredEvent { seq: Seq(fields.number("seq")?), action: Item::of(fields.get("action")) })
}

pub(super) fn from_cursor(cursor: &Cursor) -> JsValue {
    Fields::new()
        .with("log", &JsValue::from_str(cursor.log.as_str()))
        .with("seq", &number(cursor.seq.0))
        .with("chain", &JsValue::from_str(cursor.chain.as_str()))
        .into()
}

pub(super) fn to_cursor(value: &JsValue) -> Option<Cursor> {
    let fields = Fields::of(value)?;
    let (log, chain) = (LogId(fields.text("log")?), Chain(fields.text("chain")?));
    Some(Cursor { log, seq: Seq(fields.number("seq")?), chain })
}

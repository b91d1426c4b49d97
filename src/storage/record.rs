//! Entries, events and cursors as the values that are stored.
//!
//! An entry: `{ client, n, schema, bytes, text, held? }`, `text` being the action as JSON. An outbox record is
//! a list of them, all of one client: what one transaction put there. An event: `{ seq, action }`, in lists by
//! frame.

use js_sys::{Array, JsString};
use twinstore_engine::{HeldReason, StoredEntry, StoredEvent};
use twinstore_protocol::{Chain, ClientId, Cursor, LogId, N, Seq};
use wasm_bindgen::{JsCast, JsValue};

use crate::codec::Item;
use crate::web::{Fields, cursor_row, entry_row, event_row, float, parse_text};

pub(super) fn from_entry(entry: &StoredEntry<Item>) -> JsValue {
    let held = entry.held.map_or("", HeldReason::as_str);
    let text = entry.action.text.as_ref().map_or(JsValue::NULL, Into::into);
    entry_row(entry.client.as_str(), float(entry.n.0), entry.schema, entry.bytes, held, &text)
}

/// Whose a stored entry is.
pub(super) fn client_of(value: &JsValue) -> Option<ClientId> {
    Fields::of(value)?.text("client").map(ClientId)
}

pub(super) fn to_entry(value: &JsValue) -> Option<StoredEntry<Item>> {
    let fields = Fields::of(value)?;
    let text: JsString = fields.get("text").dyn_into().ok()?;
    Some(StoredEntry {
        client: ClientId(fields.text("client")?),
        n: N(fields.number("n")?),
        schema: u32::try_from(fields.number("schema")?).ok()?,
        bytes: u32::try_from(fields.number("bytes")?).ok()?,
        held: fields.text("held").and_then(|name| HeldReason::parse(&name)),
        action: Item { value: parse_text(&text).ok()?, text: Some(text) },
    })
}

/// The entries of an outbox record.
pub(super) fn to_entries(record: &JsValue) -> Vec<StoredEntry<Item>> {
    let mut entries = Vec::new();
    for row in record.unchecked_ref::<Array>().iter() {
        entries.extend(to_entry(&row));
    }
    entries
}

pub(super) fn from_event(event: &StoredEvent<Item>) -> JsValue {
    event_row(float(event.seq.0), &event.action.value)
}

pub(super) fn to_event(value: &JsValue) -> Option<StoredEvent<Item>> {
    let fields = Fields::of(value)?;
    Some(StoredEvent { seq: Seq(fields.number("seq")?), action: Item::of(fields.get("action")) })
}

pub(super) fn from_cursor(cursor: &Cursor) -> JsValue {
    cursor_row(cursor.log.as_str(), float(cursor.seq.0), cursor.chain.as_str())
}

pub(super) fn to_cursor(value: &JsValue) -> Option<Cursor> {
    let fields = Fields::of(value)?;
    let (log, chain) = (LogId(fields.text("log")?), Chain(fields.text("chain")?));
    Some(Cursor { log, seq: Seq(fields.number("seq")?), chain })
}

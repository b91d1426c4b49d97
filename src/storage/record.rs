//! Entries, events and cursors as the values that are stored.
//!
//! An entry: `{ client, n, order, schema, bytes, text, held? }`, `text` being the action as JSON. An event:
//! `{ seq, action }`, in lists by frame. `web.js` makes them, and leaves out what is none.

use js_sys::{Array, JsString};
use twinstore_engine::{HeldReason, StoredEntry, StoredEvent};
use twinstore_protocol::{Chain, ClientId, Cursor, LogId, N, Seq};
use wasm_bindgen::{JsCast, JsValue};

use crate::codec::Item;
use crate::web::{Fields, cursor_row, entry_key, entry_row, event_row, float, parse_text};

pub(super) fn from_entry(entry: &StoredEntry<Item>, order: f64) -> JsValue {
    let held = entry.held.map_or("", HeldReason::as_str);
    let text = entry.action.text.as_ref().map_or(JsValue::NULL, Into::into);
    let (client, n) = (entry.client.as_str(), float(entry.n.0));
    entry_row(client, n, order, entry.schema, entry.bytes, held, &text)
}

/// The key of an entry's row.
pub(super) fn key_of(client: &ClientId, n: N) -> JsValue {
    entry_key(client.as_str(), float(n.0))
}

/// The rows of the clients that are wanted, as entries; what is none is left out.
pub(super) fn to_entries(
    rows: &Array,
    wanted: &dyn Fn(&ClientId) -> bool,
) -> Vec<StoredEntry<Item>> {
    let mut entries = Vec::new();
    for row in rows.iter() {
        let row: &Fields = row.unchecked_ref();
        let client = ClientId(row.text("client").unwrap_or_default());
        if wanted(&client) {
            entries.extend(to_entry(row, client));
        }
    }
    entries
}

fn to_entry(row: &Fields, client: ClientId) -> Option<StoredEntry<Item>> {
    let text: JsString = row.get("text").unchecked_into();
    let value = parse_text(&text).ok()?;
    let small = |key: &str| u32::try_from(row.number(key).unwrap_or_default()).unwrap_or_default();
    Some(StoredEntry {
        client,
        n: N(row.number("n").unwrap_or_default()),
        schema: small("schema"),
        bytes: small("bytes"),
        held: row.text("held").and_then(|name| HeldReason::parse(&name)),
        action: Item { value, text: Some(text) },
    })
}

pub(super) fn from_event(event: &StoredEvent<Item>) -> JsValue {
    event_row(float(event.seq.0), &event.action.value)
}

pub(super) fn to_event(row: &Fields) -> StoredEvent<Item> {
    let seq = Seq(row.number("seq").unwrap_or_default());
    StoredEvent { seq, action: Item::of(row.get("action")) }
}

pub(super) fn from_cursor(cursor: &Cursor) -> JsValue {
    cursor_row(cursor.log.as_str(), float(cursor.seq.0), cursor.chain.as_str())
}

/// A stored cursor; undefined: there is none.
pub(super) fn to_cursor(value: &JsValue) -> Option<Cursor> {
    let fields = Fields::of(value)?;
    Some(Cursor {
        log: LogId(fields.text("log").unwrap_or_default()),
        seq: Seq(fields.number("seq").unwrap_or_default()),
        chain: Chain(fields.text("chain").unwrap_or_default()),
    })
}

//! What the engine stores, as rows, and back. `rows.js` says how they look.

use js_sys::{Array, Float64Array};
use twinstore_engine::{Engine, Entry, HeldReason, Id, StoredEvent, StoredState, Write};
use twinstore_protocol::{Chain, Cursor, LogId, N, Seq};
use wasm_bindgen::prelude::*;

use crate::host::Options;
use crate::web::{Fields, float, small};

#[wasm_bindgen(module = "/src/rows.js")]
extern "C" {
    /// A change of what is stored.
    #[derive(Clone)]
    pub(crate) type Change;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> Change;
    #[wasm_bindgen(method)]
    #[allow(clippy::too_many_arguments, reason = "the fields of a row")]
    fn put(
        this: &Change,
        client: &str,
        n: f64,
        from: f64,
        order: f64,
        schema: u32,
        bytes: u32,
        held: &str,
        action: &JsValue,
    );
    #[wasm_bindgen(method)]
    pub(super) fn remove(this: &Change, client: &str, n: f64, settled: bool);
    #[wasm_bindgen(method)]
    fn event(this: &Change, seq: f64, action: &JsValue);
    #[wasm_bindgen(method, js_name = standIn)]
    fn stand_in(this: &Change, state: &JsValue, epoch: f64, compacts: bool);
    #[wasm_bindgen(method)]
    #[allow(clippy::too_many_arguments, reason = "the fields of a row")]
    fn stand(
        this: &Change,
        after: f64,
        log: &str,
        seq: f64,
        chain: &str,
        before: &str,
        schema: u32,
    );
    #[wasm_bindgen(method, setter)]
    pub(crate) fn set_again(this: &Change, again: bool);
    /// Takes in another change that comes after.
    #[wasm_bindgen(method)]
    pub(super) fn join(this: &Change, other: &Change);
    /// Takes out what another change takes out, and holds what it holds; where this tab leads, settles what it settles.
    #[wasm_bindgen(method)]
    pub(super) fn repeat(this: &Change, other: &Change, leads: bool);
    #[wasm_bindgen(method, getter)]
    pub(super) fn rows(this: &Change) -> Array;
    #[wasm_bindgen(method, getter)]
    pub(super) fn gone(this: &Change) -> Array;
    #[wasm_bindgen(method, getter)]
    pub(super) fn events(this: &Change) -> Array;
    #[wasm_bindgen(method, getter)]
    pub(super) fn state(this: &Change) -> JsValue;
    /// Other tabs read again what is stored.
    #[wasm_bindgen(method, getter, js_name = isNews)]
    pub(super) fn is_news(this: &Change) -> bool;
    /// It is about the log.
    #[wasm_bindgen(method, getter, js_name = isLog)]
    pub(super) fn is_log(this: &Change) -> bool;
    /// It brings events or a state.
    #[wasm_bindgen(method, getter)]
    pub(super) fn moves(this: &Change) -> bool;

    /// The log's row after a change, its state, and whether it moved.
    #[wasm_bindgen(js_name = logAfter)]
    pub(super) fn log_after(row: &JsValue, change: &Change) -> Fields;

    /// Everything that was stored.
    pub(crate) type Stored;
    #[wasm_bindgen(constructor)]
    pub(super) fn of(rows: &JsValue, events: &JsValue, log: &JsValue, base: &JsValue) -> Stored;
    #[wasm_bindgen(method)]
    pub(super) fn add(this: &Stored, rows: &JsValue);
    #[wasm_bindgen(method, getter, js_name = rows)]
    pub(crate) fn entries(this: &Stored) -> Array;
    #[wasm_bindgen(method, getter, js_name = events)]
    fn frames(this: &Stored) -> Array;
    #[wasm_bindgen(method, getter)]
    fn log(this: &Stored) -> Option<Fields>;
    #[wasm_bindgen(method, getter, js_name = log)]
    pub(super) fn log_row(this: &Stored) -> JsValue;
    #[wasm_bindgen(method, getter, js_name = state)]
    fn base(this: &Stored) -> JsValue;
    /// Brings what is of older schemas up to date, and holds entries of newer ones.
    #[wasm_bindgen(method, js_name = upToDate)]
    pub(crate) fn up_to_date(this: &Stored, options: &Options);
    /// Rows that were read one by one.
    #[wasm_bindgen(method, getter)]
    pub(super) fn unpacked(this: &Stored) -> Array;
    /// The rows that are no entries.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn broken(this: &Stored) -> Array;

    #[wasm_bindgen(js_name = columnsOf)]
    fn columns_of(rows: &Array) -> Fields;

    /// Brings rows of older schemas up to date, and holds those of newer ones.
    #[wasm_bindgen(js_name = upToDate)]
    pub(crate) fn up_to_date(rows: &Array, options: &Options);

    #[wasm_bindgen(js_name = localKeys)]
    pub(super) fn local_keys(prefix: &str) -> Array;
    pub(super) fn unjournal(prefix: &str, ids: &Array);
    #[wasm_bindgen(js_name = removeLocal)]
    pub(super) fn remove_local(keys: &Array);
    /// The journal's keys of these clients, or of all others, and their rows.
    #[wasm_bindgen(js_name = journalOf)]
    pub(super) fn journal_of(prefix: &str, clients: &Array, theirs: bool) -> Array;
    #[wasm_bindgen(js_name = clientsOf)]
    pub(super) fn clients_of(keys: &Array, prefix: &str) -> Array;
    #[wasm_bindgen(js_name = changeLocal, catch)]
    pub(super) fn change_local(journal: &str, prefix: &str, change: &Change)
    -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = storedLocal)]
    pub(super) fn stored_local(journal: &str, prefix: &str) -> Stored;
    #[wasm_bindgen(js_name = beginNewLog)]
    pub(super) fn begin_new_log(done: &JsValue);
    #[wasm_bindgen(js_name = localStorageWorks)]
    pub(super) fn local_storage_works() -> bool;
    #[wasm_bindgen(catch)]
    pub(super) fn transaction(
        db: &web_sys::IdbDatabase,
        stores: &str,
        write: bool,
        strict: bool,
    ) -> Result<web_sys::IdbTransaction, JsValue>;
}

impl Change {
    pub(crate) fn entry(&self, engine: &Engine<JsValue>, entry: &Entry<JsValue>) {
        self.put(
            engine.client_name(entry.id.client),
            float(entry.id.n.0),
            float(entry.from.0),
            float(entry.order),
            entry.schema,
            entry.bytes,
            // What a newer app dispatched is held here, not there.
            entry.held.filter(|_| entry.schema <= engine.schema()).map_or("", HeldReason::as_str),
            &entry.action,
        );
    }

    /// What the engine wants to be stored.
    pub(crate) fn write(engine: &Engine<JsValue>, write: &Write<JsValue>) -> Self {
        let change = Self::new();
        for entry in &write.entries {
            change.entry(engine, entry);
        }
        change.set_again(true);
        for (list, settled) in [(&write.removed, false), (&write.settled, true)] {
            for id in list {
                change.remove(engine.client_name(id.client), float(id.n.0), settled);
            }
        }
        for event in &write.events {
            change.event(float(event.seq.0), &event.action);
        }
        if let Some(state) = &write.state {
            change.stand_in(state, float(engine.epoch()), false);
        }
        if let Some(cursor) = &write.cursor {
            change.cursor(engine, write.behind.as_ref(), cursor);
        }
        change
    }

    /// A state in place of all that was known of the log.
    pub(crate) fn stands(
        &self,
        engine: &Engine<JsValue>,
        state: &JsValue,
        cursor: Option<&Cursor>,
    ) {
        self.stand_in(state, float(engine.epoch()), true);
        if let Some(cursor) = cursor {
            self.cursor(engine, Some(cursor), cursor);
        }
    }

    fn cursor(&self, engine: &Engine<JsValue>, behind: Option<&Cursor>, cursor: &Cursor) {
        let (after, before) = behind.map_or((0, ""), |c| (c.seq.0, c.chain.as_str()));
        let (log, seq) = (cursor.log.as_str(), float(cursor.seq.0));
        let schema = cursor.schema.unwrap_or_else(|| engine.schema());
        self.stand(float(after), log, seq, cursor.chain.as_str(), before, schema);
    }
}

/// Rows as entries, of clients that the engine knows from now on.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "entries hold whole numbers; a cast saturates"
)]
pub(crate) fn to_entries(engine: &mut Engine<JsValue>, rows: &Array) -> Vec<Entry<JsValue>> {
    let columns = columns_of(rows);
    let mut clients = Vec::new();
    for name in columns.list("clients").iter() {
        clients.push(engine.add_client(&name.as_string().unwrap_or_default()));
    }
    let (helds, actions) = (columns.list("helds"), columns.list("actions"));
    let numbers = columns.get("numbers").unchecked_into::<Float64Array>().to_vec();
    let mut entries = Vec::with_capacity(actions.length() as usize);
    for (at, row) in (0..).zip(numbers.chunks_exact(6)) {
        let &[client, n, from, order, schema, bytes] = row else { continue };
        let Some(&client) = clients.get(client as usize) else { continue };
        entries.push(Entry {
            id: Id { client, n: N(n as u64) },
            from: N(from as u64),
            order: order as u64,
            schema: schema as u32,
            bytes: bytes as u32,
            // What a newer app holds this one does not send either.
            held: helds
                .get(at)
                .as_string()
                .map(|name| HeldReason::parse(&name).unwrap_or(HeldReason::Schema)),
            action: actions.get(at),
        });
    }
    entries
}

/// Everything that was stored, as the engine takes it.
pub(crate) fn to_state(engine: &mut Engine<JsValue>, stored: &Stored) -> StoredState<JsValue> {
    let mut state = StoredState {
        base: Some(stored.base()).filter(|base| !base.is_undefined()),
        entries: to_entries(engine, &stored.entries()),
        ..StoredState::default()
    };
    for event in stored.frames().iter() {
        let event: &Fields = event.unchecked_ref();
        state
            .events
            .push(StoredEvent { seq: Seq(event.count("seq")), action: event.get("action") });
    }
    if let Some(log) = stored.log() {
        state.cursor = log.object("cursor").map(|cursor| Cursor {
            log: LogId(cursor.str("log")),
            seq: Seq(cursor.count("seq")),
            chain: Chain(cursor.str("chain")),
            schema: Some(small(&cursor, "schema"))
                .filter(|schema| *schema != 0 && *schema != engine.schema()),
        });
        state.epoch = log.count("epoch");
        state.settled = numbers(engine, log.object("settled"));
        state.passed = numbers(engine, log.object("passed"));
    }
    state
}

/// A number of each client.
fn numbers(engine: &mut Engine<JsValue>, of: Option<Fields>) -> Vec<Id> {
    let mut numbers = Vec::new();
    if let Some(of) = of {
        for client in js_sys::Object::keys(of.unchecked_ref::<js_sys::Object>()).iter() {
            let client = client.as_string().unwrap_or_default();
            let n = N(of.count(&client));
            numbers.push(Id { client: engine.add_client(&client), n });
        }
    }
    numbers
}

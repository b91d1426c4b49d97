//! IndexedDB: one database for each stored outbox, every write one transaction with an explicit `commit()`.
//!
//! Without the explicit commit a transaction does not survive the death of its tab. Stores:
//! - `outbox`: entries by `[client, n]`, each with its place in the order of all tabs;
//! - `events`: lists of accepted events, by the place of their first;
//! - `meta`: `cursor`, `snapshot`, and `settled:<client>`: the last number of a client that has a verdict.
//!
//! Several tabs write to one database. What a tab learns of the log it writes only where it leads further than
//! what is stored already: a cursor on disk never goes back (I2).

use js_sys::{Array, Function};
use twinstore_engine::{StoredEntry, StoredEvent, StoredState, Write};
use twinstore_protocol::{ClientId, Cursor, N};
use wasm_bindgen::prelude::*;
use web_sys::{IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

use super::record::{from_cursor, from_entry, from_event, key_of, to_cursor, to_entries, to_event};
use crate::codec::Item;
use crate::web::{Fields, begin_new_log, float, in_order, once, transaction};

const VERSION: u32 = 1;
const OUTBOX: &str = "outbox";
const EVENTS: &str = "events";
const META: &str = "meta";
const ALL: &str = "outbox events meta";
const CURSOR: &str = "cursor";
const SNAPSHOT: &str = "snapshot";
const SETTLED: &str = "settled:";

/// Called once with what came of it.
pub(super) type Done<T> = Box<dyn FnOnce(Result<T, JsValue>)>;

/// A handle on the open database.
#[derive(Clone)]
pub(super) struct Database {
    db: IdbDatabase,
    /// Whether a commit waits for the disk, so that a power cut loses nothing.
    strict: bool,
}

/// What a transaction does.
pub(super) enum Change {
    /// Puts rows of the outbox.
    Put(Array),
    /// Performs a write of the engine; an entry that it puts takes this order.
    Write(Write<Item>, f64),
}

/// Everything that was stored.
pub(super) struct Stored {
    /// The outbox's rows, in order.
    rows: Array,
    events: Array,
    names: Array,
    values: Array,
}

/// Whether this platform has IndexedDB.
pub(super) fn exists() -> bool {
    factory().is_some()
}

/// Opens a database, and makes its stores where it is new.
pub(super) fn open(name: &str, strict: bool, done: Done<Database>) {
    let factory = factory().ok_or(JsValue::NULL);
    let request = match factory.and_then(|f| f.open_with_u32(&database_name(name), VERSION)) {
        Ok(request) => request,
        Err(error) => return done(Err(error)),
    };
    begin_new_log();
    let upgrading = request.clone();
    let upgrade = once(Box::new(move |_| create_stores(&upgrading)));
    request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
    let opened = move |result: Result<JsValue, JsValue>| {
        done(result.map(|db| Database { db: db.unchecked_into(), strict }));
    };
    when_answered(&request, Box::new(opened));
}

/// Erases a database; calls `done` when it is gone, or was never there.
pub(super) fn delete(name: &str, done: &Function) {
    let done = done.clone();
    let gone = move |_| drop(done.call0(&JsValue::UNDEFINED));
    match factory().map(|f| f.delete_database(&database_name(name))) {
        Some(Ok(request)) => when_answered(&request, Box::new(gone)),
        Some(Err(_)) | None => gone(Ok(JsValue::UNDEFINED)),
    }
}

impl Database {
    /// Calls `lost` when the browser or another tab takes the database away.
    pub(super) fn on_lost(&self, lost: impl Fn() + 'static) {
        let db = self.db.clone();
        let taken = move || {
            db.close();
            lost();
        };
        let taken = Closure::<dyn Fn()>::new(taken).into_js_value();
        self.db.set_onversionchange(Some(taken.unchecked_ref()));
        self.db.set_onclose(Some(taken.unchecked_ref()));
    }

    pub(super) fn close(&self) {
        self.db.set_onversionchange(None);
        self.db.set_onclose(None);
        self.db.close();
    }

    /// Everything that is stored, in one transaction.
    pub(super) fn read(&self, done: Done<Stored>) {
        let begin = || {
            let stores = Stores::of(transaction(&self.db, ALL, false, self.strict)?)?;
            let requests = [
                stores.outbox.get_all()?,
                stores.events.get_all()?,
                stores.meta.get_all_keys()?,
                stores.meta.get_all()?,
            ];
            Ok((stores, requests))
        };
        match begin() {
            Ok((stores, requests)) => {
                let ended = move |result: Result<(), JsValue>| {
                    let [rows, events, names, values] =
                        requests.map(|r| r.result().unwrap_or_default());
                    done(result.map(|()| Stored {
                        rows: in_order(&rows),
                        events: events.unchecked_into(),
                        names: names.unchecked_into(),
                        values: values.unchecked_into(),
                    }));
                };
                when_ended(&stores.transaction, Box::new(ended));
            }
            Err(error) => done(Err(error)),
        }
    }

    /// Performs a change, as one transaction.
    pub(super) fn change(&self, change: &Change, done: Done<()>) {
        let begin = || {
            let stores = Stores::of(transaction(&self.db, ALL, true, self.strict)?)?;
            stores.perform(change)?;
            Ok(stores.transaction)
        };
        match begin() {
            Ok(transaction) => when_ended(&transaction, done),
            Err(error) => done(Err(error)),
        }
    }
}

impl Stored {
    pub(super) fn entries(&self, wanted: &dyn Fn(&ClientId) -> bool) -> Vec<StoredEntry<Item>> {
        to_entries(&self.rows, wanted)
    }

    /// Adds what a journal holds, each entry once.
    pub(super) fn add(&mut self, journaled: &Array) {
        self.rows = in_order(&self.rows.concat(journaled));
    }

    /// The order of the last entry.
    pub(super) fn last_order(&self) -> f64 {
        let last = self.rows.get(self.rows.length().wrapping_sub(1));
        Fields::of(&last).and_then(|row| row.get("order").as_f64()).unwrap_or_default()
    }

    pub(super) fn state(&self) -> StoredState<Item> {
        let mut stored = StoredState { entries: self.entries(&|_| true), ..StoredState::default() };
        for frame in self.events.iter() {
            for event in frame.unchecked_ref::<Array>().iter() {
                stored.events.push(to_event(event.unchecked_ref()));
            }
        }
        for (at, name) in (0..).zip(self.names.iter()) {
            read_meta(&mut stored, &name.as_string().unwrap_or_default(), self.values.get(at));
        }
        stored
    }
}

/// The stores within one transaction.
#[derive(Clone)]
struct Stores {
    transaction: IdbTransaction,
    outbox: IdbObjectStore,
    events: IdbObjectStore,
    meta: IdbObjectStore,
}

impl Stores {
    fn of(transaction: IdbTransaction) -> Result<Self, JsValue> {
        Ok(Self {
            outbox: transaction.object_store(OUTBOX)?,
            events: transaction.object_store(EVENTS)?,
            meta: transaction.object_store(META)?,
            transaction,
        })
    }

    fn perform(&self, change: &Change) -> Result<(), JsValue> {
        match change {
            Change::Put(rows) => {
                for row in rows.iter() {
                    self.put_row(&row)?;
                }
            }
            Change::Write(Write::Confirm { events, cursor, settled }, _) => {
                self.settle(settled)?;
                if let Some(cursor) = cursor {
                    return self.advance(events.clone(), cursor.clone(), None);
                }
            }
            Change::Write(Write::Snapshot { state, cursor, settled }, _) => {
                self.settle(settled)?;
                return match cursor {
                    Some(cursor) => {
                        self.advance(Vec::new(), cursor.clone(), Some(state.value.clone()))
                    }
                    None => self.begin_anew(state).and_then(|()| self.commit()),
                };
            }
            Change::Write(Write::Remove { client, n }, _) => {
                self.outbox.delete(&key_of(client, *n))?;
            }
            // `Storage` gathers the first and puts them as rows.
            Change::Write(Write::Enqueue(entry) | Write::Hold(entry), order) => {
                self.put_row(&from_entry(entry, *order))?;
            }
            Change::Write(Write::Reset, _) => {
                let (from, to) = (JsValue::from_str(SETTLED), JsValue::from_str("settled;"));
                self.meta.delete(&IdbKeyRange::bound(&from, &to)?.into())?;
            }
        }
        self.commit()
    }

    fn put_row(&self, row: &JsValue) -> Result<(), JsValue> {
        let fields: &Fields = row.unchecked_ref();
        let client = ClientId(fields.text("client").unwrap_or_default());
        let key = key_of(&client, N(fields.number("n").unwrap_or_default()));
        self.outbox.put_with_key(row, &key).map(|_| ())
    }

    /// Deletes entries, and notes each client's last settled number.
    fn settle(&self, settled: &[(ClientId, N)]) -> Result<(), JsValue> {
        for (client, n) in settled {
            self.outbox.delete(&key_of(client, *n))?;
            let mut name = SETTLED.to_owned();
            name.push_str(client.as_str());
            // Numbers come in order: the last one put is the highest.
            self.meta.put_with_key(&float(n.0).into(), &JsValue::from_str(&name))?;
        }
        Ok(())
    }

    /// Moves the cursor, with the events before it or with a state in their place, unless another tab was
    /// here before; then commits.
    fn advance(
        &self,
        events: Vec<StoredEvent<Item>>,
        cursor: Cursor,
        state: Option<JsValue>,
    ) -> Result<(), JsValue> {
        let request = self.meta.get(&CURSOR.into())?;
        let (stores, asked) = (self.clone(), request.clone());
        let then = move || {
            let further = match to_cursor(&asked.result()?) {
                // A state may be of another log: the server was reset. Events may not.
                Some(stored) if stored.log == cursor.log => {
                    stored.seq < cursor.seq || (state.is_some() && stored.seq == cursor.seq)
                }
                Some(_) => state.is_some(),
                None => true,
            };
            if further {
                if let Some(state) = &state {
                    stores.begin_anew(&Item::of(state.clone()))?;
                }
                if let Some(first) = events.first() {
                    let frame = Array::new();
                    for event in &events {
                        frame.push(&from_event(event));
                    }
                    stores.events.put_with_key(&frame, &float(first.seq.0).into())?;
                }
                stores.meta.put_with_key(&from_cursor(&cursor), &CURSOR.into())?;
            }
            stores.commit()
        };
        let transaction = self.transaction.clone();
        let answered = once(Box::new(move |_| {
            if then().is_err() {
                let _ = transaction.abort();
            }
        }));
        request.set_onsuccess(Some(answered.unchecked_ref()));
        Ok(())
    }

    /// A state takes the place of what was known of the log.
    fn begin_anew(&self, state: &Item) -> Result<(), JsValue> {
        self.events.clear()?;
        self.meta.put_with_key(&state.value, &SNAPSHOT.into())?;
        self.meta.delete(&CURSOR.into()).map(|_| ())
    }

    /// Ends the transaction now: without it, it would not survive the death of the tab.
    fn commit(&self) -> Result<(), JsValue> {
        self.transaction.unchecked_ref::<RawTransaction>().commit()
    }
}

fn read_meta(stored: &mut StoredState<Item>, name: &str, value: JsValue) {
    match name {
        CURSOR => stored.cursor = to_cursor(&value),
        SNAPSHOT => stored.base = Some(Item::of(value)),
        _ => {
            if let (Some(client), Some(n)) = (name.strip_prefix(SETTLED), value.as_f64()) {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "whole, below 2^53"
                )]
                stored.settled.push((ClientId(client.to_owned()), N(n as u64)));
            }
        }
    }
}

fn create_stores(request: &IdbRequest) {
    if let Ok(db) = request.result() {
        let db: IdbDatabase = db.unchecked_into();
        // A store that cannot be made fails the opening, which is answered there.
        for name in ALL.split(' ') {
            let _ = db.create_object_store(name);
        }
    }
}

fn database_name(name: &str) -> String {
    let mut full = "twinstore:".to_owned();
    full.push_str(name);
    full
}

fn factory() -> Option<IdbFactory> {
    Fields::of(&js_sys::global())?.object("indexedDB").map(JsCast::unchecked_into)
}

/// Calls `done` when the transaction is complete, or was aborted. One of the two always comes.
fn when_ended(transaction: &IdbTransaction, done: Done<()>) {
    let ending = transaction.clone();
    let ended = once(Box::new(move |event| {
        let event: web_sys::Event = event.unchecked_into();
        done(if event.type_() == "complete" {
            Ok(())
        } else {
            Err(ending.error().map_or(JsValue::NULL, Into::into))
        });
    }));
    transaction.set_oncomplete(Some(ended.unchecked_ref()));
    transaction.set_onabort(Some(ended.unchecked_ref()));
}

/// Calls `done` with the request's result. A blocked request waits until the others have closed.
fn when_answered(request: &IdbRequest, done: Done<JsValue>) {
    let answered = request.clone();
    // Where it failed, to ask for the result throws; the error itself has the reason.
    let settled = once(Box::new(move |_| match answered.error() {
        Ok(Some(error)) => done(Err(error.into())),
        Ok(None) | Err(_) => done(answered.result()),
    }));
    request.set_onsuccess(Some(settled.unchecked_ref()));
    request.set_onerror(Some(settled.unchecked_ref()));
}

#[wasm_bindgen]
extern "C" {
    /// web-sys calls `commit` deprecated, which no browser does.
    type RawTransaction;
    #[wasm_bindgen(method, catch)]
    fn commit(this: &RawTransaction) -> Result<(), JsValue>;
}

//! IndexedDB: one database for each stored outbox, every write one transaction with an explicit `commit()`.
//!
//! Without the explicit commit a transaction does not survive the death of its tab. Stores:
//! - `outbox`: lists of entries under growing keys, so that the order is that of the commits of all tabs;
//! - `events`: lists of accepted events, by the place of their first;
//! - `meta`: `cursor`, `snapshot`, and `settled:<client>`: the last number of a client that has a verdict.
//!
//! Several tabs write to one database. What a tab learns of the log it writes only where it leads further than
//! what is stored already: a cursor on disk never goes back (I2).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::{Array, Function};
use twinstore_engine::{HeldReason, StoredEntry, StoredEvent, StoredState, Write};
use twinstore_protocol::{ClientId, Cursor, N};
use wasm_bindgen::prelude::*;
use web_sys::{
    IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbObjectStoreParameters, IdbRequest,
    IdbTransaction,
};

use super::record::{
    client_of, from_cursor, from_entry, from_event, to_cursor, to_entries, to_event,
};
use super::{TakeEntries, Wanted};
use crate::codec::Item;
use crate::web::{Fields, float, transaction};

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
    /// Which record holds which entries, in the order of the outbox.
    records: Rc<RefCell<VecDeque<Record>>>,
}

/// One record of the outbox.
struct Record {
    key: JsValue,
    /// Its entries that are still wanted.
    left: Vec<(ClientId, N)>,
}

/// Whether this platform has IndexedDB.
pub(super) fn exists() -> bool {
    factory().is_some()
}

/// Opens a database, and makes its stores where it is new.
pub(super) fn open(name: &str, strict: bool, done: Done<Database>) {
    let opening =
        factory().ok_or(JsValue::NULL).and_then(|f| f.open_with_u32(&database_name(name), VERSION));
    let request = match opening {
        Ok(request) => request,
        Err(error) => return done(Err(error)),
    };
    let upgrading = request.clone();
    let upgrade = Closure::once_into_js(move || create_stores(&upgrading));
    request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
    let opened = move |result: Result<JsValue, JsValue>| {
        done(result.map(|db| Database { db: db.unchecked_into(), strict, records: Rc::default() }));
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
    pub(super) fn read(&self, done: Done<StoredState<Item>>) {
        let this = self.clone();
        self.get_all(ALL, Box::new(move |lists| done(lists.map(|lists| this.assemble(&lists)))));
    }

    /// The entries of the clients that are `wanted`.
    pub(super) fn read_entries(&self, wanted: Wanted, take: TakeEntries) {
        let this = self.clone();
        let read = move |lists: Result<Vec<[Array; 2]>, JsValue>| {
            let lists = lists.unwrap_or_default();
            take(
                lists.first().map(|outbox| this.take_records(outbox, &wanted)).unwrap_or_default(),
            );
        };
        self.get_all(OUTBOX, Box::new(read));
    }

    /// Puts entries at the outbox's end, as one record.
    pub(super) fn enqueue(&self, entries: &[StoredEntry<Item>], done: Done<()>) {
        let record = list_of(entries, from_entry);
        let put = || {
            let transaction = self.begin(OUTBOX, true)?;
            let request = transaction.object_store(OUTBOX)?.put(&record)?;
            commit(&transaction)?;
            Ok((transaction, request))
        };
        let (transaction, request): (IdbTransaction, IdbRequest) = match put() {
            Ok(begun) => begun,
            Err(error) => return done(Err(error)),
        };
        let left = entries.iter().map(|e| (e.client.clone(), e.n)).collect();
        let this = self.clone();
        let completed = move |result: Result<(), JsValue>| {
            if result.is_ok() {
                this.remember(request.result().unwrap_or_default(), left);
            }
            done(result);
        };
        when_ended(&transaction, Box::new(completed));
    }

    /// Performs any other write of the engine.
    pub(super) fn write(&self, write: Write<Item>, done: Done<()>) {
        let begun = self.begin(ALL, true).and_then(|transaction| {
            self.write_in(&Stores::of(&transaction)?, write)?;
            Ok(transaction)
        });
        match begun {
            Ok(transaction) => when_ended(&transaction, done),
            Err(error) => done(Err(error)),
        }
    }

    /// Whether the record of this entry is known: it is once its transaction is complete.
    pub(super) fn knows(&self, client: &ClientId, n: N) -> bool {
        self.records.borrow().iter().rev().any(|r| r.holds(client, n))
    }

    /// Calls `done` when every write that was begun is complete.
    pub(super) fn after_writes(&self, done: Done<()>) {
        match self.begin(OUTBOX, true) {
            Ok(transaction) => when_ended(&transaction, done),
            Err(error) => done(Err(error)),
        }
    }

    fn write_in(&self, stores: &Stores, write: Write<Item>) -> Result<(), JsValue> {
        match write {
            Write::Confirm { events, cursor, settled } => {
                self.settle(stores, &settled)?;
                match cursor {
                    Some(cursor) => stores.advance(events, cursor),
                    None => commit(&stores.transaction),
                }
            }
            Write::Snapshot { state, cursor, settled } => {
                self.settle(stores, &settled)?;
                stores.replace(state, cursor)
            }
            Write::Remove { client, n } => self.rewrite(stores, client, n, None),
            Write::Hold { client, n, reason } => self.rewrite(stores, client, n, Some(reason)),
            Write::Reset => {
                let end = JsValue::from_str("settled;");
                stores.meta.delete(&IdbKeyRange::bound(&SETTLED.into(), &end)?.into())?;
                Ok(())
            }
            // `Storage` gathers these and calls `enqueue`.
            Write::Enqueue(_) => Ok(()),
        }
    }

    /// Deletes records that have no entry left, and notes each client's last settled number.
    fn settle(&self, stores: &Stores, settled: &[(ClientId, N)]) -> Result<(), JsValue> {
        for (at, (client, n)) in settled.iter().enumerate() {
            if let Some(key) = self.strike(client, *n) {
                stores.outbox.delete(&key)?;
            }
            // Numbers come in order: a client's last one here is its highest.
            if !settled.iter().skip(at + 1).any(|(later, _)| later == client) {
                let mut key = SETTLED.to_owned();
                key.push_str(client.as_str());
                stores
                    .meta
                    .put_with_key(&JsValue::from_f64(float(n.0)), &JsValue::from_str(&key))?;
            }
        }
        Ok(())
    }

    /// Strikes an entry. Gives the record's key when it was the last one there.
    fn strike(&self, client: &ClientId, n: N) -> Option<JsValue> {
        let mut records = self.records.borrow_mut();
        let at = records.iter().position(|r| r.holds(client, n))?;
        let record = records.get_mut(at)?;
        record.left.retain(|(c, m)| *m != n || c != client);
        if record.left.is_empty() { records.remove(at).map(|r| r.key) } else { None }
    }

    /// Takes an entry out of its record, or marks it as held there.
    fn rewrite(
        &self,
        stores: &Stores,
        client: ClientId,
        n: N,
        held: Option<HeldReason>,
    ) -> Result<(), JsValue> {
        let key = {
            let records = self.records.borrow();
            records.iter().find(|r| r.holds(&client, n)).map(|r| r.key.clone())
        };
        let Some(key) = key else { return Ok(()) };
        if held.is_none() && self.strike(&client, n).is_some() {
            return stores.outbox.delete(&key).map(|_| ());
        }
        let outbox = stores.outbox.clone();
        let request = outbox.get(&key)?;
        let read = move |record: JsValue| {
            let mut entries = to_entries(&record);
            match held {
                Some(_) => entries
                    .iter_mut()
                    .filter(|e| e.n == n && e.client == client)
                    .for_each(|e| e.held = held),
                None => entries.retain(|e| e.n != n || e.client != client),
            }
            outbox.put_with_key(&list_of(&entries, from_entry), &key).map(|_| ())
        };
        within(&request, Box::new(read));
        Ok(())
    }

    /// Adds a record, unless it is known: then what is struck from it stays struck.
    fn remember(&self, key: JsValue, left: Vec<(ClientId, N)>) {
        let mut records = self.records.borrow_mut();
        // The newest have the highest keys, so the search from the end is short.
        if !records.iter().rev().any(|known| known.key == key) {
            records.push_back(Record { key, left });
        }
    }

    /// Keys and values of each store, in one transaction.
    fn get_all(&self, stores: &'static str, done: Done<Vec<[Array; 2]>>) {
        let begun = self.begin(stores, false).and_then(|transaction| {
            let mut requests = Vec::new();
            for name in stores.split(' ') {
                let store = transaction.object_store(name)?;
                requests.push([store.get_all_keys()?, store.get_all()?]);
            }
            Ok((transaction, requests))
        });
        match begun {
            Ok((transaction, requests)) => {
                let ended = move |result: Result<(), JsValue>| {
                    let list = |request: &IdbRequest| {
                        request.result().unwrap_or_default().unchecked_into()
                    };
                    let lists = |pair: &[IdbRequest; 2]| [list(&pair[0]), list(&pair[1])];
                    done(result.map(|()| requests.iter().map(lists).collect()));
                };
                when_ended(&transaction, Box::new(ended));
            }
            Err(error) => done(Err(error)),
        }
    }

    /// What the three lists of [`ALL`] say.
    fn assemble(&self, lists: &[[Array; 2]]) -> StoredState<Item> {
        let mut stored = StoredState::default();
        let [outbox, events, meta] = lists else { return stored };
        stored.entries = self.take_records(outbox, &|_| true);
        for frame in events[1].iter() {
            for event in frame.unchecked_ref::<Array>().iter() {
                stored.events.extend(to_event(&event));
            }
        }
        for (at, name) in (0..).zip(meta[0].iter()) {
            read_meta(&mut stored, &name.as_string().unwrap_or_default(), &meta[1].get(at));
        }
        stored
    }

    fn take_records(
        &self,
        outbox: &[Array; 2],
        wanted: &dyn Fn(&ClientId) -> bool,
    ) -> Vec<StoredEntry<Item>> {
        let mut all = Vec::new();
        for (at, key) in (0..).zip(outbox[0].iter()) {
            let record = outbox[1].get(at);
            // The entries of a record are of one client.
            let first = record.unchecked_ref::<Array>().get(0);
            if client_of(&first).is_some_and(|client| wanted(&client)) {
                let mut entries = to_entries(&record);
                self.remember(key, entries.iter().map(|e| (e.client.clone(), e.n)).collect());
                all.append(&mut entries);
            }
        }
        all
    }

    fn begin(&self, stores: &str, write: bool) -> Result<IdbTransaction, JsValue> {
        transaction(&self.db, stores, write, self.strict)
    }
}

impl Record {
    fn holds(&self, client: &ClientId, n: N) -> bool {
        self.left.iter().any(|(c, m)| *m == n && c == client)
    }
}

/// The stores within one transaction.
struct Stores {
    transaction: IdbTransaction,
    outbox: IdbObjectStore,
    events: IdbObjectStore,
    meta: IdbObjectStore,
}

impl Stores {
    fn of(transaction: &IdbTransaction) -> Result<Self, JsValue> {
        Ok(Self {
            transaction: transaction.clone(),
            outbox: transaction.object_store(OUTBOX)?,
            events: transaction.object_store(EVENTS)?,
            meta: transaction.object_store(META)?,
        })
    }

    /// Appends events and moves the cursor, unless another tab was here before; then commits.
    fn advance(&self, events: Vec<StoredEvent<Item>>, cursor: Cursor) -> Result<(), JsValue> {
        let (meta, store, transaction) =
            (self.meta.clone(), self.events.clone(), self.transaction.clone());
        let read = move |stored: JsValue| {
            if to_cursor(&stored).is_none_or(|c| c.log == cursor.log && c.seq < cursor.seq) {
                if let Some(first) = events.first() {
                    store
                        .put_with_key(&list_of(&events, from_event), &float(first.seq.0).into())?;
                }
                meta.put_with_key(&from_cursor(&cursor), &CURSOR.into())?;
            }
            commit(&transaction)
        };
        within(&self.meta.get(&CURSOR.into())?, Box::new(read));
        Ok(())
    }

    /// Replaces what is known of the log, unless another tab knows more of it; then commits.
    fn replace(&self, state: Item, cursor: Option<Cursor>) -> Result<(), JsValue> {
        let (meta, events, transaction) =
            (self.meta.clone(), self.events.clone(), self.transaction.clone());
        let read = move |stored: JsValue| {
            let ahead = match (to_cursor(&stored), &cursor) {
                (Some(stored), Some(cursor)) => stored.log == cursor.log && stored.seq > cursor.seq,
                (None, _) | (_, None) => false,
            };
            if !ahead {
                events.clear()?;
                meta.put_with_key(&state.value, &SNAPSHOT.into())?;
                match &cursor {
                    Some(cursor) => meta.put_with_key(&from_cursor(cursor), &CURSOR.into())?,
                    None => meta.delete(&CURSOR.into())?,
                };
            }
            commit(&transaction)
        };
        within(&self.meta.get(&CURSOR.into())?, Box::new(read));
        Ok(())
    }
}

fn read_meta(stored: &mut StoredState<Item>, name: &str, value: &JsValue) {
    match name {
        CURSOR => stored.cursor = to_cursor(value),
        SNAPSHOT => stored.base = Some(Item::of(value.clone())),
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
    let Ok(db) = request.result().map(JsCast::unchecked_into::<IdbDatabase>) else { return };
    let growing = IdbObjectStoreParameters::new();
    growing.set_auto_increment(true);
    // A store that cannot be made fails the opening, which is answered there.
    let _ = db.create_object_store_with_optional_parameters(OUTBOX, &growing);
    let _ = db.create_object_store(EVENTS);
    let _ = db.create_object_store(META);
}

fn database_name(name: &str) -> String {
    let mut full = "twinstore:".to_owned();
    full.push_str(name);
    full
}

fn factory() -> Option<IdbFactory> {
    Fields::of(&js_sys::global())?.object("indexedDB").map(JsCast::unchecked_into)
}

fn list_of<T>(items: &[T], each: impl Fn(&T) -> JsValue) -> Array {
    let list = Array::new();
    for item in items {
        list.push(&each(item));
    }
    list
}

/// Ends the transaction now: without it, it would not survive the death of the tab.
fn commit(transaction: &IdbTransaction) -> Result<(), JsValue> {
    transaction.unchecked_ref::<RawTransaction>().commit()
}

/// Calls `then` with the request's result, inside its transaction; an error aborts the transaction.
fn within(request: &IdbRequest, then: Box<dyn FnOnce(JsValue) -> Result<(), JsValue>>) {
    let answered = request.clone();
    let done = Closure::once_into_js(move || {
        let ended = answered.result().and_then(then);
        if let (Err(_), Some(transaction)) = (ended, answered.transaction()) {
            let _ = transaction.abort();
        }
    });
    request.set_onsuccess(Some(done.unchecked_ref()));
}

/// Calls `done` when the transaction is complete, or was aborted. One of the two always comes.
fn when_ended(transaction: &IdbTransaction, done: Done<()>) {
    let ending = transaction.clone();
    let ended = Closure::once_into_js(move |event: web_sys::Event| {
        done(if event.type_() == "complete" {
            Ok(())
        } else {
            Err(ending.error().map_or(JsValue::NULL, Into::into))
        });
    });
    transaction.set_oncomplete(Some(ended.unchecked_ref()));
    transaction.set_onabort(Some(ended.unchecked_ref()));
}

/// Calls `done` with the request's result. A blocked request waits until the others have closed.
fn when_answered(request: &IdbRequest, done: Done<JsValue>) {
    let answered = request.clone();
    // Where it failed, to ask for the result throws; the error itself has the reason.
    let settled = Closure::once_into_js(move || match answered.error() {
        Ok(Some(error)) => done(Err(error.into())),
        Ok(None) | Err(_) => done(answered.result()),
    });
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

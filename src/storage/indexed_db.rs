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

use js_sys::{Array, Promise};
use twinstore_engine::{HeldReason, StoredEntry, StoredEvent, StoredState, Write};
use twinstore_protocol::{ClientId, Cursor, N};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbObjectStoreParameters, IdbRequest,
    IdbTransaction, IdbTransactionMode,
};

use super::record::{
    client_of, from_cursor, from_entry, from_event, to_cursor, to_entry, to_event,
};
use crate::codec::Item;
use crate::web::{Fields, number};

const VERSION: u32 = 1;
const OUTBOX: &str = "outbox";
const EVENTS: &str = "events";
const META: &str = "meta";
const CURSOR: &str = "cursor";
const SNAPSHOT: &str = "snapshot";
const SETTLED: &str = "settled:";

/// Called once with how the transaction ended.
pub(super) type Done = Box<dyn FnOnce(Result<(), JsValue>)>;

/// Whether a commit waits for the disk.
#[derive(Clone, Copy)]
pub(super) enum Durability {
    /// For the operating system: a power cut may lose it.
    Relaxed,
    /// For the disk.
    Strict,
}

/// A handle on the open database.
#[derive(Clone)]
pub(super) struct Database {
    db: IdbDatabase,
    durability: Durability,
    /// Which record holds which entries, in the order of the outbox.
    records: Rc<RefCell<VecDeque<Record>>>,
}

/// One record of the outbox.
struct Record {
    /// Known when its transaction is complete.
    key: JsValue,
    /// Its entries that are still wanted.
    left: Vec<(ClientId, N)>,
}

/// Whether this platform has IndexedDB.
pub(super) fn exists() -> bool {
    factory().is_some()
}

/// Erases a database.
pub(super) async fn delete(name: &str) -> Result<(), JsValue> {
    let factory = factory().ok_or(JsValue::NULL)?;
    let request = factory.delete_database(&database_name(name))?;
    JsFuture::from(promise_of(&request)).await.map(|_| ())
}

impl Database {
    pub(super) async fn open(name: &str, durability: Durability) -> Result<Self, JsValue> {
        let factory = factory().ok_or(JsValue::NULL)?;
        let request = factory.open_with_u32(&database_name(name), VERSION)?;
        let upgrade = {
            let request = request.clone();
            Closure::once_into_js(move || create_stores(&request))
        };
        request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
        let db = JsFuture::from(promise_of(&request)).await?.unchecked_into();
        Ok(Self { db, durability, records: Rc::default() })
    }

    /// Calls `lost` when the browser or another tab takes the database away.
    pub(super) fn on_lost(&self, lost: Box<dyn Fn()>) {
        let db = self.db.clone();
        let lost = Closure::<dyn Fn()>::new(move || {
            db.close();
            lost();
        })
        .into_js_value();
        self.db.set_onversionchange(Some(lost.unchecked_ref()));
        self.db.set_onclose(Some(lost.unchecked_ref()));
    }

    pub(super) fn close(&self) {
        self.db.set_onversionchange(None);
        self.db.set_onclose(None);
        self.db.close();
    }

    /// Everything that is stored, in one transaction.
    pub(super) async fn read(&self) -> Result<StoredState<Item>, JsValue> {
        let transaction = self.begin(IdbTransactionMode::Readonly)?;
        let outbox = transaction.object_store(OUTBOX)?;
        let meta = transaction.object_store(META)?;
        let (keys, rows) = (outbox.get_all_keys()?, outbox.get_all()?);
        let events = transaction.object_store(EVENTS)?.get_all()?;
        let (names, values) = (meta.get_all_keys()?, meta.get_all()?);
        JsFuture::from(end_of(&transaction)).await?;

        let mut stored = StoredState::default();
        for (name, value) in list(&names)?.iter().zip(list(&values)?.iter()) {
            read_meta(&mut stored, &name.as_string().unwrap_or_default(), &value);
        }
        let lists = list(&events)?;
        stored.events = lists
            .iter()
            .flat_map(|l| Array::from(&l).to_vec())
            .filter_map(|e| to_event(&e))
            .collect();
        stored.entries = self.take_records(&list(&keys)?, &list(&rows)?, &|_| true);
        Ok(stored)
    }

    /// The entries of the clients that are `wanted`.
    pub(super) async fn read_entries(
        &self,
        wanted: &dyn Fn(&ClientId) -> bool,
    ) -> Result<Vec<StoredEntry<Item>>, JsValue> {
        let transaction = self.begin_in(&[OUTBOX], IdbTransactionMode::Readonly)?;
        let outbox = transaction.object_store(OUTBOX)?;
        let (keys, rows) = (outbox.get_all_keys()?, outbox.get_all()?);
        JsFuture::from(end_of(&transaction)).await?;
        Ok(self.take_records(&list(&keys)?, &list(&rows)?, wanted))
    }

    fn take_records(
        &self,
        keys: &Array,
        rows: &Array,
        wanted: &dyn Fn(&ClientId) -> bool,
    ) -> Vec<StoredEntry<Item>> {
        let mut all = Vec::new();
        for (key, row) in keys.iter().zip(rows.iter()) {
            // The entries of a record are of one client.
            let row = Array::from(&row);
            if !client_of(&row.get(0)).is_some_and(|client| wanted(&client)) {
                continue;
            }
            let entries: Vec<_> = row.iter().filter_map(|e| to_entry(&e)).collect();
            let left = entries.iter().map(|e| (e.client.clone(), e.n)).collect();
            remember(&mut self.records.borrow_mut(), Record { key, left });
            all.extend(entries);
        }
        all
    }

    /// Puts entries at the outbox's end, as one record.
    pub(super) fn enqueue(&self, entries: Vec<StoredEntry<Item>>, done: Done) {
        let record: Array = entries.iter().map(from_entry).collect();
        let put = || {
            let transaction = self.begin_in(&[OUTBOX], IdbTransactionMode::Readwrite)?;
            let request = transaction.object_store(OUTBOX)?.put(&record)?;
            commit(&transaction)?;
            Ok((transaction, request))
        };
        let (transaction, request): (IdbTransaction, IdbRequest) = match put() {
            Ok(begun) => begun,
            Err(error) => return done(Err(error)),
        };
        let left = entries.into_iter().map(|e| (e.client, e.n)).collect();
        let records = self.records.clone();
        let completed = move |result: Result<(), JsValue>| {
            if result.is_ok() {
                let key = request.result().unwrap_or_default();
                remember(&mut records.borrow_mut(), Record { key, left });
            }
            done(result);
        };
        when_ended(&transaction, Box::new(completed));
    }

    /// Performs any other write of the engine.
    pub(super) fn write(&self, write: &Write<Item>, done: Done) {
        let begun = self.begin(IdbTransactionMode::Readwrite).and_then(|transaction| {
            let stores = Stores::of(&transaction)?;
            match write {
                Write::Confirm { events, cursor, settled } => {
                    self.settle(&stores, settled)?;
                    let events = events.clone();
                    match cursor.clone() {
                        Some(cursor) => stores.advance(&transaction, events, cursor)?,
                        None => commit(&transaction)?,
                    }
                }
                Write::Snapshot { state, cursor, settled } => {
                    self.settle(&stores, settled)?;
                    stores.replace(&transaction, state.clone(), cursor.clone())?;
                }
                Write::Remove { client, n } => self.rewrite(&stores, client, *n, None)?,
                Write::Hold { client, n, reason } => {
                    self.rewrite(&stores, client, *n, Some(*reason))?
                }
                Write::Reset => {
                    let end = [SETTLED, "\u{ffff}"].concat();
                    let all = IdbKeyRange::bound(&SETTLED.into(), &JsValue::from_str(&end))?;
                    stores.meta.delete(&all)?;
                }
                // `Storage` gathers these and calls `enqueue`.
                Write::Enqueue(_) => {}
            }
            Ok(transaction)
        });
        match begun {
            Ok(transaction) => when_ended(&transaction, done),
            Err(error) => done(Err(error)),
        }
    }

    /// Deletes records that have no entry left, and notes each client's last settled number.
    fn settle(&self, stores: &Stores, settled: &[(ClientId, N)]) -> Result<(), JsValue> {
        let mut last: Vec<(&ClientId, N)> = Vec::new();
        for (client, n) in settled {
            if let Some(key) = self.forget(client, *n) {
                stores.outbox.delete(&key)?;
            }
            match last.iter_mut().find(|(c, _)| *c == client) {
                Some((_, newest)) => *newest = (*newest).max(*n),
                None => last.push((client, *n)),
            }
        }
        for (client, n) in last {
            let key = JsValue::from_str(&[SETTLED, client.as_str()].concat());
            stores.meta.put_with_key(&number(n.0), &key)?;
        }
        Ok(())
    }

    /// Strikes an entry. Gives the record's key when it was the last one there.
    fn forget(&self, client: &ClientId, n: N) -> Option<JsValue> {
        let mut records = self.records.borrow_mut();
        let (at, record) = records.iter_mut().enumerate().find(|(_, r)| r.holds(client, n))?;
        record.left.retain(|(c, m)| c != client || *m != n);
        let empty = record.left.is_empty();
        if empty { records.remove(at).map(|r| r.key) } else { None }
    }

    /// Takes an entry out of its record, or marks it as held there.
    fn rewrite(
        &self,
        stores: &Stores,
        client: &ClientId,
        n: N,
        held: Option<HeldReason>,
    ) -> Result<(), JsValue> {
        let key = {
            let records = self.records.borrow();
            records.iter().find(|r| r.holds(client, n)).map(|r| r.key.clone())
        };
        let Some(key) = key else { return Ok(()) };
        if held.is_none() && self.forget(client, n).is_some() {
            return stores.outbox.delete(&key).map(|_| ());
        }
        let (outbox, client) = (stores.outbox.clone(), client.clone());
        let request = outbox.get(&key)?;
        on_success(&request, move |record| {
            let rewritten: Array = Array::from(&record)
                .iter()
                .filter_map(|e| to_entry(&e))
                .filter_map(|mut entry| {
                    if entry.client == client && entry.n == n {
                        entry.held = Some(held?);
                    }
                    Some(from_entry(&entry))
                })
                .collect();
            outbox.put_with_key(&rewritten, &key).map(|_| ())
        });
        Ok(())
    }

    fn begin(&self, mode: IdbTransactionMode) -> Result<IdbTransaction, JsValue> {
        self.begin_in(&[OUTBOX, EVENTS, META], mode)
    }

    fn begin_in(
        &self,
        stores: &[&str],
        mode: IdbTransactionMode,
    ) -> Result<IdbTransaction, JsValue> {
        let names: Array = stores.iter().map(|name| JsValue::from_str(name)).collect();
        let durability = match self.durability {
            Durability::Relaxed => "relaxed",
            Durability::Strict => "strict",
        };
        let options = Fields::new().with("durability", &JsValue::from_str(durability));
        transaction(&self.db, &names, mode, &options)
    }
}

/// Adds a record, unless it is known: then what is struck from it stays struck.
fn remember(records: &mut VecDeque<Record>, record: Record) {
    // The newest have the highest keys, so the search from the end is short.
    if !records.iter().rev().any(|known| known.key == record.key) {
        records.push_back(record);
    }
}

impl Record {
    fn holds(&self, client: &ClientId, n: N) -> bool {
        self.left.iter().any(|(c, m)| *m == n && c == client)
    }
}

/// The stores within one transaction.
struct Stores {
    outbox: IdbObjectStore,
    events: IdbObjectStore,
    meta: IdbObjectStore,
}

impl Stores {
    fn of(transaction: &IdbTransaction) -> Result<Self, JsValue> {
        Ok(Self {
            outbox: transaction.object_store(OUTBOX)?,
            events: transaction.object_store(EVENTS)?,
            meta: transaction.object_store(META)?,
        })
    }

    /// Appends events and moves the cursor, unless another tab was here before; then commits.
    fn advance(
        &self,
        transaction: &IdbTransaction,
        events: Vec<StoredEvent<Item>>,
        cursor: Cursor,
    ) -> Result<(), JsValue> {
        let (meta, store, transaction) =
            (self.meta.clone(), self.events.clone(), transaction.clone());
        self.after_stored_cursor(move |stored| {
            if stored.is_none_or(|c| c.log == cursor.log && c.seq < cursor.seq) {
                if let Some(first) = events.first() {
                    let record: Array = events.iter().map(from_event).collect();
                    store.put_with_key(&record, &number(first.seq.0))?;
                }
                meta.put_with_key(&from_cursor(&cursor), &CURSOR.into())?;
            }
            commit(&transaction)
        })
    }

    /// Replaces what is known of the log, unless another tab knows more of it; then commits.
    fn replace(
        &self,
        transaction: &IdbTransaction,
        state: Item,
        cursor: Option<Cursor>,
    ) -> Result<(), JsValue> {
        let (meta, events, transaction) =
            (self.meta.clone(), self.events.clone(), transaction.clone());
        self.after_stored_cursor(move |stored| {
            let ahead = match (&stored, &cursor) {
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
        })
    }

    fn after_stored_cursor(
        &self,
        then: impl FnOnce(Option<Cursor>) -> Result<(), JsValue> + 'static,
    ) -> Result<(), JsValue> {
        on_success(&self.meta.get(&CURSOR.into())?, move |value| then(to_cursor(&value)));
        Ok(())
    }
}

fn read_meta(stored: &mut StoredState<Item>, name: &str, value: &JsValue) {
    match name {
        CURSOR => stored.cursor = to_cursor(value),
        SNAPSHOT => stored.base = Some(Item::of(value.clone())),
        _ => {
            let settled = name.strip_prefix(SETTLED).zip(value.as_f64());
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a whole number below 2^53"
            )]
            stored
                .settled
                .extend(settled.map(|(client, n)| (ClientId(client.to_owned()), N(n as u64))));
        }
    }
}

fn create_stores(request: &web_sys::IdbOpenDbRequest) {
    let Ok(db) = request.result().map(JsCast::unchecked_into::<IdbDatabase>) else { return };
    let growing = IdbObjectStoreParameters::new();
    growing.set_auto_increment(true);
    // A store that cannot be made fails the opening, which is answered there.
    let _ = db.create_object_store_with_optional_parameters(OUTBOX, &growing);
    let _ = db.create_object_store(EVENTS);
    let _ = db.create_object_store(META);
}

fn database_name(name: &str) -> String {
    ["twinstore:", name].concat()
}

fn factory() -> Option<IdbFactory> {
    let global = Fields::of(&js_sys::global())?;
    global.get("indexedDB").dyn_into().ok()
}

fn list(request: &IdbRequest) -> Result<Array, JsValue> {
    request.result().map(JsCast::unchecked_into)
}

/// Calls `then` with the request's result, inside its transaction; an error aborts the transaction.
fn on_success(request: &IdbRequest, then: impl FnOnce(JsValue) -> Result<(), JsValue> + 'static) {
    let done = {
        let request = request.clone();
        Closure::once_into_js(move || {
            let ended = request.result().and_then(then);
            if let (Err(_), Some(transaction)) = (ended, request.transaction()) {
                let _ = transaction.abort();
            }
        })
    };
    request.set_onsuccess(Some(done.unchecked_ref()));
}

/// Calls `done` when the transaction is complete, or was aborted. One of the two always comes.
fn when_ended(transaction: &IdbTransaction, done: Done) {
    let ended = {
        let transaction = transaction.clone();
        Closure::once_into_js(move |event: web_sys::Event| {
            done(if event.type_() == "complete" {
                Ok(())
            } else {
                Err(transaction.error().map_or(JsValue::NULL, Into::into))
            });
        })
    };
    transaction.set_oncomplete(Some(ended.unchecked_ref()));
    transaction.set_onabort(Some(ended.unchecked_ref()));
}

fn end_of(transaction: &IdbTransaction) -> Promise {
    Promise::new(&mut |resolve, reject| {
        let done = move |result: Result<(), JsValue>| {
            let _ = match result {
                Ok(()) => resolve.call0(&JsValue::UNDEFINED),
                Err(error) => reject.call1(&JsValue::UNDEFINED, &error),
            };
        };
        when_ended(transaction, Box::new(done));
    })
}

/// The request's result. A blocked request waits until the others have closed.
fn promise_of(request: &IdbRequest) -> Promise {
    Promise::new(&mut |resolve, reject| {
        let settled = {
            let request = request.clone();
            Closure::once_into_js(move || {
                let _ = match request.result() {
                    Ok(value) if request.error().ok().flatten().is_none() => {
                        resolve.call1(&JsValue::UNDEFINED, &value)
                    }
                    _ => {
                        let error = request.error().ok().flatten();
                        reject.call1(&JsValue::UNDEFINED, &error.map_or(JsValue::NULL, Into::into))
                    }
                };
            })
        };
        request.set_onsuccess(Some(settled.unchecked_ref()));
        request.set_onerror(Some(settled.unchecked_ref()));
    })
}

#[wasm_bindgen]
extern "C" {
    /// `db.transaction(names, mode, options)`: web-sys gates the third argument behind an unstable flag.
    type RawDatabase;
    /// web-sys calls `commit` deprecated, which no browser does.
    type RawTransaction;
    #[wasm_bindgen(method, catch)]
    fn commit(this: &RawTransaction) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = transaction, catch)]
    fn transaction_with(
        this: &RawDatabase,
        names: &Array,
        mode: IdbTransactionMode,
        options: &JsValue,
    ) -> Result<IdbTransaction, JsValue>;
}

/// Ends the transaction now: without it, it would not survive the death of the tab.
fn commit(transaction: &IdbTransaction) -> Result<(), JsValue> {
    transaction.unchecked_ref::<RawTransaction>().commit()
}

fn transaction(
    db: &IdbDatabase,
    names: &Array,
    mode: IdbTransactionMode,
    options: &JsValue,
) -> Result<IdbTransaction, JsValue> {
    db.unchecked_ref::<RawDatabase>().transaction_with(names, mode, options)
}

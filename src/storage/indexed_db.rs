//! IndexedDB: one database for each stored outbox, every write one transaction with an explicit `commit()`.
//!
//! Without the explicit commit a transaction does not survive the death of its tab. Stores:
//! - `outbox`: entries by `[client, n]`
//! - `events`: lists of accepted events, by the place of their first
//! - `meta`: `log` (cursor, settled numbers) and `state`, where the events begin; the terms of `terms.js` and the
//!   packs of `packs.js`
//!
//! Every tab puts and removes entries. The log is written by the tab that leads, as long as its term lasts.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;
use web_sys::{IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

use super::rows::{Change, Stored, begin_new_log, log_after, transaction};
use crate::web::{Fields, once};

const VERSION: u32 = 1;
const STORES: &str = "outbox events meta";

/// Called once with what came of it.
pub(super) type Done<T> = Box<dyn FnOnce(Result<T, JsValue>)>;

/// A handle on the open database.
#[derive(Clone)]
pub(super) struct Database {
    db: IdbDatabase,
    /// Whether a commit waits for the disk, so that a power cut loses nothing.
    strict: bool,
    log: Rc<Log>,
}

/// What a tab knows of the stored log.
pub(super) struct Log {
    /// Tabs cannot agree on one that leads: each of them writes the log, and reads first what others wrote.
    shared: bool,
    /// The last term in which this tab led; 0: it never did.
    term: Cell<f64>,
    /// Its row as this tab read or wrote it last: while it leads, nobody else writes it.
    row: RefCell<JsValue>,
    /// How often this tab wrote it: what was read before may be older.
    writes: Cell<u32>,
}

impl Log {
    pub(super) fn new(shared: bool) -> Rc<Self> {
        Rc::new(Self {
            shared,
            term: Cell::default(),
            row: RefCell::default(),
            writes: Cell::default(),
        })
    }
}

/// Whether this platform has IndexedDB.
pub(super) fn exists() -> bool {
    factory().is_some()
}

/// Opens a database, and makes its stores where it is new.
pub(super) fn open(name: &str, strict: bool, log: Rc<Log>, done: Done<Database>) {
    let name = database_name(name);
    let opened = move |result: Result<JsValue, JsValue>| {
        done(result.map(|db| Database { db: db.unchecked_into(), strict, log }));
    };
    // First: nothing is to be written behind a torn record.
    begin_new_log(&once(Box::new(move |_| open_stores(&name, Box::new(opened)))));
}

fn open_stores(name: &str, done: Done<JsValue>) {
    let factory = factory().ok_or(JsValue::NULL);
    let request = match factory.and_then(|f| f.open_with_u32(name, VERSION)) {
        Ok(request) => request,
        Err(error) => return done(Err(error)),
    };
    let upgrading = request.clone();
    let upgrade = once(Box::new(move |_| create_stores(&upgrading)));
    request.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
    when_answered(&request, done);
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

    /// Whether transactions can be begun.
    pub(super) fn is_open(&self) -> bool {
        Stores::open(self, false).is_ok()
    }

    pub(super) fn close(&self) {
        self.db.set_onversionchange(None);
        self.db.set_onclose(None);
        self.db.close();
    }

    /// Everything that is stored.
    pub(super) fn read(&self, done: Done<Stored>) {
        let log = self.log.clone();
        let writes = log.writes.get();
        let read = move |read: JsValue| {
            let read = read.dyn_into::<Stored>();
            if let Some(stored) = read.as_ref().ok().filter(|_| log.writes.get() == writes) {
                log.row.replace(stored.log_row());
            }
            done(read);
        };
        read_stored(&self.db, &once(Box::new(read)));
    }

    /// A client's rows, from a number on.
    pub(super) fn rows_of(&self, client: &str, from: f64, done: Done<JsValue>) {
        let client = JsValue::from_str(client);
        // A list comes after every number.
        let to = Array::of2(&client, &Array::new());
        let from = Array::of2(&client, &from.into());
        let range = IdbKeyRange::bound(&from, &to);
        self.ask(|stores| stores.outbox.get_all_with_key(&range?.into()), done);
    }

    /// The keys of all entries.
    pub(super) fn keys(&self, done: Done<JsValue>) {
        self.ask(|stores| stores.outbox.get_all_keys(), done);
    }

    fn ask(&self, ask: impl FnOnce(&Stores) -> Result<IdbRequest, JsValue>, done: Done<JsValue>) {
        let ask = |stores: Rc<Stores>| {
            let request = ask(&stores)?;
            // Or it would last until this tab hears the answer: a frozen one would keep all others from writing.
            stores.commit()?;
            Ok((request, stores))
        };
        match Stores::open(self, false).and_then(ask) {
            Ok((request, stores)) => {
                let ended = move |result: Result<(), JsValue>| {
                    done(result.and_then(|()| request.result()));
                };
                when_ended(&stores.transaction, Box::new(ended));
            }
            Err(error) => done(Err(error)),
        }
    }

    /// Packs what was read entry by entry.
    pub(super) fn pack_later(&self, stored: &Stored) {
        pack_later(&self.db, &stored.unpacked());
    }

    /// Packs what a client dispatched before this number.
    pub(super) fn pack_behind(&self, client: &str, n: f64) {
        pack_behind(&self.db, client, n);
    }

    /// Performs a change, as one transaction.
    pub(super) fn change(&self, change: Change, done: Done<()>) {
        let begun = Stores::open(self, true)
            .and_then(|stores| stores.perform(change, &self.log).map(|()| stores));
        match begun {
            Ok(stores) => when_ended(&stores.transaction, done),
            Err(error) => done(Err(error)),
        }
    }

    /// Begins a term after all others: from then on no other tab writes the log.
    pub(super) fn claim(&self, done: Done<()>) {
        if self.log.shared {
            return done(Ok(()));
        }
        let log = self.log.clone();
        let begun = move |term: JsValue| done(term.as_f64().map(|t| log.term.set(t)).ok_or(term));
        begin_term(&self.db, &once(Box::new(begun)));
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
    fn open(database: &Database, write: bool) -> Result<Rc<Self>, JsValue> {
        let transaction = transaction(&database.db, STORES, write, database.strict)?;
        Ok(Rc::new(Self {
            outbox: transaction.object_store("outbox")?,
            events: transaction.object_store("events")?,
            meta: transaction.object_store("meta")?,
            transaction,
        }))
    }

    fn perform(self: &Rc<Self>, change: Change, log: &Rc<Log>) -> Result<(), JsValue> {
        for row in change.rows().iter() {
            let fields: &Fields = row.unchecked_ref();
            let key = Array::of2(&fields.get("client"), &fields.get("n"));
            self.outbox.put_with_key(&row, &key)?;
        }
        for key in change.gone().iter() {
            self.outbox.delete(&key)?;
        }
        for packs in packs_of(&change).iter() {
            self.meta.delete(&packs)?;
        }
        if !change.is_log() {
            return self.commit();
        }
        if log.shared {
            return self.write_shared_log(change, log.clone());
        }
        fence(&self.meta, log.term.get())?;
        self.write_log(&change, log)
    }

    fn write_shared_log(self: &Rc<Self>, change: Change, log: Rc<Log>) -> Result<(), JsValue> {
        let request = self.meta.get(&"log".into())?;
        let (stores, asked) = (self.clone(), request.clone());
        let answered = once(Box::new(move |_| {
            let write = || {
                log.row.replace(asked.result()?);
                stores.write_log(&change, &log)
            };
            if write().is_err() {
                let _ = stores.transaction.abort();
            }
        }));
        request.set_onsuccess(Some(answered.unchecked_ref()));
        Ok(())
    }

    fn write_log(&self, change: &Change, log: &Log) -> Result<(), JsValue> {
        let after = log_after(&log.row.borrow(), change);
        if after.get("moved").is_truthy() {
            if !change.state().is_undefined() {
                self.events.clear()?;
                self.meta.put_with_key(&after.get("state"), &"state".into())?;
            }
            let events = change.events();
            if let Some(first) = Fields::of(&events.get(0)) {
                self.events.put_with_key(&events, &first.get("seq"))?;
            }
        }
        let row = after.get("row");
        self.meta.put_with_key(&row, &"log".into())?;
        log.row.replace(row);
        log.writes.set(log.writes.get().wrapping_add(1));
        self.commit()
    }

    /// Ends the transaction now: without it, it would not survive the death of the tab.
    fn commit(&self) -> Result<(), JsValue> {
        self.transaction.unchecked_ref::<RawTransaction>().commit()
    }
}

fn create_stores(request: &IdbRequest) {
    if let Ok(db) = request.result() {
        let db: IdbDatabase = db.unchecked_into();
        // A store that cannot be made fails the opening, which is answered there.
        for name in ["outbox", "events", "meta"] {
            let _ = db.create_object_store(name);
        }
    }
}

fn database_name(name: &str) -> String {
    ["twinstore:", name].concat()
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

#[wasm_bindgen(module = "/src/packs.js")]
extern "C" {
    #[wasm_bindgen(js_name = packsOf)]
    fn packs_of(change: &Change) -> Array;
    #[wasm_bindgen(js_name = readStored)]
    fn read_stored(db: &IdbDatabase, done: &JsValue);
    #[wasm_bindgen(js_name = packLater)]
    fn pack_later(db: &IdbDatabase, rows: &Array);
    #[wasm_bindgen(js_name = packBehind)]
    fn pack_behind(db: &IdbDatabase, client: &str, n: f64);
}

#[wasm_bindgen(module = "/src/terms.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn fence(meta: &IdbObjectStore, term: f64) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = beginTerm)]
    fn begin_term(db: &IdbDatabase, done: &JsValue);
    /// Whether a transaction failed because another tab leads.
    #[wasm_bindgen(js_name = isTaken)]
    pub(super) fn is_taken(error: &JsValue) -> bool;
}

#[wasm_bindgen]
extern "C" {
    /// web-sys calls `commit` deprecated, which no browser does.
    type RawTransaction;
    #[wasm_bindgen(method, catch)]
    fn commit(this: &RawTransaction) -> Result<(), JsValue>;
}

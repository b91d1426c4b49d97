//! Where the outbox lies: IndexedDB, with a journal in localStorage for what is still on its way there; memory
//! where there is neither.
//!
//! Keeps the promise of `dispatch`: when it has returned, the tab's death loses nothing (in bursts at most
//! `limits.burst` actions). Each write of the engine is one transaction.

mod indexed_db;
mod journal;
mod record;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Function};
use twinstore_engine::{StoredEntry, StoredState, Write};
use twinstore_protocol::{ClientId, N};
use wasm_bindgen::prelude::*;

use crate::codec::Item;
use crate::host::Options;
use crate::web::{Fields, once, queue_microtask};
use indexed_db::{Change, Database, Stored};
use journal::Journal;
use record::from_entry;

/// Says whose entries are wanted.
pub(crate) type Wanted = Box<dyn Fn(&ClientId) -> bool>;

/// Takes entries that were read.
pub(crate) type TakeEntries = Box<dyn FnOnce(Vec<StoredEntry<Item>>)>;

/// What storage tells its driver.
pub(crate) trait Listener {
    /// This is what the last run left.
    fn restored(&self, stored: StoredState<Item>);
    /// Own actions up to this number are stored.
    fn persisted(&self, n: N);
    /// From now on the outbox is in memory only.
    fn degraded(&self, reason: &str);
}

enum Home {
    /// IndexedDB is being opened and read. Until then entries have the journal alone.
    Opening,
    IndexedDb(Database),
    Memory,
}

/// The storage of one twin.
pub(crate) struct Storage {
    client: ClientId,
    /// Actions of one task that get a transaction each.
    burst: usize,
    journal: Journal,
    home: RefCell<Home>,
    listener: Rc<dyn Listener>,
    /// The order of the last entry. Never below what was stored before, whatever the clock does.
    order: Cell<f64>,
    /// Entries dispatched since the task began.
    in_task: Cell<usize>,
    /// Entries that wait for a common transaction: of a burst, or until IndexedDB is open.
    gathered: RefCell<Vec<StoredEntry<Item>>>,
    /// The journal's keys of what was dispatched while IndexedDB was opening.
    journaled: RefCell<Vec<String>>,
}

impl Storage {
    /// Opens the storage of that key; `listener` hears what was there.
    pub(crate) fn open(
        options: &Options,
        client: ClientId,
        listener: Rc<dyn Listener>,
    ) -> Rc<Self> {
        let usable = !options.memory() && indexed_db::exists();
        let storage = Rc::new(Self {
            client,
            burst: options.burst() as usize,
            journal: Journal::new(&options.key(), usable),
            home: RefCell::new(Home::Opening),
            listener,
            order: Cell::new(js_sys::Date::now()),
            in_task: Cell::default(),
            gathered: RefCell::default(),
            journaled: RefCell::default(),
        });
        let (this, strict) = (storage.clone(), options.strict());
        later(Box::new(move |_| {
            if usable {
                this.open_database(strict);
            } else {
                this.fall_to_memory(None);
                this.listener.restored(StoredState::default());
            }
        }));
        storage
    }

    /// Where entries are kept now, as the app sees it.
    pub(crate) fn kind(&self) -> &'static str {
        match &*self.home.borrow() {
            Home::Opening => "opening",
            Home::IndexedDb(_) => "indexedDB",
            Home::Memory => "memory",
        }
    }

    pub(crate) fn is_memory(&self) -> bool {
        matches!(&*self.home.borrow(), Home::Memory)
    }

    /// Performs a write of the engine.
    pub(crate) fn write(self: &Rc<Self>, write: Write<Item>) {
        if let Write::Enqueue(entry) = write {
            return self.enqueue(entry);
        }
        if let Write::Remove { client, n } = &write {
            self.journal.remove_entry(client, *n);
            self.gathered.borrow_mut().retain(|e| e.n != *n || e.client != *client);
        }
        // What was dispatched before is on disk before: one order.
        self.flush();
        if let Some(database) = self.database() {
            let this = self.clone();
            let order = self.next_order();
            database.change(
                &Change::Write(write, order),
                Box::new(move |result| this.written(result, None, &[])),
            );
        }
    }

    /// Reads the stored entries of the clients that are wanted, journals included.
    pub(crate) fn entries_of(self: &Rc<Self>, wanted: Wanted, take: TakeEntries) {
        let Some(database) = self.database() else { return take(Vec::new()) };
        let this = self.clone();
        let read = move |result: Result<Stored, JsValue>| {
            let mut entries = result.map(|stored| stored.entries(&wanted)).unwrap_or_default();
            entries.append(&mut this.journal.entries(&wanted));
            take(entries);
        };
        database.read(Box::new(read));
    }

    /// Brings the journals of clients that are gone into the outbox.
    pub(crate) fn take_over_journals(self: &Rc<Self>, clients: &[ClientId]) {
        let (rows, keys) = self.journal.read(&|client| clients.contains(client));
        self.put(rows, None, keys);
    }

    /// Ends all access. The data stays.
    pub(crate) fn close(&self) {
        if let Home::IndexedDb(database) = self.home.replace(Home::Memory) {
            database.close();
        }
    }

    /// Erases what is stored.
    pub(crate) fn erase(&self, done: &Function) {
        self.close();
        self.journal.clear();
        indexed_db::delete(self.journal.name(), done);
    }

    fn open_database(self: &Rc<Self>, strict: bool) {
        let this = self.clone();
        let opened = move |result: Result<Database, JsValue>| match result {
            Ok(database) => {
                let reading = database.clone();
                reading.read(Box::new(move |result| this.take_database(database, result)));
            }
            Err(error) => this.do_without(&error),
        };
        indexed_db::open(self.journal.name(), strict, Box::new(opened));
    }

    fn take_database(self: &Rc<Self>, database: Database, read: Result<Stored, JsValue>) {
        if !matches!(&*self.home.borrow(), Home::Opening) {
            return database.close(); // the twin was closed meanwhile
        }
        let mut stored = match read {
            Ok(stored) => stored,
            Err(error) => return self.do_without(&error),
        };
        // What others left on its way to the database is shown at once; who sends it is seen later.
        stored.add(&self.journal.read(&|client| *client != self.client).0);
        let this = self.clone();
        database.on_lost(move || this.fall_to_memory(Some("the database was taken away")));
        self.home.replace(Home::IndexedDb(database));
        self.order.set(self.order.get().max(stored.last_order()));
        // Begun before anything that `restored` may dispatch, and so written before it.
        self.flush();
        self.listener.restored(stored.state());
    }

    fn do_without(&self, error: &JsValue) {
        self.fall_to_memory(Some(&reason_of(error)));
        self.listener.restored(StoredState::default());
    }

    fn enqueue(self: &Rc<Self>, entry: StoredEntry<Item>) {
        if self.is_memory() {
            return self.listener.persisted(entry.n);
        }
        let count = self.in_task.get() + 1;
        if self.in_task.replace(count) == 0 {
            // At the task's end, as far as a page can see it: the burst is over.
            let this = self.clone();
            later(Box::new(move |_| {
                this.in_task.set(0);
                this.flush();
            }));
        }
        self.gathered.borrow_mut().push(entry);
        if self.database().is_none() {
            self.journal_last();
        } else if count <= self.burst || self.gathered.borrow().len() >= self.burst {
            self.flush();
        }
    }

    /// While IndexedDB opens, each entry is journaled by itself.
    fn journal_last(&self) {
        if let Some(entry) = self.gathered.borrow().last() {
            let rows = Array::of1(&from_entry(entry, self.next_order()));
            let key = self.journal.add(&entry.client, entry.n, &rows);
            self.journaled.borrow_mut().push(key);
        }
    }

    /// Journals and writes what was gathered.
    fn flush(self: &Rc<Self>) {
        if self.database().is_none() {
            return;
        }
        let entries = self.gathered.take();
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let rows = Array::new();
        for entry in &entries {
            rows.push(&from_entry(entry, self.next_order()));
        }
        let mut keys = self.journaled.take();
        keys.push(self.journal.add(&self.client, first.n, &rows));
        self.put(rows, Some(last.n), keys);
    }

    /// One transaction for all, so that none can overtake another; then the journal is no longer needed.
    fn put(self: &Rc<Self>, rows: Array, own: Option<N>, keys: Vec<String>) {
        let Some(database) = self.database() else { return };
        if rows.length() > 0 {
            let this = self.clone();
            database.change(
                &Change::Put(rows),
                Box::new(move |result| this.written(result, own, &keys)),
            );
        }
    }

    fn written(&self, result: Result<(), JsValue>, own: Option<N>, journaled: &[String]) {
        match result {
            Ok(()) => self.journal.remove(journaled),
            Err(error) => self.fall_to_memory(Some(&reason_of(&error))),
        }
        // In memory it is as stored as it can be: it may be sent, and `durable` says what it is not.
        if let Some(n) = own {
            self.listener.persisted(n);
        }
    }

    fn fall_to_memory(&self, reason: Option<&str>) {
        if matches!(self.home.replace(Home::Memory), Home::Memory) {
            return;
        }
        if let Some(last) = self.gathered.take().last() {
            self.listener.persisted(last.n);
        }
        if let Some(reason) = reason {
            self.listener.degraded(reason);
        }
    }

    fn next_order(&self) -> f64 {
        let order = js_sys::Date::now().max(self.order.get() + 1.0);
        self.order.set(order);
        order
    }

    fn database(&self) -> Option<Database> {
        match &*self.home.borrow() {
            Home::IndexedDb(database) => Some(database.clone()),
            Home::Opening | Home::Memory => None,
        }
    }
}

/// Runs `work` when the present code is done.
fn later(work: Box<dyn FnOnce(JsValue)>) {
    queue_microtask(&once(work));
}

fn reason_of(error: &JsValue) -> String {
    Fields::of(error).and_then(|e| e.text("name")).unwrap_or_default()
}

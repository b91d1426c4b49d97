//! Where the outbox lies: IndexedDB; while that opens, a journal in localStorage; memory where there is neither.
//!
//! Keeps the promise of `dispatch`: when it has returned, the tab's death loses nothing (in bursts at most
//! `limits.burst` actions). Each write of the engine is one transaction.

mod indexed_db;
mod journal;
mod record;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use twinstore_engine::{StoredEntry, StoredState, Write};
use twinstore_protocol::{ClientId, N};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::codec::Item;
use indexed_db::{Database, Durability};
pub(crate) use journal::Journal;

/// What storage tells its driver.
pub(crate) trait Listener {
    /// This is what the last run left.
    fn restored(&self, stored: StoredState<Item>);
    /// Own actions up to this number are stored.
    fn persisted(&self, n: N);
    /// From now on the outbox is in memory only.
    fn degraded(&self, reason: &str);
}

/// What the app asked for.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) memory: bool,
    pub(crate) strict: bool,
    /// Actions of one task that get a transaction each.
    pub(crate) burst: usize,
}

enum Home {
    /// IndexedDB is being opened and read. Until then entries go to the journal, if there is one.
    Opening(Option<Journal>),
    IndexedDb(Database),
    Memory,
}

/// The storage of one twin.
pub(crate) struct Storage {
    client: ClientId,
    settings: Settings,
    journal: Journal,
    home: RefCell<Home>,
    listener: Rc<dyn Listener>,
    /// Entries dispatched since the task began.
    in_task: Cell<usize>,
    /// Entries of a burst that wait for their common transaction.
    gathered: RefCell<Vec<StoredEntry<Item>>>,
    /// Entries that came while IndexedDB was opening.
    early: RefCell<Vec<StoredEntry<Item>>>,
}

impl Storage {
    /// Opens the storage named `name`; `listener` hears what was there.
    pub(crate) fn open(
        name: &str,
        client: ClientId,
        settings: Settings,
        listener: Rc<dyn Listener>,
    ) -> Rc<Self> {
        let journal = Journal::new(name);
        let usable = !settings.memory && indexed_db::exists();
        let during_opening = Home::Opening((usable && Journal::works()).then(|| journal.clone()));
        let storage = Rc::new(Self {
            client,
            settings,
            journal,
            home: RefCell::new(during_opening),
            listener,
            in_task: Cell::new(0),
            gathered: RefCell::default(),
            early: RefCell::default(),
        });
        let (name, this) = (name.to_owned(), storage.clone());
        spawn_local(async move {
            if usable {
                this.read_database(&name).await;
            } else {
                this.fall_to_memory(None);
                this.listener.restored(StoredState::default());
            }
        });
        storage
    }

    /// Where entries are kept now, as the app sees it.
    pub(crate) fn kind(&self) -> &'static str {
        match &*self.home.borrow() {
            Home::Opening(_) => "opening",
            Home::IndexedDb(_) => "indexedDB",
            Home::Memory => "memory",
        }
    }

    pub(crate) fn is_memory(&self) -> bool {
        matches!(&*self.home.borrow(), Home::Memory)
    }

    /// Performs a write of the engine.
    pub(crate) fn write(self: &Rc<Self>, write: Write<Item>) {
        match write {
            Write::Enqueue(entry) => self.enqueue(entry),
            other => {
                // What was dispatched before is on disk before: one order.
                self.flush();
                let Some(database) = self.database() else { return };
                let this = self.clone();
                database.write(&other, Box::new(move |result| this.written(result, None)));
            }
        }
    }

    /// Reads what is stored of the clients that are `wanted`, journals included.
    pub(crate) async fn entries_of(
        &self,
        wanted: &dyn Fn(&ClientId) -> bool,
    ) -> Vec<StoredEntry<Item>> {
        let Some(database) = self.database() else { return Vec::new() };
        let mut entries = database.read_entries(wanted).await.unwrap_or_default();
        entries.extend(self.journal.read().into_iter().filter(|e| wanted(&e.client)));
        entries
    }

    /// Brings the journals of clients that are gone into the outbox.
    pub(crate) fn take_over_journals(self: &Rc<Self>, clients: &[ClientId]) {
        let left: Vec<_> =
            self.journal.read().into_iter().filter(|e| clients.contains(&e.client)).collect();
        self.move_from_journal(left);
    }

    /// Ends all access. The data stays.
    pub(crate) fn close(&self) {
        if let Home::IndexedDb(database) = self.home.replace(Home::Memory) {
            database.close();
        }
    }

    /// Erases what is stored. Resolves when it is gone.
    pub(crate) async fn erase(&self) -> Result<(), JsValue> {
        let name = self.journal.name().to_owned();
        self.close();
        self.journal.clear();
        if indexed_db::exists() { indexed_db::delete(&name).await } else { Ok(()) }
    }

    async fn read_database(self: &Rc<Self>, name: &str) {
        let durability =
            if self.settings.strict { Durability::Strict } else { Durability::Relaxed };
        let opened = match Database::open(name, durability).await {
            Ok(database) => database.read().await.map(|stored| (database, stored)),
            Err(error) => Err(error),
        };
        match opened {
            Ok((database, stored)) => {
                if !matches!(&*self.home.borrow(), Home::Opening(_)) {
                    return database.close(); // the twin was closed meanwhile
                }
                let this = self.clone();
                database.on_lost(Box::new(move || {
                    this.fall_to_memory(Some("the database was deleted or upgraded elsewhere"))
                }));
                self.home.replace(Home::IndexedDb(database));
                // Begun before anything that `restored` may dispatch, and so written before it.
                self.move_from_journal(self.early.take());
                self.listener.restored(stored);
            }
            Err(error) => {
                self.fall_to_memory(Some(&reason_of(&error)));
                self.listener.restored(StoredState::default());
            }
        }
    }

    fn enqueue(self: &Rc<Self>, entry: StoredEntry<Item>) {
        if let Home::Opening(journal) = &*self.home.borrow() {
            if let Some(journal) = journal {
                journal.add(&entry);
            }
            self.early.borrow_mut().push(entry);
            return;
        }
        if self.is_memory() {
            return self.listener.persisted(entry.n);
        }
        self.begin_task();
        let count = self.in_task.get() + 1;
        self.in_task.set(count);
        self.gathered.borrow_mut().push(entry);
        let burst = self.settings.burst.max(1);
        if count <= burst || self.gathered.borrow().len() >= burst {
            self.flush();
        }
    }

    /// At the task's end, as far as a page can see it: the burst is over, and what was gathered is written.
    fn begin_task(self: &Rc<Self>) {
        if self.in_task.get() == 0 {
            let this = self.clone();
            spawn_local(async move {
                this.in_task.set(0);
                this.flush();
            });
        }
    }

    fn flush(self: &Rc<Self>) {
        let entries = self.gathered.take();
        let Some(last) = entries.last().map(|e| e.n) else { return };
        let Some(database) = self.database() else { return self.listener.persisted(last) };
        let this = self.clone();
        database.enqueue(entries, Box::new(move |result| this.written(result, Some(last))));
    }

    /// One transaction for all, so that none can overtake another; then the journal is no longer needed.
    fn move_from_journal(self: &Rc<Self>, entries: Vec<StoredEntry<Item>>) {
        let (Some(database), false) = (self.database(), entries.is_empty()) else { return };
        let own = entries.iter().filter(|e| e.client == self.client).map(|e| e.n).max();
        let names: Vec<_> = entries.iter().map(|e| (e.client.clone(), e.n)).collect();
        let this = self.clone();
        let done = move |result: Result<(), JsValue>| {
            if result.is_ok() {
                this.journal.remove(&names);
            }
            this.written(result, own);
        };
        database.enqueue(entries, Box::new(done));
    }

    fn written(&self, result: Result<(), JsValue>, own: Option<N>) {
        if let Err(error) = result {
            self.fall_to_memory(Some(&reason_of(&error)));
        }
        // In memory it is as stored as it can be: it may be sent, and `durable` says what it is not.
        if let Some(n) = own {
            self.listener.persisted(n);
        }
    }

    fn fall_to_memory(&self, reason: Option<&str>) {
        let before = self.home.replace(Home::Memory);
        if matches!(before, Home::Memory) {
            return;
        }
        if let Some(n) = self.early.take().last().map(|e| e.n) {
            self.listener.persisted(n);
        }
        if let Some(reason) = reason {
            self.listener.degraded(reason);
        }
    }

    fn database(&self) -> Option<Database> {
        match &*self.home.borrow() {
            Home::IndexedDb(database) => Some(database.clone()),
            Home::Opening(_) | Home::Memory => None,
        }
    }
}

fn reason_of(error: &JsValue) -> String {
    crate::web::Fields::of(error)
        .and_then(|e| e.text("name"))
        .unwrap_or_else(|| "unknown".to_owned())
}

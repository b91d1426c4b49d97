//! Where the outbox lies: IndexedDB; while that opens, a journal in localStorage; memory where there is neither.
//!
//! Keeps the promise of `dispatch`: when it has returned, the tab's death loses nothing (in bursts at most
//! `limits.burst` actions). Each write of the engine is one transaction.

mod indexed_db;
mod journal;
mod record;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Function;
use twinstore_engine::{StoredEntry, StoredState, Write};
use twinstore_protocol::{ClientId, N};
use wasm_bindgen::prelude::*;

use crate::codec::Item;
use crate::host::Options;
use crate::web::{Fields, queue_microtask};
use indexed_db::Database;
use journal::Journal;

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
    /// IndexedDB is being opened and read. Until then entries go to the journal, where there can be one.
    Opening {
        journaled: bool,
    },
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
    /// Entries dispatched since the task began.
    in_task: Cell<usize>,
    /// Entries that wait for a common transaction: of a burst, or until IndexedDB is open.
    gathered: RefCell<Vec<StoredEntry<Item>>>,
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
            journal: Journal::new(&options.key()),
            home: RefCell::new(Home::Opening { journaled: usable && Journal::works() }),
            listener,
            in_task: Cell::new(0),
            gathered: RefCell::default(),
        });
        let this = storage.clone();
        let strict = options.strict();
        later(move || {
            if usable {
                this.open_database(strict);
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
            Home::Opening { .. } => "opening",
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
        // What was dispatched before is on disk before: one order.
        self.flush();
        let Some(database) = self.database() else { return };
        let this = self.clone();
        if let Write::Remove { client, n } | Write::Hold { client, n, .. } = &write
            && !database.knows(client, *n)
        {
            // Its own record is still being written.
            let again = database.clone();
            let written =
                move |_| again.write(write, Box::new(move |result| this.written(result, None)));
            return database.after_writes(Box::new(written));
        }
        database.write(write, Box::new(move |result| this.written(result, None)));
    }

    /// Reads the stored entries of the clients that are wanted, journals included.
    pub(crate) fn entries_of(&self, wanted: Wanted, take: TakeEntries) {
        let Some(database) = self.database() else { return };
        let mut journaled = self.journal.read(&wanted);
        database.read_entries(
            wanted,
            Box::new(move |mut entries| {
                entries.append(&mut journaled);
                take(entries);
            }),
        );
    }

    /// Brings the journals of clients that are gone into the outbox.
    pub(crate) fn take_over_journals(self: &Rc<Self>, clients: &[ClientId]) {
        self.move_from_journal(self.journal.read(&|client| clients.contains(client)));
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

    fn take_database(
        self: &Rc<Self>,
        database: Database,
        read: Result<StoredState<Item>, JsValue>,
    ) {
        if !matches!(&*self.home.borrow(), Home::Opening { .. }) {
            return database.close(); // the twin was closed meanwhile
        }
        let stored = match read {
            Ok(stored) => stored,
            Err(error) => return self.do_without(&error),
        };
        let this = self.clone();
        database.on_lost(move || this.fall_to_memory(Some("the database was taken away")));
        self.home.replace(Home::IndexedDb(database));
        // Begun before anything that `restored` may dispatch, and so written before it.
        self.move_from_journal(self.gathered.take());
        self.listener.restored(stored);
    }

    fn do_without(&self, error: &JsValue) {
        self.fall_to_memory(Some(&reason_of(error)));
        self.listener.restored(StoredState::default());
    }

    fn enqueue(self: &Rc<Self>, entry: StoredEntry<Item>) {
        match &*self.home.borrow() {
            Home::Opening { journaled } => {
                if *journaled {
                    self.journal.add(&entry);
                }
                return self.gathered.borrow_mut().push(entry);
            }
            Home::IndexedDb(_) => {}
            Home::Memory => return self.listener.persisted(entry.n),
        }
        let count = self.in_task.get() + 1;
        if self.in_task.replace(count) == 0 {
            // At the task's end, as far as a page can see it: the burst is over.
            let this = self.clone();
            later(move || {
                this.in_task.set(0);
                this.flush();
            });
        }
        self.gathered.borrow_mut().push(entry);
        if count <= self.burst || self.gathered.borrow().len() >= self.burst {
            self.flush();
        }
    }

    fn flush(self: &Rc<Self>) {
        if let Some(database) = self.database() {
            let entries = self.gathered.take();
            let last = entries.last().map(|e| e.n);
            let this = self.clone();
            if last.is_some() {
                database.enqueue(&entries, Box::new(move |result| this.written(result, last)));
            }
        }
    }

    /// One transaction for all, so that none can overtake another; then the journal is no longer needed.
    fn move_from_journal(self: &Rc<Self>, entries: Vec<StoredEntry<Item>>) {
        let Some(database) = self.database() else { return };
        if entries.is_empty() {
            return;
        }
        let own = entries.iter().rfind(|e| e.client == self.client).map(|e| e.n);
        let names: Vec<_> = entries.iter().map(|e| (e.client.clone(), e.n)).collect();
        let this = self.clone();
        let done = move |result: Result<(), JsValue>| {
            if result.is_ok() {
                this.journal.remove(&names);
            }
            this.written(result, own);
        };
        database.enqueue(&entries, Box::new(done));
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

    fn database(&self) -> Option<Database> {
        match &*self.home.borrow() {
            Home::IndexedDb(database) => Some(database.clone()),
            Home::Opening { .. } | Home::Memory => None,
        }
    }
}

/// Runs `work` when the present code is done.
fn later(work: impl FnOnce() + 'static) {
    queue_microtask(&Closure::once_into_js(work));
}

fn reason_of(error: &JsValue) -> String {
    Fields::of(error).and_then(|e| e.text("name")).unwrap_or_default()
}

//! Where the outbox lies: IndexedDB, with a journal in localStorage for what is still on its way there; else
//! localStorage; memory where there is neither.
//!
//! Keeps the promise of `dispatch`: when it has returned, the tab's death loses nothing (in bursts at most
//! `limits.burst` actions). Each write of the engine is one transaction. A home that fails is opened again, or
//! left for the next one: the outbox is carried along, and the app is told.

mod indexed_db;
mod journal;
mod rows;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Function};
use twinstore_protocol::N;
use wasm_bindgen::prelude::*;

use crate::host::Options;
use crate::web::{Fields, float, later};
use indexed_db::{Database, Log};
use journal::Journal;
pub(crate) use rows::{Change, Stored, to_entries, to_state, up_to_date};

/// How often a database that was lost is opened again.
const REOPENINGS: u32 = 3;

/// What storage tells its driver.
pub(crate) trait Listener {
    /// This is what the last run left; none: nothing is ever stored.
    fn restored(&self, stored: Option<&Stored>);
    /// Own actions up to this number are stored.
    fn persisted(&self, n: N);
    /// The home was lost; from now on it is another one, or opened anew.
    fn moved(&self, reason: &str);
    /// What is stored is not what other tabs know.
    fn changed(&self);
    /// All there is was stored in the new home. Others may have stored something meanwhile.
    fn carried(&self);
    /// Another tab leads.
    fn outranked(&self);
    /// All that should be stored, and the number of the last own action.
    fn everything(&self) -> (Change, N);
}

/// Takes what a database holds, or why it cannot be had.
type Opened = Box<dyn FnOnce(&Rc<Storage>, Result<Stored, String>)>;

/// What a client left in its journal.
pub(crate) struct Left {
    keys: Array,
    /// Its first number there.
    pub(crate) first: f64,
    /// What else it left was read as well.
    pub(crate) whole: bool,
}

impl Left {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.length() == 0
    }
}

enum Home {
    /// IndexedDB is being opened and read. Until then entries have the journal alone.
    Opening,
    IndexedDb(Database),
    LocalStorage,
    Memory,
}

/// The storage of one twin.
pub(crate) struct Storage {
    name: String,
    client: String,
    strict: bool,
    /// Actions of one task that get a transaction each.
    burst: usize,
    journal: Journal,
    home: RefCell<Home>,
    listener: Rc<dyn Listener>,
    log: Rc<Log>,
    /// This tab leads: it writes the log, and nobody else.
    leads: Cell<bool>,
    /// How often it began or ceased to.
    turns: Cell<u32>,
    /// How often the home was lost: a late answer of an earlier one is known as such.
    losses: Cell<u32>,
    /// Entries dispatched since the task began.
    in_task: Cell<usize>,
    /// Entries that wait for a common transaction: of a burst, or until IndexedDB is open.
    gathered: RefCell<Change>,
    /// How many, and the last one's number.
    count: Cell<usize>,
    last: Cell<N>,
    /// The journal's keys of what was dispatched while IndexedDB was opening.
    journaled: RefCell<Array>,
}

impl Storage {
    /// Opens the storage of that key; `listener` hears what was there.
    pub(crate) fn open(options: &Options, listener: Rc<dyn Listener>) -> Rc<Self> {
        let (wanted, name) = (!options.memory(), options.key());
        let storage = Rc::new(Self {
            journal: Journal::new(&name, wanted && rows::local_storage_works()),
            name,
            client: options.client(),
            strict: options.strict(),
            burst: options.burst() as usize,
            home: RefCell::new(Home::Opening),
            listener,
            log: Log::new(options.leads()),
            leads: Cell::default(),
            turns: Cell::default(),
            losses: Cell::default(),
            in_task: Cell::default(),
            gathered: RefCell::new(Change::new()),
            count: Cell::default(),
            last: Cell::default(),
            journaled: RefCell::default(),
        });
        let this = storage.clone();
        later(Box::new(move |_| {
            if wanted && indexed_db::exists() {
                this.open_database(Box::new(Self::restore));
            } else {
                this.restore(Err(String::new()));
            }
        }));
        storage
    }

    /// Where entries are kept now, as the app sees it.
    pub(crate) fn kind(&self) -> &'static str {
        match &*self.home.borrow() {
            Home::Opening => "opening",
            Home::IndexedDb(_) => "indexedDB",
            Home::LocalStorage => "localStorage",
            Home::Memory => "memory",
        }
    }

    pub(crate) fn is_memory(&self) -> bool {
        matches!(&*self.home.borrow(), Home::Memory)
    }

    fn is_opening(&self) -> bool {
        matches!(&*self.home.borrow(), Home::Opening)
    }

    /// Stores an entry of this page load, in place of that of the number `gone`; `put` makes its row.
    pub(crate) fn enqueue(self: &Rc<Self>, n: N, gone: Option<N>, put: impl FnOnce(&Change)) {
        if self.is_memory() {
            return self.listener.persisted(n);
        }
        let in_task = self.in_task.get() + 1;
        if self.in_task.replace(in_task) == 0 {
            // At the task's end, as far as a page can see it: the burst is over.
            let this = self.clone();
            later(Box::new(move |_| {
                this.in_task.set(0);
                this.flush();
            }));
        }
        put(&self.gathered.borrow());
        if let Some(gone) = gone {
            self.gathered.borrow().remove(&self.client, float(gone.0), false);
        }
        self.last.set(n);
        self.count.set(self.count.get() + 1);
        if self.is_opening() {
            // Until it is open each is journaled by itself.
            let row = self.gathered.borrow().rows().slice(u32::MAX, u32::MAX);
            let key = self.journal.add(&self.client, float(n.0), &row);
            self.journaled.borrow().push(&key);
            if gone.is_some() {
                // After the new one: who reads both knows by its `from` that the older one is in it.
                self.journal.remove_entries(&self.gathered.borrow().gone());
            }
        } else if in_task <= self.burst || self.count.get() >= self.burst {
            self.flush();
        }
    }

    /// Performs a change, in one transaction.
    pub(crate) fn write(self: &Rc<Self>, change: Change) {
        // What was done before may stand in a journal that nobody puts into the database any more.
        if !change.moves() {
            self.journal.remove_entries(&change.gone());
        }
        if self.is_opening() {
            self.count.set(self.count.get() + 1);
            // A later content of an action that has but its journal.
            for row in change.rows().iter() {
                let fields: &Fields = row.unchecked_ref();
                let n = fields.get("n").as_f64().unwrap_or_default();
                self.journal.add(&fields.str("client"), n, &Array::of1(&row));
            }
            return self.gathered.borrow().join(&change);
        }
        // What was dispatched before is on disk before: one order.
        self.flush();
        self.perform(change, None, Array::new());
    }

    /// Reads everything again. None: it cannot be read.
    pub(crate) fn read(self: &Rc<Self>, done: impl FnOnce(Option<Stored>) + 'static) {
        let Some(database) = self.database() else { return later(Box::new(|_| done(None))) };
        let (this, losses) = (self.clone(), self.losses.get());
        database.read(Box::new(move |read| match read {
            Ok(stored) => {
                this.add_journals(&stored);
                done(Some(stored));
            }
            Err(error) => {
                done(None);
                this.lose(losses, &reason_of(&error));
            }
        }));
    }

    /// Reads the entries of a client from a number on; `journal`: and what its journal holds, for [`Self::keep`].
    /// None: they cannot be read.
    pub(crate) fn read_client(
        self: &Rc<Self>,
        client: &str,
        from: f64,
        journal: bool,
        done: impl FnOnce(Option<(Array, Left)>) + 'static,
    ) {
        // What stands in a journal may be done already: the database will say.
        if self.is_opening() {
            return done(None);
        }
        let (this, name) = (self.clone(), JsValue::from_str(client));
        let losses = self.losses.get();
        let database = self.database();
        // Without the database a journal may be the end of an outbox whose beginning lies there.
        let whole = database.is_some() || !indexed_db::exists();
        let read = move |read: Result<JsValue, JsValue>| {
            let rows = match read {
                Ok(rows) => rows,
                Err(error) => {
                    done(None);
                    return this.lose(losses, &reason_of(&error));
                }
            };
            let none = JsValue::UNDEFINED;
            let stored = Stored::of(&rows, &Array::new(), &none, &none);
            let mut left = Left { keys: Array::new(), first: f64::INFINITY, whole };
            if journal {
                let (keys, rows) = this.journal.read(&Array::of1(&name), true);
                stored.add(&rows);
                for row in rows.iter() {
                    let n = Fields::of(&row).and_then(|row| row.get("n").as_f64());
                    left.first = left.first.min(n.unwrap_or(f64::INFINITY));
                }
                left.keys = keys;
            }
            done(Some((stored.entries(), left)));
        };
        match database {
            Some(database) => database.rows_of(client, from, Box::new(read)),
            None => read(Ok(Array::new().into())),
        }
    }

    /// Puts what a client left in its journal into the database.
    pub(crate) fn keep(self: &Rc<Self>, left: Left, change: Change) {
        if self.database().is_some() {
            self.perform(change, None, left.keys);
        }
    }

    /// Names the clients that have something stored; while the home is being opened, nobody.
    pub(crate) fn clients(self: &Rc<Self>, done: impl FnOnce(Array) + 'static) {
        let this = self.clone();
        let name = move |keys: Result<JsValue, JsValue>| {
            done(keys.map(|keys| this.journal.clients(keys.unchecked_ref())).unwrap_or_default());
        };
        match self.database() {
            Some(database) => database.keys(Box::new(name)),
            None if self.is_opening() => name(Err(JsValue::UNDEFINED)),
            None => name(Ok(Array::new().into())),
        }
    }

    /// This tab leads from now on, and nobody else writes the log; or it follows. Calls `then` when that is so,
    /// unless it is to be otherwise by then.
    pub(crate) fn lead(self: &Rc<Self>, leads: bool, then: impl FnOnce() + 'static) {
        self.leads.set(leads);
        let turn = self.turns.get() + 1;
        self.turns.set(turn);
        // A database that is being opened is claimed before it is read.
        let Some(database) = self.database().filter(|_| leads) else { return then() };
        let (this, losses) = (self.clone(), self.losses.get());
        database.claim(Box::new(move |result| {
            if this.turns.get() == turn {
                then();
            }
            if let Err(error) = result {
                this.lose(losses, &reason_of(&error));
            }
        }));
    }

    /// Something may have happened to it while the page slept.
    pub(crate) fn probe(self: &Rc<Self>) {
        if self.database().is_some_and(|database| !database.is_open()) {
            self.lose(self.losses.get(), "the database was closed");
        }
    }

    /// Ends all access. The data stays.
    pub(crate) fn close(&self) {
        self.losses.set(u32::MAX);
        if let Home::IndexedDb(database) = self.home.replace(Home::Memory) {
            database.close();
        }
    }

    /// Erases what is stored.
    pub(crate) fn erase(&self, done: &Function) {
        self.close();
        self.journal.clear();
        indexed_db::delete(&self.name, done);
    }

    /// Opens the database, then calls `then` with what it holds, or why it cannot be had.
    fn open_database(self: &Rc<Self>, then: Opened) {
        let (this, losses) = (self.clone(), self.losses.get());
        let opened = move |opened: Result<Database, JsValue>| match opened {
            Ok(database) => this.enter(database, losses, then),
            Err(error) => then(&this, Err(reason_of(&error))),
        };
        indexed_db::open(&self.name, self.strict, self.log.clone(), Box::new(opened));
    }

    /// Claims a database where this tab leads, and reads it: in this order, so that what is read is what there is.
    fn enter(self: &Rc<Self>, database: Database, losses: u32, then: Opened) {
        let (this, turn) = (self.clone(), self.turns.get());
        let reading = database.clone();
        let read = move |read: Result<Stored, JsValue>| match read {
            // The twin was closed meanwhile.
            _ if this.losses.get() != losses => database.close(),
            Ok(_) if this.leads.get() && this.turns.get() != turn => {
                this.enter(database, losses, then);
            }
            Ok(stored) => {
                let lost = this.clone();
                database.on_lost(move || lost.lose(losses, "the database was taken away"));
                this.home.replace(Home::IndexedDb(database));
                then(&this, Ok(stored));
            }
            Err(error) => then(&this, Err(reason_of(&error))),
        };
        if self.leads.get() {
            let claiming = reading.clone();
            claiming.claim(Box::new(move |claimed| match claimed {
                Ok(()) => reading.read(Box::new(read)),
                Err(error) => read(Err(error)),
            }));
        } else {
            reading.read(Box::new(read));
        }
    }

    fn restore(self: &Rc<Self>, stored: Result<Stored, String>) {
        let (stored, reason) = match stored {
            Ok(stored) => {
                self.add_journals(&stored);
                (Some(stored), String::new())
            }
            Err(reason) => {
                self.home.replace(self.next_home());
                (self.journal.works.then(|| self.journal.stored()), reason)
            }
        };
        // Begun before anything that `restored` may dispatch, and so written before it.
        self.flush();
        if let (Some(database), Some(stored)) = (self.database(), &stored) {
            database.pack_later(stored);
        }
        self.listener.restored(stored.as_ref());
        if !reason.is_empty() {
            self.listener.moved(&reason);
        }
    }

    /// What others left on its way to the database is shown at once; who sends it is seen later. Of its own a page
    /// finds what another one took over that took it for dead.
    fn add_journals(&self, stored: &Stored) {
        stored.add(&self.journal.read(&Array::new(), false).1);
    }

    /// Journals and writes what was gathered.
    fn flush(self: &Rc<Self>) {
        if self.count.get() == 0 || self.is_opening() {
            return;
        }
        self.count.set(0);
        let change = self.gathered.replace(Change::new());
        let keys = self.journaled.take();
        if self.database().is_some() {
            let rows = change.rows();
            if let Some(first) = Fields::of(&rows.get(0)) {
                let n = first.get("n").as_f64().unwrap_or_default();
                keys.push(&self.journal.add(&self.client, n, &rows));
            }
        }
        self.perform(change, Some(self.last.get()), keys);
    }

    /// One transaction for all, so that none can overtake another; then the journal is no longer needed.
    fn perform(self: &Rc<Self>, change: Change, own: Option<N>, keys: Array) {
        let losses = self.losses.get();
        let failed = self.failing(losses, &change);
        match self.database() {
            Some(database) => {
                // Of what was dispatched other tabs hear by its number.
                let (this, is_news) = (self.clone(), own.is_none() && change.is_news());
                let written = move |result: Result<(), JsValue>| {
                    let news = is_news && result.is_ok();
                    // What another home is to take is not stored yet, whatever was stored behind it in the last one.
                    let own = own.filter(|_| this.losses.get() == losses);
                    this.written(result, own, &keys, failed);
                    if news {
                        this.listener.changed();
                    }
                };
                database.change(change, Box::new(written));
            }
            None if self.is_memory() => self.written(Ok(()), own, &Array::new(), failed),
            None => self.written(self.journal.change(&change), own, &Array::new(), failed),
        }
    }

    /// What to do should a change not be performed: the entries come along to the next home, and what was to be
    /// taken out is taken out there.
    fn failing(self: &Rc<Self>, losses: u32, change: &Change) -> impl FnOnce(&str) + use<> {
        let (this, change) = (self.clone(), change.clone());
        move |reason| {
            this.lose(losses, reason);
            let left = Change::new();
            left.repeat(&change, this.leads.get());
            this.write(left);
        }
    }

    fn written(
        self: &Rc<Self>,
        result: Result<(), JsValue>,
        own: Option<N>,
        keys: &Array,
        failed: impl FnOnce(&str),
    ) {
        match result {
            Ok(()) => {
                rows::remove_local(keys);
                // In memory it is as stored as it can be: it may be sent, and `durable` says what it is not.
                if let Some(n) = own {
                    self.listener.persisted(n);
                    if let Some(database) = self.database() {
                        database.pack_behind(&self.client, float(n.0));
                    }
                }
            }
            Err(error) if indexed_db::is_taken(&error) => self.listener.outranked(),
            Err(error) => {
                // The next home takes them: then their journal is needed no more.
                for key in keys.iter() {
                    self.journaled.borrow().push(&key);
                }
                failed(&reason_of(&error));
            }
        }
    }

    /// The home is lost: opened again, or the next one taken. The outbox comes along.
    fn lose(self: &Rc<Self>, losses: u32, reason: &str) {
        if self.losses.get() != losses || self.is_memory() {
            return; // known already
        }
        self.losses.set(losses + 1);
        let home = self.home.replace(Home::Opening);
        let reason = reason.to_owned();
        match home {
            // A full disk is full the next time too.
            Home::IndexedDb(database) if losses < REOPENINGS && !is_full(&reason) => {
                database.close();
                self.open_database(Box::new(move |this, stored| {
                    if stored.is_err() {
                        this.home.replace(this.next_home());
                    }
                    this.carry(&reason);
                }));
            }
            Home::IndexedDb(database) => {
                database.close();
                self.home.replace(self.next_home());
                self.carry(&reason);
            }
            Home::Opening | Home::LocalStorage | Home::Memory => {
                self.home.replace(Home::Memory);
                self.carry(&reason);
            }
        }
    }

    /// Where IndexedDB cannot be had.
    fn next_home(&self) -> Home {
        if self.journal.works { Home::LocalStorage } else { Home::Memory }
    }

    /// Stores all there is in the new home.
    fn carry(self: &Rc<Self>, reason: &str) {
        self.count.set(0);
        let meanwhile = self.gathered.replace(Change::new());
        self.listener.moved(reason);
        let (change, last) = self.listener.everything();
        change.repeat(&meanwhile, self.leads.get());
        self.perform(change, Some(last), self.journaled.take());
        self.listener.carried();
    }

    fn database(&self) -> Option<Database> {
        match &*self.home.borrow() {
            Home::IndexedDb(database) => Some(database.clone()),
            Home::Opening | Home::LocalStorage | Home::Memory => None,
        }
    }
}

/// The disk has no room for us: by the name of today, and that of old Firefox.
fn is_full(reason: &str) -> bool {
    reason == "QuotaExceededError" || reason == "NS_ERROR_DOM_QUOTA_REACHED"
}

fn reason_of(error: &JsValue) -> String {
    Fields::of(error).and_then(|e| e.text("name")).unwrap_or_default()
}

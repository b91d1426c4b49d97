//! Where a tab stores: what `src/storage/mod.rs` is in the browser, function by function.
//!
//! IndexedDB, with a journal in localStorage for what is still on its way there; else localStorage; else
//! memory. What the browser calls the end of a task is `end_task`.

use std::collections::BTreeSet;

use twinstore_engine::{Client, Entry, Input, Output};
use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{ClientId, N};

use crate::coverage::Count;
use crate::disk::{End, Op, Prepared, Work};
use crate::env::Event;
use crate::rows::{Change, Key, LogRow, Row, Stored, log_after, names};
use crate::tab::{Tab, TabEvent, Wanted, Within};
use crate::wire::Item;

/// How often a database that was lost is opened again.
const REOPENINGS: u32 = 3;

/// Where entries are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// IndexedDB is being opened and read. Until then entries have the journal alone.
    Opening,
    IndexedDb,
    LocalStorage,
    Memory,
}

/// What follows when the database is open, or is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Restore,
    Carry,
}

/// A database that is being opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    losses: u32,
    turn: u64,
    writes: u64,
    then: Then,
}

/// What a client left in its journal.
#[derive(Default)]
pub(crate) struct Left {
    keys: Vec<Key>,
    /// Its first number there.
    first: Option<N>,
}

impl Left {
    pub(crate) fn is_any(&self) -> bool {
        self.first.is_some()
    }
}

/// A tab's storage.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) home: Home,
    /// This page may write to localStorage.
    works: bool,
    /// Tabs cannot agree on one that leads: each of them writes the log, and reads first what others wrote.
    shared: bool,
    /// The last term in which this tab led.
    term: u64,
    /// The log's row as this tab read or wrote it last.
    log: Option<LogRow>,
    /// How often this tab wrote it: what was read before may be older.
    writes: u64,
    /// This tab leads: it writes the log, and nobody else.
    leads: bool,
    /// How often it began or ceased to.
    turns: u64,
    /// How often the home was lost: a late answer of an earlier one is known as such.
    pub(crate) losses: u32,
    in_task: u64,
    /// What waits for a common transaction: of a burst, or until IndexedDB is open.
    gathered: Change,
    count: u64,
    last: N,
    /// The journal's keys of what was dispatched while IndexedDB was opening.
    journaled: Vec<Key>,
    /// Entries that nothing has yet but this page: its death may take them.
    pub(crate) unprotected: BTreeSet<N>,
}

impl Store {
    pub(crate) fn new(works: bool, shared: bool) -> Self {
        Self {
            home: Home::Opening,
            works,
            shared,
            term: 0,
            log: None,
            writes: 0,
            leads: false,
            turns: 0,
            losses: 0,
            in_task: 0,
            gathered: Change::default(),
            count: 0,
            last: N(0),
            journaled: Vec::new(),
            unprotected: BTreeSet::new(),
        }
    }

    /// The log's row was read, before these writes.
    fn know(&mut self, stored: &Stored, writes: u64) {
        if self.writes == writes {
            self.log.clone_from(&stored.log);
        }
    }
}

impl Tab {
    /// Opens the database, and reads it.
    pub(crate) fn open_database(&mut self, w: &mut Within<'_>, then: Then) {
        w.device.disk.cut.remove(&self.number);
        let Store { losses, turns: turn, writes, .. } = self.store;
        let opening = Opening { losses, turn, writes, then };
        if w.device.disk.refuses {
            w.env.count(Count::DatabaseRefused);
            let answer = TabEvent::Database { stored: None, opening };
            w.env.after(1, Event::Tab(self.number, answer));
        } else if self.store.leads && !self.store.shared {
            // In this order, so that what is read is what there is.
            self.submit(w, Work::Claim, Wanted::Entry(opening));
        } else {
            self.submit(w, Work::Read, Wanted::Database(opening));
        }
    }

    pub(crate) fn entered(&mut self, w: &mut Within<'_>, term: Option<u64>, opening: Opening) {
        match term {
            Some(term) => {
                self.store.term = term;
                self.submit(w, Work::Read, Wanted::Database(opening));
            }
            None => self.database_opened(w, None, opening),
        }
    }

    pub(crate) fn database_opened(
        &mut self,
        w: &mut Within<'_>,
        stored: Option<Stored>,
        opening: Opening,
    ) {
        if opening.losses != self.store.losses {
            return; // lost again meanwhile, or closed
        }
        if let Some(stored) = &stored {
            self.store.know(stored, opening.writes);
            if self.store.leads && self.store.turns != opening.turn {
                return self.open_database(w, opening.then);
            }
            self.store.home = Home::IndexedDb;
        }
        match opening.then {
            Then::Restore => self.restore(w, stored),
            Then::Carry => {
                if stored.is_none() {
                    self.store.home = self.next_home();
                }
                self.carry(w);
            }
        }
    }

    /// Stores an entry of this page load, in place of another one where it is said which.
    pub(crate) fn enqueue(&mut self, w: &mut Within<'_>, entry: &Entry<Item>, gone: Option<N>) {
        let n = entry.id.n;
        self.store.unprotected.insert(n);
        if self.store.home == Home::Memory {
            return self.feed(w, Input::Persisted(n));
        }
        self.store.in_task += 1;
        let row = Row::of(&self.engine, entry);
        self.store.gathered.rows.push(row.clone());
        if let Some(gone) = gone {
            self.store.gathered.remove((self.client.clone(), gone));
        }
        self.store.last = n;
        self.store.count += 1;
        let burst = w.env.settings.burst;
        if self.store.home == Home::Opening {
            let key = self.journal(w, vec![row]);
            self.store.journaled.extend(key);
        } else if self.store.in_task <= burst || self.store.count >= burst {
            self.flush(w);
        }
        let waits = self.store.count;
        assert!(
            self.store.home == Home::Opening || waits < burst,
            "I7: a burst puts more at risk than it may"
        );
    }

    /// Performs a change, in one transaction.
    pub(crate) fn write(&mut self, w: &mut Within<'_>, change: Change) {
        // What was done before may stand in a journal that nobody puts into the database any more.
        if !change.moves() {
            self.unjournal(w, &change.gone);
        }
        if self.store.home == Home::Opening {
            self.store.count += 1;
            // A later content of an action that has but its journal.
            for row in &change.rows {
                self.journal(w, vec![row.clone()]);
            }
            return self.store.gathered.join(&change);
        }
        // What was dispatched before is on disk before: one order.
        self.flush(w);
        self.perform_change(w, change, None, Vec::new());
    }

    /// Reads everything again; `Input::Reread` answers.
    pub(crate) fn reread(&mut self, w: &mut Within<'_>) {
        let losses = self.store.losses;
        if self.store.home == Home::IndexedDb {
            let writes = self.store.writes;
            self.submit(w, Work::Read, Wanted::Reread { losses, writes });
        } else {
            w.env.after(0, Event::Tab(self.number, TabEvent::Unread));
        }
    }

    pub(crate) fn reread_done(
        &mut self,
        w: &mut Within<'_>,
        stored: Option<Stored>,
        losses: u32,
        writes: u64,
    ) {
        let failed = stored.is_none();
        let stored = stored.map(|mut stored| {
            self.store.know(&stored, writes);
            Self::add_journals(w, &mut stored);
            stored.to_state(&mut self.engine)
        });
        self.feed(w, Input::Reread(stored));
        if failed {
            self.lose(w, losses, false);
        }
    }

    /// This tab leads from now on, and nobody else writes the log; or it follows.
    pub(crate) fn lead(&mut self, w: &mut Within<'_>, leads: bool) {
        self.store.leads = leads;
        self.store.turns += 1;
        // A database that is being opened is claimed before it is read.
        if !leads || self.store.shared || self.store.home != Home::IndexedDb {
            return self.led(w, leads);
        }
        let (turn, losses) = (self.store.turns, self.store.losses);
        self.submit(w, Work::Claim, Wanted::Claim { turn, losses });
    }

    pub(crate) fn claimed(
        &mut self,
        w: &mut Within<'_>,
        term: Option<u64>,
        turn: u64,
        losses: u32,
    ) {
        self.store.term = term.unwrap_or(self.store.term);
        // Unless it is to be otherwise by now.
        if self.store.turns == turn {
            self.led(w, true);
        }
        if term.is_none() {
            self.lose(w, losses, false);
        }
    }

    /// The task is over: so is a burst.
    pub(crate) fn end_task(&mut self, w: &mut Within<'_>) {
        self.store.in_task = 0;
        self.flush(w);
    }

    /// Ends all access. The data stays.
    pub(crate) fn close_storage(&mut self) {
        self.store.losses = u32::MAX;
        self.store.home = Home::Memory;
    }

    pub(crate) fn written(&mut self, w: &mut Within<'_>, end: End, written: Written) {
        let Written { change, losses, own, keys } = written;
        match end {
            End::Done => {
                self.forget_journals(w, &keys);
                let is_news = own.is_none() && change.is_news();
                // What another home is to take is not stored yet, whatever was stored behind it in the last one.
                let here = losses == self.store.losses || planted::is(Bug::LaterMeansAll);
                if let Some(n) = own.filter(|_| here) {
                    self.store.unprotected.retain(|other| *other > n);
                    self.feed(w, Input::Persisted(n));
                    self.say_stored(w, n);
                }
                if is_news {
                    self.say_changed(w);
                }
            }
            End::Outranked => {
                w.env.count(Count::Outranked);
                self.step_down(w);
            }
            End::Full | End::Failed => {
                // The next home takes them: then their journal is needed no more.
                self.store.journaled.extend(keys);
                self.lose(w, losses, end == End::Full);
                let mut left = Change::default();
                left.repeat(&change, self.store.leads);
                self.write(w, left);
            }
        }
    }

    /// The home is lost: opened again, or the next one taken. The outbox comes along.
    pub(crate) fn lose(&mut self, w: &mut Within<'_>, losses: u32, full: bool) {
        if self.store.losses != losses || self.store.home == Home::Memory || self.dead {
            return; // known already
        }
        self.store.losses = losses + 1;
        let home = std::mem::replace(&mut self.store.home, Home::Opening);
        w.env.trace(|| format!("tab {}: loses {home:?}", self.number));
        match home {
            Home::IndexedDb if losses < REOPENINGS && !full => {
                w.env.count(Count::Reopened);
                self.open_database(w, Then::Carry);
            }
            Home::IndexedDb => {
                self.store.home = self.next_home();
                self.carry(w);
            }
            Home::Opening | Home::LocalStorage | Home::Memory => {
                self.store.home = Home::Memory;
                self.carry(w);
            }
        }
    }

    /// localStorage is erased, under whoever uses it.
    pub(crate) fn lose_local_storage(&mut self, w: &mut Within<'_>) {
        if self.store.home == Home::LocalStorage {
            self.lose(w, self.store.losses, false);
        }
    }

    /// Puts a transaction at the end of the disk's queue.
    pub(crate) fn submit(&mut self, w: &mut Within<'_>, work: Work, wanted: Wanted) {
        if matches!(work, Work::Change(_)) && !self.lives(w, Count::KilledAtTransaction) {
            return;
        }
        if self.dead {
            return;
        }
        let (tab, closed) = (self.number, w.device.disk.cut.contains(&self.number));
        w.device.disk.queue.push_back(Op { tab, closed, work, wanted });
        w.device.wake_disk(w.env, self.on);
    }

    /// What others left on its way to the database is shown at once; who sends it is seen later.
    fn add_journals(w: &Within<'_>, stored: &mut Stored) {
        stored.add(w.device.local.read(|_| true).1);
    }

    fn restore(&mut self, w: &mut Within<'_>, stored: Option<Stored>) {
        let failed = stored.is_none();
        let mut stored = match stored {
            Some(mut stored) => {
                Self::add_journals(w, &mut stored);
                for _ in &w.device.disk.tables.torn {
                    w.env.count(Count::RowsUnreadable);
                }
                if std::mem::take(&mut w.device.fell) {
                    w.env.count(Count::BackFromLocalStorage);
                }
                Some(stored)
            }
            None => {
                self.moves_to(w, self.next_home());
                self.store.works.then(|| w.device.local.stored())
            }
        };
        if let Some(stored) = stored.as_mut().filter(|_| planted::is(Bug::HeldForgotten)) {
            self.forget_held(w, stored);
        }
        // Begun before anything that is dispatched from here on, and so written before it.
        self.flush(w);
        let state = stored.map(|stored| stored.to_state(&mut self.engine)).unwrap_or_default();
        self.ready = true;
        self.feed(w, Input::Restored(state));
        if failed {
            self.go_alone(w);
        }
        self.adopt(w, None);
    }

    /// A planted bug: what is held is swept out of the stored outbox.
    fn forget_held(&mut self, w: &mut Within<'_>, stored: &mut Stored) {
        let mut change = Change::default();
        for row in stored.rows.extract_if(.., |row| row.held.is_some()) {
            change.gone.push(row.key());
        }
        self.write(w, change);
    }

    /// Journals and writes what was gathered.
    fn flush(&mut self, w: &mut Within<'_>) {
        if self.store.count == 0 || self.store.home == Home::Opening {
            return;
        }
        self.store.count = 0;
        let change = std::mem::take(&mut self.store.gathered);
        let mut keys = std::mem::take(&mut self.store.journaled);
        if self.store.home == Home::IndexedDb && !change.rows.is_empty() {
            keys.extend(self.journal(w, change.rows.clone()));
        }
        if planted::is(Bug::JournalDroppedEarly) {
            keys.drain(..).for_each(|key| w.device.local.remove(&key));
        }
        let last = self.store.last;
        self.perform_change(w, change, Some(last), keys);
    }

    /// One transaction for all, so that none can overtake another; then the journal is no longer needed.
    fn perform_change(
        &mut self,
        w: &mut Within<'_>,
        change: Change,
        own: Option<N>,
        keys: Vec<Key>,
    ) {
        let written = Written { change: change.clone(), losses: self.store.losses, own, keys };
        match self.store.home {
            Home::IndexedDb => {
                let mut log = None;
                if !self.store.shared {
                    let after = log_after(self.store.log.as_ref(), &change);
                    if change.is_log() {
                        self.store.log = Some(after.1.clone());
                        self.store.writes += 1;
                    }
                    log = Some(after);
                }
                let work = Prepared { change, log, term: self.store.term };
                self.submit(w, Work::Change(work), Wanted::Written(written));
            }
            Home::Memory => {
                let protected = std::mem::take(&mut self.store.unprotected);
                self.written(w, End::Done, Written { keys: Vec::new(), ..written });
                self.store.unprotected.extend(protected); // by nothing
            }
            Home::LocalStorage | Home::Opening => {
                if !self.lives(w, Count::KilledAtJournal) {
                    return;
                }
                let done = w.device.local.change(&change);
                let end = if done { End::Done } else { End::Full };
                self.written(w, end, Written { keys: Vec::new(), ..written });
            }
        }
    }

    /// Stores all there is in the new home.
    fn carry(&mut self, w: &mut Within<'_>) {
        let home = self.store.home;
        self.moves_to(w, home);
        self.store.count = 0;
        let meanwhile = std::mem::take(&mut self.store.gathered);
        self.go_alone(w);
        let mut change = self.everything();
        change.repeat(&meanwhile, self.store.leads);
        let last = N(self.engine.next_n().0 - 1);
        let keys = std::mem::take(&mut self.store.journaled);
        self.perform_change(w, change, Some(last), keys);
        self.say_changed(w);
        self.feed(w, Input::Changed);
    }

    fn moves_to(&mut self, w: &mut Within<'_>, home: Home) {
        self.store.home = home;
        w.env.trace(|| format!("tab {}: stores in {home:?}", self.number));
        match home {
            Home::LocalStorage => {
                w.device.fell = true;
                w.env.count(Count::FellToLocalStorage);
            }
            Home::Memory => w.env.count(Count::FellToMemory),
            Home::Opening | Home::IndexedDb => {}
        }
    }

    /// All that should be stored.
    fn everything(&self) -> Change {
        let engine = &self.engine;
        // What other tabs have they carry along themselves.
        let carried = |entry: &&Entry<Item>| engine.is_ours(entry.id.client);
        let entries = engine.pending().map(|(entry, _)| entry).filter(carried);
        let mut change = Change::put(entries.map(|entry| Row::of(engine, entry)).collect());
        if engine.leads() && engine.has_state() {
            change.stands(engine, self.replica.confirmed, engine.cursor());
        }
        change
    }

    fn next_home(&self) -> Home {
        if self.store.works { Home::LocalStorage } else { Home::Memory }
    }

    /// Writes rows into the journal. None: there was no room, or nobody any more.
    fn journal(&mut self, w: &mut Within<'_>, rows: Vec<Row>) -> Option<Key> {
        let key = rows.first()?.key();
        if !self.store.works || !self.lives(w, Count::KilledAtJournal) {
            return None;
        }
        let own: Vec<_> = rows.iter().filter(|row| row.client == self.client).collect();
        let own: Vec<_> = own.into_iter().map(|row| row.n).collect();
        let line = w.env.traced.then(|| names(&rows));
        let room = w.device.local.add(key.clone(), rows);
        if let Some(line) = line {
            let said = if room { "journals" } else { "has no room for" };
            w.env.trace(|| format!("tab {}: {said} {line}", self.number));
        }
        if room {
            self.store.unprotected.retain(|n| !own.contains(n));
        } else {
            w.env.count(Count::JournalFull);
        }
        room.then_some(key)
    }

    /// Takes out entries that stand alone.
    fn unjournal(&mut self, w: &mut Within<'_>, keys: &[Key]) {
        if !keys.is_empty() && self.lives(w, Count::KilledAtJournal) {
            keys.iter().for_each(|key| w.device.local.take(key));
        }
    }

    fn forget_journals(&mut self, w: &mut Within<'_>, keys: &[Key]) {
        if !keys.is_empty() && self.lives(w, Count::KilledAtJournal) {
            w.env.trace(|| format!("tab {}: forgets journals {keys:?}", self.number));
            keys.iter().for_each(|key| w.device.local.remove(key));
        }
    }

    /// Adds what the journal holds of a client that is gone.
    pub(crate) fn add_journal(
        &self,
        w: &Within<'_>,
        client: &ClientId,
        rows: Vec<Row>,
    ) -> (Vec<Row>, Left) {
        let mut stored = Stored { rows, ..Stored::default() };
        let (keys, journaled) = w.device.local.read(|other| other == client);
        let left = Left { keys, first: journaled.iter().map(|row| row.n).min() };
        stored.add(journaled);
        (stored.rows, left)
    }

    /// Puts what stood in the journal into the database; as it is now: it may have been held since.
    pub(crate) fn keep(&mut self, w: &mut Within<'_>, client: Client, left: Left) {
        if let Some(first) = left.first.filter(|_| self.store.home == Home::IndexedDb) {
            let pending = self.engine.pending().map(|(entry, _)| entry);
            let theirs = pending.filter(|entry| entry.id.client == client && entry.id.n >= first);
            let rows = theirs.map(|entry| Row::of(&self.engine, entry)).collect();
            self.perform_change(w, Change::put(rows), None, left.keys);
        }
    }

    /// Orders of the engine that are about storage.
    pub(crate) fn store(&mut self, w: &mut Within<'_>, output: Output<Item>) {
        match output {
            Output::Enqueue(entry) => self.enqueue(w, &entry, None),
            Output::Replace(entry, gone) => self.enqueue(w, &entry, Some(gone.n)),
            Output::Persist(write) => {
                let change = Change::write(&self.engine, &write);
                self.write(w, change);
            }
            Output::Compact(cursor) => {
                let mut change = Change::default();
                change.stands(&self.engine, self.replica.confirmed, Some(&cursor));
                self.write(w, change);
            }
            Output::Reread => self.reread(w),
            _ => panic!("not an order for storage"),
        }
    }
}

/// A change that was ordered, and what is to be done when it has ended.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) change: Change,
    losses: u32,
    /// The last own entry among it.
    own: Option<N>,
    /// The journal's keys of its rows.
    keys: Vec<Key>,
}

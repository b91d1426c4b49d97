//! localStorage: synchronous, outlives its tabs, and not yet on the disk when it answers.
//!
//! Holds the journal of `src/storage/journal.rs`, and everything where there is no IndexedDB. Each item is
//! written by itself.

use std::collections::{BTreeMap, BTreeSet};

use twinstore_engine::StoredEvent;
use twinstore_protocol::{ClientId, Seq};

use crate::dice::Dice;
use crate::model::State;
use crate::rows::{Change, Key, LogRow, Row, Stored, log_after};
use crate::wire::Item;

#[derive(Clone, Debug)]
enum Step {
    Set(Key, Vec<Row>),
    Remove(Key),
    ClearEvents,
    State(State, LogRow),
    Events(Vec<StoredEvent<Item>>),
    Log(LogRow),
    ForgetLog,
}

#[derive(Clone, Debug, Default)]
struct Items {
    /// By client and the first one's number.
    journal: BTreeMap<Key, Vec<Row>>,
    events: BTreeMap<Seq, Vec<StoredEvent<Item>>>,
    /// With its place: a page that dies in between leaves a state that is newer than the log's row.
    state: Option<(State, LogRow)>,
    log: Option<LogRow>,
}

/// One device's localStorage.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalStorage {
    items: Items,
    safe: Items,
    unsynced: Vec<Step>,
    /// Nothing more can be written.
    pub(crate) full: bool,
}

impl LocalStorage {
    /// Adds rows of a client under the first one's number. False: it is full.
    pub(crate) fn add(&mut self, key: Key, rows: Vec<Row>) -> bool {
        self.set(Step::Set(key, rows))
    }

    pub(crate) fn remove(&mut self, key: &Key) {
        if self.items.journal.contains_key(key) {
            self.step(Step::Remove(key.clone()));
        }
    }

    /// Takes an entry out. A burst stands in one line, under the first one's number: the others of it stay.
    pub(crate) fn take(&mut self, key: &Key) {
        let holds = |rows: &Vec<Row>| rows.iter().any(|row| row.key() == *key);
        let line = self.items.journal.iter().find(|(_, rows)| holds(rows));
        if let Some((line, rows)) = line.map(|(line, rows)| (line.clone(), rows.clone())) {
            let rest: Vec<_> = rows.into_iter().filter(|row| row.key() != *key).collect();
            self.step(if rest.is_empty() { Step::Remove(line) } else { Step::Set(line, rest) });
        }
    }

    /// The keys of the clients that are wanted, and their rows.
    pub(crate) fn read(&self, wanted: impl Fn(&ClientId) -> bool) -> (Vec<Key>, Vec<Row>) {
        let taken = self.items.journal.iter().filter(|((client, _), _)| wanted(client));
        let (keys, rows): (Vec<_>, Vec<_>) = taken.map(|(k, r)| (k.clone(), r.clone())).unzip();
        (keys, rows.concat())
    }

    pub(crate) fn clients(&self) -> BTreeSet<ClientId> {
        self.items.journal.keys().map(|(client, _)| client.clone()).collect()
    }

    pub(crate) fn holds(&self, key: &Key) -> bool {
        self.items.journal.values().flatten().any(|row| row.key() == *key)
    }

    /// Gives each entry of a client's bursts a line of its own. False: it is full.
    fn spread(&mut self, client: &ClientId) -> bool {
        let lines = self.items.journal.iter().filter(|((other, _), _)| other == client);
        let bursts: Vec<_> = lines
            .filter(|(_, rows)| rows.len() > 1)
            .map(|(line, rows)| (line.clone(), rows.clone()))
            .collect();
        bursts.into_iter().all(|(line, mut rows)| {
            let others = rows.split_off(1);
            others.into_iter().all(|row| self.add(row.key(), vec![row])) && self.add(line, rows)
        })
    }

    /// Performs a change where this is the home. False: it is full, and a part may be done.
    pub(crate) fn change(&mut self, change: &Change) -> bool {
        let clients: BTreeSet<_> = change.rows.iter().map(|row| row.client.clone()).collect();
        if !clients.iter().all(|client| self.spread(client)) {
            return false;
        }
        for row in &change.rows {
            if !self.add(row.key(), vec![row.clone()]) {
                return false;
            }
        }
        change.gone.iter().for_each(|key| self.take(key));
        if !change.is_log() {
            return true;
        }
        let (moved, log) = log_after(self.items.log.as_ref(), change);
        if moved && let Some(state) = change.state {
            if !self.set(Step::State(state, log.clone())) {
                return false;
            }
            self.step(Step::ClearEvents);
        }
        if moved && !change.events.is_empty() && !self.set(Step::Events(change.events.clone())) {
            return false;
        }
        self.set(Step::Log(log))
    }

    /// Everything, where this is the home.
    pub(crate) fn stored(&mut self) -> Stored {
        let Items { events, state, log, .. } = &self.items;
        let mut stored = match state {
            Some((state, row)) if row.is_beyond(log.as_ref()) => {
                let (state, log) = (Some((*state, row.base())), Some(row.clone()));
                Stored { state, log, ..Stored::default() }
            }
            state => Stored {
                rows: Vec::new(),
                events: events.values().flatten().cloned().collect(),
                log: log.clone(),
                state: state.as_ref().map(|(state, row)| (*state, row.base())),
            },
        };
        stored.add(self.read(|_| true).1);
        // What does not belong together would keep out what the server says now.
        if stored.log.is_none() {
            self.step(Step::ForgetLog);
        }
        stored
    }

    pub(crate) fn sync(&mut self) {
        self.unsynced.clear();
        self.safe = self.items.clone();
    }

    /// The power is gone. Gives whether a row that was removed is back.
    pub(crate) fn lose_power(&mut self, dice: &mut Dice) -> bool {
        let kept = dice.place(self.unsynced.len() + 1);
        for step in self.unsynced.drain(..kept) {
            apply(&mut self.safe, &step);
        }
        self.unsynced.clear();
        let journal = &self.items.journal;
        let back = self.safe.journal.keys().any(|key| !journal.contains_key(key));
        self.items = self.safe.clone();
        back
    }

    /// A copy as it is on another machine.
    pub(crate) fn copy(&self) -> Self {
        Self { safe: self.items.clone(), items: self.items.clone(), ..Self::default() }
    }

    fn set(&mut self, step: Step) -> bool {
        if !self.full {
            self.step(step);
        }
        !self.full
    }

    fn step(&mut self, step: Step) {
        apply(&mut self.items, &step);
        self.unsynced.push(step);
    }
}

fn apply(items: &mut Items, step: &Step) {
    match step {
        Step::Set(key, rows) => drop(items.journal.insert(key.clone(), rows.clone())),
        Step::Remove(key) => drop(items.journal.remove(key)),
        Step::ClearEvents => items.events.clear(),
        Step::State(state, row) => items.state = Some((*state, row.clone())),
        Step::Events(events) => {
            if let Some(first) = events.first() {
                items.events.insert(first.seq, events.clone());
            }
        }
        Step::Log(log) => items.log = Some(log.clone()),
        Step::ForgetLog => {
            (items.log, items.state) = (None, None);
            items.events.clear();
        }
    }
}

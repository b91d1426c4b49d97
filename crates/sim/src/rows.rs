//! What a device stores, as rows: what `src/rows.js` and `src/storage/rows.rs` are in the browser.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use twinstore_engine::{Engine, Entry, HeldReason, Id, StoredEvent, StoredState, Write};
use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{Chain, ClientId, Cursor, N, Seq};

use crate::model::{Action, State};
use crate::wire::Item;

/// Whose, and which number.
pub(crate) type Key = (ClientId, N);

/// An entry of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) client: ClientId,
    pub(crate) n: N,
    from: N,
    order: u64,
    pub(crate) schema: u32,
    bytes: u32,
    pub(crate) held: Option<HeldReason>,
    pub(crate) action: Arc<Action>,
}

/// The log's row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LogRow {
    pub(crate) cursor: Option<Cursor>,
    settled: BTreeMap<ClientId, N>,
    epoch: u64,
    /// What was settled in epochs before.
    passed: BTreeMap<ClientId, N>,
    /// The state that it begins with.
    base: Option<Base>,
    /// How many events stand behind the state.
    count: usize,
}

/// A state's place, by epoch and chain.
pub(crate) type Base = (u64, Option<Chain>);

impl LogRow {
    /// The state that it begins with.
    pub(crate) fn base(&self) -> Option<Base> {
        self.base.clone()
    }

    /// Whether a server was reset in between.
    pub(crate) fn is_of_another(&self, other: &Self) -> bool {
        self.epoch != other.epoch
    }

    /// Whether this is of the same log, and before that one.
    pub(crate) fn is_behind(&self, other: &Self) -> bool {
        let place = |row: &Self| row.cursor.as_ref().map(|c| (c.log.clone(), c.seq));
        match (place(self), place(other)) {
            (Some((log, seq)), Some(other)) => log == other.0 && seq < other.1,
            (None, Some(_)) => true,
            (_, None) => false,
        }
    }

    /// Whether this is not what led to that one.
    pub(crate) fn is_beyond(&self, other: Option<&Self>) -> bool {
        let seq = |row: &Self| row.cursor.as_ref().map(|cursor| cursor.seq);
        other.is_none_or(|other| self.epoch != other.epoch || seq(self) > seq(other))
    }
}

/// A change of what is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) rows: Vec<Row>,
    pub(crate) gone: Vec<Key>,
    settled: BTreeMap<ClientId, N>,
    pub(crate) state: Option<State>,
    epoch: u64,
    /// Where the log was held before; the events follow on there.
    behind: Option<Cursor>,
    pub(crate) events: Vec<StoredEvent<Item>>,
    pub(crate) cursor: Option<Cursor>,
    compacts: bool,
    dropped: bool,
}

/// Everything that was stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) rows: Vec<Row>,
    pub(crate) events: Vec<StoredEvent<Item>>,
    pub(crate) log: Option<LogRow>,
    pub(crate) state: Option<(State, Option<Base>)>,
}

impl Row {
    pub(crate) fn key(&self) -> Key {
        (self.client.clone(), self.n)
    }

    pub(crate) fn of(engine: &Engine<Item>, entry: &Entry<Item>) -> Self {
        Self {
            client: ClientId(engine.client_name(entry.id.client).to_owned()),
            n: entry.id.n,
            from: entry.from,
            order: entry.order,
            schema: entry.schema,
            bytes: entry.bytes,
            // What a newer app dispatched is held here, not there.
            held: entry.held.filter(|_| entry.schema <= engine.schema()),
            action: Arc::clone(entry.action.action()),
        }
    }

    fn entry(&self, engine: &mut Engine<Item>) -> Entry<Item> {
        let newer = (self.schema > engine.schema()).then_some(HeldReason::Schema);
        Entry {
            id: Id { client: engine.add_client(self.client.as_str()), n: self.n },
            from: self.from,
            order: self.order,
            schema: self.schema,
            bytes: self.bytes,
            held: self.held.or(newer),
            action: Item::Action(Arc::clone(&self.action)),
        }
    }
}

impl Change {
    /// What the engine wants to be stored.
    pub(crate) fn write(engine: &Engine<Item>, write: &Write<Item>) -> Self {
        let key = |id: &Id| (ClientId(engine.client_name(id.client).to_owned()), id.n);
        let mut change = Self {
            rows: write.entries.iter().map(|entry| Row::of(engine, entry)).collect(),
            state: write.state.as_ref().map(Item::state),
            epoch: engine.epoch(),
            behind: write.behind.clone(),
            events: write.events.clone(),
            cursor: write.cursor.as_ref().map(|cursor| signed(engine, cursor)),
            ..Self::default()
        };
        for id in &write.removed {
            change.remove(key(id));
        }
        for id in &write.settled {
            let (client, n) = key(id);
            change.gone.push((client.clone(), n));
            change.settled.insert(client, n);
        }
        change
    }

    /// Puts rows.
    pub(crate) fn put(rows: Vec<Row>) -> Self {
        Self { rows, ..Self::default() }
    }

    /// Takes out an entry that was dropped, or merged.
    pub(crate) fn remove(&mut self, key: Key) {
        self.take(&key);
        self.gone.push(key);
        self.dropped = true;
    }

    /// A state in place of the events that led to it.
    pub(crate) fn stands(&mut self, engine: &Engine<Item>, state: State, cursor: Option<&Cursor>) {
        self.state = Some(state);
        self.epoch = engine.epoch();
        self.compacts = true;
        self.behind = cursor.cloned();
        self.cursor = cursor.map(|cursor| signed(engine, cursor));
    }

    /// Takes in another change that comes after, and is not about the log.
    pub(crate) fn join(&mut self, other: &Self) {
        other.gone.iter().for_each(|key| self.take(key));
        self.rows.extend(other.rows.iter().cloned());
        self.leave(other);
    }

    /// What is still to be done of another change where the entries themselves come along by other ways: what it
    /// takes out, and what it holds. What it settles is the log's, which whoever leads may write.
    pub(crate) fn repeat(&mut self, other: &Self, leads: bool) {
        self.rows.extend(other.rows.iter().filter(|row| row.held.is_some()).cloned());
        self.leave(other);
        if !leads {
            self.settled.clear();
        }
    }

    fn leave(&mut self, other: &Self) {
        self.gone.extend(other.gone.iter().cloned());
        self.settled.extend(other.settled.iter().map(|(client, n)| (client.clone(), *n)));
    }

    pub(crate) fn is_log(&self) -> bool {
        self.moves() || !self.settled.is_empty()
    }

    /// Whether it brings events or a state.
    pub(crate) fn moves(&self) -> bool {
        self.cursor.is_some() || self.state.is_some()
    }

    /// Whether other tabs read again what is stored.
    pub(crate) fn is_news(&self) -> bool {
        let replaced = self.state.is_some() && !self.compacts;
        self.dropped || !self.rows.is_empty() || replaced
    }

    fn take(&mut self, key: &Key) {
        self.rows.retain(|row| row.key() != *key);
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gone = self.gone.iter().map(|(client, n)| format!("{client}:{}", n.0));
        let gone: Vec<_> = gone.collect();
        write!(f, "puts [{}], takes [{}]", names(&self.rows), gone.join(" "))?;
        if self.is_log() {
            let Self { behind, events, cursor, state, .. } = self;
            let after = behind.as_ref().map_or(0, |behind| behind.seq.0);
            let (seqs, state) = (events.iter().map(|e| e.seq.0), state.is_some());
            let seqs: Vec<_> = seqs.collect();
            write!(f, ", after {after} events {seqs:?} to {cursor:?}, state {state}")?;
        }
        Ok(())
    }
}

/// The log's row after a change, and whether it moved.
pub(crate) fn log_after(row: Option<&LogRow>, change: &Change) -> (bool, LogRow) {
    let known = row.and_then(|row| row.cursor.as_ref());
    // A state may be of another log: the server was reset. Events may not, and leave no hole.
    // Nor may a state that is older: of a tab that slept, and leads again.
    let older = known.is_some_and(|known| {
        let behind = |cursor: &Cursor| cursor.log == known.log && cursor.seq < known.seq;
        Some(change.epoch) == row.map(|row| row.epoch) && change.cursor.as_ref().is_none_or(behind)
    });
    let replaced = change.state.is_some() && !older;
    let moved = replaced
        || change.cursor.as_ref().is_some_and(|cursor| {
            let place = known.map_or(Seq(0), |known| known.seq);
            let after = change.behind.as_ref().map_or(Seq(0), |behind| behind.seq);
            let hole = place != after && !planted::is(Bug::StoredWithGap);
            let other = known.zip(change.behind.as_ref());
            !hole
                && other.is_none_or(|(known, behind)| known.chain == behind.chain)
                && known.is_none_or(|known| known.log == cursor.log)
        });
    let epoch_before = row.map_or(0, |row| row.epoch);
    let epoch = if replaced { change.epoch } else { epoch_before };
    // What was settled in another epoch is settled no more.
    let LogRow { mut settled, mut passed, .. } = row.cloned().unwrap_or_default();
    if epoch != epoch_before {
        passed.append(&mut settled);
    }
    for (client, n) in &change.settled {
        let last = settled.entry(client.clone()).or_default();
        *last = (*last).max(*n);
    }
    let cursor = if moved { change.cursor.clone() } else { known.cloned() };
    let before = row.map_or(0, |row| row.count);
    let more = if moved { change.events.len() } else { 0 };
    let count = if replaced { 0 } else { before + more };
    let base = match row {
        _ if replaced => Some((epoch, change.cursor.as_ref().map(|cursor| cursor.chain.clone()))),
        row => row.and_then(|row| row.base.clone()),
    };
    (moved, LogRow { cursor, settled, epoch, passed, base, count })
}

impl Stored {
    /// Adds what a journal holds.
    pub(crate) fn add(&mut self, rows: Vec<Row>) {
        let mut seen: BTreeSet<_> = self.rows.iter().map(Row::key).collect();
        self.rows.extend(rows.into_iter().filter(|row| seen.insert(row.key())));
        self.rows.sort_by_key(|row| (row.order, row.n));
        // What does not belong together is of no use; the server has all of it.
        let count = self.log.as_ref().map_or(self.events.len(), |log| log.count);
        let end = self.log.as_ref().and_then(|log| log.cursor.as_ref()).map(|cursor| cursor.seq);
        // A write of some may have failed, and that of later ones not.
        let begun = self.log.as_ref().and_then(|log| log.base.as_ref());
        let other = begun != self.state.as_ref().and_then(|(_, base)| base.as_ref());
        let hole = (other || count != self.events.len()) && !planted::is(Bug::StoredWithGap);
        if hole || self.events.iter().any(|event| end.is_none_or(|end| event.seq > end)) {
            (self.events, self.log, self.state) = (Vec::new(), None, None);
        }
    }

    pub(crate) fn cursor(&self) -> Option<&Cursor> {
        self.log.as_ref()?.cursor.as_ref()
    }

    /// As the engine takes it.
    pub(crate) fn to_state(&self, engine: &mut Engine<Item>) -> StoredState<Item> {
        let own = engine.schema();
        let mut numbers = |of: fn(&LogRow) -> &BTreeMap<ClientId, N>| {
            let numbers = self.log.iter().flat_map(of);
            let id = |(client, n): (&ClientId, &N)| (engine.add_client(client.as_str()), *n);
            numbers.map(id).map(|(client, n)| Id { client, n }).collect()
        };
        StoredState {
            base: self.state.as_ref().map(|(state, _)| Item::State(*state)),
            events: self.events.clone(),
            cursor: self.cursor().cloned().map(|mut cursor| {
                cursor.schema = cursor.schema.filter(|schema| *schema != own);
                cursor
            }),
            epoch: self.log.as_ref().map_or(0, |log| log.epoch),
            settled: numbers(|log| &log.settled),
            passed: numbers(|log| &log.passed),
            entries: to_entries(&self.rows, engine),
        }
    }
}

/// A cursor with the schema of the app that folded the state up to there.
fn signed(engine: &Engine<Item>, cursor: &Cursor) -> Cursor {
    let schema = cursor.schema.unwrap_or_else(|| engine.schema());
    Cursor { schema: Some(schema), ..cursor.clone() }
}

/// Rows as entries, of clients that the engine knows from now on.
pub(crate) fn to_entries(rows: &[Row], engine: &mut Engine<Item>) -> Vec<Entry<Item>> {
    rows.iter().map(|row| row.entry(engine)).collect()
}

/// Rows by name, for the trace.
pub(crate) fn names(rows: &[Row]) -> String {
    let name = |row: &Row| format!("{}:{}", row.client, row.n.0);
    rows.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// Whose rows, and their numbers.
pub(crate) fn keys(rows: &[Row]) -> BTreeSet<Key> {
    rows.iter().map(Row::key).collect()
}

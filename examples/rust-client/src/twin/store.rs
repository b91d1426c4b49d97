//! The device's file: outbox, events, state and cursor of one stream, in SQLite.
//!
//! Keeps I4: when a call returns, what it wrote survives a power cut. The file is locked, so that one program
//! at a time counts and sends.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, Row, Transaction, params};
use twinstore_engine::{Engine, Entry, HeldReason, Id, StoredEvent, StoredState, Write};
use twinstore_protocol::{Chain, Cursor, LogId, N, Seq, StreamId};

use super::{Text, named};

/// The file of one stream.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    /// Held for as long as the program runs.
    _lock: File,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreError {
    #[error("another program has this store open")]
    Busy,
    #[error("this store is of {0}")]
    OtherStream(String),
    #[error("the store's lock cannot be had")]
    Lock(#[source] std::io::Error),
    #[error("the store cannot be read or written: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl Store {
    pub(crate) fn open(file: &Path, stream: &StreamId) -> Result<Self, StoreError> {
        let mut beside = file.as_os_str().to_owned();
        beside.push(".lock");
        let lock = File::create(beside).map_err(StoreError::Lock)?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => StoreError::Busy,
            std::fs::TryLockError::Error(source) => StoreError::Lock(source),
        })?;
        let connection = Connection::open(file)?;
        connection.execute_batch(SCHEMA)?;
        let of: String = connection.query_row(
            "INSERT INTO twin (one, stream) VALUES (1, ?1)
             ON CONFLICT DO UPDATE SET one = 1 RETURNING stream",
            [stream.as_str()],
            |row| row.get(0),
        )?;
        if of != stream.as_str() {
            return Err(StoreError::OtherStream(of));
        }
        Ok(Self { connection, _lock: lock })
    }

    /// All of it, as the engine takes it.
    pub(crate) fn read(
        &mut self,
        engine: &mut Engine<Text>,
    ) -> Result<StoredState<Text>, StoreError> {
        let all = self.connection.transaction()?;
        let (base, cursor, epoch) =
            all.query_row("SELECT base, log, seq, chain, epoch, schema FROM twin", [], |row| {
                let base = row.get::<_, Option<String>>(0)?.map(Text::from);
                Ok((base, cursor(engine, row)?, row.get(4)?))
            })?;
        let events = rows(&all, "SELECT seq, action FROM event ORDER BY seq", |row| {
            Ok(StoredEvent { seq: Seq(row.get(0)?), action: row.get::<_, String>(1)?.into() })
        })?;
        let entries =
            rows(&all, "SELECT * FROM entry ORDER BY place, client, n", |row| entry(engine, row))?;
        let mut ids = |sql| {
            rows(&all, sql, |row| {
                let client = engine.add_client(&row.get::<_, String>(0)?);
                Ok(Id { client, n: N(row.get(1)?) })
            })
        };
        let settled = ids("SELECT client, settled FROM client WHERE settled > 0")?;
        let passed = ids("SELECT client, passed FROM client WHERE passed > 0")?;
        Ok(StoredState { base, events, cursor, epoch, settled, passed, entries })
    }

    /// Puts an entry, in place of another one where it is said which.
    pub(crate) fn enqueue(
        &mut self,
        engine: &Engine<Text>,
        entry: &Entry<Text>,
        gone: Option<Id>,
    ) -> Result<(), StoreError> {
        let all = self.connection.transaction()?;
        if let Some(gone) = gone {
            remove(&all, engine, gone)?;
        }
        put(&all, engine, entry)?;
        Ok(all.commit()?)
    }

    /// One change of what is stored.
    pub(crate) fn write(
        &mut self,
        engine: &Engine<Text>,
        write: &Write<Text>,
    ) -> Result<(), StoreError> {
        let all = self.connection.transaction()?;
        if let Some(state) = &write.state {
            stand(&all, engine, state, write.cursor.as_ref())?;
        } else if let Some(cursor) = &write.cursor {
            move_to(&all, engine, cursor)?;
        }
        for event in &write.events {
            all.prepare_cached("INSERT INTO event (seq, action) VALUES (?1, ?2)")?
                .execute(params![event.seq.0, event.action.as_str()])?;
        }
        for id in write.removed.iter().chain(&write.settled) {
            remove(&all, engine, *id)?;
        }
        for (client, n) in last_of_each(engine, &write.settled) {
            all.prepare_cached(
                "INSERT INTO client (client, settled) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET settled = max(settled, ?2)",
            )?
            .execute(params![client, n])?;
        }
        for entry in &write.entries {
            put(&all, engine, entry)?;
        }
        Ok(all.commit()?)
    }

    /// The state takes the place of the events that led to it.
    pub(crate) fn compact(
        &mut self,
        engine: &Engine<Text>,
        state: &Text,
        cursor: &Cursor,
    ) -> Result<(), StoreError> {
        let all = self.connection.transaction()?;
        stand(&all, engine, state, Some(cursor))?;
        Ok(all.commit()?)
    }
}

fn rows<T>(
    all: &Transaction<'_>,
    sql: &str,
    row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    all.prepare_cached(sql)?.query_map([], row)?.collect()
}

fn cursor(engine: &Engine<Text>, row: &Row<'_>) -> rusqlite::Result<Option<Cursor>> {
    let log: Option<String> = row.get("log")?;
    let Some(log) = log else { return Ok(None) };
    let (seq, chain) = (Seq(row.get("seq")?), Chain(row.get("chain")?));
    let schema = Some(row.get("schema")?).filter(|schema| *schema != engine.schema());
    Ok(Some(Cursor { log: LogId(log), seq, chain, schema }))
}

fn entry(engine: &mut Engine<Text>, row: &Row<'_>) -> rusqlite::Result<Entry<Text>> {
    let client = engine.add_client(&row.get::<_, String>("client")?);
    let held: Option<String> = row.get("held")?;
    Ok(Entry {
        id: Id { client, n: N(row.get("n")?) },
        from: N(row.get("first")?),
        order: row.get("place")?,
        schema: row.get("schema")?,
        bytes: row.get("bytes")?,
        held: held.and_then(|held| HeldReason::parse(&held)),
        action: row.get::<_, String>("action")?.into(),
    })
}

fn put(all: &Transaction<'_>, engine: &Engine<Text>, entry: &Entry<Text>) -> rusqlite::Result<()> {
    let (client, n) = named(engine, entry.id);
    let Entry { from, order, schema, bytes, held, action, .. } = entry;
    let held = held.map(HeldReason::as_str);
    all.prepare_cached("INSERT OR REPLACE INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![client, n, from.0, order, schema, bytes, held, action.as_str()])?;
    Ok(())
}

fn remove(all: &Transaction<'_>, engine: &Engine<Text>, id: Id) -> rusqlite::Result<()> {
    let (client, n) = named(engine, id);
    all.prepare_cached("DELETE FROM entry WHERE client = ?1 AND n = ?2")?
        .execute(params![client, n])?;
    Ok(())
}

/// A state takes the place of state, events and cursor. What another server settled says nothing any more, but
/// that these numbers will not come again.
fn stand(
    all: &Transaction<'_>,
    engine: &Engine<Text>,
    state: &Text,
    cursor: Option<&Cursor>,
) -> rusqlite::Result<()> {
    let before: u64 = all.query_row("SELECT epoch FROM twin", [], |row| row.get(0))?;
    if before != engine.epoch() {
        all.execute("UPDATE client SET passed = max(passed, settled), settled = 0", [])?;
    }
    all.execute("DELETE FROM event", [])?;
    let log = cursor.map(|cursor| cursor.log.as_str());
    let (seq, chain) = (cursor.map(|c| c.seq.0), cursor.map(|c| c.chain.as_str()));
    let schema = cursor.and_then(|cursor| cursor.schema).unwrap_or_else(|| engine.schema());
    all.execute(
        "UPDATE twin SET base = ?1, log = ?2, seq = ?3, chain = ?4, epoch = ?5, schema = ?6",
        params![state.as_str(), log, seq, chain, engine.epoch(), schema],
    )?;
    Ok(())
}

fn move_to(all: &Transaction<'_>, engine: &Engine<Text>, cursor: &Cursor) -> rusqlite::Result<()> {
    let Cursor { log, seq, chain, schema } = cursor;
    let schema = schema.unwrap_or_else(|| engine.schema());
    all.prepare_cached("UPDATE twin SET log = ?1, seq = ?2, chain = ?3, schema = ?4")?
        .execute(params![log.as_str(), seq.0, chain.as_str(), schema])?;
    Ok(())
}

fn last_of_each(engine: &Engine<Text>, settled: &[Id]) -> BTreeMap<String, u64> {
    let mut last = BTreeMap::new();
    for id in settled {
        let (client, n) = named(engine, *id);
        let known = last.entry(client).or_insert(0);
        *known = n.max(*known);
    }
    last
}

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS twin (
  one INTEGER PRIMARY KEY CHECK (one = 1), stream TEXT NOT NULL,
  base TEXT, log TEXT, seq INTEGER, chain TEXT, epoch INTEGER NOT NULL DEFAULT 0,
  schema INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, action TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS client (
  client TEXT PRIMARY KEY, settled INTEGER NOT NULL DEFAULT 0, passed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS entry (
  client TEXT NOT NULL, n INTEGER NOT NULL, first INTEGER NOT NULL, place INTEGER NOT NULL,
  schema INTEGER NOT NULL, bytes INTEGER NOT NULL, held TEXT, action TEXT NOT NULL,
  PRIMARY KEY (client, n)
) STRICT;
";

//! A log in one SQLite file: WAL, `synchronous=FULL`, one writer thread, any number of readers.
//!
//! Keeps I4 (an append is answered after the commit that holds it) and I8 (its guard is the stored
//! head). Events lie in `<model>_events`, records in `<model>`, all else in tables `twin_…`.
//! Not here: the writing itself (`sqlite/writer.rs`).

mod compact;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Row, named_params, params};
use twinstore_protocol::{
    Chain, ClientId, LogId, N, Rejection, RejectionRow, Seq, StreamId, StreamIdError,
};

use self::writer::Writer;
use super::{
    Append, BackendError, Base, Compaction, Derived, Done, Head, Log, Page, ReadError, Snapshot,
    StoredModel, Verdict, WriteError,
};
use crate::day::Day;
use crate::event::StoredEvent;

/// The form of the tables; a file of a later one is not opened.
const FORMAT: i64 = 2;

/// How long a connection waits for another one's lock.
const BUSY: Duration = Duration::from_secs(10);

/// Read connections that are kept for the next reader.
const READERS_KEPT: usize = 8;

/// A [`Log`] in a file.
#[derive(Debug)]
pub struct SqliteLog {
    path: PathBuf,
    writer: Option<Writer>,
    readers: Mutex<Vec<Connection>>,
    /// Held while this process writes; the system releases it however the process ends.
    _lock: Option<File>,
}

/// Why a file could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process writes to it.
    #[error("another process has {path} open for writing: one server per store")]
    Locked {
        /// The store.
        path: PathBuf,
    },
    /// There is no such file (read-only opening does not make one).
    #[error("there is no store at {path}")]
    Missing {
        /// The store.
        path: PathBuf,
    },
    /// A later version of this program made it.
    #[error("{path} has the form {found}, this program knows {FORMAT}")]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its form.
        found: i64,
    },
    /// The lock file could not be made.
    #[error("cannot lock {path}")]
    Lock {
        /// The store.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// SQLite said no.
    #[error("cannot open {path}")]
    Sqlite {
        /// The store.
        path: PathBuf,
        /// What it said.
        #[source]
        source: BackendError,
    },
}

impl SqliteLog {
    /// Opens, or makes, a file for writing. Only one process may.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let connection = Connection::open(path).map_err(|e| sqlite(path, e))?;
        prepare(&connection).map_err(|e| sqlite(path, e))?;
        check_format(path, &connection)?;
        connection.execute_batch(TABLES).map_err(|e| sqlite(path, e))?;
        let writer = Writer::start(connection).map_err(|e| sqlite(path, e))?;
        Ok(Self {
            path: path.to_owned(),
            writer: Some(writer),
            readers: Mutex::default(),
            _lock: Some(lock),
        })
    }

    /// Opens a file beside a running server. Appends fail.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(OpenError::Missing { path: path.to_owned() });
        }
        let connection = open_reader(path).map_err(|e| sqlite(path, e))?;
        check_format(path, &connection)?;
        Ok(Self {
            path: path.to_owned(),
            writer: None,
            readers: Mutex::new(vec![connection]),
            _lock: None,
        })
    }

    /// Writes the store as it is now into a file of its own, which must not be there. A server may
    /// go on writing meanwhile.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn backup(&self, to: &Path) -> Result<(), WriteError> {
        let error = |source| WriteError { what: "a backup", source };
        let into = to.to_str().ok_or_else(|| error("its name is no text".into()))?;
        let connection = open_reader(&self.path).map_err(|e| error(e.into()))?;
        connection.execute("VACUUM INTO ?1", [into]).map_err(|e| error(e.into()))?;
        // VACUUM INTO leaves it to the system when the file is on the disk.
        let synced = File::open(to).and_then(|file| file.sync_all());
        synced.map_err(|e| error(e.into()))
    }

    /// Limits the file to so many pages of 4 KiB, as a full disk would; 0 lifts the limit. For
    /// tests.
    #[doc(hidden)]
    pub fn limit_pages(&self, pages: u32) {
        if let Some(writer) = &self.writer {
            writer.limit_pages(pages);
        }
    }

    /// How many transactions have been committed. For tests of group commit.
    #[doc(hidden)]
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::commits)
    }

    fn read_with<T: Default>(
        &self,
        what: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        let error = |source: rusqlite::Error| ReadError { what, source: source.into() };
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => open_reader(&self.path).map_err(error)?,
        };
        let result = match read(&connection) {
            Err(missing) if is_no_table(&missing) => T::default(),
            other => other.map_err(error)?,
        };
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS_KEPT {
            readers.push(connection);
        }
        Ok(result)
    }
}

impl Log for SqliteLog {
    fn append(&self, append: Append, done: Done) {
        match &self.writer {
            Some(writer) => writer.append(append, done),
            None => done(Err(super::AppendError::Failed("the store is open read-only".into()))),
        }
    }

    fn streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<(StreamId, Seq)>, ReadError> {
        let named = self.read_with("streams", |c| {
            let sql = "SELECT stream, head FROM twin_streams WHERE stream > ?1 AND head > 0 \
                       ORDER BY stream LIMIT ?2";
            let keys = params![after.map_or("", StreamId::as_str), int(limit as u64)];
            collect(c, sql, keys, |row| Ok((row.get::<_, String>(0)?, Seq(uint(row, 1)?))))
        })?;
        let id = |(name, head): (String, Seq)| Ok((StreamId::parse(&name)?, head));
        let error = |source: StreamIdError| ReadError { what: "streams", source: source.into() };
        named.into_iter().map(id).collect::<Result<_, _>>().map_err(error)
    }

    fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        self.read_with("a stream's head", |c| {
            let sql = "SELECT log, head, chain FROM twin_streams WHERE stream = ?1 AND head > 0";
            c.prepare_cached(sql)?.query_row([stream.as_str()], head).optional()
        })
    }

    fn read(
        &self,
        stream: &StreamId,
        after: Seq,
        page: Page,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        self.read_with("events", |c| {
            let sql = format!(
                "SELECT {EVENT} FROM \"{}_events\" WHERE stream = ?1 AND seq > ?2 \
                 ORDER BY seq LIMIT ?3",
                stream.model()
            );
            let mut statement = c.prepare_cached(&sql)?;
            let rows = statement.query_map(
                params![stream.as_str(), int(after.0), int(page.events as u64)],
                event,
            )?;
            page.try_cut(rows)
        })
    }

    fn chain(&self, stream: &StreamId, seq: Seq) -> Result<Option<Chain>, ReadError> {
        self.read_with("a chain", |c| {
            let sql = format!(
                "SELECT chain FROM \"{}_events\" WHERE stream = ?1 AND seq = ?2",
                stream.model()
            );
            let mut statement = c.prepare_cached(&sql)?;
            let keys = params![stream.as_str(), int(seq.0)];
            let of_event = statement.query_row(keys, |r| r.get(0).map(Chain)).optional()?;
            if of_event.is_some() {
                return Ok(of_event);
            }
            let base = base_of(c, stream)?.filter(|base| base.seq == seq);
            Ok(base.map(|base| base.chain))
        })
    }

    fn last_n(&self, stream: &StreamId, client: &ClientId) -> Result<N, ReadError> {
        self.read_with("a client", |c| {
            let sql = "SELECT last FROM twin_clients WHERE stream = ?1 AND client = ?2";
            let mut statement = c.prepare_cached(sql)?;
            let keys = params![stream.as_str(), client.as_str()];
            Ok(statement.query_row(keys, |r| uint(r, 0)).optional()?.map(N).unwrap_or_default())
        })
    }

    fn subject(&self, stream: &StreamId, client: &ClientId) -> Result<Option<Arc<str>>, ReadError> {
        self.read_with("a client's subject", |c| {
            let sql = "SELECT subject FROM twin_subjects WHERE stream = ?1 AND client = ?2";
            let mut statement = c.prepare_cached(sql)?;
            let keys = params![stream.as_str(), client.as_str()];
            statement.query_row(keys, |row| row.get::<_, String>(0).map(Arc::from)).optional()
        })
    }

    fn rejections(
        &self,
        stream: &StreamId,
        client: &ClientId,
        from: N,
        limit: usize,
    ) -> Result<Vec<RejectionRow>, ReadError> {
        self.read_with("rejections", |c| {
            let sql = format!(
                "SELECT n, seq, code, reason FROM \"{}_events\" WHERE stream = :stream \
                 AND client = :client AND n >= :from AND code IS NOT NULL \
                 UNION ALL SELECT n, seq, code, reason FROM twin_rejections \
                 WHERE stream = :stream AND client = :client AND n >= :from \
                 ORDER BY n DESC LIMIT :limit",
                stream.model()
            );
            let keys = named_params! {
                ":stream": stream.as_str(), ":client": client.as_str(), ":from": int(from.0),
                ":limit": int(limit as u64),
            };
            let mut rows = collect(c, &sql, keys, rejection_row)?;
            rows.reverse();
            Ok(rows)
        })
    }

    fn verdict(
        &self,
        stream: &StreamId,
        client: &ClientId,
        n: N,
    ) -> Result<Option<Verdict>, ReadError> {
        self.read_with("a verdict", |c| {
            let sql = format!(
                "SELECT n, seq, code, reason, from_n FROM \"{}_events\" WHERE stream = ?1 \
                 AND client = ?2 AND n >= ?3 ORDER BY n LIMIT 1",
                stream.model()
            );
            let mut statement = c.prepare_cached(&sql)?;
            let keys = params![stream.as_str(), client.as_str(), int(n.0)];
            let found = statement.query_row(keys, |row| Ok((verdict(row)?, first_n(row)?)));
            let found = found.optional()?.filter(|(_, first)| *first <= n);
            match found {
                Some((verdict, _)) => Ok(Some(verdict)),
                None => verdict_of_gone(c, stream, client, n),
            }
        })
    }

    fn records(&self, stream: &StreamId) -> Result<Vec<(String, String)>, ReadError> {
        self.read_with("records", |c| {
            let sql = format!(
                "SELECT key, record FROM \"{}\" WHERE stream = ?1 ORDER BY key",
                stream.model()
            );
            collect(c, &sql, [stream.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        })
    }

    fn snapshot(&self, stream: &StreamId, at_most: Seq) -> Result<Option<Snapshot>, ReadError> {
        self.read_with("a snapshot", |c| {
            let sql = "SELECT seq, model, state FROM twin_snapshots WHERE stream = ?1 \
                       AND seq <= ?2 ORDER BY seq DESC LIMIT 1";
            let mut statement = c.prepare_cached(sql)?;
            let keys = params![stream.as_str(), int(at_most.0)];
            statement.query_row(keys, snapshot).optional()
        })
    }

    fn put_snapshot(&self, stream: &StreamId, snapshot: Snapshot) {
        if let Some(writer) = &self.writer {
            writer.put_snapshot(stream.clone(), snapshot);
        }
    }

    fn replace_derived(&self, stream: &StreamId, derived: Derived) -> Result<(), WriteError> {
        let error = |source| WriteError { what: "what events make", source };
        let writer = self.writer.as_ref().ok_or_else(|| error("the store is read-only".into()))?;
        writer.replace_derived(stream.clone(), derived).map_err(error)
    }

    fn integrity(&self) -> Result<Vec<String>, ReadError> {
        let found = self.read_with("the file", |c| {
            collect(c, "PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
        })?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    fn compacts(&self) -> bool {
        true
    }

    fn base(&self, stream: &StreamId) -> Result<Option<Base>, ReadError> {
        self.read_with("a base", |c| base_of(c, stream))
    }

    fn clients_since(&self, stream: &StreamId) -> Result<Day, ReadError> {
        self.read_with("which clients were forgotten", |c| {
            let sql = "SELECT clients_since FROM twin_forgotten WHERE stream = ?1";
            let day = |row: &Row<'_>| row.get(0).map(Day);
            let found = c.prepare_cached(sql)?.query_row([stream.as_str()], day).optional()?;
            Ok(found.unwrap_or_default())
        })
    }

    fn compact(&self, stream: &StreamId, compaction: Compaction) -> Result<u64, WriteError> {
        let error = |source| WriteError { what: "a base", source };
        let writer = self.writer.as_ref().ok_or_else(|| error("the store is read-only".into()))?;
        writer.compact(stream.clone(), compaction).map_err(error)
    }

    fn model(&self, hash: &str) -> Result<Option<StoredModel>, ReadError> {
        self.read_with("a model", |c| {
            let sql = "SELECT hash, name, schema, source FROM twin_models WHERE hash = ?1";
            c.prepare_cached(sql)?.query_row([hash], model).optional()
        })
    }

    fn put_model(&self, model: StoredModel) -> Result<(), WriteError> {
        let error = |source| WriteError { what: "a model", source };
        let writer = self.writer.as_ref().ok_or_else(|| error("the store is read-only".into()))?;
        writer.put_model(model).map_err(error)
    }

    fn probe(&self) -> Result<(), WriteError> {
        let error = |source: BackendError| WriteError { what: "anything", source };
        match &self.writer {
            Some(writer) => writer.probe().map_err(error),
            None => Err(error("the store is open read-only".into())),
        }
    }

    fn close(&self) {
        // Who closes last brings all of the write-ahead log into the file; a reader cannot.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        if let Some(writer) = &self.writer {
            writer.close();
        }
    }
}

impl Page {
    fn try_cut(
        self,
        rows: impl Iterator<Item = rusqlite::Result<StoredEvent>>,
    ) -> rusqlite::Result<Vec<StoredEvent>> {
        let mut failed = None;
        let events = rows.map_while(|row| row.map_err(|error| failed = Some(error)).ok());
        let page = self.cut(events);
        failed.map_or(Ok(page), Err)
    }
}

const EVENT: &str =
    "seq, client, n, from_n, at, type, model, schema, code, reason, body, chain, aside";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS twin_streams (
  stream TEXT PRIMARY KEY, log TEXT NOT NULL, head INTEGER NOT NULL, chain TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twin_clients (
  stream TEXT NOT NULL, client TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (stream, client)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twin_subjects (
  stream TEXT NOT NULL, client TEXT NOT NULL, subject TEXT NOT NULL, PRIMARY KEY (stream, client)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twin_snapshots (
  stream TEXT NOT NULL, seq INTEGER NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (stream, seq)
);
CREATE TABLE IF NOT EXISTS twin_models (
  hash TEXT PRIMARY KEY, name TEXT NOT NULL, schema INTEGER NOT NULL, source TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS twin_bases (
  stream TEXT PRIMARY KEY, seq INTEGER NOT NULL, chain TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twin_rejections (
  stream TEXT NOT NULL, client TEXT NOT NULL, n INTEGER NOT NULL, from_n INTEGER,
  seq INTEGER NOT NULL, code TEXT NOT NULL, reason TEXT, PRIMARY KEY (stream, client, n)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twin_gone (
  stream TEXT NOT NULL, client TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (stream, client)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twin_forgotten (
  stream TEXT PRIMARY KEY, clients_since INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twin_probe (room BLOB NOT NULL);
PRAGMA user_version = 2;
";

/// The tables of one model. A stream's name is stored whole: names of models may be alike.
fn model_tables(model: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS \"{model}_events\" (
          stream TEXT NOT NULL, seq INTEGER NOT NULL, client TEXT NOT NULL, n INTEGER NOT NULL,
          from_n INTEGER, at INTEGER NOT NULL, type TEXT NOT NULL, model TEXT NOT NULL,
          schema INTEGER NOT NULL, code TEXT, reason TEXT, body TEXT NOT NULL,
          chain TEXT NOT NULL, aside TEXT,
          PRIMARY KEY (stream, seq), UNIQUE (stream, client, n)
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS \"{model}\" (
          stream TEXT NOT NULL, key TEXT NOT NULL, record TEXT NOT NULL, seq INTEGER NOT NULL,
          PRIMARY KEY (stream, key)
        ) WITHOUT ROWID;"
    )
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let io = |source| OpenError::Lock { path: path.to_owned(), source };
    let file = File::options().create(true).append(true).open(PathBuf::from(name)).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // I4: a commit that returned is on the disk. NORMAL would lose it in a power cut.
    connection.pragma_update(None, "synchronous", "FULL")
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn check_format(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let found = connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        .map_err(|e| sqlite(path, e))?;
    match found <= FORMAT {
        true => Ok(()),
        false => Err(OpenError::Newer { path: path.to_owned(), found }),
    }
}

fn sqlite(path: &Path, source: impl Into<BackendError>) -> OpenError {
    OpenError::Sqlite { path: path.to_owned(), source: source.into() }
}

/// A model that was never run here has no tables, and so no events.
fn is_no_table(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(_, Some(text)) if text.starts_with("no such table"))
        || matches!(error, rusqlite::Error::SqlInputError { msg, .. } if msg.starts_with("no such table"))
}

fn collect<T, P: Params>(
    connection: &Connection,
    sql: &str,
    keys: P,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(keys, read)?.collect()
}

/// SQLite's integers are signed; all of ours are below 2^53.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn uint(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|number| u64::try_from(number).unwrap_or_default())
}

fn head(row: &Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head { log: LogId(row.get(0)?), seq: Seq(uint(row, 1)?), chain: Chain(row.get(2)?) })
}

fn event(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(StoredEvent {
        seq: Seq(uint(row, 0)?),
        client: ClientId(row.get(1)?),
        n: N(uint(row, 2)?),
        from: row.get::<_, Option<i64>>(3)?.map(|n| N(u64::try_from(n).unwrap_or_default())),
        at: uint(row, 4)?,
        kind: row.get(5)?,
        model: row.get(6)?,
        schema: row.get(7)?,
        error: rejection(row.get(8)?, row.get(9)?),
        body: row.get(10)?,
        chain: Chain(row.get(11)?),
        aside: row.get(12)?,
    })
}

fn rejection(code: Option<String>, reason: Option<String>) -> Option<Rejection> {
    code.map(|code| Rejection { code, reason: reason.unwrap_or_default() })
}

fn rejection_row(row: &Row<'_>) -> rusqlite::Result<RejectionRow> {
    let error = Rejection { code: row.get(2)?, reason: row.get(3)? };
    Ok(RejectionRow { n: N(uint(row, 0)?), seq: Seq(uint(row, 1)?), error })
}

fn verdict(row: &Row<'_>) -> rusqlite::Result<Verdict> {
    let error = rejection(row.get(2)?, row.get(3)?);
    Ok(Verdict { n: N(uint(row, 0)?), seq: Seq(uint(row, 1)?), error })
}

fn first_n(row: &Row<'_>) -> rusqlite::Result<N> {
    let from: Option<i64> = row.get(4)?;
    from.map_or_else(|| uint(row, 0), |n| Ok(u64::try_from(n).unwrap_or_default())).map(N)
}

fn base_of(connection: &Connection, stream: &StreamId) -> rusqlite::Result<Option<Base>> {
    let sql = "SELECT seq, chain FROM twin_bases WHERE stream = ?1";
    let base = |row: &Row<'_>| Ok(Base { seq: Seq(uint(row, 0)?), chain: Chain(row.get(1)?) });
    connection.prepare_cached(sql)?.query_row([stream.as_str()], base).optional()
}

/// The verdict of a number whose event is gone: its rejection is kept, and else it was accepted.
fn verdict_of_gone(
    connection: &Connection,
    stream: &StreamId,
    client: &ClientId,
    n: N,
) -> rusqlite::Result<Option<Verdict>> {
    let Some(base) = base_of(connection, stream)? else { return Ok(None) };
    let keys = params![stream.as_str(), client.as_str(), int(n.0)];
    let sql = "SELECT n, seq, code, reason, from_n FROM twin_rejections WHERE stream = ?1 \
               AND client = ?2 AND n >= ?3 ORDER BY n LIMIT 1";
    let rejected = connection
        .prepare_cached(sql)?
        .query_row(keys, |row| Ok((verdict(row)?, first_n(row)?)))
        .optional()?;
    if let Some((rejected, _)) = rejected.filter(|(_, first)| *first <= n) {
        return Ok(Some(rejected));
    }
    let sql = "SELECT 1 FROM twin_clients WHERE stream = ?1 AND client = ?2 AND last >= ?3";
    let is_settled = connection.prepare_cached(sql)?.exists(keys)?;
    Ok(is_settled.then_some(Verdict { n, seq: base.seq, error: None }))
}

fn snapshot(row: &Row<'_>) -> rusqlite::Result<Snapshot> {
    Ok(Snapshot { seq: Seq(uint(row, 0)?), model: row.get(1)?, state: row.get(2)? })
}

fn model(row: &Row<'_>) -> rusqlite::Result<StoredModel> {
    Ok(StoredModel {
        hash: row.get(0)?,
        name: row.get(1)?,
        schema: row.get(2)?,
        source: row.get(3)?,
    })
}

#[cfg(test)]
mod tests;

//! The log itself: reads, and what is written beside appends.
//!
//! Those who call are threads that may wait; what they wait for runs on a runtime of its own.

use std::future::Future;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};
use twinstore_protocol::{Chain, ClientId, N, RejectionRow, Seq, StreamId};
use twinstore_server::day::Day;
use twinstore_server::event::StoredEvent;
use twinstore_server::log::{
    Append, AppendError, BackendError, Base, Compaction, Derived, Done, Head, Locked, Log, Page,
    ReadError, Snapshot, StoredModel, Told, Verdict, WriteError,
};

use crate::compact::{compact, wipe};
use crate::connect::{Connect, open_error};
use crate::derived::{put_snapshot, replace};
use crate::hints::Hints;
use crate::locks::Locks;
use crate::rows::{self, EVENT, int, uint};
use crate::text::{events_table, read, records_table, stored};
use crate::writer::Writer;
use crate::{OpenError, Settings, Url, tables};

/// Threads for what goes to and fro. The work is the database's.
const THREADS: usize = 2;

/// A [`Log`] in a database.
#[derive(Debug)]
pub struct PostgresLog {
    /// None once it is dropped.
    runtime: Option<Runtime>,
    connect: Connect,
    pool: Pool,
    hints: Hints,
    /// None where it is open for reading.
    writing: Option<Writing>,
}

#[derive(Debug)]
struct Writing {
    writer: Writer,
    locks: Locks,
}

impl PostgresLog {
    /// Opens a database for writing, and makes its tables where they are not there. Any number of
    /// processes may. Blocks until it is done.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(url: &Url, settings: &Settings) -> Result<Self, OpenError> {
        Self::opened(url, settings, true)
    }

    /// Opens a database for reading. Appends fail.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_read_only(url: &Url, settings: &Settings) -> Result<Self, OpenError> {
        Self::opened(url, settings, false)
    }

    fn opened(url: &Url, settings: &Settings, writing: bool) -> Result<Self, OpenError> {
        let connect = Connect::to(url, settings, writing)?;
        let pool = connect.pool(settings.readers, settings, writing)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|e| OpenError::Database(e.into()))?;
        let hints = Hints::default();
        let mut log = Self { runtime: Some(runtime), connect, pool, hints, writing: None };
        let pool = log.pool.clone();
        log.wait(async move {
            let client = pool.get().await.map_err(open_error)?;
            if writing { tables::make(&client).await } else { tables::check(&client).await }
        })
        .map_err(OpenError::Database)??;
        if writing {
            let pool = log.connect.pool(settings.writers, settings, true)?;
            let locking = log.connect.pool(settings.lockers, settings, true)?;
            let runtime = log.runtime().handle();
            let writer = Writer::start(runtime, &pool, settings, &log.hints);
            let locks = Locks::new(runtime, locking, &log.hints);
            log.writing = Some(Writing { writer, locks });
        }
        Ok(log)
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is there until the log is dropped")
    }

    /// Waits for work on the runtime; never from a thread of that runtime.
    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, BackendError> {
        let (done, outcome) = mpsc::channel();
        self.runtime().spawn(async move {
            // Whoever asked waits for it.
            let _ = done.send(work.await);
        });
        outcome.recv().map_err(|_| "what was asked of the database panicked".into())
    }

    /// The rows of one query. A connection that turns out to be dead is replaced once.
    fn rows(&self, what: &'static str, sql: String, keys: Keys) -> Result<Vec<Row>, ReadError> {
        let pool = self.pool.clone();
        let read = async move {
            match query(&pool, &sql, &keys).await {
                Err(Failed::Query(error)) if error.as_db_error().is_none() => {
                    query(&pool, &sql, &keys).await
                }
                outcome => outcome,
            }
        };
        let error = |source| ReadError { what, source };
        match self.wait(read).map_err(error)? {
            Ok(rows) => Ok(rows),
            Err(Failed::Query(missing)) if tables::is_no_table(&missing) => Ok(Vec::new()),
            Err(Failed::Query(failed)) => Err(error(failed.into())),
            Err(Failed::Connect(failed)) => Err(error(failed)),
        }
    }

    /// The first row of one query.
    fn row(&self, what: &'static str, sql: String, keys: Keys) -> Result<Option<Row>, ReadError> {
        Ok(self.rows(what, sql, keys)?.into_iter().next())
    }

    /// The verdict of a number whose event is gone: its rejection is kept, and else it was accepted.
    fn verdict_of_gone(
        &self,
        stream: &StreamId,
        client: &ClientId,
        n: N,
    ) -> Result<Option<Verdict>, ReadError> {
        let Some(base) = self.base(stream)? else { return Ok(None) };
        let sql = "SELECT n, seq, code, reason, from_n FROM twin_rejections WHERE stream = $1 \
                   AND client = $2 AND n >= $3 ORDER BY n LIMIT 1";
        let keys = vec![key(stream), text(client.as_str()), number(n.0)];
        let rejected = self.row("a verdict", sql.to_owned(), keys)?;
        let rejected = rejected.map(|row| rows::verdict(&row)).filter(|(_, first)| *first <= n);
        if let Some((rejected, _)) = rejected {
            return Ok(Some(rejected));
        }
        let is_settled = self.last_n(stream, client)? >= n;
        Ok(is_settled.then_some(Verdict { n, seq: base.seq, error: None }))
    }

    /// Something beside appends, in a transaction of its own.
    fn write<T: Send + 'static, Fut>(
        &self,
        what: &'static str,
        write: impl FnOnce(Object) -> Fut + Send + 'static,
    ) -> Result<T, WriteError>
    where
        Fut: Future<Output = Result<T, BackendError>> + Send + 'static,
    {
        let error = |source| WriteError { what, source };
        if self.writing.is_none() {
            return Err(error("the store is open read-only".into()));
        }
        let pool = self.pool.clone();
        self.wait(async move { write(pool.get().await?).await }).map_err(error)?.map_err(error)
    }
}

type Keys = Vec<Box<dyn ToSql + Sync + Send>>;

enum Failed {
    Connect(BackendError),
    Query(Error),
}

async fn query(pool: &Pool, sql: &str, keys: &Keys) -> Result<Vec<Row>, Failed> {
    let client = pool.get().await.map_err(|e| Failed::Connect(e.into()))?;
    let statement = client.prepare_cached(sql).await.map_err(Failed::Query)?;
    let keys: Vec<&(dyn ToSql + Sync)> = keys.iter().map(|key| &**key as _).collect();
    client.query(&statement, &keys).await.map_err(Failed::Query)
}

/// Ends a transaction: what was done in it stays, or where that failed nothing of it.
async fn end<T>(
    client: Object,
    done: Result<T, BackendError>,
) -> Result<(Object, T), BackendError> {
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    match (client.batch_execute(end).await, done) {
        (Ok(()), Ok(done)) => Ok((client, done)),
        (Ok(()), Err(error)) => Err(error),
        (Err(error), done) => {
            drop(Object::take(client));
            Err(done.err().unwrap_or_else(|| error.into()))
        }
    }
}

fn key(stream: &StreamId) -> Box<dyn ToSql + Sync + Send> {
    Box::new(stream.as_str().to_owned())
}

fn text(text: &str) -> Box<dyn ToSql + Sync + Send> {
    Box::new(stored(text).into_owned())
}

fn number(number: u64) -> Box<dyn ToSql + Sync + Send> {
    Box::new(int(number))
}

impl Log for PostgresLog {
    fn append(&self, append: Append, done: Done) {
        match &self.writing {
            Some(Writing { writer, locks }) => {
                if let Some((append, done)) = locks.append(append, done) {
                    writer.append(append, done);
                }
            }
            None => done(Err(AppendError::Failed("the store is open read-only".into()))),
        }
    }

    fn streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<(StreamId, Seq)>, ReadError> {
        let sql = "SELECT stream, head FROM twin_streams WHERE stream > $1 AND head > 0 \
                   ORDER BY stream LIMIT $2";
        let keys = vec![text(after.map_or("", StreamId::as_str)), number(limit as u64)];
        let rows = self.rows("streams", sql.to_owned(), keys)?;
        let streams = rows.iter().map(rows::stream).collect::<Result<_, _>>();
        streams.map_err(|source| ReadError { what: "streams", source: source.into() })
    }

    fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        let sql = "SELECT log, head, chain FROM twin_streams WHERE stream = $1 AND head > 0";
        let row = self.row("a stream's head", sql.to_owned(), vec![key(stream)])?;
        Ok(row.as_ref().map(rows::head))
    }

    fn read(
        &self,
        stream: &StreamId,
        after: Seq,
        page: Page,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        // What is not on the page stays in the database.
        let sql = format!(
            "SELECT {EVENT} FROM (SELECT *, sum(octet_length(body)) OVER (ORDER BY seq) \
             - octet_length(body) AS before FROM (SELECT {EVENT} FROM {} WHERE stream = $1 \
             AND seq > $2 ORDER BY seq LIMIT $3) AS found) AS counted \
             WHERE before < $4 ORDER BY seq",
            events_table(stream.model())
        );
        let (events, bytes) = (page.events as u64, page.bytes as u64);
        let keys = vec![key(stream), number(after.0), number(events), number(bytes.max(1))];
        Ok(self.rows("events", sql, keys)?.iter().map(rows::event).collect())
    }

    fn chain(&self, stream: &StreamId, seq: Seq) -> Result<Option<Chain>, ReadError> {
        let table = events_table(stream.model());
        let sql = format!("SELECT chain FROM {table} WHERE stream = $1 AND seq = $2");
        let row = self.row("a chain", sql, vec![key(stream), number(seq.0)])?;
        match row {
            Some(row) => Ok(Some(Chain(row.get(0)))),
            None => Ok(self.base(stream)?.filter(|base| base.seq == seq).map(|base| base.chain)),
        }
    }

    fn last_n(&self, stream: &StreamId, client: &ClientId) -> Result<N, ReadError> {
        let sql = "SELECT last FROM twin_clients WHERE stream = $1 AND client = $2";
        let keys = vec![key(stream), text(client.as_str())];
        let row = self.row("a client", sql.to_owned(), keys)?;
        Ok(row.map(|row| N(uint(&row, 0))).unwrap_or_default())
    }

    fn subject(&self, stream: &StreamId, client: &ClientId) -> Result<Option<Arc<str>>, ReadError> {
        let sql = "SELECT subject FROM twin_subjects WHERE stream = $1 AND client = $2";
        let keys = vec![key(stream), text(client.as_str())];
        let row = self.row("a client's subject", sql.to_owned(), keys)?;
        Ok(row.map(|row| read(row.get(0)).into()))
    }

    fn rejections(
        &self,
        stream: &StreamId,
        client: &ClientId,
        from: N,
        limit: usize,
    ) -> Result<Vec<RejectionRow>, ReadError> {
        let sql = format!(
            "SELECT n, seq, code, reason FROM {} WHERE stream = $1 AND client = $2 AND n >= $3 \
             AND code IS NOT NULL UNION ALL SELECT n, seq, code, reason FROM twin_rejections \
             WHERE stream = $1 AND client = $2 AND n >= $3 ORDER BY n DESC LIMIT $4",
            events_table(stream.model())
        );
        let keys = vec![key(stream), text(client.as_str()), number(from.0), number(limit as u64)];
        let rows = self.rows("rejections", sql, keys)?;
        Ok(rows.iter().rev().filter_map(rows::rejection_row).collect())
    }

    fn verdict(
        &self,
        stream: &StreamId,
        client: &ClientId,
        n: N,
    ) -> Result<Option<Verdict>, ReadError> {
        let sql = format!(
            "SELECT n, seq, code, reason, from_n FROM {} WHERE stream = $1 AND client = $2 \
             AND n >= $3 ORDER BY n LIMIT 1",
            events_table(stream.model())
        );
        let keys = vec![key(stream), text(client.as_str()), number(n.0)];
        let found = self.row("a verdict", sql, keys)?.map(|row| rows::verdict(&row));
        match found.filter(|(_, first)| *first <= n) {
            Some((verdict, _)) => Ok(Some(verdict)),
            None => self.verdict_of_gone(stream, client, n),
        }
    }

    fn records(&self, stream: &StreamId) -> Result<Vec<(String, String)>, ReadError> {
        let table = records_table(stream.model());
        let sql = format!("SELECT key, record FROM {table} WHERE stream = $1");
        let rows = self.rows("records", sql, vec![key(stream)])?;
        let mut records: Vec<_> = rows.iter().map(rows::record).collect();
        records.sort_unstable();
        Ok(records)
    }

    fn snapshot(&self, stream: &StreamId, at_most: Seq) -> Result<Option<Snapshot>, ReadError> {
        let sql = "SELECT seq, model, state FROM twin_snapshots WHERE stream = $1 AND seq <= $2 \
                   ORDER BY seq DESC LIMIT 1";
        let row = self.row("a snapshot", sql.to_owned(), vec![key(stream), number(at_most.0)])?;
        Ok(row.as_ref().map(rows::snapshot))
    }

    fn put_snapshot(&self, stream: &StreamId, snapshot: Snapshot) {
        let id = stream.as_str().to_owned();
        let put = self.write("a snapshot", move |client| async move {
            Ok(put_snapshot(&client, &id, &snapshot).await?)
        });
        if let Err(error) = put {
            tracing::error!(%stream, error = &error as &dyn std::error::Error, "a snapshot could not be stored");
        }
    }

    fn replace_derived(&self, stream: &StreamId, derived: Derived) -> Result<(), WriteError> {
        let stream = stream.clone();
        self.write("what events make", move |client| async move {
            client.batch_execute("BEGIN").await?;
            let replaced = replace(&client, &stream, &derived).await;
            end(client, replaced).await.map(drop)
        })
    }

    fn compacts(&self) -> bool {
        true
    }

    fn base(&self, stream: &StreamId) -> Result<Option<Base>, ReadError> {
        let sql = "SELECT seq, chain FROM twin_bases WHERE stream = $1";
        let row = self.row("a base", sql.to_owned(), vec![key(stream)])?;
        Ok(row.as_ref().map(rows::base))
    }

    fn clients_since(&self, stream: &StreamId) -> Result<Day, ReadError> {
        let sql = "SELECT clients_since FROM twin_forgotten WHERE stream = $1";
        let row = self.row("which clients were forgotten", sql.to_owned(), vec![key(stream)])?;
        Ok(row.as_ref().map(rows::day).unwrap_or_default())
    }

    fn compact(&self, stream: &StreamId, compaction: Compaction) -> Result<u64, WriteError> {
        let stream = stream.clone();
        self.write("a base", move |client| async move {
            client.batch_execute("BEGIN").await?;
            let compacted = compact(&client, &stream, &compaction).await;
            let (client, gone) = end(client, compacted).await?;
            if !compaction.forget.is_empty() {
                wipe(&client, &stream).await?;
            }
            Ok(gone)
        })
    }

    fn model(&self, hash: &str) -> Result<Option<StoredModel>, ReadError> {
        let sql = "SELECT hash, name, schema, source FROM twin_models WHERE hash = $1";
        let row = self.row("a model", sql.to_owned(), vec![text(hash)])?;
        Ok(row.as_ref().map(rows::model))
    }

    fn put_model(&self, model: StoredModel) -> Result<(), WriteError> {
        self.write("a model", move |client| async move {
            let sql = "INSERT INTO twin_models (hash, name, schema, source) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT DO NOTHING";
            let StoredModel { hash, name, schema, source } = model;
            let source = stored(&source).into_owned();
            client.execute(sql, &[&hash, &name, &i64::from(schema), &source]).await?;
            Ok(())
        })
    }

    fn probe(&self) -> Result<(), WriteError> {
        self.write("anything", |client| async move {
            let sql = "INSERT INTO twin_probe AS p (one, times) VALUES (1, 1) \
                       ON CONFLICT (one) DO UPDATE SET times = p.times + 1";
            client.execute(sql, &[]).await?;
            Ok(())
        })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn lock(&self, stream: &StreamId, locked: Locked) {
        match &self.writing {
            Some(Writing { locks, .. }) => locks.lock(stream, locked),
            None => locked(),
        }
    }

    fn unlock(&self, stream: &StreamId) {
        if let Some(Writing { locks, .. }) = &self.writing {
            locks.unlock(stream);
        }
    }

    fn heads(&self, streams: &[StreamId]) -> Result<Vec<(StreamId, Seq)>, ReadError> {
        let names: Vec<String> = streams.iter().map(|id| id.as_str().to_owned()).collect();
        let sql = "SELECT stream, head FROM twin_streams WHERE stream = ANY($1::text[])";
        let rows = self.rows("heads", sql.to_owned(), vec![Box::new(names)])?;
        let heads = rows.iter().map(rows::stream).collect::<Result<_, _>>();
        heads.map_err(|source| ReadError { what: "heads", source: source.into() })
    }

    fn watch(&self, told: Told) {
        self.runtime().spawn(self.hints.clone().exchange(self.connect.clone(), told));
    }

    fn close(&self) {
        let Some(Writing { writer, locks }) = &self.writing else { return };
        let (tasks, mut locked) = (writer.close(), locks.close());
        let ended = self.wait(async move {
            let mut ended = Vec::new();
            for task in tasks {
                ended.push(task.await);
            }
            while let Some(end) = locked.join_next().await {
                ended.push(end);
            }
            if ended.iter().any(Result::is_err) {
                tracing::error!("a task that appends had panicked");
            }
        });
        if ended.is_err() {
            tracing::error!("closing the log panicked");
        }
    }
}

impl Drop for PostgresLog {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed everywhere that a log may be dropped.
            runtime.shutdown_timeout(Duration::ZERO);
        }
    }
}

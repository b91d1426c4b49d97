//! The log itself: reads, and what is written beside appends.
//!
//! Those who call are threads that may wait; what they wait for runs on a runtime of its own.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};
use twinstore_protocol::{Chain, ClientId, N, RejectionRow, Seq, StreamId};
use twinstore_server::event::StoredEvent;
use twinstore_server::limits;
use twinstore_server::log::{
    Append, AppendError, BackendError, Derived, Done, Head, Log, Page, ReadError, Snapshot,
    StoredModel, Told, Verdict, WriteError,
};

use crate::connect::{Connect, open_error};
use crate::hints::Hints;
use crate::rows::{self, EVENT, int, uint};
use crate::text::{events_table, records_table, stored};
use crate::transaction::{Columns, PUT_CLIENTS, put_records};
use crate::writer::Writer;
use crate::{OpenError, Settings, tables};

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
    writer: Option<Writer>,
}

impl PostgresLog {
    /// Opens a database for writing, and makes its tables where they are not there. Any number of
    /// processes may. Blocks until it is done.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(url: &str, settings: &Settings) -> Result<Self, OpenError> {
        Self::opened(url, settings, true)
    }

    /// Opens a database for reading. Appends fail.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_read_only(url: &str, settings: &Settings) -> Result<Self, OpenError> {
        Self::opened(url, settings, false)
    }

    fn opened(url: &str, settings: &Settings, writing: bool) -> Result<Self, OpenError> {
        let connect = Connect::to(url, settings, writing)?;
        let pool = connect.pool(settings.readers, settings, writing)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|e| OpenError::Database(e.into()))?;
        let hints = Hints::default();
        let mut log = Self { runtime: Some(runtime), connect, pool, hints, writer: None };
        let pool = log.pool.clone();
        log.wait(async move {
            let client = pool.get().await.map_err(open_error)?;
            if writing { tables::make(&client).await } else { tables::check(&client).await }
        })
        .map_err(OpenError::Database)??;
        if writing {
            let pool = log.connect.pool(settings.writers, settings, true)?;
            let runtime = log.runtime().handle();
            log.writer = Some(Writer::start(runtime, &pool, settings, &log.hints));
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

    /// Something beside appends, in a transaction of its own.
    fn write<Fut>(
        &self,
        what: &'static str,
        write: impl FnOnce(Object) -> Fut + Send + 'static,
    ) -> Result<(), WriteError>
    where
        Fut: Future<Output = Result<(), BackendError>> + Send + 'static,
    {
        let error = |source| WriteError { what, source };
        if self.writer.is_none() {
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
        match &self.writer {
            Some(writer) => writer.append(append, done),
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
        Ok(row.map(|row| Chain(row.get(0))))
    }

    fn last_n(&self, stream: &StreamId, client: &ClientId) -> Result<N, ReadError> {
        let sql = "SELECT last FROM twin_clients WHERE stream = $1 AND client = $2";
        let keys = vec![key(stream), text(client.as_str())];
        let row = self.row("a client", sql.to_owned(), keys)?;
        Ok(row.map(|row| N(uint(&row, 0))).unwrap_or_default())
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
             AND code IS NOT NULL ORDER BY n DESC LIMIT $4",
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
        Ok(found.filter(|(_, first)| *first <= n).map(|(verdict, _)| verdict))
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
            let Snapshot { seq, model, state } = snapshot;
            let put = client.prepare_cached(PUT_SNAPSHOT).await?;
            client.execute(&put, &[&id, &int(seq.0), &model, &state]).await?;
            let drop_old = client.prepare_cached(DROP_SNAPSHOTS).await?;
            client.execute(&drop_old, &[&id, &i64::from(limits::SNAPSHOTS_KEPT)]).await?;
            Ok(())
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
            let end = if replaced.is_ok() { "COMMIT" } else { "ROLLBACK" };
            if let Err(error) = client.batch_execute(end).await {
                drop(Object::take(client));
                return replaced.and(Err(error.into()));
            }
            replaced
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
        let Some(writer) = &self.writer else { return };
        let tasks = writer.close();
        let ended = self.wait(async move {
            for task in tasks {
                if task.await.is_err() {
                    tracing::error!("a task that appends had panicked");
                }
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

async fn replace(
    client: &Object,
    stream: &StreamId,
    derived: &Derived,
) -> Result<(), BackendError> {
    let (id, model) = (stream.as_str(), stream.model());
    let Head { seq, chain, .. } = &derived.head;
    let sql =
        "SELECT 1 FROM twin_streams WHERE stream = $1 AND head = $2 AND chain = $3 FOR UPDATE";
    if client.query_opt(sql, &[&id, &int(seq.0), &chain.as_str()]).await?.is_none() {
        return Err("the head is another one by now".into());
    }
    let gone = format!("DELETE FROM {} WHERE stream = $1", records_table(model));
    client.execute(&gone, &[&id]).await?;
    let mut columns = Columns::default();
    for (key, record) in &derived.records {
        columns.push(id, key, record, *seq);
    }
    put_records(client, model, &columns).await?;
    let ids: Vec<_> = derived.clients.iter().map(|(client, _)| stored(client.as_str())).collect();
    let ns: Vec<i64> = derived.clients.iter().map(|(_, n)| int(n.0)).collect();
    // Set, whatever stood there.
    client
        .execute("DELETE FROM twin_clients WHERE stream = $1 AND client = ANY($2)", &[&id, &ids])
        .await?;
    client.execute(PUT_CLIENTS, &[&vec![id; ids.len()], &ids, &ns]).await?;
    client.execute("DELETE FROM twin_snapshots WHERE stream = $1", &[&id]).await?;
    for Snapshot { seq, model, state } in &derived.snapshots {
        client.execute(PUT_SNAPSHOT, &[&id, &int(seq.0), model, state]).await?;
    }
    Ok(())
}

const PUT_SNAPSHOT: &str = "INSERT INTO twin_snapshots (stream, seq, model, state) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (stream, seq) \
     DO UPDATE SET model = excluded.model, state = excluded.state";

const DROP_SNAPSHOTS: &str = "DELETE FROM twin_snapshots WHERE stream = $1 AND seq NOT IN \
     (SELECT seq FROM twin_snapshots WHERE stream = $1 ORDER BY seq DESC LIMIT $2)";

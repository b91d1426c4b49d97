//! The one thread that writes: gathers what waits into one transaction, commits, then answers.
//!
//! Keeps I4 (answers after the commit; a failed fsync ends the process, since what lies in the
//! system's cache can no longer be trusted) and I8 (each append is guarded by the stored head).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, ErrorCode, Savepoint, Transaction, TransactionBehavior, params};
use twinstore_protocol::{Seq, StreamId};

use super::compact::compact;
use super::{int, model_tables};
use crate::event::StoredEvent;
use crate::limits;
use crate::log::{
    Append, AppendError, BackendError, Compaction, Derived, Done, HEAD_MOVED, Head, Snapshot,
    StoredModel,
};

/// A handle to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    /// None once the log is closed.
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

enum Job {
    Append(Box<Append>, Done),
    PutSnapshot(StreamId, Snapshot),
    PutModel(StoredModel, Sender<Result<(), BackendError>>),
    ReplaceDerived(StreamId, Box<Derived>, Sender<Result<(), BackendError>>),
    Compact(StreamId, Box<Compaction>, Sender<Result<u64, BackendError>>),
    Probe(Sender<Result<(), BackendError>>),
    LimitPages(u32),
}

impl Writer {
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        // Not bounded here: each worker has at most one append under way.
        let (jobs, inbox) = channel();
        let commits = Arc::new(AtomicU64::new(0));
        let thread = Thread { connection, models: BTreeSet::new(), commits: Arc::clone(&commits) };
        let builder = thread::Builder::new().name("sqlite".to_owned());
        let thread = Mutex::new(Some(builder.spawn(move || thread.run(&inbox))?));
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread, commits })
    }

    pub(super) fn append(&self, append: Append, done: Done) {
        if let Err(Job::Append(_, done)) = self.send(Job::Append(Box::new(append), done)) {
            done(Err(AppendError::Failed(CLOSED.into())));
        }
    }

    pub(super) fn put_snapshot(&self, stream: StreamId, snapshot: Snapshot) {
        // Lost only once the log is closed, and it can be rebuilt.
        let _ = self.send(Job::PutSnapshot(stream, snapshot));
    }

    pub(super) fn put_model(&self, model: StoredModel) -> Result<(), BackendError> {
        self.wait_for(|done| Job::PutModel(model, done))
    }

    pub(super) fn replace_derived(
        &self,
        stream: StreamId,
        derived: Derived,
    ) -> Result<(), BackendError> {
        self.wait_for(|done| Job::ReplaceDerived(stream, Box::new(derived), done))
    }

    pub(super) fn compact(
        &self,
        stream: StreamId,
        compaction: Compaction,
    ) -> Result<u64, BackendError> {
        self.wait_for(|done| Job::Compact(stream, Box::new(compaction), done))
    }

    fn wait_for<T>(
        &self,
        job: impl FnOnce(Sender<Result<T, BackendError>>) -> Job,
    ) -> Result<T, BackendError> {
        let (done, outcome) = channel();
        self.send(job(done)).map_err(|_| CLOSED)?;
        outcome.recv().map_err(|_| BackendError::from(CLOSED))?
    }

    pub(super) fn probe(&self) -> Result<(), BackendError> {
        let (done, outcome) = channel();
        self.send(Job::Probe(done)).map_err(|_| CLOSED)?;
        outcome.recv().map_err(|_| BackendError::from(CLOSED))?
    }

    pub(super) fn limit_pages(&self, pages: u32) {
        let _ = self.send(Job::LimitPages(pages));
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Waits until what was handed over is done and the thread has let go of the file.
    pub(super) fn close(&self) {
        // The thread ends where no more can come.
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes had panicked");
        }
    }

    /// Gives the job back where the log is closed.
    fn send(&self, job: Job) -> Result<(), Job> {
        match &*self.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(jobs) => jobs.send(job).map_err(|unsent| unsent.0),
            None => Err(job),
        }
    }
}

/// What a store must have room for to count as one that can be written.
const PROBE_BYTES: u32 = 32 << 10;

const CLOSED: &str = "the log is closed";

struct Thread {
    connection: Connection,
    /// Models whose tables are there.
    models: BTreeSet<String>,
    commits: Arc<AtomicU64>,
}

impl Thread {
    fn run(mut self, inbox: &Receiver<Job>) {
        while let Ok(first) = inbox.recv() {
            let mut group = Vec::new();
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Append(append, done) => group.push((*append, done)),
                    other => {
                        self.commit(std::mem::take(&mut group));
                        self.alone(other);
                    }
                }
                next =
                    (group.len() < limits::GROUP_APPENDS).then(|| inbox.try_recv().ok()).flatten();
            }
            self.commit(group);
        }
    }

    /// A job that is not part of a group.
    fn alone(&mut self, job: Job) {
        match job {
            Job::Append(append, done) => self.commit(vec![(*append, done)]),
            Job::PutSnapshot(stream, snapshot) => {
                if let Err(error) = self.put_snapshot(&stream, &snapshot) {
                    tracing::error!(%stream, %error, "a snapshot could not be stored");
                }
            }
            Job::PutModel(model, done) => {
                let _ = done.send(self.put_model(&model).map_err(Into::into));
            }
            Job::ReplaceDerived(stream, derived, done) => {
                let _ = done.send(self.replace_derived(&stream, &derived));
            }
            Job::Compact(stream, compaction, done) => {
                let _ = done.send(compact(&mut self.connection, &stream, &compaction));
            }
            Job::Probe(done) => {
                let _ = done.send(self.probe().map_err(Into::into));
            }
            Job::LimitPages(pages) => self.limit_pages(pages),
        }
    }

    fn commit(&mut self, group: Vec<(Append, Done)>) {
        if group.is_empty() {
            return;
        }
        let (appends, dones): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let outcomes = self.write(&appends);
        for (done, outcome) in dones.into_iter().zip(outcomes) {
            done(outcome);
        }
    }

    /// One transaction for all of them.
    fn write(&mut self, appends: &[Append]) -> Vec<Result<Head, AppendError>> {
        let failed = |error: &rusqlite::Error| {
            tracing::error!(%error, "a batch could not be stored");
            let text = error.to_string();
            appends.iter().map(|_| Err(AppendError::Failed(text.clone().into()))).collect()
        };
        if let Err(error) = self.ensure_tables(appends) {
            return failed(&error);
        }
        let behavior = TransactionBehavior::Immediate;
        let mut transaction = match self.connection.transaction_with_behavior(behavior) {
            Ok(transaction) => transaction,
            Err(error) => return failed(&error),
        };
        let outcomes: Result<Vec<_>, rusqlite::Error> =
            appends.iter().map(|append| append_one(&mut transaction, append)).collect();
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let outcomes = failed(&error);
                drop(transaction);
                return outcomes;
            }
        };
        match transaction.commit() {
            Ok(()) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                outcomes
            }
            Err(error) => commit_failed(&error, appends),
        }
    }

    fn ensure_tables(&mut self, appends: &[Append]) -> rusqlite::Result<()> {
        for append in appends {
            let model = append.stream.model();
            if !self.models.contains(model) {
                self.connection.execute_batch(&model_tables(model))?;
                self.models.insert(model.to_owned());
            }
        }
        Ok(())
    }

    fn put_snapshot(&mut self, stream: &StreamId, snapshot: &Snapshot) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        insert_snapshot(&transaction, stream, snapshot)?;
        transaction
            .prepare_cached(
                // What stands in for events that are gone stays.
                "DELETE FROM twin_snapshots WHERE stream = ?1 AND seq NOT IN \
                 (SELECT seq FROM twin_snapshots WHERE stream = ?1 ORDER BY seq DESC LIMIT ?2) \
                 AND seq NOT IN (SELECT seq FROM twin_bases WHERE stream = ?1)",
            )?
            .execute(params![stream.as_str(), limits::SNAPSHOTS_KEPT])?;
        transaction.commit()
    }

    fn replace_derived(
        &mut self,
        stream: &StreamId,
        derived: &Derived,
    ) -> Result<(), BackendError> {
        let (model, id) = (stream.model(), stream.as_str());
        let transaction = self.connection.transaction()?;
        expect_head(&transaction, stream, &derived.head)?;
        transaction.execute(&format!("DELETE FROM \"{model}\" WHERE stream = ?1"), [id])?;
        for (key, record) in &derived.records {
            put_record(&transaction, stream, derived.head.seq, key, record)?;
        }
        for (client, n) in &derived.clients {
            let sql =
                "INSERT OR REPLACE INTO twin_clients (stream, client, last) VALUES (?1, ?2, ?3)";
            let row = params![id, client.as_str(), int(n.0)];
            transaction.prepare_cached(sql)?.execute(row)?;
        }
        transaction.execute("DELETE FROM twin_snapshots WHERE stream = ?1", [id])?;
        for snapshot in &derived.snapshots {
            insert_snapshot(&transaction, stream, snapshot)?;
        }
        Ok(transaction.commit()?)
    }

    fn put_model(&self, model: &StoredModel) -> rusqlite::Result<()> {
        let sql = "INSERT INTO twin_models (hash, name, schema, source) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO NOTHING";
        let row = params![model.hash, model.name, model.schema, model.source];
        self.connection.execute(sql, row).map(drop)
    }

    /// Room for some pages, taken and given back in one durable transaction.
    fn probe(&mut self) -> rusqlite::Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction
            .execute("INSERT INTO twin_probe (room) VALUES (zeroblob(?1))", [PROBE_BYTES])?;
        transaction.execute("DELETE FROM twin_probe", [])?;
        transaction.commit()
    }

    fn limit_pages(&self, pages: u32) {
        let most = if pages == 0 { i64::from(u32::MAX) - 1 } else { i64::from(pages) };
        // The pragma answers with a row, the limit as it now is.
        let set = self.connection.pragma_update_and_check(None, "max_page_count", most, |_| Ok(()));
        if let Err(error) = set {
            tracing::error!(%error, "the limit of pages could not be set");
        }
    }
}

/// A conflict, or a broken assertion, ends this append alone; any other error ends the group.
fn append_one(
    transaction: &mut Transaction<'_>,
    append: &Append,
) -> rusqlite::Result<Result<Head, AppendError>> {
    let mut savepoint = transaction.savepoint()?;
    match write_all(&savepoint, append) {
        Ok(true) => {
            savepoint.commit()?;
            Ok(Ok(append.head()))
        }
        Ok(false) => {
            savepoint.rollback()?;
            Ok(Err(AppendError::Conflict { expected: append.after.0 }))
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            tracing::error!(stream = %append.stream, %error, "an append broke an assertion");
            savepoint.rollback()?;
            Ok(Err(AppendError::Failed(error.into())))
        }
        Err(error) => Err(error),
    }
}

/// False: the stored head is another one.
fn write_all(savepoint: &Savepoint<'_>, append: &Append) -> rusqlite::Result<bool> {
    if !move_head(savepoint, append)? {
        return Ok(false);
    }
    for event in &append.events {
        insert_event(savepoint, &append.stream, event)?;
    }
    write_clients(savepoint, append)?;
    bind_clients(savepoint, append)?;
    write_records(savepoint, append)?;
    Ok(true)
}

/// I8: the guard is the stored head, not the absence of a key.
fn move_head(savepoint: &Savepoint<'_>, append: &Append) -> rusqlite::Result<bool> {
    let stream = append.stream.as_str();
    if append.after.0 == 0 {
        let sql = "INSERT INTO twin_streams (stream, log, head, chain) VALUES (?1, ?2, 0, '') \
                   ON CONFLICT DO NOTHING";
        savepoint.prepare_cached(sql)?.execute(params![stream, append.log.as_str()])?;
    }
    let head = append.head();
    let sql = "UPDATE twin_streams SET head = ?1, chain = ?2 \
               WHERE stream = ?3 AND head = ?4 AND log = ?5";
    let moved = savepoint.prepare_cached(sql)?.execute(params![
        int(head.seq.0),
        head.chain.as_str(),
        stream,
        int(append.after.0),
        append.log.as_str()
    ])?;
    Ok(moved == 1)
}

fn insert_event(
    savepoint: &Savepoint<'_>,
    stream: &StreamId,
    event: &StoredEvent,
) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO \"{}_events\" (stream, seq, client, n, from_n, at, type, model, schema, code, \
         reason, body, chain, aside) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
         ?13, ?14)",
        stream.model()
    );
    let error = event.error.as_ref();
    savepoint.prepare_cached(&sql)?.execute(params![
        stream.as_str(),
        int(event.seq.0),
        event.client.as_str(),
        int(event.n.0),
        event.from.map(|n| int(n.0)),
        int(event.at),
        event.kind,
        event.model,
        event.schema,
        error.map(|e| e.code.as_str()),
        error.map(|e| e.reason.as_str()),
        event.body,
        event.chain.as_str(),
        event.aside
    ])?;
    Ok(())
}

fn write_clients(savepoint: &Savepoint<'_>, append: &Append) -> rusqlite::Result<()> {
    let sql = "INSERT INTO twin_clients (stream, client, last) VALUES (?1, ?2, ?3) \
               ON CONFLICT DO UPDATE SET last = max(last, excluded.last)";
    let mut statement = savepoint.prepare_cached(sql)?;
    for event in &append.events {
        statement.execute(params![
            append.stream.as_str(),
            event.client.as_str(),
            int(event.n.0)
        ])?;
    }
    Ok(())
}

fn bind_clients(savepoint: &Savepoint<'_>, append: &Append) -> rusqlite::Result<()> {
    let sql = "INSERT INTO twin_subjects (stream, client, subject) VALUES (?1, ?2, ?3)";
    for (client, subject) in &append.bound {
        savepoint.prepare_cached(sql)?.execute(params![
            append.stream.as_str(),
            client.as_str(),
            &**subject
        ])?;
    }
    Ok(())
}

fn write_records(savepoint: &Savepoint<'_>, append: &Append) -> rusqlite::Result<()> {
    let (model, stream) = (append.stream.model(), append.stream.as_str());
    let seq = append.head().seq;
    for (key, record) in &append.records {
        match record {
            Some(record) => put_record(savepoint, &append.stream, seq, key, record)?,
            None => {
                let sql = format!("DELETE FROM \"{model}\" WHERE stream = ?1 AND key = ?2");
                savepoint.prepare_cached(&sql)?.execute(params![stream, key])?;
            }
        }
    }
    Ok(())
}

fn put_record(
    connection: &Connection,
    stream: &StreamId,
    seq: Seq,
    key: &str,
    record: &str,
) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO \"{}\" (stream, key, record, seq) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET record = excluded.record, seq = excluded.seq",
        stream.model()
    );
    let row = params![stream.as_str(), key, record, int(seq.0)];
    connection.prepare_cached(&sql)?.execute(row).map(drop)
}

/// Fails where the stream stands elsewhere.
pub(super) fn expect_head(
    transaction: &Transaction<'_>,
    stream: &StreamId,
    Head { seq, chain, .. }: &Head,
) -> Result<(), BackendError> {
    let sql = "SELECT 1 FROM twin_streams WHERE stream = ?1 AND head = ?2 AND chain = ?3";
    let is_head =
        transaction.prepare(sql)?.exists(params![stream.as_str(), int(seq.0), chain.as_str()])?;
    is_head.then_some(()).ok_or_else(|| HEAD_MOVED.into())
}

pub(super) fn insert_snapshot(
    connection: &Connection,
    stream: &StreamId,
    snapshot: &Snapshot,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO twin_snapshots (stream, seq, model, state) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT DO UPDATE SET model = excluded.model, state = excluded.state";
    let row = params![stream.as_str(), int(snapshot.seq.0), snapshot.model, snapshot.state];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

fn commit_failed(error: &rusqlite::Error, appends: &[Append]) -> Vec<Result<Head, AppendError>> {
    tracing::error!(%error, "a commit did not succeed");
    let extended = error.sqlite_error().map(|e| e.extended_code);
    if matches!(extended, Some(IOERR_FSYNC | IOERR_DIR_FSYNC)) {
        // I4. After a failed fsync the system may say that later ones succeed though data is lost.
        tracing::error!("fsync failed: the process ends, start it again once the disk is well");
        std::process::abort();
    }
    let full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
    let text = error.to_string();
    let outcome = |_| match full {
        true => Err(AppendError::Failed(text.clone().into())),
        false => Err(AppendError::Unknown(text.clone().into())),
    };
    appends.iter().map(outcome).collect()
}

const IOERR_FSYNC: i32 = rusqlite::ffi::SQLITE_IOERR_FSYNC;
const IOERR_DIR_FSYNC: i32 = rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC;

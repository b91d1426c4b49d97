//! A log in memory whose reads fail now and then, and which can be cut back to a backup.

use std::sync::{Arc, Mutex, MutexGuard};

use twinstore_protocol::{Chain, ClientId, N, RejectionRow, Seq, StreamId};
use twinstore_server::day::Day;
use twinstore_server::event::StoredEvent;
use twinstore_server::log::{
    Append, AppendError, Base, Compaction, Derived, Done, Head, Log, MemoryLog, Page, ReadError,
    Snapshot, StoredModel, Verdict, WriteError,
};

use crate::dice::Dice;

/// The server's own log in memory, behind faults.
#[derive(Debug)]
pub(crate) struct FaultyLog {
    inner: MemoryLog,
    faults: Mutex<Faults>,
}

#[derive(Debug)]
struct Faults {
    dice: Dice,
    reads_per_mille: u32,
    failed: u64,
    /// What was appended, so that a backup can be made of it.
    appends: Vec<Append>,
    /// What was let go of, each after so many appends.
    compactions: Vec<(usize, StreamId, Compaction)>,
    models: Vec<StoredModel>,
}

impl FaultyLog {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let faults = Faults {
            dice: Dice::new(seed),
            reads_per_mille: 0,
            failed: 0,
            appends: Vec::new(),
            compactions: Vec::new(),
            models: Vec::new(),
        };
        Arc::new(Self { inner: MemoryLog::new(), faults: Mutex::new(faults) })
    }

    /// The log as it was after its first `count` appends. Snapshots are not part of a backup.
    pub(crate) fn restored(&self, count: usize) -> Arc<Self> {
        let before = self.faults();
        let log = Self::new(before.dice.clone().draw());
        for model in &before.models {
            log.put_model(model.clone()).expect("a log in memory takes it");
        }
        let mut compactions = before.compactions.iter().peekable();
        for (at, append) in before.appends[..count].iter().enumerate() {
            while let Some((_, stream, compaction)) =
                compactions.next_if(|(after, ..)| *after == at)
            {
                log.compact(stream, compaction.clone()).expect("it was done before");
            }
            log.write(append.clone()).expect("it was taken before");
        }
        log
    }

    /// How many appends there were.
    pub(crate) fn appends(&self) -> usize {
        self.faults().appends.len()
    }

    /// Events in the first `count` appends.
    pub(crate) fn events_in(&self, count: usize) -> usize {
        self.faults().appends[..count].iter().map(|append| append.events.len()).sum()
    }

    /// From here on reads fail so many times in a thousand.
    pub(crate) fn fail_reads(&self, per_mille: u32) {
        self.faults().reads_per_mille = per_mille;
    }

    /// The head, without fail.
    pub(crate) fn true_head(&self, stream: &StreamId) -> Option<Head> {
        self.inner.head(stream).expect("a log in memory answers")
    }

    /// How many reads failed.
    pub(crate) fn failed(&self) -> u64 {
        self.faults().failed
    }

    /// Appends, without fail.
    pub(crate) fn write(&self, append: Append) -> Result<Head, AppendError> {
        let outcome = twinstore_server::log::conformance::append(&self.inner, append.clone());
        if outcome.is_ok() {
            self.faults().appends.push(append);
        }
        outcome
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("no panic while it was held")
    }

    fn may_fail(&self, what: &'static str) -> Result<(), ReadError> {
        let mut faults = self.faults();
        let rate = faults.reads_per_mille;
        if rate > 0 && faults.dice.chance(rate) {
            faults.failed += 1;
            return Err(ReadError { what, source: "the simulated disk failed".into() });
        }
        Ok(())
    }
}

impl Log for FaultyLog {
    fn append(&self, append: Append, done: Done) {
        done(self.write(append));
    }

    fn streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<(StreamId, Seq)>, ReadError> {
        self.may_fail("streams")?;
        self.inner.streams(after, limit)
    }

    fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        self.may_fail("the head")?;
        self.inner.head(stream)
    }

    fn read(
        &self,
        stream: &StreamId,
        after: Seq,
        page: Page,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        self.may_fail("events")?;
        self.inner.read(stream, after, page)
    }

    fn chain(&self, stream: &StreamId, seq: Seq) -> Result<Option<Chain>, ReadError> {
        self.may_fail("a chain")?;
        self.inner.chain(stream, seq)
    }

    fn last_n(&self, stream: &StreamId, client: &ClientId) -> Result<N, ReadError> {
        self.may_fail("a client")?;
        self.inner.last_n(stream, client)
    }

    fn subject(&self, stream: &StreamId, client: &ClientId) -> Result<Option<Arc<str>>, ReadError> {
        self.may_fail("a subject")?;
        self.inner.subject(stream, client)
    }

    fn rejections(
        &self,
        stream: &StreamId,
        client: &ClientId,
        from: N,
        limit: usize,
    ) -> Result<Vec<RejectionRow>, ReadError> {
        self.may_fail("rejections")?;
        self.inner.rejections(stream, client, from, limit)
    }

    fn verdict(
        &self,
        stream: &StreamId,
        client: &ClientId,
        n: N,
    ) -> Result<Option<Verdict>, ReadError> {
        self.may_fail("a verdict")?;
        self.inner.verdict(stream, client, n)
    }

    fn records(&self, stream: &StreamId) -> Result<Vec<(String, String)>, ReadError> {
        self.may_fail("records")?;
        self.inner.records(stream)
    }

    fn snapshot(&self, stream: &StreamId, at_most: Seq) -> Result<Option<Snapshot>, ReadError> {
        self.may_fail("a snapshot")?;
        self.inner.snapshot(stream, at_most)
    }

    fn put_snapshot(&self, stream: &StreamId, snapshot: Snapshot) {
        self.inner.put_snapshot(stream, snapshot);
    }

    fn replace_derived(&self, stream: &StreamId, derived: Derived) -> Result<(), WriteError> {
        self.inner.replace_derived(stream, derived)
    }

    fn compacts(&self) -> bool {
        true
    }

    fn base(&self, stream: &StreamId) -> Result<Option<Base>, ReadError> {
        self.may_fail("a base")?;
        self.inner.base(stream)
    }

    fn clients_since(&self, stream: &StreamId) -> Result<Day, ReadError> {
        self.may_fail("a day")?;
        self.inner.clients_since(stream)
    }

    fn compact(&self, stream: &StreamId, compaction: Compaction) -> Result<u64, WriteError> {
        let gone = self.inner.compact(stream, compaction.clone())?;
        let mut faults = self.faults();
        let after = faults.appends.len();
        faults.compactions.push((after, stream.clone(), compaction));
        Ok(gone)
    }

    fn model(&self, hash: &str) -> Result<Option<StoredModel>, ReadError> {
        self.may_fail("a model")?;
        self.inner.model(hash)
    }

    fn put_model(&self, model: StoredModel) -> Result<(), WriteError> {
        self.faults().models.push(model.clone());
        self.inner.put_model(model)
    }

    fn close(&self) {
        self.inner.close();
    }
}

//! What a backend must give: an atomic append guarded by a stored head, and reads.
//!
//! Keeps I8: the append of a batch with its clients' `n` is one write, guarded by the head that
//! the caller believes in. Everything else here can be rebuilt from the base and the log after it.
//! Not here: when to append and what to do with a failure (`stream.rs`).

pub mod conformance;
mod memory;
mod sqlite;

use std::fmt;
use std::sync::Arc;

use twinstore_protocol::{Chain, ClientId, LogId, N, Rejection, RejectionRow, Seq, StreamId};

use crate::day::Day;
use crate::event::StoredEvent;

pub use memory::MemoryLog;
pub use sqlite::{OpenError, SqliteLog};

/// Where a log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which log.
    pub log: LogId,
    /// Its last place.
    pub seq: Seq,
    /// The chain there.
    pub chain: Chain,
}

/// One atomic write: events with their clients' numbers, guarded by the head they follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Which stream.
    pub stream: StreamId,
    /// Which log; with `after` = 0 the log that this append begins.
    pub log: LogId,
    /// The head that is expected.
    pub after: Seq,
    /// The events `after + 1, after + 2, …`, at least one.
    pub events: Vec<StoredEvent>,
    /// The records that the batch changed; `None`: deleted.
    pub records: Vec<(String, Option<String>)>,
    /// Clients that are bound to a subject from here on. Each has an event in it.
    pub bound: Vec<(ClientId, Arc<str>)>,
}

impl Append {
    /// The head after it.
    ///
    /// # Panics
    /// Where there is no event.
    #[must_use]
    pub fn head(&self) -> Head {
        let last = self.events.last().expect("an append holds at least one event");
        Head { log: self.log.clone(), seq: last.seq, chain: last.chain.clone() }
    }
}

/// Why an append did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Nothing was written: the stored head is another one.
    #[error("the stored head is not {expected}")]
    Conflict {
        /// The head that was expected.
        expected: u64,
    },
    /// Nothing was written.
    #[error("nothing was written")]
    Failed(#[source] BackendError),
    /// It was written or not: the log must be read.
    #[error("whether it was written is not known")]
    Unknown(#[source] BackendError),
}

/// A failed read, by what was read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what}")]
pub struct ReadError {
    /// What was read.
    pub what: &'static str,
    /// The backend's own error.
    #[source]
    pub source: BackendError,
}

/// A failed write of something other than events.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {what}")]
pub struct WriteError {
    /// What was written.
    pub what: &'static str,
    /// The backend's own error.
    #[source]
    pub source: BackendError,
}

/// Why [`Log::replace_derived`] or [`Log::compact`] wrote nothing.
pub const HEAD_MOVED: &str = "the head is another one by now";

/// Why [`Log::compact`] wrote nothing.
pub const NO_PLACE: &str = "there is no event at that place";

/// A backend's own error.
pub type BackendError = Box<dyn std::error::Error + Send + Sync>;

/// Called once with the outcome of an append, on any thread, and not before it is durable.
pub type Done = Box<dyn FnOnce(Result<Head, AppendError>) + Send>;

/// What a log with several writers says of another's appends. Only a hint: the stored head counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// That stream has reached this place.
    Moved(StreamId, Seq),
    /// Any stream may have moved: look.
    Look,
}

/// Called with each hint, on any thread; it must not wait.
pub type Told = Box<dyn Fn(Hint) + Send + Sync>;

/// Called once a stream is locked, on any thread.
pub type Locked = Box<dyn FnOnce() + Send>;

/// How much one read may give: at least one event where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most so many events.
    pub events: usize,
    /// The event whose body reaches so many bytes is the last.
    pub bytes: usize,
}

/// A state at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The state is the fold up to here.
    pub seq: Seq,
    /// The hash of the model that folded it.
    pub model: String,
    /// The state as JSON text.
    pub state: String,
}

/// All of a stream that is made from its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The head that it was made at.
    pub head: Head,
    /// The records.
    pub records: Vec<(String, String)>,
    /// Each client's last number.
    pub clients: Vec<(ClientId, N)>,
    /// The snapshots.
    pub snapshots: Vec<Snapshot>,
}

/// Where the events of a compacted stream begin: what is at or below it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The last event that is gone.
    pub seq: Seq,
    /// The chain there.
    pub chain: Chain,
}

/// A new base for a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// The head that it was made at.
    pub head: Head,
    /// The state that stands in for the events up to its place.
    pub base: Snapshot,
    /// Clients whose rejections' reasons are taken out. Where there are any, nothing of what goes is
    /// left in the store's file either.
    pub forget: Vec<ClientId>,
    /// Clients that have no event left, whose last one is from before this moment (in milliseconds
    /// since 1970) and whose id is of a day before it, are forgotten: their numbers and rejections go.
    pub clients_since: u64,
}

/// A model as it was run, kept for as long as its events are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredModel {
    /// The first 16 hex digits of SHA-256(source).
    pub hash: String,
    /// The name it was run under.
    pub name: String,
    /// Its schema.
    pub schema: u32,
    /// Its source.
    pub source: String,
}

/// The event that ended an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The event's own number: above the one asked for where that was dropped.
    pub n: N,
    /// Its place.
    pub seq: Seq,
    /// Why it was rejected.
    pub error: Option<Rejection>,
}

/// The events of streams, their clients and what is kept beside them.
///
/// Reads see every append whose [`Done`] was called, and nothing of one that failed.
pub trait Log: Send + Sync + fmt::Debug {
    /// Writes all of it or nothing, and then says so.
    fn append(&self, append: Append, done: Done);

    /// Of how many clients one append may hold events.
    fn append_clients(&self) -> usize {
        usize::MAX
    }

    /// Whether records may lack what events made: their writing was cut off. They are then to be
    /// made anew, by [`Log::replace_derived`].
    ///
    /// # Errors
    /// [`ReadError`].
    fn owes_records(&self, stream: &StreamId) -> Result<bool, ReadError> {
        let _ = stream;
        Ok(false)
    }

    /// The streams that have events, with their heads: the first `limit` after that name.
    ///
    /// # Errors
    /// [`ReadError`].
    fn streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<(StreamId, Seq)>, ReadError>;

    /// Where the stream's log stands; `None`: it has no event.
    ///
    /// # Errors
    /// [`ReadError`].
    fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError>;

    /// The events after a place, in order.
    ///
    /// # Errors
    /// [`ReadError`].
    fn read(
        &self,
        stream: &StreamId,
        after: Seq,
        page: Page,
    ) -> Result<Vec<StoredEvent>, ReadError>;

    /// The chain at a place, where there is an event.
    ///
    /// # Errors
    /// [`ReadError`].
    fn chain(&self, stream: &StreamId, seq: Seq) -> Result<Option<Chain>, ReadError>;

    /// A client's last number that has a verdict; 0: none.
    ///
    /// # Errors
    /// [`ReadError`].
    fn last_n(&self, stream: &StreamId, client: &ClientId) -> Result<N, ReadError>;

    /// The subject to which a client is bound; it outlives the client's events and is forgotten with it.
    ///
    /// # Errors
    /// As the backend's.
    fn subject(&self, stream: &StreamId, client: &ClientId) -> Result<Option<Arc<str>>, ReadError>;

    /// A client's rejections at or after `from`: the last `limit` of them, in order.
    ///
    /// # Errors
    /// [`ReadError`].
    fn rejections(
        &self,
        stream: &StreamId,
        client: &ClientId,
        from: N,
        limit: usize,
    ) -> Result<Vec<RejectionRow>, ReadError>;

    /// The verdict of `(client, n)`: of the event that settled that number.
    ///
    /// # Errors
    /// [`ReadError`].
    fn verdict(
        &self,
        stream: &StreamId,
        client: &ClientId,
        n: N,
    ) -> Result<Option<Verdict>, ReadError>;

    /// The records as of the head, by key.
    ///
    /// # Errors
    /// [`ReadError`].
    fn records(&self, stream: &StreamId) -> Result<Vec<(String, String)>, ReadError>;

    /// The newest snapshot at or before a place.
    ///
    /// # Errors
    /// [`ReadError`].
    fn snapshot(&self, stream: &StreamId, at_most: Seq) -> Result<Option<Snapshot>, ReadError>;

    /// Keeps a snapshot, and drops the oldest beyond those kept. It may be lost: it can be rebuilt.
    fn put_snapshot(&self, stream: &StreamId, snapshot: Snapshot);

    /// Replaces records and snapshots, and sets clients' numbers, in one write; where the head is
    /// another one, nothing is written.
    ///
    /// # Errors
    /// [`WriteError`].
    fn replace_derived(&self, stream: &StreamId, derived: Derived) -> Result<(), WriteError>;

    /// What the store finds wrong with its own files, where it can look; nothing where they are well.
    ///
    /// # Errors
    /// [`ReadError`].
    fn integrity(&self) -> Result<Vec<String>, ReadError> {
        Ok(Vec::new())
    }

    /// Whether it can be compacted.
    fn compacts(&self) -> bool {
        false
    }

    /// Where the stream's events begin, where it was compacted.
    ///
    /// # Errors
    /// [`ReadError`].
    fn base(&self, stream: &StreamId) -> Result<Option<Base>, ReadError> {
        let _ = stream;
        Ok(None)
    }

    /// Clients whose id is of an earlier day than this may have been forgotten: whether such a one,
    /// where it is not known, ever had a verdict cannot be told any more.
    ///
    /// # Errors
    /// [`ReadError`].
    fn clients_since(&self, stream: &StreamId) -> Result<Day, ReadError> {
        let _ = stream;
        Ok(Day(0))
    }

    /// Puts a state in the place of the events up to it, in one write. Clients' numbers and the verdicts
    /// of rejected actions stay, but for clients that are forgotten; of the accepted ones is known that
    /// they were. Where the head is
    /// another one, or the base is beyond the new one already, nothing is written. Gives how many
    /// events are gone.
    ///
    /// # Errors
    /// [`WriteError`].
    fn compact(&self, stream: &StreamId, compaction: Compaction) -> Result<u64, WriteError> {
        let _ = (stream, compaction);
        let source = "this kind of store keeps all events".into();
        Err(WriteError { what: "a base", source })
    }

    /// Does what a compaction that was cut off left to be done, where a store can be left so. Reads are
    /// right without it; what was to go is still there.
    ///
    /// # Errors
    /// [`WriteError`].
    fn finish_compaction(&self, stream: &StreamId) -> Result<(), WriteError> {
        let _ = stream;
        Ok(())
    }

    /// A model by its hash.
    ///
    /// # Errors
    /// [`ReadError`].
    fn model(&self, hash: &str) -> Result<Option<StoredModel>, ReadError>;

    /// Keeps a model, durably, before its first event.
    ///
    /// # Errors
    /// [`WriteError`].
    fn put_model(&self, model: StoredModel) -> Result<(), WriteError>;

    /// Writes something durably that nobody misses, to see whether it can. One that can always be
    /// written where it can be read need only be read.
    ///
    /// # Errors
    /// [`WriteError`].
    fn probe(&self) -> Result<(), WriteError> {
        let tried = self.streams(None, 1);
        tried.map(drop).map_err(|error| WriteError { what: "anything", source: error.into() })
    }

    /// Whether others may append as well, so that what was read last may not be the newest.
    fn is_shared(&self) -> bool {
        false
    }

    /// The heads of those of the streams that have events, in any order.
    ///
    /// # Errors
    /// [`ReadError`].
    fn heads(&self, streams: &[StreamId]) -> Result<Vec<(StreamId, Seq)>, ReadError> {
        let head = |stream: &StreamId| {
            let head = self.head(stream)?;
            Ok(head.map(|head| (stream.clone(), head.seq)))
        };
        streams.iter().filter_map(|stream| head(stream).transpose()).collect()
    }

    /// From here on hints of others' appends are told; where nobody else appends, none. Called
    /// once. Hints may be lost, so [`Hint::Look`] is told every few seconds.
    fn watch(&self, told: Told) {
        drop(told);
    }

    /// Waits until nobody else appends to the stream, then says so; until the stream's next append
    /// through here, or [`Log::unlock`], others wait. For fairness alone: a log may have no locks, and a
    /// lock may be lost. What guards an append is the stored head.
    fn lock(&self, stream: &StreamId, locked: Locked) {
        let _ = stream;
        locked();
    }

    /// Ends a lock without an append.
    fn unlock(&self, stream: &StreamId) {
        let _ = stream;
    }

    /// Ends all writing: what was handed over is written, what comes later fails.
    fn close(&self);
}

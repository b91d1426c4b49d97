//! A log in DynamoDB, for several processes or functions at once.
//!
//! Four kinds of tables, their names behind a prefix of one's own:
//!
//! - `<model>_events`, by `stream` and `seq`: packs, each the events of one append up to a size;
//! - `<model>`, by `stream` and `key`: each stream's `head`, its clients, records and snapshots;
//! - `twin_store`, by the same two: the list of streams, and the models that were run;
//! - `twin_connections`, by the same two: a gateway's connections, where functions serve one.
//!
//! Keeps I4 and I8: an append is one transaction, guarded by the head item and by each client's
//! item, and what became of it is read back where the answer says no, or does not come.
//! Not here: who appends what (`twinstore_server::stream`).
#![forbid(unsafe_code)]

mod append;
mod calls;
mod clients;
mod compact;
mod compress;
pub mod connections;
mod derived;
mod events;
mod gate;
mod inbox;
mod item;
mod kept;
pub mod limits;
mod meter;
mod options;
mod pack;
mod records;
mod snapshots;
mod store;
mod streams;
mod sweep;
mod tables;
mod texts;

use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::channel;

use aws_sdk_dynamodb::Client;
use tokio::runtime::Runtime;
use twinstore_protocol::{Chain, ClientId, N, RejectionRow, Seq, StreamId};
use twinstore_server::day::Day;
use twinstore_server::event::StoredEvent;
use twinstore_server::log::{
    Append, AppendError, Base, Compaction, Derived, Done, Head, Hint, Log, Page, ReadError,
    Snapshot, StoredModel, Told, Verdict, WriteError,
};

pub use calls::CallError;
pub use compress::decompressed;
pub use inbox::INBOX;
pub use meter::Meter;
pub use options::{BadOptions, Options, surroundings};

use gate::Gate;
use store::Store;

/// A [`Log`] in DynamoDB.
#[derive(Debug)]
pub struct DynamoLog {
    store: Arc<Store>,
    gate: Arc<Gate>,
    // Calls are answered on threads of their own: whoever waits may hold up a runtime.
    runtime: Option<Runtime>,
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The service does not answer, or says no.
    #[error("cannot use DynamoDB")]
    Service(#[from] CallError),
}

impl DynamoLog {
    /// Opens the tables of a prefix, with the credentials of the process' surroundings.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let runtime = runtime()?;
        let to_be = options.clone();
        let client = wait(&runtime, async move { to_be.client().await });
        Self::begin(runtime, client, options)
    }

    /// The same with a client of one's own; the options' region and endpoint are then its affair.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn with_client(client: Client, options: &Options) -> Result<Self, OpenError> {
        Self::begin(runtime()?, client, options)
    }

    fn begin(runtime: Runtime, client: Client, options: &Options) -> Result<Self, OpenError> {
        let store = Arc::new(Store::new(client, options));
        if options.create_tables {
            let store = Arc::clone(&store);
            wait(&runtime, async move { store.create_common_table().await })?;
        }
        Ok(Self { store, gate: Arc::default(), runtime: Some(runtime) })
    }

    /// Makes the table of connections where it is not there.
    ///
    /// # Errors
    /// [`OpenError::Service`].
    pub fn create_connections_table(&self) -> Result<(), OpenError> {
        Ok(self.call(|store| async move { store.create_connections_table().await })?)
    }

    /// Puts a message into the inbox of a stream's model: no event, but its table's stream shows
    /// it. It ends by itself after a day.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn hand_on(
        &self,
        stream: &StreamId,
        request: &str,
        said: &str,
    ) -> Result<(), CallError> {
        self.store.hand_on(stream, request, said).await
    }

    /// What its calls took so far.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        self.store.meter()
    }

    /// Does it on the log's own threads, and waits.
    fn call<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Store>) -> F,
    ) -> T {
        wait(self.runtime(), work(Arc::clone(&self.store)))
    }

    fn read_with<T: Send + 'static, F>(
        &self,
        what: &'static str,
        work: impl FnOnce(Arc<Store>) -> F,
    ) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, CallError>> + Send + 'static,
    {
        self.call(work).map_err(|error| ReadError { what, source: error.into() })
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is there until the log is dropped")
    }
}

impl Drop for DynamoLog {
    fn drop(&mut self) {
        // Dropping it here could wait, which is not allowed within another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Log for DynamoLog {
    fn append(&self, append: Append, done: Done) {
        if !self.gate.enter() {
            return done(Err(AppendError::Failed("the log is closed".into())));
        }
        let (store, gate) = (Arc::clone(&self.store), Arc::clone(&self.gate));
        self.runtime().spawn(async move {
            let outcome = store.append(&append).await;
            done(outcome);
            gate.leave();
        });
    }

    fn append_clients(&self) -> usize {
        limits::APPEND_CLIENTS
    }

    fn streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<(StreamId, Seq)>, ReadError> {
        let after = after.cloned();
        self.read_with("streams", |s| async move { s.streams(after.as_ref(), limit).await })
    }

    fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        let stream = stream.clone();
        self.read_with("a stream's head", |store| async move {
            Ok(store.head(&stream).await?.map(|stored| stored.head))
        })
    }

    fn read(
        &self,
        stream: &StreamId,
        after: Seq,
        page: Page,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        let stream = stream.clone();
        self.read_with("events", |s| async move { s.events(&stream, after, page).await })
    }

    fn chain(&self, stream: &StreamId, seq: Seq) -> Result<Option<Chain>, ReadError> {
        let stream = stream.clone();
        self.read_with("a chain", |s| async move { s.chain(&stream, seq).await })
    }

    fn last_n(&self, stream: &StreamId, client: &ClientId) -> Result<N, ReadError> {
        let (stream, client) = (stream.clone(), client.clone());
        self.read_with("a client", |s| async move { s.last_n(&stream, &client).await })
    }

    fn subject(&self, stream: &StreamId, client: &ClientId) -> Result<Option<Arc<str>>, ReadError> {
        let (stream, client) = (stream.clone(), client.clone());
        self.read_with("a client's subject", |s| async move {
            // Its number was asked for before: what is remembered of it is not older than that.
            s.remembered(&stream, &client).await.map(|known| known.subject)
        })
    }

    fn rejections(
        &self,
        stream: &StreamId,
        client: &ClientId,
        from: N,
        limit: usize,
    ) -> Result<Vec<RejectionRow>, ReadError> {
        let (stream, client) = (stream.clone(), client.clone());
        self.read_with("rejections", |s| async move {
            s.rejections(&stream, &client, from, limit).await
        })
    }

    fn verdict(
        &self,
        stream: &StreamId,
        client: &ClientId,
        n: N,
    ) -> Result<Option<Verdict>, ReadError> {
        let (stream, client) = (stream.clone(), client.clone());
        self.read_with("a verdict", |s| async move { s.verdict(&stream, &client, n).await })
    }

    fn records(&self, stream: &StreamId) -> Result<Vec<(String, String)>, ReadError> {
        let stream = stream.clone();
        self.read_with("records", |s| async move { s.records(&stream).await })
    }

    fn owes_records(&self, stream: &StreamId) -> Result<bool, ReadError> {
        let stream = stream.clone();
        self.read_with("a stream's head", |store| async move {
            Ok(store.head(&stream).await?.is_some_and(|stored| stored.owed.is_some()))
        })
    }

    fn snapshot(&self, stream: &StreamId, at_most: Seq) -> Result<Option<Snapshot>, ReadError> {
        let stream = stream.clone();
        self.read_with("a snapshot", |s| async move { s.snapshot(&stream, at_most).await })
    }

    fn put_snapshot(&self, id: &StreamId, snapshot: Snapshot) {
        let stream = id.clone();
        let kept = self.call(|store| async move { store.put_snapshot(&stream, &snapshot).await });
        if let Err(error) = kept {
            let error = &error as &dyn std::error::Error;
            tracing::error!(stream = %id, error, "a snapshot was not kept");
        }
    }

    fn replace_derived(&self, stream: &StreamId, derived: Derived) -> Result<(), WriteError> {
        let stream = stream.clone();
        self.call(|store| async move { store.replace_derived(&stream, &derived).await })
            .map_err(|error| WriteError { what: "what events make", source: error.into() })
    }

    fn compacts(&self) -> bool {
        true
    }

    fn base(&self, stream: &StreamId) -> Result<Option<Base>, ReadError> {
        let stream = stream.clone();
        self.read_with("a base", |s| async move { Ok(s.start(&stream).await?.base) })
    }

    fn clients_since(&self, stream: &StreamId) -> Result<Day, ReadError> {
        let stream = stream.clone();
        self.read_with("a base", |s| async move { Ok(s.start(&stream).await?.clients_since) })
    }

    fn compact(&self, stream: &StreamId, compaction: Compaction) -> Result<u64, WriteError> {
        let stream = stream.clone();
        self.call(|store| async move { store.compact(&stream, &compaction).await })
            .map_err(|error| WriteError { what: "a base", source: error.into() })
    }

    fn finish_compaction(&self, stream: &StreamId) -> Result<(), WriteError> {
        let stream = stream.clone();
        self.call(|store| async move { store.sweep(&stream).await })
            .map_err(|error| WriteError { what: "the end of a compaction", source: error.into() })
    }

    fn model(&self, hash: &str) -> Result<Option<StoredModel>, ReadError> {
        let hash = hash.to_owned();
        self.read_with("a model", |s| async move { s.model(&hash).await })
    }

    fn put_model(&self, model: StoredModel) -> Result<(), WriteError> {
        self.call(|store| async move { store.put_model(&model).await })
            .map_err(|error| WriteError { what: "a model", source: error.into() })
    }

    fn probe(&self) -> Result<(), WriteError> {
        self.call(|store| async move { store.probe().await })
            .map_err(|error| WriteError { what: "anything", source: error.into() })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn heads(&self, streams: &[StreamId]) -> Result<Vec<(StreamId, Seq)>, ReadError> {
        let streams = streams.to_vec();
        self.read_with("heads", |s| async move { s.heads_of(streams).await })
    }

    fn watch(&self, told: Told) {
        // Nothing here tells of others' appends: whoever wants to know looks.
        self.runtime().spawn(async move {
            loop {
                tokio::time::sleep(limits::LOOK_EVERY).await;
                told(Hint::Look);
            }
        });
    }

    fn close(&self) {
        self.gate.close();
    }
}

fn runtime() -> Result<Runtime, OpenError> {
    let builder = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(limits::THREADS)
        .thread_name("dynamodb")
        .enable_all()
        .build();
    builder.map_err(OpenError::Thread)
}

fn wait<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, answer) = channel();
    runtime.spawn(async move {
        // Whoever asked waits for it.
        let _ = sender.send(work.await);
    });
    answer.recv().expect("a call does not panic")
}

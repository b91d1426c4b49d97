//! Streams that are locked before their append is decided: a transaction each, open in between.
//!
//! PostgreSQL lets those who wait for a row have it in the order in which they came, so processes
//! that append to one stream take turns. Whoever stands still in its turn loses it: the database
//! ends a transaction that is idle for too long, and nothing of it is written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool_postgres::{Object, Pool};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use twinstore_protocol::StreamId;
use twinstore_server::log::{Append, BackendError, Done, Head, Locked};

use crate::hints::Hints;
use crate::transaction::{lock_one, write_locked};
use crate::writer::Failed;

/// The locks that this process holds.
#[derive(Debug)]
pub(crate) struct Locks {
    runtime: Handle,
    pool: Pool,
    hints: Hints,
    held: Arc<Mutex<BTreeMap<StreamId, Object>>>,
    /// Appends under way.
    appends: Mutex<JoinSet<()>>,
}

impl Locks {
    pub(crate) fn new(runtime: &Handle, pool: Pool, hints: &Hints) -> Self {
        let (runtime, hints) = (runtime.clone(), hints.clone());
        Self { runtime, pool, hints, held: Arc::default(), appends: Mutex::default() }
    }

    /// Waits for the stream's row. Where that fails there is no lock, and the append finds out.
    pub(crate) fn lock(&self, stream: &StreamId, locked: Locked) {
        let (pool, held, stream) = (self.pool.clone(), Arc::clone(&self.held), stream.clone());
        self.runtime.spawn(async move {
            match begin(&pool, &stream).await {
                Ok(client) => drop(lock(&held).insert(stream, client)),
                Err(error) => {
                    let error = &*error as &dyn std::error::Error;
                    tracing::warn!(%stream, error, "a stream could not be locked");
                }
            }
            locked();
        });
    }

    pub(crate) fn unlock(&self, stream: &StreamId) {
        if let Some(client) = lock(&self.held).remove(stream) {
            self.runtime.spawn(async move {
                if client.batch_execute("ROLLBACK").await.is_err() {
                    drop(Object::take(client));
                }
            });
        }
    }

    /// Writes it in the transaction that locked its stream; gives it back where none did.
    pub(crate) fn append(&self, append: Append, done: Done) -> Option<(Append, Done)> {
        let Some(client) = lock(&self.held).remove(&append.stream) else {
            return Some((append, done));
        };
        let hints = self.hints.clone();
        let mut appends = self.appends.lock().unwrap_or_else(PoisonError::into_inner);
        while appends.try_join_next().is_some() {}
        appends.spawn_on(
            async move {
                let outcome = match write_locked(&client, &append).await {
                    Ok(outcome) => outcome,
                    Err(broken) => {
                        drop(Object::take(client));
                        Failed::Broken(broken).outcome()
                    }
                };
                if let Ok(Head { seq, .. }) = &outcome {
                    hints.moved(&append.stream, *seq);
                }
                done(outcome);
            },
            &self.runtime,
        );
        None
    }

    /// The appends under way.
    pub(crate) fn close(&self) -> JoinSet<()> {
        std::mem::take(&mut *self.appends.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn begin(pool: &Pool, stream: &StreamId) -> Result<Object, BackendError> {
    let client = pool.get().await?;
    match lock_one(&client, stream).await {
        Ok(()) => Ok(client),
        Err(error) => {
            // It may be in the middle of a transaction.
            drop(Object::take(client));
            Err(error.into())
        }
    }
}

fn lock(held: &Mutex<BTreeMap<StreamId, Object>>) -> MutexGuard<'_, BTreeMap<StreamId, Object>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

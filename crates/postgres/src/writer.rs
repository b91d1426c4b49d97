//! The tasks that append: each gathers what waits into one transaction, commits, then answers.
//!
//! While all of them are busy appends wait, and so go together: the more load, the fewer commits
//! for each append. Keeps I4.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::{Object, Pool};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_postgres::Error;
use twinstore_server::log::{Append, AppendError, BackendError, Done, Head};

use crate::Settings;
use crate::hints::Hints;
use crate::tables;
use crate::transaction::{Broken, write};

/// A handle to the tasks.
#[derive(Debug)]
pub(crate) struct Writer {
    /// None once the log is closed.
    jobs: Mutex<Option<UnboundedSender<Job>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

type Job = (Append, Done);

impl Writer {
    pub(crate) fn start(runtime: &Handle, pool: &Pool, settings: &Settings, hints: &Hints) -> Self {
        // Not bounded here: each worker has at most one append under way.
        let (jobs, inbox) = unbounded_channel();
        let inbox = Arc::new(tokio::sync::Mutex::new(inbox));
        let models = Arc::new(Mutex::new(BTreeSet::new()));
        let task = |_| {
            let task =
                Task { pool: pool.clone(), models: Arc::clone(&models), hints: hints.clone() };
            runtime.spawn(task.run(Arc::clone(&inbox), settings.group.max(1)))
        };
        let tasks = Mutex::new((0..settings.writers.max(1)).map(task).collect());
        Self { jobs: Mutex::new(Some(jobs)), tasks }
    }

    pub(crate) fn append(&self, append: Append, done: Done) {
        let unsent = match &*self.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(jobs) => jobs.send((append, done)).err().map(|unsent| unsent.0),
            None => Some((append, done)),
        };
        if let Some((_, done)) = unsent {
            done(Err(AppendError::Failed("the log is closed".into())));
        }
    }

    /// Takes nothing more. The tasks that are given have ended once what was handed over is done.
    pub(crate) fn close(&self) -> Vec<JoinHandle<()>> {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Task {
    pool: Pool,
    /// Models whose tables are there.
    models: Arc<Mutex<BTreeSet<String>>>,
    hints: Hints,
}

impl Task {
    async fn run(self, inbox: Arc<tokio::sync::Mutex<UnboundedReceiver<Job>>>, most: usize) {
        loop {
            let mut group = Vec::new();
            let gathered = inbox.lock().await.recv_many(&mut group, most).await;
            if gathered == 0 {
                return;
            }
            self.commit(group).await;
        }
    }

    async fn commit(&self, group: Vec<Job>) {
        let (appends, dones): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let outcomes = self.write(&appends.iter().collect::<Vec<_>>()).await;
        for ((append, done), outcome) in appends.iter().zip(dones).zip(outcomes) {
            if let Ok(head) = &outcome {
                self.hints.moved(&append.stream, head.seq);
            }
            done(outcome);
        }
    }

    async fn write(&self, appends: &[&Append]) -> Vec<Result<Head, AppendError>> {
        match self.together(appends).await {
            Ok(outcomes) => outcomes,
            // Where the data of one is at fault, the others shall not suffer.
            Err(Failed::Broken(Broken::Before(error)))
                if appends.len() > 1 && is_of_its_data(&error) =>
            {
                let mut outcomes = Vec::new();
                for append in appends {
                    outcomes.append(&mut match self.together(&[append]).await {
                        Ok(outcomes) => outcomes,
                        Err(failed) => failed.outcomes(1),
                    });
                }
                outcomes
            }
            Err(failed) => failed.outcomes(appends.len()),
        }
    }

    async fn together(
        &self,
        appends: &[&Append],
    ) -> Result<Vec<Result<Head, AppendError>>, Failed> {
        let client = self.pool.get().await.map_err(|e| Failed::Connect(e.into()))?;
        let written = match self.ensure_tables(&client, appends).await {
            Ok(()) => write(&client, appends).await,
            Err(error) => Err(Broken::Before(error)),
        };
        written.map_err(|broken| {
            // It may be in the middle of a transaction.
            drop(Object::take(client));
            Failed::Broken(broken)
        })
    }

    async fn ensure_tables(&self, client: &Object, appends: &[&Append]) -> Result<(), Error> {
        let known = || self.models.lock().unwrap_or_else(PoisonError::into_inner);
        for append in appends {
            let model = append.stream.model();
            if !known().contains(model) {
                tables::make_for(client, model).await?;
                known().insert(model.to_owned());
            }
        }
        Ok(())
    }
}

/// Why none of a group has an outcome of its own.
pub(crate) enum Failed {
    Connect(BackendError),
    Broken(Broken),
}

impl Failed {
    pub(crate) fn outcome(self) -> Result<Head, AppendError> {
        self.outcomes(1).remove(0)
    }

    fn outcomes(self, count: usize) -> Vec<Result<Head, AppendError>> {
        let (unknown, error): (bool, BackendError) = match self {
            Self::Connect(error) => (false, error),
            Self::Broken(Broken::Before(error)) => (false, error.into()),
            Self::Broken(Broken::AtCommit(error)) => (true, error.into()),
        };
        tracing::error!(
            error = &*error as &dyn std::error::Error,
            unknown,
            "a batch could not be stored"
        );
        let text = said(&*error);
        let outcome = |_| match unknown {
            true => Err(AppendError::Unknown(text.clone().into())),
            false => Err(AppendError::Failed(text.clone().into())),
        };
        (0..count).map(outcome).collect()
    }
}

/// A broken assertion or a value that the database does not take.
fn is_of_its_data(error: &Error) -> bool {
    error.code().is_some_and(|state| ["22", "23", "54"].iter().any(|c| state.code().starts_with(c)))
}

/// An error with its causes.
fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

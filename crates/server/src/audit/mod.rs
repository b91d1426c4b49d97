//! Whether a stream's log is whole, and whether what was made from it is what it makes.
//!
//! One pass over the events, from the first one on: the chain over each, the numbers of its clients,
//! the fold with the model of each; then the head, the clients, the snapshots and the records are
//! compared with what came out. Only reads; beside a running server it is about the head as it was.
//! Not here: making anew what is wrong (`rebuild.rs`), letting go of old events (`compact.rs`).

mod compact;
mod problem;
mod rebuild;
mod walk;

use std::collections::BTreeMap;

use twinstore_protocol::{Seq, StreamId};

use self::walk::Walk;
use crate::fold::FoldError;
use crate::limits;
use crate::log::{Head, Log, ReadError};
use crate::reducer::ReducerEngine;

pub use compact::{CompactError, Compacted, Keep, compact, next_base};
pub use problem::{Differs, Problem};
pub use rebuild::{RebuildError, Rebuilt, rebuild};

/// What was found out about a stream.
#[derive(Debug, Default)]
pub struct Audit {
    /// The place that the audit goes up to.
    pub head: Seq,
    /// Events looked at.
    pub events: u64,
    /// Clients that have numbers in them.
    pub clients: usize,
    /// Snapshots compared with the fold.
    pub snapshots: usize,
    /// Records compared with the fold's; `None`: they were not, since it cannot be folded or did
    /// not stand still.
    pub records: Option<usize>,
    /// What is wrong: the first [`limits::PROBLEMS_LISTED`].
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub unlisted: u64,
}

impl Audit {
    /// Whether all is as it must be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn report(&mut self, problem: Problem) {
        if self.problems.len() < limits::PROBLEMS_LISTED {
            self.problems.push(problem);
        } else {
            self.unlisted += 1;
        }
    }
}

/// Why an audit has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// Nothing happened in that stream.
    #[error("the store has no stream {stream}")]
    NoStream {
        /// Its name.
        stream: String,
    },
    /// The store does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Whoever watched wanted no more of it.
    #[error("the audit was stopped")]
    Stopped,
}

/// Looks at a stream's whole log. `watch` is told now and then how many more events were looked
/// at, and says whether to go on.
///
/// # Errors
/// [`AuditError`].
pub fn audit(
    log: &dyn Log,
    engine: &dyn ReducerEngine,
    stream: &StreamId,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<Audit, AuditError> {
    let head = head_of(log, stream)?;
    let mut walk = Walk::begin(log, engine, stream, &head)?;
    walk.advance(head.seq, watch)?;
    walk.compare_head(&head);
    walk.compare_clients()?;
    compare_records(&mut walk, log, stream, head, watch)?;
    Ok(walk.finish())
}

fn head_of(log: &dyn Log, stream: &StreamId) -> Result<Head, AuditError> {
    log.head(stream)?.ok_or_else(|| AuditError::NoStream { stream: stream.to_string() })
}

/// Records are known as of the head alone: where it moves meanwhile, the walk goes after it.
fn compare_records(
    walk: &mut Walk<'_>,
    log: &dyn Log,
    stream: &StreamId,
    mut head: Head,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<(), AuditError> {
    for _ in 0..limits::AUDIT_TRIES {
        let stored = log.records(stream)?;
        let now = head_of(log, stream)?;
        if now == head {
            return walk.compare_records(stored);
        }
        walk.advance(now.seq, watch)?;
        head = now;
    }
    Ok(())
}

/// Both as JSON: the order of keys says nothing.
fn is_same_json(one: &str, other: &str) -> bool {
    let read = serde_json::from_str::<serde_json::Value>;
    one == other || matches!((read(one), read(other)), (Ok(one), Ok(other)) if one == other)
}

/// A read that failed says nothing about the log; all else that a fold stumbles over does.
fn fold_problem(error: FoldError) -> Result<Problem, AuditError> {
    match error {
        FoldError::Read(error) => Err(error.into()),
        FoldError::Stopped => Err(AuditError::Stopped),
        error => Ok(Problem::Fold(error)),
    }
}

type ByKey = BTreeMap<String, String>;

#[cfg(test)]
mod tests;

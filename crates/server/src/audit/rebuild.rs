//! Making anew what is made from the log: records, clients' numbers, snapshots.

use twinstore_protocol::StreamId;

use super::walk::Walk;
use super::{AuditError, Problem, head_of};
use crate::log::{Derived, Log, Snapshot, WriteError};
use crate::reducer::ReducerEngine;

/// What was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Events folded.
    pub events: u64,
    /// Clients.
    pub clients: usize,
    /// Records.
    pub records: usize,
}

/// Why nothing was made anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// The log has no audit.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The log itself is damaged: nothing can be made from it.
    #[error("{stream}: the log itself is damaged, and only a backup helps: {problem}")]
    Damaged {
        /// The stream.
        stream: String,
        /// The first damage.
        problem: Box<Problem>,
    },
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Folds a stream from its beginning and replaces its records, its clients' numbers and its
/// snapshots, in one write. Nobody else may write to the store meanwhile.
///
/// # Errors
/// [`RebuildError`]; nothing was changed then.
pub fn rebuild(
    log: &dyn Log,
    engine: &dyn ReducerEngine,
    stream: &StreamId,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<Rebuilt, RebuildError> {
    let head = head_of(log, stream)?;
    let mut walk = Walk::begin(log, engine, stream, &head)?;
    walk.advance(head.seq, watch)?;
    walk.compare_head(&head);
    let made = walk.records()?.zip(walk.state()?);
    let damage = walk.problems().iter().position(|problem| !problem.is_derived());
    let (base, clients, model) = (walk.base.clone(), walk.clients(), walk.model());
    let mut audit = walk.finish();
    if let Some(damage) = damage {
        let problem = Box::new(audit.problems.swap_remove(damage));
        return Err(RebuildError::Damaged { stream: stream.to_string(), problem });
    }
    let (records, state) = made.expect("where a fold fails there is a problem");
    let rebuilt = Rebuilt { events: audit.events, clients: clients.len(), records: records.len() };
    let newest = model.map(|model| Snapshot { seq: head.seq, model, state });
    let snapshots = base.into_iter().chain(newest).collect();
    log.replace_derived(stream, Derived { head, records, clients, snapshots })?;
    Ok(rebuilt)
}

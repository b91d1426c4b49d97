//! Putting a state in the place of a stream's oldest events.

use twinstore_protocol::{ClientId, Seq, StreamId};

use super::{AuditError, head_of};
use crate::fold::{Fold, FoldError};
use crate::log::{Compaction, Log, Page, ReadError, Snapshot, WriteError};
use crate::reducer::ReducerEngine;

/// What is to be left.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// So many of the newest events stay: clients that were away for no longer catch up by them.
    pub events: u64,
    /// Clients whose rejections' reasons go, too.
    pub forget: Vec<ClientId>,
    /// Clients of before this moment, in milliseconds since 1970, that have no event left are forgotten.
    pub clients_since: u64,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Events up to here are gone.
    pub base: Seq,
    /// How many went this time.
    pub gone: u64,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// There is no such stream, or it cannot be looked at.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The store does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The state at the new base cannot be had.
    #[error("{stream}: {source}")]
    Fold {
        /// The stream.
        stream: String,
        /// Why not.
        #[source]
        source: FoldError,
    },
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Where the base would be moved to; `None`: there is nothing to be done.
///
/// # Errors
/// [`CompactError`].
pub fn next_base(
    log: &dyn Log,
    stream: &StreamId,
    keep: u64,
) -> Result<Option<(Seq, Seq)>, CompactError> {
    let head = head_of(log, stream)?;
    let now = log.base(stream)?.map_or(Seq(0), |base| base.seq);
    let next = Seq(head.seq.0.saturating_sub(keep));
    Ok((next > now).then_some((now, next)))
}

/// Folds to the new base and lets go of the events up to it. Nobody else may write to the store
/// meanwhile. `None`: there was nothing to be done.
///
/// # Errors
/// [`CompactError`]; nothing was changed then.
pub fn compact(
    log: &dyn Log,
    engine: &dyn ReducerEngine,
    stream: &StreamId,
    keep: Keep,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<Compacted>, CompactError> {
    let head = head_of(log, stream)?;
    let Some((_, seq)) = next_base(log, stream, keep.events)? else { return Ok(None) };
    let failed = |source| CompactError::Fold { stream: stream.to_string(), source };
    let mut fold = Fold::begin(log, engine, stream, seq).map_err(failed)?;
    fold.advance(seq, watch).map_err(failed)?;
    let model = model_at(log, stream, seq)?;
    let state = fold.state_here().map_err(failed)?;
    let hole = || failed(FoldError::Hole { from: seq.0, to: seq.0 });
    let (model, state) = model.zip(state).ok_or_else(hole)?;
    let base = Snapshot { seq, model, state };
    let Keep { forget, clients_since, .. } = keep;
    let compaction = Compaction { head, base, forget, clients_since };
    let gone = log.compact(stream, compaction)?;
    Ok(Some(Compacted { base: seq, gone }))
}

/// The model that decided the event there: the state is of its making.
fn model_at(log: &dyn Log, stream: &StreamId, seq: Seq) -> Result<Option<String>, ReadError> {
    let page = Page { events: 1, bytes: usize::MAX };
    let events = log.read(stream, Seq(seq.0 - 1), page)?;
    Ok(events.into_iter().next().map(|event| event.model))
}

//! Folding a stream's log: from its newest snapshot on, each event with the model that decided it.
//!
//! Keeps I9. Used by the worker when it starts, and for any place of the past (`analysis/past.rs`).

use twinstore_protocol::{Seq, StreamId};

use crate::action::Stamp;
use crate::event::StoredEvent;
use crate::limits;
use crate::log::{Log, Page, ReadError, Snapshot, StoredModel};
use crate::reducer::{Reducer, ReducerEngine, ReducerError, Step, seed};

/// Why a log cannot be folded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// The store does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The model that decided an event is not in the store.
    #[error("the store does not have model {hash}")]
    NoModel {
        /// Its hash.
        hash: String,
    },
    /// The model does not take what it took before. The stream halts.
    #[error("event {seq} cannot be folded: {source}")]
    Event {
        /// The event's place.
        seq: u64,
        /// What the model said.
        #[source]
        source: ReducerError,
    },
    /// The state is of a newer schema than the model that is to go on with it.
    #[error(
        "the state is of schema {state}, the model of schema {model}: deploy a model of schema {state} or above"
    )]
    Newer {
        /// The state's schema.
        state: u32,
        /// The model's.
        model: u32,
    },
    /// The model or its engine failed beside the events.
    #[error(transparent)]
    Reducer(#[from] ReducerError),
    /// Events are not in the store, and no snapshot stands in for them.
    #[error(
        "events {from} to {to} are not in the store, and no snapshot before {to} stands in for them"
    )]
    Hole {
        /// The first that is missing.
        from: u64,
        /// The last that is missing, as far as was looked.
        to: u64,
    },
    /// Whoever watched wanted no more of it.
    #[error("the fold was stopped")]
    Stopped,
}

impl FoldError {
    /// True where trying again cannot help: an operator must look.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Read(_) | Self::Stopped => false,
            Self::NoModel { .. } | Self::Hole { .. } | Self::Newer { .. } => true,
            Self::Event { source, .. } | Self::Reducer(source) => {
                !matches!(source, ReducerError::Wall)
            }
        }
    }
}

/// A state in its reducer, and how far it is from the snapshot it began with.
#[derive(Debug)]
pub struct Folded {
    /// The state, in a reducer of the model asked for.
    pub reducer: Box<dyn Reducer>,
    /// Events folded since the snapshot.
    pub since_snapshot: u64,
    /// The state is another model's: no event is of the model asked for yet.
    pub taken_over: Option<TakenOver>,
}

/// From what a model takes over a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenOver {
    /// Whether the state was of an older schema.
    pub migrated: bool,
}

/// Folds to `until`, and ends in a reducer of `model`.
///
/// # Errors
/// [`FoldError`].
pub fn fold(
    log: &dyn Log,
    engine: &dyn ReducerEngine,
    stream: &StreamId,
    model: &StoredModel,
    until: Seq,
) -> Result<Folded, FoldError> {
    let mut fold = Fold::begin(log, engine, stream, until)?;
    let begin = fold.at;
    fold.advance(until, &mut |_| true)?;
    let taken_over = fold.taken_over(model)?;
    let reducer = fold.finish(model)?;
    Ok(Folded { reducer, since_snapshot: until.0 - begin.0, taken_over })
}

/// Applies an event to the state before it, in a reducer of the model that decided it.
pub(crate) fn fold_event(
    reducer: &mut dyn Reducer,
    stream: &StreamId,
    event: &StoredEvent,
) -> Result<(), FoldError> {
    let Some(action) = event.action() else { return Ok(()) };
    let now = stamped_at(action).unwrap_or(event.at);
    let seed = seed(stream.as_str(), event.client.as_str(), event.n.0);
    let folded = reducer.fold(Step { action, now, seed });
    folded.map_err(|source| FoldError::Event { seq: event.seq.0, source })
}

/// A fold under way.
pub(crate) struct Fold<'a> {
    log: &'a dyn Log,
    engine: &'a dyn ReducerEngine,
    stream: &'a StreamId,
    at: Seq,
    /// The state between two models, or before the first event.
    state: Option<Before>,
    /// The model at work.
    running: Option<Running>,
}

/// A state that no model is at work on.
struct Before {
    state: String,
    /// The hash of the model that made it.
    model: String,
}

struct Running {
    model: String,
    reducer: Box<dyn Reducer>,
}

impl<'a> Fold<'a> {
    /// From the newest snapshot at or before that place.
    pub(crate) fn begin(
        log: &'a dyn Log,
        engine: &'a dyn ReducerEngine,
        stream: &'a StreamId,
        until: Seq,
    ) -> Result<Self, FoldError> {
        Ok(Self::from_snapshot(log, engine, stream, log.snapshot(stream, until)?))
    }

    /// From this snapshot; without one, from the beginning.
    pub(crate) fn from_snapshot(
        log: &'a dyn Log,
        engine: &'a dyn ReducerEngine,
        stream: &'a StreamId,
        snapshot: Option<Snapshot>,
    ) -> Self {
        let (at, state) = match snapshot {
            Some(Snapshot { seq, model, state }) => (seq, Some(Before { state, model })),
            None => (Seq(0), None),
        };
        Self { log, engine, stream, at, state, running: None }
    }

    /// Where it stands.
    pub(crate) fn at(&self) -> Seq {
        self.at
    }

    /// Goes on to a place. `watch` is told after each page how many events were folded, and says
    /// whether to go on.
    pub(crate) fn advance(
        &mut self,
        until: Seq,
        watch: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), FoldError> {
        while self.at < until {
            let before = self.at;
            self.page(until)?;
            if !watch(self.at.0 - before.0) {
                return Err(FoldError::Stopped);
            }
        }
        Ok(())
    }

    /// The state's text where it stands; before the first event, the initial state of `model`.
    pub(crate) fn state(&mut self, model: &StoredModel) -> Result<String, FoldError> {
        if self.running.is_none() {
            self.switch(model)?;
        }
        Ok(self.running.as_mut().expect("just put there").reducer.state()?)
    }

    fn page(&mut self, until: Seq) -> Result<(), FoldError> {
        let page = Page { events: limits::PAGE_EVENTS, bytes: usize::MAX };
        let before = self.at;
        for event in self.log.read(self.stream, before, page)? {
            if event.seq > until {
                break;
            }
            self.take(&event)?;
        }
        if self.at == before {
            return Err(self.hole(until.0));
        }
        Ok(())
    }

    /// Folds the next event.
    pub(crate) fn take(&mut self, event: &StoredEvent) -> Result<(), FoldError> {
        if event.seq != self.at.next() {
            return Err(self.hole(event.seq.0 - 1));
        }
        self.event(event)?;
        self.at = event.seq;
        Ok(())
    }

    /// The state's text where it stands, by the model at work.
    pub(crate) fn state_here(&mut self) -> Result<Option<String>, FoldError> {
        match &mut self.running {
            Some(running) => Ok(Some(running.reducer.state()?)),
            None => Ok(self.state.as_ref().map(|before| before.state.clone())),
        }
    }

    /// The records that the state makes, by the model that made it; none before the first event.
    pub(crate) fn records(&mut self) -> Result<Option<Vec<(String, String)>>, FoldError> {
        if let Some(before) = &self.state {
            let model = self.known(&before.model)?;
            self.switch(&model)?;
        }
        Ok(self.running.as_mut().map(|running| running.reducer.records()).transpose()?)
    }

    /// The hash of the model that made the state; none before the first event.
    pub(crate) fn model(&self) -> Option<String> {
        let running = self.running.as_ref().map(|running| &running.model);
        running.or_else(|| self.state.as_ref().map(|before| &before.model)).cloned()
    }

    fn hole(&self, to: u64) -> FoldError {
        FoldError::Hole { from: self.at.0 + 1, to }
    }

    fn event(&mut self, event: &StoredEvent) -> Result<(), FoldError> {
        let stream = self.stream;
        fold_event(&mut **self.reducer(&event.model)?, stream, event)
    }

    /// The reducer of that model, with the state as it is.
    fn reducer(&mut self, hash: &str) -> Result<&mut Box<dyn Reducer>, FoldError> {
        if self.running.as_ref().is_none_or(|running| running.model != hash) {
            let model = self.known(hash)?;
            self.switch(&model)?;
        }
        Ok(&mut self.running.as_mut().expect("just put there").reducer)
    }

    fn known(&self, hash: &str) -> Result<StoredModel, FoldError> {
        let model = self.log.model(hash)?;
        model.ok_or_else(|| FoldError::NoModel { hash: hash.to_owned() })
    }

    /// Another model goes on with the state, which it migrates where it was of an older schema.
    fn switch(&mut self, model: &StoredModel) -> Result<(), FoldError> {
        if let Some(Running { model, mut reducer }) = self.running.take() {
            self.state = Some(Before { state: reducer.state()?, model });
        }
        let mut reducer = self.engine.open(model, name_of(self.stream))?;
        match self.state.take() {
            None => reducer.load(None)?,
            Some(before) if before.model == model.hash => reducer.load(Some(&before.state))?,
            Some(before) => match self.known(&before.model)?.schema {
                schema if schema < model.schema => reducer.migrate(&before.state, schema)?,
                schema if schema > model.schema => {
                    return Err(FoldError::Newer { state: schema, model: model.schema });
                }
                _ => reducer.load(Some(&before.state))?,
            },
        }
        self.running = Some(Running { model: model.hash.clone(), reducer });
        Ok(())
    }

    /// Whether the state is another model's, where there is one.
    fn taken_over(&self, model: &StoredModel) -> Result<Option<TakenOver>, FoldError> {
        let Some(before) = self.model().filter(|before| *before != model.hash) else {
            return Ok(None);
        };
        Ok(Some(TakenOver { migrated: self.known(&before)?.schema < model.schema }))
    }

    fn finish(mut self, model: &StoredModel) -> Result<Box<dyn Reducer>, FoldError> {
        if self.running.as_ref().is_none_or(|running| running.model != model.hash) {
            self.switch(model)?;
        }
        let mut reducer = self.running.expect("just put there").reducer;
        // What changed so far is in the store; from here on changes are told.
        reducer.changes()?;
        Ok(reducer)
    }
}

/// The stream's name after its model.
#[must_use]
pub fn name_of(stream: &StreamId) -> &str {
    stream.as_str().split_once('/').map_or("", |(_, name)| name)
}

/// The time that an action's stamp names.
pub(crate) fn stamped_at(action: &str) -> Option<u64> {
    Stamp::of(action).at
}

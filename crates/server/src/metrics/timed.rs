//! Reducers whose runs are measured. What decides has no clock of its own.

use std::sync::Arc;
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;

use super::Metrics;
use crate::log::StoredModel;
use crate::reducer::{Change, Decision, Reducer, ReducerEngine, ReducerError, Step, Upcast};

/// Another engine, and how long its reducers take.
#[derive(Debug)]
pub(crate) struct Timed {
    engine: Arc<dyn ReducerEngine>,
    metrics: Arc<Metrics>,
}

impl Timed {
    pub(crate) fn new(engine: Arc<dyn ReducerEngine>, metrics: Arc<Metrics>) -> Self {
        Self { engine, metrics }
    }
}

impl ReducerEngine for Timed {
    fn open(&self, model: &StoredModel, name: &str) -> Result<Box<dyn Reducer>, ReducerError> {
        let reducer = self.engine.open(model, name)?;
        Ok(match self.metrics.models.get(&model.name) {
            None => reducer,
            Some(metrics) => {
                let (decide, fold) = (metrics.decide_seconds.clone(), metrics.fold_seconds.clone());
                Box::new(TimedReducer { reducer, decide, fold })
            }
        })
    }
}

#[derive(Debug)]
struct TimedReducer {
    reducer: Box<dyn Reducer>,
    decide: Histogram,
    fold: Histogram,
}

impl Reducer for TimedReducer {
    fn load(&mut self, state: Option<&str>) -> Result<(), ReducerError> {
        self.reducer.load(state)
    }

    fn migrate(&mut self, state: &str, schema: u32) -> Result<(), ReducerError> {
        self.reducer.migrate(state, schema)
    }

    fn upcast(&mut self, step: Step<'_>, schema: u32) -> Result<Upcast, ReducerError> {
        self.reducer.upcast(step, schema)
    }

    fn decide(&mut self, step: Step<'_>) -> Result<Decision, ReducerError> {
        let began = Instant::now();
        let decision = self.reducer.decide(step);
        self.decide.observe(began.elapsed().as_secs_f64());
        decision
    }

    fn fold(&mut self, step: Step<'_>) -> Result<(), ReducerError> {
        let began = Instant::now();
        let folded = self.reducer.fold(step);
        self.fold.observe(began.elapsed().as_secs_f64());
        folded
    }

    fn changes(&mut self) -> Result<Vec<Change>, ReducerError> {
        self.reducer.changes()
    }

    fn records(&mut self) -> Result<Vec<(String, String)>, ReducerError> {
        self.reducer.records()
    }

    fn state(&mut self) -> Result<String, ReducerError> {
        self.reducer.state()
    }

    fn checksum(&mut self) -> Option<u64> {
        self.reducer.checksum()
    }
}

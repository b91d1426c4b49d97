//! A model at work: decides actions, folds events, knows state and records of one stream.
//!
//! Same model, same events, same state (I9): a reducer sees the action and what [`Step`] says,
//! nothing else. Not here: numbers, the log and verdicts' form (`stream.rs`).

mod native;
mod quickjs;

use std::fmt;

use crate::log::StoredModel;

pub use native::Engines;
pub(crate) use quickjs::Guard;
pub use quickjs::QuickJs;
pub use twinstore_reducer::{Change, checksum, seed};

/// One action as a reducer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The action's text.
    pub action: &'a str,
    /// What `Date.now()` says: the action's own time, else the server's.
    pub now: u64,
    /// What `Math.random()` begins with.
    pub seed: [u32; 4],
}

/// What a model said to an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The state is the next one.
    Accepted,
    /// The model's `validate` gave this reason. The state is the one before.
    Invalid(String),
    /// The model threw. The state is the one before.
    Threw(String),
    /// The model ran past a limit. The reducer must not be used again.
    Limit(String),
    /// A native model panicked while it changed the state. The reducer must not be used again.
    Panicked(String),
}

/// What a model made of an action of an older schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upcast {
    /// The model has no `upcast`: it takes the action as it is.
    Same,
    /// The action's text, of the model's own schema, with the stamp it had.
    Action(String),
    /// It threw, ran past a limit, or gave no plain action.
    Failed(Decision),
}

/// Why a reducer must not be used again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReducerError {
    /// The source is not a model.
    #[error("{0}")]
    Load(LoadError),
    /// An event that was accepted once cannot be folded.
    #[error("the model cannot fold it: {0}")]
    Fold(String),
    /// It took longer than the process can bear; this decides nothing.
    #[error("the model took too long by the wall clock")]
    Wall,
    /// The engine failed at what is not the model's doing.
    #[error("the engine cannot {what}: {reason}")]
    Engine {
        /// What was tried.
        what: &'static str,
        /// What it said.
        reason: String,
    },
}

/// Why a source is not a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct LoadError {
    /// The line, from 1, where it is known.
    pub line: Option<u32>,
    /// What is wrong and what to do.
    pub reason: String,
}

/// A model with the state of one stream. It lives on one thread.
pub trait Reducer: fmt::Debug {
    /// Takes this state; without one, the model's initial state.
    ///
    /// # Errors
    /// [`ReducerError`].
    fn load(&mut self, state: Option<&str>) -> Result<(), ReducerError>;

    /// Takes this state of an older schema, brought up to date.
    ///
    /// # Errors
    /// [`ReducerError`].
    fn migrate(&mut self, state: &str, schema: u32) -> Result<(), ReducerError>;

    /// Brings an action of an older schema up to date.
    ///
    /// # Errors
    /// [`ReducerError::Wall`]: nothing was decided.
    fn upcast(&mut self, step: Step<'_>, schema: u32) -> Result<Upcast, ReducerError>;

    /// Asks the model about an action. Only after `Accepted` the state is another one.
    ///
    /// # Errors
    /// [`ReducerError::Wall`]: nothing was decided.
    fn decide(&mut self, step: Step<'_>) -> Result<Decision, ReducerError>;

    /// Applies an action that was accepted.
    ///
    /// # Errors
    /// [`ReducerError`].
    fn fold(&mut self, step: Step<'_>) -> Result<(), ReducerError>;

    /// The records that differ from those at the last call, or load, in key order.
    ///
    /// # Errors
    /// [`ReducerError`].
    fn changes(&mut self) -> Result<Vec<Change>, ReducerError>;

    /// All records, in key order.
    ///
    /// # Errors
    /// [`ReducerError`].
    fn records(&mut self) -> Result<Vec<(String, String)>, ReducerError>;

    /// The state as JSON text.
    ///
    /// # Errors
    /// [`ReducerError`].
    fn state(&mut self) -> Result<String, ReducerError>;

    /// The state's checksum. None: it cannot be had, which says nothing about the state.
    fn checksum(&mut self) -> Option<u64> {
        let state = self.state().ok()?;
        Some(checksum(&serde_json::from_str(&state).ok()?))
    }
}

/// Makes reducers: QuickJS for models in JavaScript, [`Engines`] for those in Rust as well.
pub trait ReducerEngine: Send + Sync + fmt::Debug {
    /// A reducer with that model's initial state. `name` is the stream's name after its model.
    ///
    /// # Errors
    /// [`ReducerError`].
    fn open(&self, model: &StoredModel, name: &str) -> Result<Box<dyn Reducer>, ReducerError>;
}

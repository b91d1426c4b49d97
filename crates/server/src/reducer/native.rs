//! Models in Rust: the state is a value of the model's own type, on the worker's thread.
//!
//! No runtime stands between: a native model has neither a step nor a memory limit, and one that
//! never comes back holds its thread for ever. A panic is caught; what it leaves of the state is
//! dropped.
//! Not here: what a model is (`crates/reducer`).

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;
use twinstore_reducer::{Ctx, Model, read};

use super::{Change, Decision, QuickJs, Reducer, ReducerEngine, ReducerError, Step, Upcast};
use crate::limits;
use crate::log::StoredModel;

/// Opens the native models that were added to it, and all others with QuickJS.
#[derive(Clone, Debug, Default)]
pub struct Engines {
    /// By the models' hashes.
    native: BTreeMap<String, fn() -> Box<dyn Reducer>>,
}

impl Engines {
    /// Adds a native model, which the store knows by this hash.
    pub(crate) fn add<M: Model>(&mut self, hash: String) {
        self.native.insert(hash, || Box::new(NativeReducer::<M>::default()));
    }

    /// Whether that model is a native one.
    pub(crate) fn holds(&self, hash: &str) -> bool {
        self.native.contains_key(hash)
    }
}

impl ReducerEngine for Engines {
    fn open(&self, model: &StoredModel, name: &str) -> Result<Box<dyn Reducer>, ReducerError> {
        match self.native.get(&model.hash) {
            Some(open) => Ok(open()),
            None => QuickJs.open(model, name),
        }
    }
}

struct NativeReducer<M: Model> {
    state: M::State,
}

impl<M: Model> Default for NativeReducer<M> {
    fn default() -> Self {
        Self { state: M::State::default() }
    }
}

impl<M: Model> fmt::Debug for NativeReducer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeReducer").field("model", &M::NAME).finish_non_exhaustive()
    }
}

impl<M: Model> Reducer for NativeReducer<M> {
    fn load(&mut self, state: Option<&str>) -> Result<(), ReducerError> {
        let Some(state) = state else { return Ok(()) };
        self.state = guarded("load a state", || serde_json::from_str(state))?;
        Ok(())
    }

    fn migrate(&mut self, state: &str, schema: u32) -> Result<(), ReducerError> {
        let failed = |reason| ReducerError::Engine { what: "migrate a state", reason };
        let older = serde_json::from_str(state).map_err(|error| failed(error.to_string()))?;
        let migrated = caught(|| M::migrate(older, schema)).and_then(|made| made);
        let migrated = migrated.map_err(|reason| failed(shortened(reason)))?;
        self.state = guarded("migrate a state", || serde_json::from_value(migrated))?;
        Ok(())
    }

    fn upcast(&mut self, step: Step<'_>, schema: u32) -> Result<Upcast, ReducerError> {
        let Ok(before) = serde_json::from_str::<Value>(step.action) else {
            return Ok(Upcast::Same);
        };
        let made = match caught(|| M::upcast(before.clone(), schema)) {
            Ok(Ok(made)) => made,
            Ok(Err(reason)) | Err(reason) => {
                return Ok(Upcast::Failed(Decision::Threw(shortened(reason))));
            }
        };
        if made == before {
            return Ok(Upcast::Same);
        }
        Ok(Upcast::Action(with_stamp_of(&before, made).to_string()))
    }

    fn decide(&mut self, step: Step<'_>) -> Result<Decision, ReducerError> {
        let read = match caught(|| read::<M>(step.action)) {
            Ok(read) => read,
            Err(panic) => return Ok(Decision::Threw(shortened(panic))),
        };
        let action = match read {
            Ok(action) => action,
            Err(reason) => return Ok(Decision::Invalid(shortened(reason))),
        };
        match caught(|| M::validate(&self.state, &action)) {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => return Ok(Decision::Invalid(shortened(reason))),
            Err(panic) => return Ok(Decision::Threw(shortened(panic))),
        }
        match caught(|| M::reduce(&mut self.state, &action, &mut Ctx::new(step.now, step.seed))) {
            Ok(()) => Ok(Decision::Accepted),
            Err(panic) => Ok(Decision::Panicked(shortened(panic))),
        }
    }

    fn fold(&mut self, step: Step<'_>) -> Result<(), ReducerError> {
        let folded = caught(|| {
            let action = read::<M>(step.action)?;
            M::reduce(&mut self.state, &action, &mut Ctx::new(step.now, step.seed));
            Ok(())
        });
        folded.and_then(|folded| folded).map_err(|reason| ReducerError::Fold(shortened(reason)))
    }

    fn changes(&mut self) -> Result<Vec<Change>, ReducerError> {
        guarded("compare records", || M::records(&mut self.state).take_changes())
    }

    fn records(&mut self) -> Result<Vec<(String, String)>, ReducerError> {
        guarded("list records", || M::records(&mut self.state).all())
    }

    fn state(&mut self) -> Result<String, ReducerError> {
        guarded("write the state", || serde_json::to_string(&self.state))
    }

    fn checksum(&mut self) -> Option<u64> {
        let state = guarded("write the state", || serde_json::to_value(&self.state)).ok()?;
        Some(super::checksum(&state))
    }
}

/// The stamp is the client's, whatever the model made of the action.
fn with_stamp_of(before: &Value, mut made: Value) -> Value {
    let stamp = before.get("meta").and_then(|meta| meta.get("twin"));
    if let (Some(stamp), Some(action)) = (stamp, made.as_object_mut()) {
        let meta = action.entry("meta").or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(meta) = meta.as_object_mut() {
            meta.insert("twin".to_owned(), stamp.clone());
        }
    }
    made
}

/// Runs the model's code. A panic is an error with its message.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    // Whoever sees a panic drops what it was at.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        said.unwrap_or_else(|| "the model panicked".to_owned())
    })
}

/// The same for what the model does beside deciding.
fn guarded<T>(
    what: &'static str,
    run: impl FnOnce() -> serde_json::Result<T>,
) -> Result<T, ReducerError> {
    let done = caught(run).and_then(|done| done.map_err(|error| error.to_string()));
    done.map_err(|reason| ReducerError::Engine { what, reason })
}

fn shortened(reason: String) -> String {
    match reason.char_indices().nth(limits::REASON_CHARS) {
        Some((at, _)) => format!("{}…", &reason[..at]),
        None => reason,
    }
}

#[cfg(test)]
mod tests;

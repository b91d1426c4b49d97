//! Models in Rust: one type says what actions do, and runs on a server and in its clients.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use twinstore_reducer::{Ctx, Entities, Model, Records};
//!
//! struct Counters;
//!
//! #[derive(Clone, Debug, Default, Serialize, Deserialize)]
//! struct State {
//!     entities: Entities<u32>,
//! }
//!
//! #[derive(Deserialize)]
//! #[serde(tag = "type", content = "payload")]
//! enum Action {
//!     #[serde(rename = "add")]
//!     Add { id: String, by: u32 },
//! }
//!
//! impl Model for Counters {
//!     const NAME: &'static str = "counter";
//!     const VERSION: u32 = 1;
//!     type State = State;
//!     type Action = Action;
//!
//!     fn validate(state: &State, Action::Add { id, by }: &Action) -> Result<(), String> {
//!         match state.entities.get(id).unwrap_or(&0).checked_add(*by) {
//!             Some(_) => Ok(()),
//!             None => Err(format!("counter {id} would run over")),
//!         }
//!     }
//!
//!     fn reduce(state: &mut State, Action::Add { id, by }: &Action, _: &mut Ctx) {
//!         let count = state.entities.get(id).unwrap_or(&0).saturating_add(*by);
//!         state.entities.insert(id.clone(), count);
//!     }
//!
//!     fn records(state: &mut State) -> &mut dyn Records {
//!         &mut state.entities
//!     }
//! }
//!
//! let mut state = State::default();
//! let action = twinstore_reducer::read::<Counters>(r#"{"type":"add","payload":{"id":"a","by":2}}"#)?;
//! twinstore_reducer::take::<Counters>(&mut state, &action, &mut Ctx::new(0, [0; 4]))?;
//! assert_eq!(state.entities.get("a"), Some(&2));
//! # Ok::<(), String>(())
//! ```
//!
//! Keeps I9: a model sees its state, the action and [`Ctx`], and nothing else that could differ.
//! Not here: how a server hosts a model (`crates/server/src/reducer/native.rs`), how a program is a
//! client (`examples/rust-client`).
#![forbid(unsafe_code)]

mod checksum;
mod ctx;
mod entities;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use checksum::checksum;
pub use ctx::{Ctx, seed};
pub use entities::{Change, Entities, Records};

/// What a stream's actions mean.
pub trait Model: 'static {
    /// The first part of its streams' names, as in `salesOrder/acme`.
    const NAME: &'static str;

    /// The schema of its actions and its state. A greater one says that older actions need
    /// [`Model::upcast`], and older states [`Model::migrate`].
    const SCHEMA: u32 = 1;

    /// Another number wherever it may decide or do anything otherwise than before: name, schema and
    /// this one are what a stored event says of the model that decided it.
    const VERSION: u32;

    /// The state of a stream; its default is the state before the first action. Its JSON must be
    /// read back as the same state: no NaN, and nested less than 128 deep.
    type State: Clone + fmt::Debug + Default + Serialize + DeserializeOwned;

    /// An action, read from its JSON. One that cannot be read is rejected with the reason that serde
    /// gives; `#[serde(try_from = "serde_json::Value")]` lets the model say it in its own words.
    type Action: DeserializeOwned;

    /// Whether the action may be applied to this state.
    ///
    /// # Errors
    /// The reason of its rejection, for people.
    fn validate(state: &Self::State, action: &Self::Action) -> Result<(), String> {
        let _ = (state, action);
        Ok(())
    }

    /// Applies an action. It is total: what an event of the log finds no place for changes nothing.
    ///
    /// # Panics
    /// A panic is a rejection where the action is decided, and stops the stream where it was
    /// accepted before.
    fn reduce(state: &mut Self::State, action: &Self::Action, ctx: &mut Ctx);

    /// The records that people and programs see of the state.
    fn records(state: &mut Self::State) -> &mut dyn Records;

    /// Brings a state of an older schema up to date, once, before the first action of this one.
    ///
    /// # Errors
    /// The reason why it cannot be: the stream halts.
    fn migrate(state: Value, schema: u32) -> Result<Value, String> {
        let _ = schema;
        Ok(state)
    }

    /// Brings an action of an older schema up to date.
    ///
    /// # Errors
    /// The reason why it cannot be.
    fn upcast(action: Value, schema: u32) -> Result<Value, String> {
        let _ = schema;
        Ok(action)
    }
}

/// Reads an action.
///
/// # Errors
/// What is wrong with it, for people.
pub fn read<M: Model>(text: &str) -> Result<M::Action, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    // From the value, so that a reason is the model's own words, without line and column.
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Applies an action that is valid.
///
/// # Errors
/// The reason why it is not. The state is the one before.
pub fn take<M: Model>(
    state: &mut M::State,
    action: &M::Action,
    ctx: &mut Ctx,
) -> Result<(), String> {
    M::validate(state, action)?;
    M::reduce(state, action, ctx);
    Ok(())
}

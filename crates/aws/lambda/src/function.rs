//! The functions of both topologies, by their roles.

use serde_json::Value;

use crate::front::Front;
use crate::parts::{FunctionError, Parts};

/// What a function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A gateway's messages are decided and answered; where `push`, others who listen are told.
    Coupled {
        /// Whether others are told.
        push: bool,
    },
    /// A gateway's actions are put into the inbox; all else is answered.
    Ingest,
    /// The inbox, as the stream of the table of events shows it, is decided.
    Reduce,
    /// What became of it, as the stream of the table of the model shows it, is told to all.
    Push,
}

/// A function.
#[derive(Debug)]
pub struct Function {
    parts: Parts,
    role: Role,
}

impl Function {
    /// A function of that role.
    #[must_use]
    pub fn new(parts: Parts, role: Role) -> Self {
        Self { parts, role }
    }

    /// Handles an event: a gateway's, or a table's stream's.
    ///
    /// # Errors
    /// [`FunctionError`].
    pub async fn handle(&self, event: Value) -> Result<Value, FunctionError> {
        match self.role {
            Role::Coupled { push } => self.parts.front(Front::Coupled { push }, event).await,
            Role::Ingest => self.parts.front(Front::Ingest, event).await,
            Role::Reduce => self.parts.reduce(event).await,
            Role::Push => self.parts.push(event).await,
        }
    }
}

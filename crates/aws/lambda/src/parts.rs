//! What every function is made of.

use std::sync::Arc;

use tokio::runtime::Handle;
use twinstore_dynamodb::connections::Connections;
use twinstore_dynamodb::{CallError, DynamoLog};
use twinstore_protocol::StreamId;
use twinstore_server::auth::Auth;
use twinstore_server::log::{Log, ReadError, Snapshot};
use twinstore_server::model::Models;

use crate::desk::{Desk, Shared};
use crate::gateway::Gateway;
use crate::said::{Said, reduced};
use crate::turn::{Mode, Turn};

/// What every function is made of.
#[derive(Debug)]
pub struct Parts {
    pub(crate) shared: Shared,
    pub(crate) desk: Desk,
    pub(crate) log: Arc<DynamoLog>,
    pub(crate) connections: Connections,
    pub(crate) gateway: Arc<Gateway>,
}

/// Why an invocation failed. Its sender's connection is closed where that can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// The event is none that this function knows, or what is remembered is not readable.
    #[error("this is no event of a WebSocket API or of a table's stream")]
    Event(#[from] serde_json::Error),
    /// The table of connections does not answer.
    #[error(transparent)]
    Connections(#[from] CallError),
    /// The log does not answer.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The workers' thread is gone: the process must end.
    #[error("the workers are gone")]
    Workers,
}

impl Parts {
    /// Parts over that log, whose models are kept already.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn new(
        models: Models,
        log: Arc<DynamoLog>,
        auth: Auth,
        gateway: Gateway,
    ) -> std::io::Result<Self> {
        let kept: Arc<dyn Log> = Arc::<DynamoLog>::clone(&log);
        let shared = Shared { models: Arc::new(models), log: kept, auth: Arc::new(auth) };
        let desk = Desk::start(shared.clone(), Handle::current())?;
        let (connections, gateway) = (log.connections(), Arc::new(gateway));
        Ok(Self { shared, desk, log, connections, gateway })
    }

    /// What comes of a message.
    pub(crate) async fn answered(&self, said: Said, mode: Mode) -> Result<Turn, FunctionError> {
        let shared = self.shared.clone();
        let turn = self.desk.run(move |workers| said.answered(&shared, workers, mode)).await;
        turn.ok_or(FunctionError::Workers)
    }

    /// What comes of messages of the inbox, in their order.
    pub(crate) async fn reduced(&self, all: Vec<Said>) -> Result<Vec<Turn>, FunctionError> {
        let shared = self.shared.clone();
        let turns = self.desk.run(move |workers| reduced(&all, &shared, workers)).await;
        turns.ok_or(FunctionError::Workers)
    }

    /// Keeps states, which may be lost.
    pub(crate) async fn keep_snapshots(&self, snapshots: Vec<(StreamId, Snapshot)>) {
        for (stream, snapshot) in snapshots {
            let log = Arc::clone(&self.log);
            self.desk.run(move |_| log.put_snapshot(&stream, snapshot)).await;
        }
    }
}

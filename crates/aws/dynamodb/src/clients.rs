//! What a stream's clients have reached: an item each, and a bounded memory of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use twinstore_protocol::{ClientId, N, Seq, StreamId};

use crate::calls::CallError;
use crate::item::{Item, number_in, text_of};
use crate::limits;
use crate::store::{Store, key};

/// What a client has reached in a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its last number.
    pub(crate) last: N,
    /// The pack with its last event; 0: there is none.
    pub(crate) pack: Seq,
    /// Whom it is bound to.
    pub(crate) subject: Option<Arc<str>>,
    /// Some of its events may be gone: the stream was compacted.
    pub(crate) compacted: bool,
}

/// What clients' items are kept under.
pub(crate) const CLIENT: &str = "client/";

/// A memory of clients. It may be behind: the append that builds on it is guarded.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    known: Mutex<BTreeMap<(StreamId, ClientId), Known>>,
}

impl Clients {
    pub(crate) fn keep(&self, stream: &StreamId, client: &ClientId, known: Known) {
        let mut all = self.lock();
        if all.len() >= limits::CLIENTS_CACHED {
            all.clear();
        }
        all.insert((stream.clone(), client.clone()), known);
    }

    pub(crate) fn forget(&self, stream: &StreamId, client: &ClientId) {
        self.lock().remove(&(stream.clone(), client.clone()));
    }

    fn get(&self, stream: &StreamId, client: &ClientId) -> Option<Known> {
        self.lock().get(&(stream.clone(), client.clone())).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(StreamId, ClientId), Known>> {
        // Each change is one step.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    pub(crate) async fn last_n(
        &self,
        stream: &StreamId,
        client: &ClientId,
    ) -> Result<N, CallError> {
        Ok(self.known(stream, client).await?.last)
    }

    /// What is stored of a client.
    pub(crate) async fn known(
        &self,
        stream: &StreamId,
        client: &ClientId,
    ) -> Result<Known, CallError> {
        let found = self.get(&self.model_table(stream), client_key(stream, client)).await?;
        let known = match found {
            None => Known::default(),
            // One that is being forgotten has none.
            Some(item) => Known {
                last: N(number_in(&item, "last")?.unwrap_or_default()),
                pack: Seq(number_in(&item, "pack")?.unwrap_or_default()),
                subject: match item.contains_key("subject") {
                    true => Some(text_of(&item, "subject")?.into()),
                    false => None,
                },
                compacted: item.contains_key("gone_seq"),
            },
        };
        self.clients.keep(stream, client, known.clone());
        Ok(known)
    }

    /// What is known of a client, if need be by asking.
    pub(crate) async fn remembered(
        &self,
        stream: &StreamId,
        client: &ClientId,
    ) -> Result<Known, CallError> {
        match self.clients.get(stream, client) {
            Some(known) => Ok(known),
            None => self.known(stream, client).await,
        }
    }
}

pub(crate) fn client_key(stream: &StreamId, client: &ClientId) -> Item {
    key(stream.as_str(), &format!("{CLIENT}{client}"))
}

//! The sockets that are open, and how far each is behind the streams it listens to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::hub::Waiting;
use crate::stream::ask::SessionId;

/// All open sockets.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    open: Mutex<BTreeMap<SessionId, Open>>,
}

#[derive(Debug)]
struct Open {
    kind: Kind,
    waiting: Arc<Waiting>,
}

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Twin,
    Thin,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Twin => "twin",
            Self::Thin => "thin",
        }
    }
}

/// A socket's place among them; dropped with it.
#[derive(Debug)]
pub(crate) struct Place {
    sockets: Arc<Sockets>,
    id: SessionId,
}

/// All of them as they are at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) twins: usize,
    pub(crate) thin: usize,
    /// Events that were published to a socket and not sent yet, of all sockets.
    pub(crate) lag_sum: usize,
    /// The same of the one with the most.
    pub(crate) lag_max: usize,
    pub(crate) queue_bytes: usize,
}

impl Sockets {
    pub(crate) fn enter(
        self: &Arc<Self>,
        id: SessionId,
        kind: Kind,
        waiting: Arc<Waiting>,
    ) -> Place {
        self.lock().insert(id, Open { kind, waiting });
        Place { sockets: Arc::clone(self), id }
    }

    pub(crate) fn census(&self) -> Census {
        let mut census = Census::default();
        for Open { kind, waiting } in self.lock().values() {
            match kind {
                Kind::Twin => census.twins += 1,
                Kind::Thin => census.thin += 1,
            }
            census.lag_sum += waiting.events();
            census.lag_max = census.lag_max.max(waiting.events());
            census.queue_bytes += waiting.bytes();
        }
        census
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sockets.lock().remove(&self.id);
    }
}

//! How far a server is between serving and its end, and who is still there.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How far it is. It only goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Whoever comes is served.
    Serving,
    /// Who is there is brought to an end; who comes is turned away.
    Draining,
    /// Who is still there is cut off.
    Stopping,
}

/// A server's phase.
#[derive(Debug)]
pub(crate) struct Life {
    phase: watch::Sender<Phase>,
    /// Each visit holds a receiver.
    visits: watch::Sender<()>,
}

/// Somebody who is to be brought to an end in good order: a socket, or actions that are posted.
#[derive(Debug)]
pub(crate) struct Visit {
    _held: watch::Receiver<()>,
}

impl Default for Life {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Serving), visits: watch::Sender::new(()) }
    }
}

impl Life {
    pub(crate) fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// None: the server is about to stop.
    pub(crate) fn visit(&self) -> Option<Visit> {
        // Held before the phase is read: whoever drains either sees it or has said so before.
        let visit = Visit { _held: self.visits.subscribe() };
        (*self.phase.borrow() == Phase::Serving).then_some(visit)
    }

    /// Turns away who comes, and waits for who is there. False: not all came to their end.
    pub(crate) async fn drain(&self, most: Duration) -> bool {
        self.phase.send_replace(Phase::Draining);
        timeout(most, self.visits.closed()).await.is_ok()
    }

    pub(crate) fn stop(&self) {
        self.phase.send_replace(Phase::Stopping);
    }

    /// Waits for who was cut off.
    pub(crate) async fn gone(&self) {
        self.visits.closed().await;
    }
}

//! Whether the store can be written: what its last appends say, else a write that tries it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::time::timeout;

use crate::limits;
use crate::log::{AppendError, Head, Log};

/// What is known of the store.
#[derive(Debug)]
pub(crate) struct Health {
    appends: Mutex<Appends>,
    /// One tries at a time: the others wait for what it finds.
    probe: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Appends {
    under_way: usize,
    /// Since when nothing has come to an end, if something is under way.
    waiting_since: Instant,
    last: Option<Last>,
}

/// The last write that came to an end.
#[derive(Clone, Copy, Debug)]
struct Last {
    at: Instant,
    done: bool,
}

/// What the store's own writes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Well,
    Failed,
    Stalled,
    Nothing,
}

/// Why the store is not to be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwell {
    #[error("the store cannot be written")]
    Failed,
    #[error("the store does not answer")]
    Stalled,
}

impl Default for Health {
    fn default() -> Self {
        let appends = Appends { under_way: 0, waiting_since: Instant::now(), last: None };
        Self { appends: Mutex::new(appends), probe: tokio::sync::Mutex::default() }
    }
}

impl Health {
    /// An append is ordered.
    pub(crate) fn append_begins(&self) {
        let mut appends = self.lock();
        if appends.under_way == 0 {
            appends.waiting_since = Instant::now();
        }
        appends.under_way += 1;
    }

    /// An append has this outcome. A conflict is the store's answer, too.
    pub(crate) fn append_ends(&self, outcome: &Result<Head, AppendError>) {
        let mut appends = self.lock();
        appends.under_way = appends.under_way.saturating_sub(1);
        appends.waiting_since = Instant::now();
        let done = matches!(outcome, Ok(_) | Err(AppendError::Conflict { .. }));
        appends.last = Some(Last { at: Instant::now(), done });
    }

    /// Whether the store can be written. Tries it where that is not known.
    pub(crate) async fn check(&self, log: &Arc<dyn Log>) -> Result<(), Unwell> {
        match self.known() {
            Known::Well => return Ok(()),
            Known::Failed => return Err(Unwell::Failed),
            Known::Stalled => return Err(Unwell::Stalled),
            Known::Nothing => {}
        }
        match timeout(limits::STORE_STALL, self.probe(log)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Unwell::Failed),
            Err(_) => Err(Unwell::Stalled),
        }
    }

    async fn probe(&self, log: &Arc<dyn Log>) -> bool {
        let _one = self.probe.lock().await;
        match self.known() {
            Known::Well => return true,
            Known::Failed => return false,
            Known::Stalled | Known::Nothing => {}
        }
        let log = Arc::clone(log);
        let tried = tokio::task::spawn_blocking(move || log.probe()).await;
        let done = match &tried {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                let error = error as &dyn std::error::Error;
                tracing::error!(error, "the store cannot be written");
                false
            }
            Err(_) => false,
        };
        self.lock().last = Some(Last { at: Instant::now(), done });
        done
    }

    fn known(&self) -> Known {
        let appends = self.lock();
        if appends.under_way > 0 && appends.waiting_since.elapsed() > limits::STORE_STALL {
            return Known::Stalled;
        }
        match appends.last {
            Some(last) if last.done && last.at.elapsed() < limits::STORE_KNOWN => Known::Well,
            // Whoever asks all the time does not make it write all the time.
            Some(last) if !last.done && last.at.elapsed() < limits::STORE_RETRY => Known::Failed,
            _ => Known::Nothing,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Appends> {
        self.appends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

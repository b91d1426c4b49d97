//! Work on the log that takes its time: beside the workers, on a thread of its own, few at once.

use std::sync::Arc;

use tokio::sync::oneshot;
use twinstore_protocol::code;

use crate::Server;
use crate::error::HttpError;
use crate::limits;
use crate::phase::Phase;

/// Runs it on a thread with a reducer's stack. `go_on` says whether anyone still waits for it.
pub(super) async fn analyse<T: Send + 'static>(
    server: &Arc<Server>,
    work: impl FnOnce(&Server, &dyn Fn() -> bool) -> Result<T, HttpError> + Send + 'static,
) -> Result<T, HttpError> {
    let busy = |_| HttpError::new(code::BUSY, "too much is analysed already: ask again later");
    let permit = Arc::clone(server.analyses()).try_acquire_owned().map_err(busy)?;
    let (done, result) = oneshot::channel();
    let (server, phases) = (Arc::clone(server), server.phases());
    let run = move || {
        let worked = work(&server, &|| !done.is_closed() && *phases.borrow() < Phase::Stopping);
        // A server that stops waits for those who hold it.
        drop(phases);
        drop(permit);
        // Whoever asked may be gone.
        let _ = done.send(worked);
    };
    let thread = std::thread::Builder::new().name("analysis".to_owned());
    let spawned = thread.stack_size(limits::THREAD_STACK).spawn(run);
    spawned.map_err(|_| HttpError::internal())?;
    result.await.unwrap_or_else(|_| Err(HttpError::internal()))
}

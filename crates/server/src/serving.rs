//! Connections, from the listener to their end: so many at once, none that never says what it wants.
//!
//! In axum's own loop's place, which waits for a request's head for ever.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use crate::limits;
use crate::peer::Peer;

/// Takes connections until `stop` resolves, and returns when those that are open came to their end.
pub(crate) async fn serve<L: Listener<Addr = SocketAddr>>(
    mut listener: L,
    app: Router,
    stop: impl Future<Output = ()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits::HTTP_HEAD);
    let places = Arc::new(Semaphore::new(limits::HTTP_CONNECTIONS));
    let (stopping, stopped) = watch::channel(());
    let mut stop = std::pin::pin!(stop);
    loop {
        // Without a place the next one waits with the system.
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, (stream, address)) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let app = app.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(Peer(address)));
            app.clone().oneshot(request.map(Body::new))
        });
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let mut stopped = stopped.clone();
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                // It only fails once the loop is gone.
                _ = stopped.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%address, %error, "a connection broke");
            }
            drop(place);
        });
    }
    drop(listener);
    drop(stopping);
    // All places are free again.
    let all = u32::try_from(limits::HTTP_CONNECTIONS).unwrap_or(u32::MAX);
    let _ = places.acquire_many(all).await;
}

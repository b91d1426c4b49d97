//! What those who run the server ask: `/healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use crate::Server;
use crate::error::HttpError;
use crate::metrics::CONTENT_TYPE;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// It can take actions: its models run, the store can be written, and it is not about to stop.
pub(super) async fn readyz(State(server): State<Arc<Server>>) -> Response {
    let (status, text) = match server.ready().await {
        Ok(()) => (StatusCode::OK, "ready".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}")),
    };
    (status, [("cache-control", "no-store")], text).into_response()
}

pub(super) async fn metrics(
    State(server): State<Arc<Server>>,
    caller: Caller,
) -> Result<Response, HttpError> {
    caller.may_analyse()?;
    let text = server.metrics().text(&server.sockets().census());
    Ok(([("content-type", CONTENT_TYPE)], text).into_response())
}

/// Counts answers.
pub(super) async fn count(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    server.metrics().answered(response.status());
    response
}

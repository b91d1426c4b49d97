//! `/admin`: a page for those who run the server, and what it asks for.
//!
//! The page's files hold nothing of anybody's and are given to all who may reach it; what it asks
//! for needs the right admin. Its questions have routes of their own, so that without tokens they are
//! answered on the machine itself only.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use twinstore_protocol::{StreamId, code};

use super::caller::Caller;
use super::events::unreadable;
use super::near::is_near;
use super::{events, json_response, operations, state, stats};
use crate::Server;
use crate::error::HttpError;
use crate::limits;

/// The page's files, by name.
const FILES: [(&str, &str, &str); 8] = [
    ("page.css", "text/css", include_str!("admin/page.css")),
    ("main.js", "text/javascript", include_str!("admin/main.js")),
    ("access.js", "text/javascript", include_str!("admin/access.js")),
    ("metrics.js", "text/javascript", include_str!("admin/metrics.js")),
    ("live.js", "text/javascript", include_str!("admin/live.js")),
    ("stats.js", "text/javascript", include_str!("admin/stats.js")),
    ("history.js", "text/javascript", include_str!("admin/history.js")),
    ("dom.js", "text/javascript", include_str!("admin/dom.js")),
];

/// Nothing from elsewhere, and in no other page's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes(server: &Arc<Server>) -> Router<Arc<Server>> {
    let asked = Router::new()
        .route("/admin/metrics", get(operations::metrics))
        .route("/admin/streams", get(streams))
        .route("/admin/stats", get(stats::of_all))
        .route("/admin/streams/{stream}/stats", get(stats::of_stream))
        .route("/admin/streams/{stream}/events", get(events::events))
        .route("/admin/streams/{stream}/state", get(state::state))
        .layer(from_fn(not_kept));
    Router::new()
        .route("/admin", get(|| async { file("text/html", include_str!("admin/page.html")) }))
        .route("/admin/files/{name}", get(named))
        .merge(asked)
        .layer(from_fn_with_state(Arc::clone(server), from_near))
}

/// Where nobody is asked for a token the page is for the machine itself.
async fn from_near(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Result<Response, HttpError> {
    if server.is_open() && !is_near(&request) {
        let reason = "without a token this page is for the machine itself: see [auth]";
        return Err(HttpError::new(code::FORBIDDEN, reason));
    }
    Ok(next.run(request).await)
}

async fn not_kept(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

async fn named(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(file, ..)| *file == name) {
        Some((_, kind, text)) => file(kind, text),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn file(kind: &str, text: &'static str) -> Response {
    let kind = format!("{kind}; charset=utf-8");
    let headers = [
        (header::CONTENT_TYPE, kind.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}

#[derive(Debug, Deserialize)]
struct After {
    after: Option<String>,
}

/// A page of the streams, with their heads.
async fn streams(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Query(After { after }): Query<After>,
) -> Result<Response, HttpError> {
    caller.may_analyse()?;
    let after = match after.as_deref() {
        None => None,
        Some(name) => {
            Some(StreamId::parse(name).map_err(|e| HttpError::bad_stream(&e.to_string()))?)
        }
    };
    let read = move || server.log().streams(after.as_ref(), limits::ADMIN_STREAMS + 1);
    let mut found = match tokio::task::spawn_blocking(read).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(unreadable(&error)),
        Err(_) => return Err(HttpError::internal()),
    };
    let more = found.len() > limits::ADMIN_STREAMS;
    found.truncate(limits::ADMIN_STREAMS);
    let rows: Vec<_> =
        found.iter().map(|(stream, head)| json!({ "stream": stream, "head": head })).collect();
    Ok(json_response(json!({ "streams": rows, "more": more }).to_string()))
}

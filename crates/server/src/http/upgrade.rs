//! `/sync`: the twin protocol, or with `?stream=` a thin client.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State, WebSocketUpgrade};
use axum::response::Response;
use serde::Deserialize;

use super::known;
use crate::error::HttpError;
use crate::session::{Session, Subscription};
use crate::{Server, limits, random, socket};

#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    stream: Option<String>,
    subscribe: Option<String>,
    from: Option<String>,
}

pub(super) async fn sync(
    State(server): State<Arc<Server>>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, HttpError> {
    let Query(parameters) = parameters.map_err(|e| HttpError::bad_request(&e.body_text()))?;
    let subscription = subscription(&server, parameters)?;
    let id = server.next_session();
    let upgrade = upgrade
        // Without these an idle socket holds 134 KB instead of 6.
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(limits::READ_BYTES_MAX)
        .max_frame_size(limits::READ_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let session = match subscription {
            None => Session::twin(id, Arc::clone(server.models()), *server.limits()),
            Some(wanted) => Session::thin(id, random::client_id(random::now()), wanted),
        };
        socket::run(socket, server, id, session).await;
    }))
}

fn subscription(
    server: &Server,
    parameters: Parameters,
) -> Result<Option<Subscription>, HttpError> {
    let Some(stream) = parameters.stream else { return Ok(None) };
    let events = match parameters.subscribe.as_deref() {
        None | Some("records") => false,
        Some("events") => true,
        Some(_) => return Err(HttpError::bad_request("`subscribe` is records or events")),
    };
    let from_start = match parameters.from.as_deref() {
        None => false,
        Some("start") => true,
        Some(_) => return Err(HttpError::bad_request("`from` is start, or is not there")),
    };
    Ok(Some(Subscription { stream: known(server, &stream)?, events, from_start }))
}

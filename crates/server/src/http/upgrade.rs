//! `/sync`: the twin protocol, or with `?stream=` a thin client.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::Deserialize;

use super::caller::{Caller, SentFrom, bearer};
use crate::auth::{Denied, Grant, Rights};
use crate::error::HttpError;
use crate::session::{Session, Subscription, Wants};
use crate::socket::identity;
use crate::{Server, limits, random, socket};

#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    stream: Option<String>,
    subscribe: Option<String>,
    from: Option<String>,
    access_token: Option<String>,
}

/// The sub-protocol whose next name is a token: what a page can say when it opens a socket.
const BEARER: &str = "twinstore.bearer";

pub(super) async fn sync(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    SentFrom(address): SentFrom,
    parameters: Result<Query<Parameters>, QueryRejection>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, HttpError> {
    let Query(parameters) = parameters.map_err(|e| HttpError::bad_request(&e.body_text()))?;
    let visit = server.visit().ok_or_else(HttpError::draining)?;
    let token = token(&headers, parameters.access_token.as_deref())?;
    let auth = server.auth();
    // A twin may still bring its token with its hello.
    let grant = match auth.identify(token.as_deref()).await {
        Err(Denied::NoToken) if parameters.stream.is_none() => None,
        identified => Some(identified?),
    };
    let subscription = subscription(&server, grant.as_ref(), parameters).await?;
    let full = |_| HttpError::too_many(limits::FULL_WAIT_MS);
    let place = server.addresses().enter(address, random::now()).map_err(full)?;
    let id = server.next_session();
    let upgrade = upgrade
        .protocols([BEARER])
        // Without these an idle socket holds 134 KB instead of 6.
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(limits::READ_BYTES_MAX)
        .max_frame_size(limits::READ_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let guarded = server.auth().is_guarded();
        let mut session = match subscription {
            None => Session::twin(id, Arc::clone(server.models()), *server.limits()),
            Some((wanted, rights)) => {
                let client = random::client_id(random::now());
                Session::thin(id, client, wanted).with_rights(rights)
            }
        };
        if guarded {
            session = session.guarded(grant.as_ref().map(identity).unwrap_or_default());
        }
        socket::run(socket, server, id, session, grant, place).await;
        drop(visit);
    }))
}

/// The token that came with the request for a socket.
fn token(headers: &HeaderMap, query: Option<&str>) -> Result<Option<String>, Denied> {
    let named = || {
        let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
        let mut names =
            offered.filter_map(|value| value.to_str().ok()).flat_map(|names| names.split(','));
        names.find(|name| name.trim() == BEARER).and_then(|_| names.next())
    };
    let token = bearer(headers)?.or_else(named).or(query);
    Ok(token.map(|token| token.trim().to_owned()))
}

async fn subscription(
    server: &Server,
    grant: Option<&Grant>,
    parameters: Parameters,
) -> Result<Option<(Subscription, Rights)>, HttpError> {
    let Some(stream) = parameters.stream else { return Ok(None) };
    let wants = match parameters.subscribe.as_deref() {
        None | Some("records") => Wants::Records,
        Some("events") => Wants::Events,
        Some("state") => Wants::State,
        Some(_) => return Err(HttpError::bad_request("`subscribe` is records, events or state")),
    };
    let from_start = match parameters.from.as_deref() {
        None => false,
        Some("start") => true,
        Some(_) => return Err(HttpError::bad_request("`from` is start, or is not there")),
    };
    let grant = grant.ok_or(Denied::NoToken)?;
    let stream = Caller::new(grant.clone()).reads(server, &stream).await?;
    let rights = server.auth().rights(grant, &stream).await;
    Ok(Some((Subscription { stream, wants, from_start }, rights)))
}

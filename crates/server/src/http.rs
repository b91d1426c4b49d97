//! Plain HTTP beside the socket: post actions, read events, state and records.
//!
//! Answers are as of the last commit: state and records come from the stream's worker, events
//! and what is past from the log. Nothing internal leaves: one table of codes, in `error.rs`.

mod admin;
mod analysis;
mod caller;
mod events;
mod files;
mod follow;
mod near;
mod operations;
pub(crate) mod origin;
mod query;
mod state;
mod stats;
mod upgrade;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::value::RawValue;
use tower_http::timeout::RequestBodyTimeoutLayer;
use twinstore_protocol::{StreamId, code};

use self::caller::{Caller, SentFrom};
use crate::Server;
use crate::error::HttpError;
use crate::event::json;
use crate::limits;
use crate::phase::Visit;
use crate::random;
use crate::session::{outcome_frames, thin};
use crate::stream::ask::{Answer, Ask, Submission};

/// All routes; files where a directory is given.
pub(crate) fn routes(server: Arc<Server>) -> Router {
    let www = server.www().map(std::path::Path::to_owned);
    let router = Router::new()
        .route("/sync", get(upgrade::sync))
        .route("/streams/{stream}/actions", post(actions))
        .route("/streams/{stream}/events", get(events::events))
        .route("/streams/{stream}/state", get(state::state))
        .route("/streams/{stream}/stats", get(stats::of_stream))
        .route("/stats", get(stats::of_all))
        .route("/streams/{stream}/records", get(records))
        .route("/streams/{stream}/records/{key}", get(record))
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics))
        .merge(admin::routes(&server))
        .layer(from_fn_with_state(Arc::clone(&server), operations::count))
        .layer(DefaultBodyLimit::max(limits::HTTP_BODY_BYTES))
        .layer(RequestBodyTimeoutLayer::new(limits::HTTP_BODY))
        .layer(origin::cors(&server))
        .layer(from_fn_with_state(Arc::clone(&server), origin::check))
        .with_state(server);
    match www {
        Some(dir) => files::serve(router, &dir),
        None => router,
    }
}

async fn actions(
    State(server): State<Arc<Server>>,
    caller: Caller,
    SentFrom(address): SentFrom,
    Path(stream): Path<String>,
    // Before the body: what is being sent when the server is told to stop is still taken.
    visit: Visit,
    body: Bytes,
) -> Result<Response, HttpError> {
    let stream = caller.writes(&server, &stream).await?;
    let submission = Submission { subject: caller.subject(), ..submission(&body)? };
    let (now, actions) = (random::now(), submission.entries.len() as u64);
    match server.addresses().wait(address, now) {
        0 => server.addresses().take(address, now, actions),
        wait => return Err(HttpError::too_many(wait)),
    }
    let Answer::Settled(settled) = server.question(&stream, Ask::Submit(submission)).await? else {
        return Err(HttpError::internal());
    };
    if let Some(refused) = settled.refused {
        return Err(refused.refusal.into());
    }
    let frames: Vec<_> = settled.outcomes.iter().flat_map(outcome_frames).collect();
    drop(visit);
    Ok(json_response(format!("[{}]", frames.join(","))))
}

impl FromRequestParts<Arc<Server>> for Visit {
    type Rejection = HttpError;
    async fn from_request_parts(
        _: &mut Parts,
        server: &Arc<Server>,
    ) -> Result<Self, Self::Rejection> {
        server.visit().ok_or_else(HttpError::draining)
    }
}

/// One action or an array of them, all by one client that lives as long as the request.
fn submission(body: &[u8]) -> Result<Submission, HttpError> {
    let text =
        std::str::from_utf8(body).map_err(|_| HttpError::bad_json("the body is not UTF-8"))?;
    let actions: Vec<&RawValue> = if text.trim_ascii_start().starts_with('[') {
        serde_json::from_str(text)
    } else {
        serde_json::from_str(text).map(|action| vec![action])
    }
    .map_err(|error| HttpError::bad_json(&error.to_string()))?;
    let most = limits::WIRE.batch_actions as usize;
    let bytes: usize = actions.iter().map(|action| action.get().len()).sum();
    let too_large = actions.len() > 1 && bytes > limits::WIRE.batch_bytes as usize;
    if actions.len() > most || too_large {
        return Err(HttpError::too_large(code::BATCH_TOO_LARGE));
    }
    let client = random::client_id(random::now());
    let entries = actions.iter().map(|action| thin::submitted(action.get(), &client));
    let entries = entries.collect::<Result<_, _>>()?;
    Ok(Submission { entries, whole: true, ..Submission::default() })
}

async fn records(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(stream): Path<String>,
) -> Result<Response, HttpError> {
    let stream = caller.reads(&server, &stream).await?;
    match server.question(&stream, Ask::Records).await? {
        Answer::Records { seq, records } => {
            let pairs: Vec<_> =
                records.iter().map(|(key, record)| format!("{}:{record}", json(key))).collect();
            let pairs = pairs.join(",");
            Ok(json_response(format!(r#"{{"seq":{},"records":{{{pairs}}}}}"#, seq.0)))
        }
        _ => Err(HttpError::internal()),
    }
}

async fn record(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path((stream, key)): Path<(String, String)>,
) -> Result<Response, HttpError> {
    let stream = caller.reads(&server, &stream).await?;
    match server.question(&stream, Ask::Records).await? {
        Answer::Records { seq, records } => {
            let records: BTreeMap<_, _> = records.into_iter().collect();
            let record = records.get(&key).ok_or_else(|| HttpError::no_record(&key))?;
            let key = json(&key);
            Ok(json_response(format!(r#"{{"seq":{},"key":{key},"record":{record}}}"#, seq.0)))
        }
        _ => Err(HttpError::internal()),
    }
}

fn parsed(stream: &str) -> Result<StreamId, HttpError> {
    StreamId::parse(stream).map_err(|error| HttpError::bad_stream(&error.to_string()))
}

/// A stream of a model that this server runs. Only for those who may know.
fn known(server: &Server, stream: StreamId) -> Result<StreamId, HttpError> {
    match server.models().contains_key(stream.model()) {
        true => Ok(stream),
        false => Err(HttpError::unknown_model(stream.model())),
    }
}

fn json_response(body: String) -> Response {
    ([("content-type", "application/json")], body).into_response()
}

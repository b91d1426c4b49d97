//! `GET /streams/S/state`: the state at the head, at a place of the past, or what differs between
//! two places.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use twinstore_protocol::{Seq, StreamId, code};

use super::analysis::analyse;
use super::caller::Caller;
use super::json_response;
use crate::Server;
use crate::analysis::{Past, PastError, difference};
use crate::error::{BEYOND_HEAD, GONE, HttpError, NO_STREAM, TOO_FAR};
use crate::event::json;
use crate::fold::FoldError;
use crate::limits;
use crate::stream::ask::{Answer, Ask};

#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    at: Option<u64>,
    diff: Option<u64>,
}

pub(super) async fn state(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(stream): Path<String>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, HttpError> {
    let Query(parameters) = parameters.map_err(|e| HttpError::bad_request(&e.body_text()))?;
    match (parameters.at.map(Seq), parameters.diff.map(Seq)) {
        (None, None) => {
            let stream = caller.reads(&server, &stream).await?;
            present(&server, &stream).await
        }
        (Some(at), diff) => {
            let stream = caller.analyses(&server, &stream)?;
            let body = analyse(&server, move |server, go_on| match diff {
                None => past(server, &stream, at, go_on),
                Some(to) => differences(server, &stream, at, to, go_on),
            });
            Ok(json_response(body.await?))
        }
        (None, Some(_)) => Err(HttpError::bad_request("`diff` needs `at`: from where it differs")),
    }
}

/// At the head, from the stream's worker.
async fn present(server: &Server, stream: &StreamId) -> Result<Response, HttpError> {
    match server.question(stream, Ask::State).await? {
        Answer::State { seq, state } => Ok(json_response(body(seq, &state))),
        _ => Err(HttpError::internal()),
    }
}

fn past(
    server: &Server,
    stream: &StreamId,
    at: Seq,
    go_on: &dyn Fn() -> bool,
) -> Result<String, HttpError> {
    let states = states(server, stream, &[at], go_on)?;
    Ok(body(at, &states.concat()))
}

fn differences(
    server: &Server,
    stream: &StreamId,
    from: Seq,
    to: Seq,
    go_on: &dyn Fn() -> bool,
) -> Result<String, HttpError> {
    let states = states(server, stream, &[from, to], go_on)?;
    let [before, after] = states.as_slice() else { return Err(HttpError::internal()) };
    if before.len().max(after.len()) > limits::HTTP_DIFF_BYTES {
        let reason = format!(
            "states of more than {} bytes are not compared here: use `twinstore state --diff`",
            limits::HTTP_DIFF_BYTES
        );
        return Err(HttpError::new(TOO_FAR, &reason));
    }
    let found = difference((from.0, before), (to.0, after))
        .map_err(|error| HttpError::new(code::NOT_PLAIN, &format!("{error}: {}", error.source)))?;
    Ok(format!(r#"{{"from":{},"to":{},"patch":{}}}"#, from.0, to.0, json(&found)))
}

fn states(
    server: &Server,
    stream: &StreamId,
    places: &[Seq],
    go_on: &dyn Fn() -> bool,
) -> Result<Vec<String>, HttpError> {
    let past = Past::of(&**server.log(), server.engine(), stream)?;
    let events = past.cost(places)?;
    let most = server.limits().fold_events;
    if events > most {
        let reason = format!(
            "{events} events would be folded, at most {most} are: ask for a later place, or use \
             `twinstore state` on the store"
        );
        return Err(HttpError::new(TOO_FAR, &reason));
    }
    Ok(past.states(places, &mut |_| go_on())?)
}

fn body(seq: Seq, state: &str) -> String {
    format!(r#"{{"seq":{},"state":{state}}}"#, seq.0)
}

impl From<PastError> for HttpError {
    fn from(error: PastError) -> Self {
        let reason = error.to_string();
        match error {
            PastError::NoStream { .. } => Self::new(NO_STREAM, &reason),
            PastError::BeyondHead { head, .. } => {
                Self::new(BEYOND_HEAD, &format!("{reason}: name a place from 0 to {head}"))
            }
            PastError::Fold(FoldError::Hole { .. }) => {
                Self::new(GONE, &format!("{reason}: ask for a later place"))
            }
            PastError::Fold(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a state cannot be folded"
                );
                match error.is_final() {
                    true => Self::new(code::HALTED, "the stream cannot be folded to that place"),
                    false => Self::internal(),
                }
            }
        }
    }
}

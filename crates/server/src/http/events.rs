//! `GET /streams/S/events`: a page of the log, whole events, filtered by type.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use twinstore_protocol::{Seq, StreamId};

use super::{json_response, known};
use crate::Server;
use crate::error::HttpError;
use crate::event::{StoredEvent, json};
use crate::limits;
use crate::log::{Head, Log, Page, ReadError};

#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    after: u64,
    #[serde(rename = "type")]
    kind: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn events(
    State(server): State<Arc<Server>>,
    Path(stream): Path<String>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, HttpError> {
    let stream = known(&server, &stream)?;
    let Query(parameters) = parameters.map_err(|e| HttpError::bad_request(&e.body_text()))?;
    let task = tokio::task::spawn_blocking(move || {
        read(&**server.log(), &stream, &parameters).map(|found| body(&stream, &found))
    });
    match task.await {
        Ok(Ok(body)) => Ok(json_response(body)),
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "events cannot be read");
            Err(HttpError::internal())
        }
        Err(_) => Err(HttpError::internal()),
    }
}

struct Found {
    head: Option<Head>,
    events: Vec<StoredEvent>,
}

fn read(log: &dyn Log, stream: &StreamId, parameters: &Parameters) -> Result<Found, ReadError> {
    let head = log.head(stream)?;
    let limit = parameters.limit.unwrap_or(100).min(limits::HTTP_EVENTS);
    let page = Page { events: limits::PAGE_EVENTS, bytes: limits::PAGE_BYTES };
    let mut events = Vec::new();
    let (mut after, mut bytes) = (Seq(parameters.after), 0);
    while events.len() < limit && bytes < limits::HTTP_EVENTS_BYTES {
        let read = log.read(stream, after, page)?;
        let Some(last) = read.last() else { break };
        after = last.seq;
        for event in read {
            let wanted = parameters.kind.as_ref().is_none_or(|kind| *kind == event.kind);
            if wanted && events.len() < limit {
                bytes += event.body.len();
                events.push(event);
            }
        }
    }
    Ok(Found { head, events })
}

fn body(stream: &StreamId, found: &Found) -> String {
    let log = found.head.as_ref().map(|head| &head.log);
    let head = found.head.as_ref().map_or(0, |head| head.seq.0);
    let events: Vec<_> = found.events.iter().map(StoredEvent::whole).collect();
    format!(
        r#"{{"stream":{},"log":{},"head":{head},"events":[{}]}}"#,
        json(stream),
        json(&log),
        events.join(",")
    )
}

//! `GET /streams/S/events`: a page of the log, whole events, by filter; or with `follow=true` all
//! of them and what is appended, line by line.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use twinstore_protocol::StreamId;

use super::caller::Caller;
use super::query::{EventsQuery, Pairs};
use super::{follow, json_response};
use crate::Server;
use crate::analysis::{Read, Reader};
use crate::error::HttpError;
use crate::event::{StoredEvent, json};
use crate::limits;
use crate::log::{Head, Log, ReadError};

pub(super) async fn events(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(stream): Path<String>,
    pairs: Pairs,
) -> Result<Response, HttpError> {
    let stream = caller.analyses(&server, &stream)?;
    let query = EventsQuery::read(pairs)?;
    if query.follow {
        let reader = Reader::new(stream.clone(), query.filter);
        return follow::events(server, stream, reader, query.limit).await;
    }
    let read = move || found(&**server.log(), &stream, query).map(|found| found.body(&stream));
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(body)) => Ok(json_response(body)),
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(_) => Err(HttpError::internal()),
    }
}

pub(super) fn unreadable(error: &ReadError) -> HttpError {
    tracing::error!(error = error as &dyn std::error::Error, "events cannot be read");
    HttpError::internal()
}

struct Found {
    head: Option<Head>,
    /// The last place that was looked at: a next request goes on after it.
    reached: u64,
    events: Vec<StoredEvent>,
}

fn found(log: &dyn Log, stream: &StreamId, query: EventsQuery) -> Result<Found, ReadError> {
    let head = log.head(stream)?;
    let limit = query.limit.unwrap_or(100).min(limits::HTTP_EVENTS);
    let mut reader = Reader::new(stream.clone(), query.filter);
    let (mut found, mut bytes, mut looked) = (Vec::new(), 0, 0);
    while found.len() < limit
        && bytes < limits::HTTP_EVENTS_BYTES
        && looked < limits::HTTP_SCAN_EVENTS
    {
        let Read::Events { events, looked_at } = reader.page(log)? else { break };
        looked += looked_at;
        bytes += events.iter().map(|event| event.body.len()).sum::<usize>();
        found.extend(events);
    }
    let cut = found.len() > limit;
    found.truncate(limit);
    // Of a page that was cut, what was left out comes next.
    let reached = match found.last() {
        Some(last) if cut => last.seq,
        _ => reader.reached(),
    };
    Ok(Found { head, reached: reached.0, events: found })
}

impl Found {
    fn body(&self, stream: &StreamId) -> String {
        let log = self.head.as_ref().map(|head| &head.log);
        let head = self.head.as_ref().map_or(0, |head| head.seq.0);
        let events: Vec<_> = self.events.iter().map(StoredEvent::whole).collect();
        format!(
            r#"{{"stream":{},"log":{},"head":{head},"reached":{},"events":[{}]}}"#,
            json(stream),
            json(&log),
            self.reached,
            events.join(",")
        )
    }
}

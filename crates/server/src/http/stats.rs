//! `GET /streams/S/stats` and `GET /stats`: counts of events, of one stream or of all.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use twinstore_protocol::StreamId;

use super::analysis::analyse;
use super::caller::Caller;
use super::events::unreadable;
use super::json_response;
use super::query::{EventsQuery, Pairs};
use crate::Server;
use crate::analysis::{Count, CountError};
use crate::error::{BEYOND_HEAD, HttpError, NO_STREAM, TOO_FAR};
use crate::event::json;

pub(super) async fn of_stream(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(stream): Path<String>,
    pairs: Pairs,
) -> Result<Response, HttpError> {
    let stream = caller.analyses(&server, &stream)?;
    stats(server, Some(stream), pairs).await
}

pub(super) async fn of_all(
    State(server): State<Arc<Server>>,
    caller: Caller,
    pairs: Pairs,
) -> Result<Response, HttpError> {
    caller.may_analyse()?;
    stats(server, None, pairs).await
}

async fn stats(
    server: Arc<Server>,
    stream: Option<StreamId>,
    pairs: Pairs,
) -> Result<Response, HttpError> {
    let (filter, top) = EventsQuery::read_stats(pairs)?;
    let work = move |server: &Server, go_on: &dyn Fn() -> bool| {
        let log = &**server.log();
        let count = Count::of(log, stream.as_ref(), filter)?;
        let (events, most) = (count.cost(), server.limits().stats_events);
        if events > most {
            let reason = format!(
                "{events} events would be counted, at most {most} are: say `from` and `to`, or \
                 use `twinstore stats` on the store"
            );
            return Err(HttpError::new(TOO_FAR, &reason));
        }
        Ok(json(&count.run(log, &mut |_| go_on())?.summary(top)))
    };
    Ok(json_response(analyse(&server, work).await?))
}

impl From<CountError> for HttpError {
    fn from(error: CountError) -> Self {
        match error {
            CountError::NoStream { .. } => Self::new(NO_STREAM, &error.to_string()),
            CountError::BeyondHead { .. } => Self::new(BEYOND_HEAD, &error.to_string()),
            CountError::Read(error) => unreadable(&error),
            CountError::Stopped => Self::internal(),
        }
    }
}

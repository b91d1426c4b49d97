//! What leaves the server when it cannot answer over HTTP: one table of codes, nothing internal.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use twinstore_protocol::{Rejection, code};

use crate::action::Refusal;
use crate::auth::Denied;
use crate::event::json;

/// An answer that is no answer: a status, a code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpError {
    status: StatusCode,
    code: &'static str,
    reason: String,
    /// Seconds after which to come back.
    retry_after: Option<u64>,
}

impl HttpError {
    pub(crate) fn internal() -> Self {
        Self::new(code::INTERNAL, "the server cannot answer now; try again later")
    }

    pub(crate) fn bad_json(reason: &str) -> Self {
        Self::new(code::BAD_JSON, reason)
    }

    pub(crate) fn bad_request(reason: &str) -> Self {
        Self::new(code::BAD_MESSAGE, reason)
    }

    pub(crate) fn bad_stream(reason: &str) -> Self {
        Self::new(code::BAD_STREAM, reason)
    }

    pub(crate) fn unknown_model(model: &str) -> Self {
        Self::new(code::UNKNOWN_MODEL, &format!("this server runs no model `{model}`"))
    }

    pub(crate) fn no_record(key: &str) -> Self {
        Self::new(NO_RECORD, &format!("there is no record `{key}`"))
    }

    pub(crate) fn draining() -> Self {
        Self::new(DRAINING, "this server is about to stop: connect again, elsewhere or later")
    }

    pub(crate) fn too_large(code: &'static str) -> Self {
        Self::new(code, "the body holds more than one batch may")
    }

    /// Too much in too short a time: again after so many milliseconds.
    pub(crate) fn too_many(wait_ms: u64) -> Self {
        let retry_after = Some(wait_ms.div_ceil(1_000));
        Self { retry_after, ..Self::new(code::RATE, &format!("too many: again in {wait_ms} ms")) }
    }

    pub(crate) fn new(code: &'static str, reason: &str) -> Self {
        Self { status: status(code), code, reason: reason.to_owned(), retry_after: None }
    }
}

// Codes of HTTP only.

/// There is no record of that key.
const NO_RECORD: &str = "no-record";

/// The server is about to stop.
const DRAINING: &str = "draining";

/// Nothing happened in that stream yet.
pub(crate) const NO_STREAM: &str = "no-stream";

/// The stream has no such event yet.
pub(crate) const BEYOND_HEAD: &str = "beyond-head";

/// The events up to there are not in the store any more.
pub(crate) const GONE: &str = "gone";

/// It would take too long for one request.
pub(crate) const TOO_FAR: &str = "too-far";

/// The table.
fn status(code: &str) -> StatusCode {
    match code {
        code::UNAUTHORIZED | code::EXPIRED => StatusCode::UNAUTHORIZED,
        code::FORBIDDEN => StatusCode::FORBIDDEN,
        code::UNKNOWN_MODEL | NO_RECORD | NO_STREAM | BEYOND_HEAD => StatusCode::NOT_FOUND,
        GONE => StatusCode::GONE,
        code::GAP | code::OVERLAP | code::TOO_OLD | code::OTHER_SUBJECT => StatusCode::CONFLICT,
        code::TOO_LARGE | code::BATCH_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        code::NOT_PLAIN | code::TOO_DEEP | TOO_FAR => StatusCode::UNPROCESSABLE_ENTITY,
        code::BUSY | code::RATE => StatusCode::TOO_MANY_REQUESTS,
        code::INTERNAL | code::HALTED | DRAINING => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

impl From<Refusal> for HttpError {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, &refusal.reason)
    }
}

impl From<Denied> for HttpError {
    fn from(denied: Denied) -> Self {
        Self::new(denied.code(), &denied.to_string())
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let error = Rejection { code: self.code.to_owned(), reason: self.reason };
        let body = format!(r#"{{"error":{}}}"#, json(&error));
        let mut response =
            (self.status, [("content-type", "application/json")], body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

//! A new token on a socket that is open, and what a socket is told that is not let in.

use serde::Deserialize;
use twinstore_protocol::{Authenticated, tag};

use super::Output;
use super::frame::frame;
use crate::auth::{Denied, Rights};
use crate::limits;

/// Who a socket's caller is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Whom the token names.
    pub subject: Option<String>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
}

/// What the door says.
#[derive(Debug)]
pub enum Door {
    /// Who the caller is, by the token that was to be looked at, or why not.
    Identified(Result<Identity, Denied>),
    /// What it may do with that stream.
    Admitted(twinstore_protocol::StreamId, Rights),
    /// It may not stay.
    Shut(Denied),
}

/// The token of an `auth` frame; none: it is another frame.
pub(super) fn token(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Frame {
        t: String,
        token: String,
    }
    // Other frames are not read twice.
    if text.len() > 2 * limits::TOKEN_BYTES || !text.contains("\"auth\"") {
        return None;
    }
    let frame: Frame = serde_json::from_str(text).ok()?;
    (frame.t == tag::AUTH).then_some(frame.token)
}

pub(super) fn authenticated(identity: &Identity) -> Output {
    let Identity { subject, expires } = identity.clone();
    Output::Send(frame(tag::AUTHENTICATED, &Authenticated { subject, expires }).into())
}

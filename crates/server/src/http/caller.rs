//! Who asks over HTTP, and whether it may.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use twinstore_protocol::StreamId;

use super::{known, parsed};
use crate::Server;
use crate::auth::{Denied, Grant};
use crate::error::HttpError;
use crate::peer::Peer;

/// Whoever sent a request, by its `Authorization: Bearer`.
pub(super) struct Caller(Grant);

impl FromRequestParts<Arc<Server>> for Caller {
    type Rejection = HttpError;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<Server>,
    ) -> Result<Self, HttpError> {
        let token = bearer(&parts.headers)?;
        Ok(Self(server.auth().identify(token).await?))
    }
}

/// The address of whoever sent a request, where it is counted.
pub(super) struct SentFrom(pub(super) Option<IpAddr>);

impl FromRequestParts<Arc<Server>> for SentFrom {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Arc<Server>,
    ) -> Result<Self, Infallible> {
        let address = parts.extensions.get::<ConnectInfo<Peer>>();
        Ok(Self(server.addresses().counted(address.map(|ConnectInfo(Peer(address))| address.ip()))))
    }
}

/// The token of `Authorization: Bearer`; another scheme is none that is known here.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Denied> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Denied::BadToken)?;
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Ok(Some(token.trim())),
        false => Err(Denied::BadToken),
    }
}

impl Caller {
    pub(super) fn new(grant: Grant) -> Self {
        Self(grant)
    }

    /// Whom its token names.
    pub(super) fn subject(&self) -> Option<Arc<str>> {
        self.0.subject().cloned()
    }

    /// The stream, which it may read.
    pub(super) async fn reads(&self, server: &Server, name: &str) -> Result<StreamId, HttpError> {
        let stream = parsed(name)?;
        match server.auth().rights(&self.0, &stream).await.read {
            true => known(server, stream),
            false => Err(Denied::Forbidden.into()),
        }
    }

    /// The stream, which it may write.
    pub(super) async fn writes(&self, server: &Server, name: &str) -> Result<StreamId, HttpError> {
        let stream = parsed(name)?;
        match server.auth().rights(&self.0, &stream).await.write {
            true => known(server, stream),
            false => Err(Denied::Forbidden.into()),
        }
    }

    /// The stream, which it may analyse.
    pub(super) fn analyses(&self, server: &Server, name: &str) -> Result<StreamId, HttpError> {
        self.may_analyse()?;
        known(server, parsed(name)?)
    }

    /// Whether it may look at everything, and at the past.
    pub(super) fn may_analyse(&self) -> Result<(), Denied> {
        match self.0.is_admin() {
            true => Ok(()),
            false => Err(Denied::Forbidden),
        }
    }
}

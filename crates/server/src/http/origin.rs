//! Which pages may speak to this server. A browser says whose page it is (`Origin`); who says
//! nothing is no page.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::cors::{AllowOrigin, CorsLayer};
use twinstore_protocol::code;

use crate::Server;
use crate::error::HttpError;
use crate::limits;

/// The origins whose pages are let in. The server's own always are.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    listed: Vec<String>,
    any: bool,
    /// Where none is listed, pages of this machine are let in, whatever their port.
    local: bool,
}

/// What is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no origin: https://app.example.com, with a port where it has one, or *")]
pub struct OriginError(String);

impl Origins {
    /// These. `local`: the server listens for this machine only.
    ///
    /// # Errors
    /// [`OriginError`].
    pub fn new(listed: &[String], local: bool) -> Result<Self, OriginError> {
        let any = listed.iter().any(|origin| origin == "*");
        let others = listed.iter().filter(|origin| *origin != "*");
        let listed: Vec<_> = others.map(|origin| checked(origin)).collect::<Result<_, _>>()?;
        Ok(Self { local: local && listed.is_empty(), listed, any })
    }

    fn let_in(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Ok(origin) = origin.to_str().map(str::to_ascii_lowercase) else { return false };
        let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        self.any
            || self.listed.contains(&origin)
            || own.is_some_and(|own| own.eq_ignore_ascii_case(authority))
            || (self.local && is_local(&origin))
    }
}

fn checked(origin: &str) -> Result<String, OriginError> {
    let wrong = || OriginError(origin.to_owned());
    let uri: Uri = origin.parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?;
    let whole = format!("{}://{authority}", uri.scheme_str().ok_or_else(wrong)?);
    match whole == origin && !authority.as_str().contains('@') {
        true => Ok(origin.to_ascii_lowercase()),
        false => Err(wrong()),
    }
}

fn is_local(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

/// Refuses the requests of other pages, also those that a browser sends without asking first.
pub(super) async fn check(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Result<Response, HttpError> {
    let headers = request.headers();
    match headers.get(header::ORIGIN) {
        Some(origin) if !server.origins().let_in(origin, headers) => {
            Err(HttpError::new(code::FORBIDDEN, "pages of this origin are not let in"))
        }
        _ => Ok(next.run(request).await),
    }
}

/// Tells browsers that the pages that are let in may read the answers.
pub(super) fn cors(server: &Arc<Server>) -> CorsLayer {
    let origins = server.origins().clone();
    let let_in = move |origin: &HeaderValue, parts: &Parts| origins.let_in(origin, &parts.headers);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(let_in))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::RETRY_AFTER])
        .max_age(limits::CORS_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets_in(listed: &[&str], local: bool, origin: &str) -> bool {
        let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
        let origins = Origins::new(&listed, local).expect("origins");
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("own.example:8787"));
        origins.let_in(&HeaderValue::from_str(origin).expect("a header"), &headers)
    }

    #[test]
    fn the_own_pages_and_those_of_the_list() {
        assert!(lets_in(&[], false, "https://own.example:8787"));
        assert!(!lets_in(&[], false, "https://own.example"));
        assert!(!lets_in(&[], false, "https://app.example"));
        let listed = ["https://app.example", "capacitor://localhost"];
        assert!(lets_in(&listed, false, "https://app.example"));
        assert!(lets_in(&listed, false, "capacitor://localhost"));
        assert!(lets_in(&listed, false, "https://own.example:8787"));
        for other in
            ["http://app.example", "https://app.example:444", "https://xapp.example", "null"]
        {
            assert!(!lets_in(&listed, false, other), "{other}");
        }
        assert!(lets_in(&["*"], false, "https://anyone.example"));
    }

    #[test]
    fn pages_of_this_machine_where_it_serves_only_itself() {
        for local in
            ["http://localhost:4200", "http://127.0.0.1:1", "http://[::1]:2", "http://a.localhost"]
        {
            assert!(lets_in(&[], true, local), "{local}");
            assert!(!lets_in(&[], false, local), "{local}");
            assert!(!lets_in(&["https://app.example"], true, local), "{local}");
        }
        for other in ["http://localhost.example", "https://app.example", "http://10.0.0.1", "null"]
        {
            assert!(!lets_in(&[], true, other), "{other}");
        }
    }

    #[test]
    fn what_is_no_origin() {
        for wrong in [
            "",
            "app.example",
            "https://app.example/",
            "https://a.example/x",
            "https://u@a.example",
        ] {
            assert!(Origins::new(&[wrong.to_owned()], false).is_err(), "{wrong}");
        }
    }
}

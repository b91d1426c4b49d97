//! What a gateway tells a function: a connection opens, says something, or closes.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An event of a WebSocket API, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) request_context: Context,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) is_base64_encoded: bool,
}

/// Whose event it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Context {
    pub(crate) event_type: Kind,
    pub(crate) connection_id: String,
    #[serde(default)]
    pub(crate) request_id: String,
    #[serde(default)]
    pub(crate) domain_name: String,
    #[serde(default)]
    pub(crate) stage: String,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Kind {
    Connect,
    Message,
    Disconnect,
}

/// The sub-protocol whose next name is a token: what a page can say when it opens a socket.
pub(crate) const BEARER: &str = "twinstore.bearer";

impl Request {
    /// A parameter of the URL.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query_string_parameters.as_ref()?.get(name).map(String::as_str)
    }

    /// Whether the token came by the sub-protocol, which must then be answered.
    pub(crate) fn offers_bearer(&self) -> bool {
        self.protocols().any(|name| name == BEARER)
    }

    /// The token that came with the request to connect.
    pub(crate) fn token(&self) -> Option<String> {
        let authorization = self.header("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let named = || self.protocols().skip_while(|name| *name != BEARER).nth(1);
        let token = authorization.or_else(named).or_else(|| self.parameter("access_token"));
        token.map(str::to_owned)
    }

    fn protocols(&self) -> impl Iterator<Item = &str> {
        let offered = self.header("sec-websocket-protocol").into_iter();
        offered.flat_map(|names| names.split(',')).map(str::trim)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().flatten();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(headers: &serde_json::Value, query: &serde_json::Value) -> Request {
        serde_json::from_value(json!({
            "requestContext": { "eventType": "CONNECT", "connectionId": "c", "routeKey": "$connect" },
            "headers": headers,
            "queryStringParameters": query,
        }))
        .unwrap()
    }

    #[test]
    fn tokens_travel_three_ways() {
        let none = json!(null);
        let token = |headers, query| request(&headers, &query).token();
        assert_eq!(token(none.clone(), none.clone()), None);
        let header = json!({ "Authorization": "Bearer a.b" });
        assert_eq!(token(header, none.clone()).as_deref(), Some("a.b"));
        let protocol = json!({ "sec-websocket-protocol": "twinstore.bearer, a.b" });
        assert_eq!(token(protocol, none.clone()).as_deref(), Some("a.b"));
        let query = json!({ "access_token": "a.b" });
        assert_eq!(token(none, query).as_deref(), Some("a.b"));
    }
}

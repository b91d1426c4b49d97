//! Which tables, and where: `PREFIX[?endpoint=URL][&region=NAME][&create=false]`.

use std::fmt;
use std::str::FromStr;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedHttpClient};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use url::form_urlencoded;

use crate::limits;

/// Which tables, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What all tables' names begin with; may be empty.
    pub prefix: String,
    /// The region; none: as the surroundings say.
    pub region: Option<String>,
    /// Where the service is, if it is not AWS's own.
    pub endpoint: Option<String>,
    /// Whether tables that are not there are made. Functions on AWS have theirs from a template.
    pub create_tables: bool,
}

/// Why a text names no tables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a DynamoDB store is PREFIX[?endpoint=URL][&region=NAME][&create=false]: {0}")]
pub struct BadOptions(&'static str);

impl Default for Options {
    fn default() -> Self {
        Self { prefix: String::new(), region: None, endpoint: None, create_tables: true }
    }
}

impl FromStr for Options {
    type Err = BadOptions;
    fn from_str(text: &str) -> Result<Self, BadOptions> {
        let (prefix, query) = text.split_once('?').unwrap_or((text, ""));
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        if prefix.len() > 100 || !prefix.bytes().all(allowed) {
            return Err(BadOptions("a prefix has at most 100 letters, digits, `_`, `-` and `.`"));
        }
        let mut options = Self { prefix: prefix.to_owned(), ..Self::default() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                ("endpoint", url) if url.starts_with("http") => {
                    options.endpoint = Some(url.to_owned());
                }
                ("endpoint", _) => return Err(BadOptions("an endpoint is an http or https URL")),
                ("region", region) => options.region = Some(region.to_owned()),
                ("create", "true") => options.create_tables = true,
                ("create", "false") => options.create_tables = false,
                ("create", _) => return Err(BadOptions("`create` is true or false")),
                _ => return Err(BadOptions("it knows `endpoint`, `region` and `create`")),
            }
        }
        Ok(options)
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(endpoint) = &self.endpoint {
            query.append_pair("endpoint", endpoint);
        }
        if let Some(region) = &self.region {
            query.append_pair("region", region);
        }
        if !self.create_tables {
            query.append_pair("create", "false");
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        write!(f, "{}{mark}{query}", self.prefix)
    }
}

impl Options {
    /// A client as the surroundings say: environment, profile, container, instance.
    pub async fn client(&self) -> Client {
        let surroundings = surroundings(self.region.as_deref(), self.endpoint.as_deref()).await;
        Client::from_conf(config(&surroundings))
    }
}

/// What a client of any service is made with: credentials and region of the surroundings, unless
/// they are given, or the endpoint is an emulator's.
pub async fn surroundings(region: Option<&str>, endpoint: Option<&str>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client());
    let local = endpoint.is_some_and(is_local);
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    } else if local {
        loader = loader.region(Region::from_static("us-east-1"));
    }
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if local && std::env::var_os("AWS_ACCESS_KEY_ID").is_none() {
        // An emulator asks for a signature, and does not look at it.
        let none = Credentials::new("local", "local", None, None, "local");
        loader = loader.credentials_provider(none);
    }
    loader.load().await
}

/// Whether the service is an emulator on this machine.
fn is_local(endpoint: &str) -> bool {
    const LOCAL: [&str; 3] = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    LOCAL.iter().any(|local| endpoint.starts_with(local))
}

/// The client's settings: how long it waits, and how often it tries.
fn config(shared: &SdkConfig) -> aws_sdk_dynamodb::Config {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(limits::CONNECT_TIME)
        .operation_attempt_timeout(limits::CALL_TIME)
        .build();
    aws_sdk_dynamodb::config::Builder::from(shared)
        .retry_config(RetryConfig::standard().with_max_attempts(limits::CALL_TRIES))
        .timeout_config(timeouts)
        .build()
}

fn http_client() -> SharedHttpClient {
    let tls = Provider::Rustls(CryptoMode::Ring);
    aws_smithy_http_client::Builder::new().tls_provider(tls).build_https()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let text = "shop-?endpoint=http%3A%2F%2F127.0.0.1%3A8000&region=eu-west-1&create=false";
        let options: Options = text.parse().unwrap();
        assert_eq!(options.endpoint.as_deref(), Some("http://127.0.0.1:8000"));
        assert_eq!((options.prefix.as_str(), options.create_tables), ("shop-", false));
        assert_eq!(options.to_string(), text);
        let plain: Options = "shop-?endpoint=http://127.0.0.1:8000".parse().unwrap();
        assert_eq!(plain.endpoint.as_deref(), Some("http://127.0.0.1:8000"));
        assert_eq!("".parse::<Options>(), Ok(Options::default()));
        for bad in ["a/b", "x?endpoint=ftp", "x?create=no", "x?what=1"] {
            assert!(bad.parse::<Options>().is_err(), "{bad}");
        }
    }
}

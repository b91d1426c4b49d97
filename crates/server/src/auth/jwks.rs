//! Keys that are published: fetched when a token names one that is not known, at most once a
//! minute, so that tokens of strangers do not make this server knock at another's door.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet};
use ureq::Agent;
use ureq::http::Uri;

use super::keys::{Key, KeyError, of_jwk};
use crate::limits;

/// A JWK set elsewhere.
#[derive(Debug)]
pub(super) struct Remote {
    url: String,
    agent: Agent,
    keys: RwLock<Arc<[Key]>>,
    /// When it was last asked. One asks at a time, the others wait for it.
    asked: tokio::sync::Mutex<Option<Instant>>,
}

impl Remote {
    pub(super) fn new(url: &str) -> Result<Self, KeyError> {
        if !is_safe(url) {
            return Err(KeyError::Url { url: url.to_owned() });
        }
        let config = Agent::config_builder()
            .timeout_global(Some(limits::JWKS_WAIT))
            .max_redirects(0)
            .build();
        let agent = Agent::new_with_config(config);
        let (keys, asked) = (RwLock::new(Arc::default()), tokio::sync::Mutex::default());
        Ok(Self { url: url.to_owned(), agent, keys, asked })
    }

    pub(super) fn known(&self) -> Arc<[Key]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) async fn fetch(&self) {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|asked| asked.elapsed() < limits::JWKS_EVERY) {
            return;
        }
        *asked = Some(Instant::now());
        let (agent, url) = (self.agent.clone(), self.url.clone());
        match tokio::task::spawn_blocking(move || get(&agent, &url)).await {
            Ok(Ok(keys)) => {
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
            }
            Ok(Err(error)) => {
                tracing::warn!(url = self.url, %error, "the keys of tokens cannot be fetched");
            }
            Err(_) => tracing::error!("fetching the keys of tokens panicked"),
        }
    }
}

fn get(agent: &Agent, url: &str) -> Result<Vec<Key>, ureq::Error> {
    let mut answer = agent.get(url).call()?;
    let body = answer.body_mut().with_config().limit(limits::JWKS_BYTES).read_to_string()?;
    let set: JwkSet = serde_json::from_str(&body)
        .map_err(|error| ureq::Error::Io(std::io::Error::other(error)))?;
    // A secret that is published is none.
    let public =
        |jwk: &&jsonwebtoken::jwk::Jwk| !matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_));
    Ok(set.keys.iter().filter(public).filter_map(of_jwk).collect())
}

fn is_safe(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => ["localhost", "127.0.0.1", "[::1]"].contains(&host),
        _ => false,
    }
}

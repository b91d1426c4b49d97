//! Who gets in: a token says who it is and which streams, the model may say no.
//!
//! Once keys or an admin token are configured, nothing is open without a token. What a token
//! does not allow is answered alike whether it is there or not.
//! Not here: where tokens travel (`http/caller.rs`, `session/gate.rs`).

mod authorizer;
mod denied;
mod grant;
mod jwks;
mod keys;
mod mint;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Header, Validation};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use twinstore_protocol::StreamId;

pub use denied::Denied;
pub use grant::{Grant, Rights};
pub use keys::{KeyError, KeySource};
pub use mint::{Claims, MintError, SigningKey, mint};

use crate::limits;
use crate::model::Models;
use crate::reducer::{Engines, ReducerError};
use authorizer::Authorizer;
use keys::{Key, Keys};

/// What is asked of those who come. The default asks nothing.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What tokens are signed with.
    pub keys: Vec<KeySource>,
    /// The `iss` that a token must have.
    pub issuer: Option<String>,
    /// The `aud` of which a token must have one.
    pub audience: Vec<String>,
    /// A token of its own, not signed: reads and analyses everything, writes nothing.
    pub admin_token: Option<String>,
}

/// Why nobody could be let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A key cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It could be guessed.
    #[error("an admin token has at least {} bytes", limits::SECRET_BYTES_MIN)]
    AdminToken,
    /// A model cannot be asked whether it has a say.
    #[error("cannot ask `{model}` for its `authorize`")]
    Model {
        /// Its name.
        model: String,
        /// Why not.
        #[source]
        source: ReducerError,
    },
    /// The system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

/// The door of a server.
#[derive(Debug)]
pub struct Auth {
    keys: Keys,
    validation: Validation,
    /// SHA-256, so that comparing takes the same time whatever it is compared with.
    admin_token: Option<[u8; 32]>,
    /// Whether nobody is asked for a token.
    open: bool,
    authorizer: Option<Authorizer>,
}

impl Auth {
    /// Reads the keys and loads the models that have a say.
    ///
    /// # Errors
    /// [`AuthError`].
    pub fn new(options: &Options, models: &Models, engines: &Engines) -> Result<Self, AuthError> {
        let keys = Keys::read(&options.keys)?;
        let admin_token = match &options.admin_token {
            Some(token) if token.len() < limits::SECRET_BYTES_MIN => {
                return Err(AuthError::AdminToken);
            }
            token => token.as_ref().map(|token| Sha256::digest(token).into()),
        };
        let open = options.keys.is_empty() && admin_token.is_none();
        let authorizer = Authorizer::start(models, engines)?;
        Ok(Self { keys, validation: validation(options), admin_token, open, authorizer })
    }

    /// Whether nobody is asked for a token.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether each stream must be asked for: there are tokens, or a model has a say.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        !self.open || self.authorizer.is_some()
    }

    /// What whoever brings this token may do; without a token, what anyone may.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn identify(&self, token: Option<&str>) -> Result<Grant, Denied> {
        if self.open {
            return Ok(Grant::everything());
        }
        let token = token.ok_or(Denied::NoToken)?;
        if token.len() > limits::TOKEN_BYTES {
            return Err(Denied::BadToken);
        }
        if let Some(admin) = self.admin_token
            && bool::from(admin.ct_eq(&<[u8; 32]>::from(Sha256::digest(token))))
        {
            return Ok(Grant::admin());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Denied::BadToken)?;
        match self.verified(token, &header, &self.keys.of(&header)) {
            // No key fits: the issuer may have changed its keys.
            Err(Denied::UnknownKey) => {
                let keys = self.keys.fetched(&header).await;
                self.verified(token, &header, &keys)
            }
            verified => verified,
        }
    }

    fn verified(&self, token: &str, header: &Header, keys: &[Key]) -> Result<Grant, Denied> {
        let mut denied = Denied::UnknownKey;
        for key in keys {
            // The key says which algorithm it is for, never the token.
            let validation =
                Validation { algorithms: vec![key.algorithm], ..self.validation.clone() };
            match decode(token, &key.key, &validation) {
                Ok(claims) => return Grant::of(claims).ok_or(Denied::BadToken),
                Err(Denied::Expired) => denied = Denied::Expired,
                Err(_) if denied == Denied::UnknownKey => denied = Denied::BadToken,
                Err(_) => {}
            }
        }
        // A key without an id fits every token of its algorithm.
        let unknown = denied == Denied::BadToken && !keys.iter().any(|key| key.is_named(header));
        Err(if unknown { Denied::UnknownKey } else { denied })
    }

    /// What this caller may do with a stream: what the token says, and then the model.
    pub async fn rights(&self, grant: &Grant, stream: &StreamId) -> Rights {
        let claimed = grant.rights(stream);
        let Some(authorizer) = &self.authorizer else { return claimed };
        let mut rights = claimed;
        if claimed.read && !grant.is_admin() {
            rights.read = authorizer.allows(grant, "read", stream).await;
        }
        if claimed.write {
            rights.write = authorizer.allows(grant, "write", stream).await;
        }
        rights
    }
}

fn validation(options: &Options) -> Validation {
    let leeway = limits::CLOCK_SKEW.as_secs();
    let mut validation = Validation { leeway, validate_nbf: true, ..Validation::default() };
    let mut required = vec!["exp", "sub"];
    if let Some(issuer) = &options.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    validation.validate_aud = !options.audience.is_empty();
    if validation.validate_aud {
        validation.set_audience(&options.audience);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    validation
}

fn decode(token: &str, key: &DecodingKey, validation: &Validation) -> Result<Value, Denied> {
    match jsonwebtoken::decode::<Value>(token, key, validation) {
        Ok(data) => Ok(data.claims),
        Err(error) => {
            tracing::debug!(%error, "a token is not taken");
            Err(match error.kind() {
                ErrorKind::ExpiredSignature => Denied::Expired,
                _ => Denied::BadToken,
            })
        }
    }
}

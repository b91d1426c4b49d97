//! Makes tokens, for development and tests.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// What a token says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Claims {
    /// Whose it is.
    pub sub: String,
    /// When it ends, in seconds since 1970.
    pub exp: u64,
    /// Streams that may be read and written, by patterns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<String>,
    /// Streams that may be read only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    /// Whether it may read and analyse everything.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub admin: bool,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
}

/// What a token is signed with.
#[derive(Clone)]
pub enum SigningKey {
    /// A secret (HS256).
    Secret(String),
    /// The text of a private key in PEM (PKCS #8): RSA, P-256 or Ed25519.
    Pem(String),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

/// Why no token can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// It is no key of a kind that is taken.
    #[error("it is no private key in PEM (PKCS #8): RSA, P-256 or Ed25519")]
    Key,
    /// The key does not sign.
    #[error("the key does not sign")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// Makes a token.
///
/// # Errors
/// [`MintError`].
pub fn mint(claims: &Claims, key: &SigningKey) -> Result<String, MintError> {
    let (algorithm, key) = match key {
        SigningKey::Secret(secret) => {
            (Algorithm::HS256, EncodingKey::from_secret(secret.as_bytes()))
        }
        SigningKey::Pem(pem) => of_pem(pem.as_bytes())?,
    };
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).map_err(MintError::Sign)
}

fn of_pem(pem: &[u8]) -> Result<(Algorithm, EncodingKey), MintError> {
    let rsa = || Some((Algorithm::RS256, EncodingKey::from_rsa_pem(pem).ok()?));
    let ec = || Some((Algorithm::ES256, EncodingKey::from_ec_pem(pem).ok()?));
    let ed = || Some((Algorithm::EdDSA, EncodingKey::from_ed_pem(pem).ok()?));
    rsa().or_else(ec).or_else(ed).ok_or(MintError::Key)
}

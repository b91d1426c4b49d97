//! The keys that tokens are signed with. Each is for one algorithm, so that a public key is never
//! taken for a secret.

use std::path::{Path, PathBuf};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Header};

use super::jwks::Remote;
use crate::limits;

/// Where keys are.
#[derive(Clone)]
pub enum KeySource {
    /// A secret (HS256).
    Secret(String),
    /// A file with a secret (HS256); white space round it is not part of it.
    SecretFile(PathBuf),
    /// A public key in PEM: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA).
    PublicKeyFile(PathBuf),
    /// A file with a JWK set.
    JwksFile(PathBuf),
    /// Where a JWK set is published.
    JwksUrl(String),
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret"),
            Self::SecretFile(file) => f.debug_tuple("SecretFile").field(file).finish(),
            Self::PublicKeyFile(file) => f.debug_tuple("PublicKeyFile").field(file).finish(),
            Self::JwksFile(file) => f.debug_tuple("JwksFile").field(file).finish(),
            Self::JwksUrl(url) => f.debug_tuple("JwksUrl").field(url).finish(),
        }
    }
}

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It could be guessed.
    #[error("a secret has at least {} bytes", limits::SECRET_BYTES_MIN)]
    Short,
    /// The file holds no key of a kind that is taken.
    #[error("{file} is no public key in PEM: RSA, P-256 or Ed25519")]
    Pem {
        /// The file.
        file: PathBuf,
    },
    /// The file is no JWK set.
    #[error("{file} is no JWK set")]
    Jwks {
        /// The file.
        file: PathBuf,
        /// What it is not.
        #[source]
        source: serde_json::Error,
    },
    /// It holds no key that can be used here.
    #[error("{file} holds no key for HS256, RS256, ES256 or EdDSA")]
    NoKey {
        /// The file.
        file: PathBuf,
    },
    /// Keys would travel in the clear.
    #[error("{url}: keys are fetched by https, or by http from this machine")]
    Url {
        /// Where they would be fetched.
        url: String,
    },
}

/// A key, and the one algorithm that it is for.
#[derive(Clone, Debug)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl Key {
    /// The algorithm that keys of this kind are for.
    fn new(key: DecodingKey) -> Self {
        let algorithm = match key.family() {
            AlgorithmFamily::Hmac => Algorithm::HS256,
            AlgorithmFamily::Rsa => Algorithm::RS256,
            AlgorithmFamily::Ec => Algorithm::ES256,
            AlgorithmFamily::Ed => Algorithm::EdDSA,
        };
        Self { id: None, algorithm, key }
    }

    fn fits(&self, header: &Header) -> bool {
        let same_id = match (&self.id, &header.kid) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        };
        self.algorithm == header.alg && same_id
    }

    /// Whether the token names this very key.
    pub(super) fn is_named(&self, header: &Header) -> bool {
        self.id.is_some() && self.id == header.kid
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Keys {
    fixed: Vec<Key>,
    remote: Vec<Remote>,
}

impl Keys {
    pub(super) fn read(sources: &[KeySource]) -> Result<Self, KeyError> {
        let (mut fixed, mut remote) = (Vec::new(), Vec::new());
        for source in sources {
            match source {
                KeySource::Secret(secret) => fixed.push(of_secret(secret)?),
                KeySource::SecretFile(file) => fixed.push(of_secret(text(file)?.trim())?),
                KeySource::PublicKeyFile(file) => fixed.push(of_pem(file)?),
                KeySource::JwksFile(file) => fixed.extend(of_jwks(file)?),
                KeySource::JwksUrl(url) => remote.push(Remote::new(url)?),
            }
        }
        Ok(Self { fixed, remote })
    }

    /// Those that a token with this header may be signed with.
    pub(super) fn of(&self, header: &Header) -> Vec<Key> {
        let remote = self.remote.iter().flat_map(|remote| remote.known().to_vec());
        self.fixed.iter().cloned().chain(remote).filter(|key| key.fits(header)).collect()
    }

    /// The same, after the published ones were fetched anew.
    pub(super) async fn fetched(&self, header: &Header) -> Vec<Key> {
        let mut keys = Vec::new();
        for remote in &self.remote {
            remote.fetch().await;
            keys.extend(remote.known().iter().filter(|key| key.fits(header)).cloned());
        }
        keys
    }
}

fn of_secret(secret: &str) -> Result<Key, KeyError> {
    match secret.len() < limits::SECRET_BYTES_MIN {
        true => Err(KeyError::Short),
        false => Ok(Key::new(DecodingKey::from_secret(secret.as_bytes()))),
    }
}

fn of_pem(file: &Path) -> Result<Key, KeyError> {
    let pem = text(file)?;
    let pem = pem.as_bytes();
    let key = DecodingKey::from_rsa_pem(pem)
        .or_else(|_| DecodingKey::from_ec_pem(pem))
        .or_else(|_| DecodingKey::from_ed_pem(pem));
    key.map(Key::new).map_err(|_| KeyError::Pem { file: file.to_owned() })
}

fn of_jwks(file: &Path) -> Result<Vec<Key>, KeyError> {
    let set = serde_json::from_str::<JwkSet>(&text(file)?)
        .map_err(|source| KeyError::Jwks { file: file.to_owned(), source })?;
    let keys: Vec<_> = set.keys.iter().filter_map(of_jwk).collect();
    match keys.is_empty() {
        true => Err(KeyError::NoKey { file: file.to_owned() }),
        false => Ok(keys),
    }
}

/// None: a key for something else, as sets may hold.
pub(super) fn of_jwk(jwk: &Jwk) -> Option<Key> {
    let curve_fits = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) => key.curve == EllipticCurve::P256,
        AlgorithmParameters::OctetKeyPair(key) => key.curve == EllipticCurve::Ed25519,
        _ => true,
    };
    let signs = !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
    let key = Key::new(DecodingKey::from_jwk(jwk).ok().filter(|_| curve_fits && signs)?);
    let named = jwk.common.key_algorithm.map(|named| named.to_string());
    let algorithm_fits = named.is_none_or(|named| named.parse() == Ok(key.algorithm));
    algorithm_fits.then(|| Key { id: jwk.common.key_id.clone(), ..key })
}

fn text(file: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(file).map_err(|source| KeyError::Read { file: file.to_owned(), source })
}

//! `[auth]`: who gets in. Empty: anyone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};
use twinstore_server::auth::{KeySource, Options, SigningKey};

use crate::error::CliError;

/// What tokens must be.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuthTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    public_key_files: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    audience: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_token_file: Option<PathBuf>,
}

/// What is never printed.
#[derive(Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(hidden)")
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

impl AuthTable {
    /// The server's form of it.
    pub(crate) fn options(&self) -> Result<Options, CliError> {
        let secret = self.secret.iter().map(|secret| KeySource::Secret(secret.0.clone()));
        let keys = secret
            .chain(self.secret_file.clone().map(KeySource::SecretFile))
            .chain(self.public_key_files.iter().cloned().map(KeySource::PublicKeyFile))
            .chain(self.jwks_file.clone().map(KeySource::JwksFile))
            .chain(self.jwks_url.clone().map(KeySource::JwksUrl))
            .collect();
        let admin_token = match (&self.admin_token, &self.admin_token_file) {
            (Some(token), _) => Some(token.0.clone()),
            (None, Some(file)) => Some(read(file)?.trim().to_owned()),
            (None, None) => None,
        };
        let (issuer, audience) = (self.issuer.clone(), self.audience.clone());
        Ok(Options { keys, issuer, audience, admin_token })
    }

    /// A flag's file stands instead of what the settings say of secrets.
    pub(crate) fn take_secret_file(&mut self, file: &Path) {
        self.secret = None;
        self.secret_file = Some(file.to_owned());
    }

    /// The same of the admin token.
    pub(crate) fn take_admin_token_file(&mut self, file: &Path) {
        self.admin_token = None;
        self.admin_token_file = Some(file.to_owned());
    }

    /// The secret, to sign with.
    pub(crate) fn signing_key(&self) -> Result<Option<SigningKey>, CliError> {
        match (&self.secret, &self.secret_file) {
            (Some(secret), _) => Ok(Some(SigningKey::Secret(secret.0.clone()))),
            (None, Some(file)) => Ok(Some(SigningKey::Secret(read(file)?.trim().to_owned()))),
            (None, None) => Ok(None),
        }
    }

    /// What a token must say: its issuer, and one that it is for.
    pub(crate) fn issuer_and_audience(&self) -> (Option<String>, Option<String>) {
        (self.issuer.clone(), self.audience.first().cloned())
    }

    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let files = self.public_key_files.iter_mut().chain(&mut self.secret_file);
        files.chain(&mut self.jwks_file).chain(&mut self.admin_token_file)
    }
}

/// Reads a file with a secret or a key.
pub(crate) fn read(file: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(file)
        .map_err(|source| CliError::ReadSecret { file: file.to_owned(), source })
}

//! `twinstore token`: makes a token, for development and tests.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use twinstore_server::auth::{Claims, SigningKey, mint};

use crate::config::{Settings, auth};
use crate::error::CliError;
use crate::output;

/// Make a token, for development.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Whose it is.
    #[arg(long, value_name = "SUBJECT")]
    sub: String,
    /// Streams that may be read and written, such as 'salesOrder/*'. May be given more than once.
    #[arg(long, value_name = "PATTERN")]
    streams: Vec<String>,
    /// Streams that may be read only. May be given more than once.
    #[arg(long, value_name = "PATTERN")]
    read: Vec<String>,
    /// It may read and analyse everything.
    #[arg(long)]
    admin: bool,
    /// How long it is good.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    expires: Duration,
    /// The server's settings: the secret to sign with, issuer and audience.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The secret to sign with (HS256). Others see it in the list of processes.
    #[arg(long, value_name = "SECRET", conflicts_with_all = ["secret_file", "key"])]
    secret: Option<String>,
    /// A file with the secret to sign with (HS256).
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    secret_file: Option<PathBuf>,
    /// A private key to sign with, in PEM (PKCS #8): RSA, P-256 or Ed25519.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Token {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let settings = match &self.config {
            Some(file) => Settings::of_file(file)?,
            None => Settings::default(),
        };
        let key = match self.own_key()? {
            Some(key) => key,
            None => settings.auth.signing_key()?.ok_or(CliError::NoSigningKey)?,
        };
        let (iss, aud) = settings.auth.issuer_and_audience();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let claims = Claims {
            sub: self.sub.clone(),
            exp: now.saturating_add(self.expires).as_secs(),
            streams: self.streams.clone(),
            read: self.read.clone(),
            admin: self.admin,
            iss,
            aud,
        };
        output::print(&format!("{}\n", mint(&claims, &key)?))
    }

    fn own_key(&self) -> Result<Option<SigningKey>, CliError> {
        Ok(match (&self.secret, &self.secret_file, &self.key) {
            (Some(secret), ..) => Some(SigningKey::Secret(secret.clone())),
            (_, Some(file), _) => Some(SigningKey::Secret(auth::read(file)?.trim().to_owned())),
            (_, _, Some(file)) => Some(SigningKey::Pem(auth::read(file)?)),
            (None, None, None) => None,
        })
    }
}

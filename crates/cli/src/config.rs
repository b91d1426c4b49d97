//! What a server is told: the flags, and the file of `--config` where a flag is silent.
//!
//! One file of TOML; a key that is not known is an error with its place. Paths in the file are
//! seen from the file's own directory. `twinstore config` prints what came of it.

pub(crate) mod auth;
mod limits;
mod tls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use twinstore_server::limits::DRAIN;

use crate::error::CliError;
use crate::output;
use crate::store::Store;
use auth::AuthTable;
use limits::LimitsTable;
use tls::TlsTable;

/// Where a server listens if nobody says otherwise.
const LISTEN: &str = "127.0.0.1:8787";

/// Where events are kept if nobody says otherwise.
const STORE: &str = "sqlite:twinstore.db";

/// The flags that `serve` and `config` share.
#[derive(Debug, Default, Args)]
pub(crate) struct Flags {
    /// A file of settings in TOML; flags win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A model: the name of its streams and the module's file. May be given more than once.
    #[arg(long = "model", value_name = "NAME=FILE.js")]
    models: Vec<NamedFile>,
    /// Where events are kept: sqlite:FILE (the default, twinstore.db), postgres://USER@HOST/DATABASE,
    /// memory or dynamodb:PREFIX.
    #[arg(long, value_name = "STORE")]
    store: Option<Store>,
    /// The address to listen on, 127.0.0.1:8787 by default; with port 0 the system chooses one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// A directory of files to serve beside the API.
    #[arg(long, value_name = "DIR")]
    www: Option<PathBuf>,
    /// An origin whose pages may speak to the server, such as https://app.example.com; * for any.
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// A file with the secret that tokens are signed with (HS256).
    #[arg(long, value_name = "FILE")]
    auth_secret_file: Option<PathBuf>,
    /// A file with the token of the operator's tools and of /admin.
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsTable,
    /// One of [limits], such as sockets=1000. May be given more than once.
    #[arg(long = "limit", value_name = "KEY=VALUE")]
    limits: Vec<String>,
    /// How long sockets and requests get to come to their end at SIGTERM, 10s by default.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    drain: Option<Duration>,
}

#[derive(Clone, Debug)]
struct NamedFile {
    name: String,
    file: PathBuf,
}

impl FromStr for NamedFile {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, file)) if !name.is_empty() && !file.is_empty() => {
                Ok(Self { name: name.to_owned(), file: file.into() })
            }
            _ => Err("a model is NAME=FILE.js".to_owned()),
        }
    }
}

/// The settings in effect; also the file's form.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The address to listen on.
    pub(crate) listen: String,
    /// Where events are kept.
    pub(crate) store: Store,
    /// A directory of files to serve beside the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) www: Option<PathBuf>,
    /// Origins whose pages may speak to the server, beside its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) origins: Vec<String>,
    /// How long sockets and requests get to come to their end at SIGTERM.
    #[serde(with = "humantime_serde")]
    pub(crate) drain: Duration,
    /// The models: their names and files.
    pub(crate) models: BTreeMap<String, PathBuf>,
    /// The certificate, where the server speaks TLS itself.
    pub(crate) tls: TlsTable,
    /// Who gets in.
    pub(crate) auth: AuthTable,
    /// What the server keeps to.
    pub(crate) limits: LimitsTable,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: LISTEN.to_owned(),
            store: STORE.parse().unwrap_or(Store::Memory),
            www: None,
            origins: Vec::new(),
            drain: DRAIN,
            models: BTreeMap::new(),
            tls: TlsTable::default(),
            auth: AuthTable::default(),
            limits: LimitsTable::default(),
        }
    }
}

impl Settings {
    /// The file's settings, and over them the flags'.
    pub(crate) fn read(flags: &Flags) -> Result<Self, CliError> {
        let mut settings = match &flags.config {
            Some(file) => Self::of_file(file)?,
            None => Self::default(),
        };
        settings.take(flags)?;
        Ok(settings)
    }

    pub(crate) fn of_file(file: &Path) -> Result<Self, CliError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| CliError::ReadConfig { file: file.to_owned(), source })?;
        let mut settings: Self = toml::from_str(&text)
            .map_err(|source| CliError::Config { file: file.to_owned(), source: source.into() })?;
        settings.see_from(file.parent().unwrap_or_else(|| Path::new("")));
        Ok(settings)
    }

    /// Paths in a file are seen from its directory, wherever the command is run.
    fn see_from(&mut self, dir: &Path) {
        let paths = self.models.values_mut().chain(&mut self.www).chain(self.store.path_mut());
        let paths = paths.chain(self.auth.paths_mut()).chain(self.tls.paths_mut());
        for path in paths {
            *path = dir.join(&*path);
        }
    }

    fn take(&mut self, flags: &Flags) -> Result<(), CliError> {
        let models = flags.models.iter().map(|model| (model.name.clone(), model.file.clone()));
        self.models.extend(models);
        if let Some(store) = &flags.store {
            self.store = store.clone();
        }
        if let Some(listen) = &flags.listen {
            self.listen.clone_from(listen);
        }
        if let Some(www) = &flags.www {
            self.www = Some(www.clone());
        }
        if !flags.origins.is_empty() {
            self.origins.clone_from(&flags.origins);
        }
        if let Some(file) = &flags.auth_secret_file {
            self.auth.take_secret_file(file);
        }
        if let Some(file) = &flags.admin_token_file {
            self.auth.take_admin_token_file(file);
        }
        self.tls.take(&flags.tls);
        if let Some(drain) = flags.drain {
            self.drain = drain;
        }
        for limit in &flags.limits {
            self.limits = self.limits.with(limit)?;
        }
        Ok(())
    }
}

/// Print the settings that `serve` would run with, as TOML.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(flatten)]
    flags: Flags,
}

impl Config {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let settings = Settings::read(&self.flags)?;
        let text = toml::to_string(&settings).map_err(CliError::PrintConfig)?;
        output::print(&text)
    }
}

//! What a function is told by its environment.

use std::path::PathBuf;
use std::sync::Arc;

use twinstore_dynamodb::{BadOptions, DynamoLog, OpenError, Options};
use twinstore_server::auth::{self, Auth, AuthError, KeySource};
use twinstore_server::log::{Log, WriteError};
use twinstore_server::model::{self, ModelError, Models};
use twinstore_server::reducer::Engines;

use crate::function::{Function, Role};
use crate::gateway::Gateway;
use crate::parts::Parts;

/// A function's settings, each a variable of the environment.
#[derive(Debug, Default)]
pub struct Settings {
    /// `TWINSTORE_MODELS`: `NAME=FILE`, separated by commas.
    pub models: Vec<(String, PathBuf)>,
    /// `TWINSTORE_STORE`: as behind `--store dynamodb:`.
    pub store: Options,
    /// `TWINSTORE_FUNCTION`: `coupled` (the default), `ingest`, `reduce` or `push`; for `coupled`
    /// `TWINSTORE_PUSH`: `1` tells others who listen.
    pub role: Option<Role>,
    /// `TWINSTORE_GATEWAY`: where frames go, where it is not whence requests come.
    pub gateway: Option<String>,
    /// `TWINSTORE_SECRET`, `TWINSTORE_JWKS_URL`, `TWINSTORE_ISSUER`, `TWINSTORE_AUDIENCE`.
    pub auth: auth::Options,
}

/// Why a function cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A variable is not what it must be.
    #[error("TWINSTORE_MODELS is NAME=FILE, separated by commas")]
    Models,
    /// There is no such role.
    #[error("TWINSTORE_FUNCTION is coupled, ingest, reduce or push")]
    Role,
    /// Frames could go nowhere.
    #[error("TWINSTORE_GATEWAY says where frames go: https://…/STAGE")]
    Gateway,
    /// The store's name says nothing.
    #[error(transparent)]
    Store(#[from] BadOptions),
    /// A model cannot be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The log cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A model cannot be kept beside its events.
    #[error(transparent)]
    Keep(#[from] WriteError),
    /// Nobody could be let in.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[from] std::io::Error),
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let model = |text: &str| {
            let (name, file) = text.split_once('=').ok_or(SettingsError::Models)?;
            Ok((name.trim().to_owned(), PathBuf::from(file.trim())))
        };
        let models = variable("TWINSTORE_MODELS").ok_or(SettingsError::Models)?;
        let models = models.split(',').map(model).collect::<Result<_, SettingsError>>()?;
        let keys = [
            variable("TWINSTORE_SECRET").map(KeySource::Secret),
            variable("TWINSTORE_JWKS_URL").map(KeySource::JwksUrl),
        ];
        let gateway = variable("TWINSTORE_GATEWAY");
        let push = variable("TWINSTORE_PUSH").as_deref() == Some("1");
        let role = match variable("TWINSTORE_FUNCTION").as_deref() {
            None | Some("coupled") => Role::Coupled { push },
            Some("ingest") => Role::Ingest,
            // No request says where the gateway is.
            Some("reduce" | "push") if gateway.is_none() => return Err(SettingsError::Gateway),
            Some("reduce") => Role::Reduce,
            Some("push") => Role::Push,
            Some(_) => return Err(SettingsError::Role),
        };
        Ok(Self {
            models,
            store: variable("TWINSTORE_STORE").unwrap_or_default().parse()?,
            role: Some(role),
            gateway,
            auth: auth::Options {
                keys: keys.into_iter().flatten().collect(),
                issuer: variable("TWINSTORE_ISSUER"),
                audience: variable("TWINSTORE_AUDIENCE").into_iter().collect(),
                admin_token: None,
            },
        })
    }

    /// Makes the function. Its runtime is the one it is called in.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn function(self) -> Result<Function, SettingsError> {
        let models = self.read_models()?;
        let role = self.role.unwrap_or(Role::Coupled { push: false });
        let log = DynamoLog::open(&self.store)?;
        if self.store.create_tables {
            log.create_connections_table()?;
        }
        // Who only reads finds them where they were needed first.
        if matches!(role, Role::Coupled { .. } | Role::Reduce) {
            for model in models.values() {
                log.put_model((**model).clone())?;
            }
        }
        let auth = Auth::new(&self.auth, &models, &Engines::default())?;
        let gateway = Gateway::new(self.gateway);
        let parts = Parts::new(models, Arc::new(log), auth, gateway)?;
        Ok(Function::new(parts, role))
    }

    fn read_models(&self) -> Result<Models, SettingsError> {
        let read = |(name, file): &(String, PathBuf)| model::read(name, file);
        let models = self.models.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(model::together(models)?)
    }
}

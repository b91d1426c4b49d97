//! Connections: what the URL says, TLS, limits, and what the database must promise.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod,
    Runtime,
};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;
use twinstore_server::log::BackendError;

use crate::password::password;
use crate::{OpenError, Settings, Url};

/// A connection whose other end is gone is seen to be so after this time.
const DEAD: Duration = Duration::from_secs(30);

/// How connections are made.
#[derive(Clone)]
pub(crate) struct Connect {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
}

impl Connect {
    /// By a URL; only to a server that can be written, where it is for `writing`.
    pub(crate) fn to(url: &Url, settings: &Settings, writing: bool) -> Result<Self, OpenError> {
        let mut config = url.config()?;
        if config.get_password().is_none()
            && let Some(password) = password(&config)
        {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("twinstore");
        }
        config.connect_timeout(settings.connect).tcp_user_timeout(DEAD).keepalives_idle(DEAD);
        if writing {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        // What the URL says comes later, and so wins.
        let own = config.get_options().unwrap_or_default().to_owned();
        config.options(format!("{} {own}", options(settings, writing)));
        // libpq's `prefer` takes any certificate, and so keeps nobody out.
        if config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(SslMode::Disable);
        }
        let tls = tls(config.get_ssl_mode()).map_err(OpenError::Database)?;
        Ok(Self { config, tls })
    }

    /// At most so many connections, each of which promises what is needed.
    pub(crate) fn pool(
        &self,
        size: usize,
        settings: &Settings,
        writing: bool,
    ) -> Result<Pool, OpenError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), recycling);
        let mut pool = Pool::builder(manager)
            .max_size(size.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(settings.connect))
            .create_timeout(Some(settings.connect))
            .recycle_timeout(Some(settings.connect));
        if writing {
            pool = pool.post_create(Hook::async_fn(|client: &mut ClientWrapper, _| {
                Box::pin(promised(client))
            }));
        }
        pool.build().map_err(|e| OpenError::Database(e.into()))
    }
}

/// I4: a commit that is answered must be on the disk, whoever changes the settings meanwhile.
async fn promised(client: &ClientWrapper) -> Result<(), HookError> {
    let row = client.query_one(PROMISES, &[]).await.map_err(HookError::Backend)?;
    let [commit, fsync, encoding] = [0, 1, 2].map(|i| row.get::<_, String>(i));
    let unfit = |rule: &str| Err(HookError::message(rule.to_owned()));
    if commit == "off" {
        return unfit("synchronous_commit must be on, or a verdict could be lost");
    }
    if fsync != "on" {
        return unfit("fsync must be on, or a verdict could be lost");
    }
    if encoding != "UTF8" {
        return unfit("its encoding must be UTF8");
    }
    let keep = format!("SET synchronous_commit = {commit}");
    client.batch_execute(&keep).await.map_err(HookError::Backend)
}

const PROMISES: &str = "SELECT current_setting('synchronous_commit'), current_setting('fsync'), \
                        current_setting('server_encoding')";

/// A refusal by [`promised`], or anything else.
pub(crate) fn open_error(error: PoolError) -> OpenError {
    match error {
        PoolError::PostCreateHook(HookError::Message(rule)) => {
            OpenError::Unfit { rule: rule.into_owned() }
        }
        other => OpenError::Database(other.into()),
    }
}

/// Limits that the database itself keeps, also where this process hangs.
fn options(settings: &Settings, writing: bool) -> String {
    let statement = settings.statement.as_millis();
    let (lock, idle) = (settings.lock.as_millis(), settings.idle.as_millis());
    let read_only = if writing { "off" } else { "on" };
    format!(
        "-c statement_timeout={statement} -c lock_timeout={lock} \
         -c idle_in_transaction_session_timeout={idle} \
         -c default_transaction_read_only={read_only} -c client_min_messages=warning"
    )
}

/// `sslmode=require`: the certificate must be one that the system trusts.
fn tls(mode: SslMode) -> Result<MakeRustlsConnect, BackendError> {
    let mut roots = RootCertStore::empty();
    if mode == SslMode::Require {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            return Err("there is no certificate that the system trusts: name a file of them in SSL_CERT_FILE".into());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(client))
}

//! `twinstore serve`: models over a store, served to clients.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use twinstore_server::model::{self, Models};
use twinstore_server::{Options, Origins, Server};

use crate::config::{Flags, Settings};
use crate::error::CliError;
use crate::logging::Logging;

/// The most entries in one commit; for tests that need many commits in one replay.
const BATCH_MAX: &str = "TWINSTORE_BATCH_MAX";

/// Run models over a store and serve clients.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    logging: Logging,
}

impl Serve {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        self.logging.begin()?;
        // Where it is not granted the limit stays as it was.
        let _ = rlimit::increase_nofile_limit(u64::MAX);
        let settings = Settings::read(&self.flags)?;
        let models = read_models(&settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|source| CliError::Io { what: "cannot start", source })?;
        runtime.block_on(serve(settings, models))
    }
}

async fn serve(settings: Settings, models: Models) -> Result<(), CliError> {
    let mut options = Options::new(models, settings.store.open()?);
    options.www = settings.www;
    options.tls = settings.tls.files()?;
    options.drain = settings.drain;
    options.auth = settings.auth.options()?;
    options.limits = settings.limits.limits();
    if let Some(most) = std::env::var(BATCH_MAX).ok().and_then(|text| text.parse().ok()) {
        options.limits.commit_entries = std::cmp::max(1, most);
    }
    let listen = |source| CliError::Listen { address: settings.listen.clone(), source };
    let shutdown = signals()?;
    let listener = TcpListener::bind(&settings.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    options.origins = Origins::new(&settings.origins, address.ip().is_loopback())?;
    let secure = options.tls.is_some();
    let server = Server::start(options)?;
    warn_if_open(&server, address);
    announce(address, secure)?;
    let served = twinstore_server::run(listener, Arc::clone(&server), shutdown).await;
    Ok(served?)
}

fn read_models(settings: &Settings) -> Result<Models, CliError> {
    if settings.models.is_empty() {
        return Err(CliError::NoModel);
    }
    let read = |(name, file): (&String, &PathBuf)| model::read(name, file);
    let models = settings.models.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(model::together(models)?)
}

/// Without tokens whoever reaches the port reads and writes everything.
fn warn_if_open(server: &Server, address: SocketAddr) {
    if !server.is_open() {
        return;
    }
    match address.ip().is_loopback() {
        true => {
            tracing::info!("no [auth]: whoever is on this machine reads and writes all streams")
        }
        false => tracing::warn!(
            "NO AUTH IS CONFIGURED: WHOEVER REACHES {address} READS AND WRITES ALL STREAMS. Give \
             keys in [auth] (docs/OPERATIONS.md), or listen on 127.0.0.1"
        ),
    }
}

/// The one line on stdout: programs that start the server read the address from it.
fn announce(address: SocketAddr, secure: bool) -> Result<(), CliError> {
    let s = if secure { "s" } else { "" };
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http{s}://{address}, sync at ws{s}://{address}/sync")
        .and_then(|()| out.flush())
        .map_err(|source| CliError::Io { what: "cannot write to stdout", source })
}

/// Resolves at SIGTERM or SIGINT. Set up before the server listens: whoever sees the address may
/// stop it.
fn signals() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    let of = |kind| -> Result<Signal, CliError> {
        signal(kind).map_err(|source| CliError::Io { what: "cannot hear signals", source })
    };
    let mut terminate = of(SignalKind::terminate())?;
    let mut interrupt = of(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

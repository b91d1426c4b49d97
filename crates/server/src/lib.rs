//! The server of Twinstore as a library.
//!
//! Actions come in by WebSocket or HTTP, a stream's worker asks its model, the log makes the
//! event durable, and then everyone is told:
//!
//! ```text
//!   socket ── session ──┐                         ┌── reducer (QuickJS, Rust)
//!   socket ── session ──┼── shard ── worker ──────┤
//!   HTTP ───────────────┘     └── hub             └── log (SQLite, memory)
//! ```
//!
//! [`session`], [`shard`] and [`stream`] decide and do no I/O; `socket.rs`, `http.rs` and
//! `threads.rs` do the I/O and decide nothing. All limits stand in [`limits`].
#![forbid(unsafe_code)]

pub mod action;
mod addresses;
pub mod analysis;
pub mod audit;
pub mod auth;
pub mod day;
mod error;
pub mod event;
pub mod fold;
mod health;
mod http;
pub mod hub;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod model;
mod peer;
mod phase;
pub mod random;
pub mod rate;
pub mod reducer;
mod serving;
pub mod session;
pub mod shard;
mod socket;
mod sockets;
pub mod stream;
mod threads;
pub mod tls;

pub use http::origin::{OriginError, Origins};

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use twinstore_protocol::StreamId;
use twinstore_reducer::Model;

use crate::addresses::Addresses;
use crate::auth::{Auth, AuthError};
use crate::error::HttpError;
use crate::health::{Health, Unwell};
use crate::hub::{Address, Told, mailbox};
use crate::limits::Limits;
use crate::log::{Log, WriteError};
use crate::metrics::{Metrics, Timed};
use crate::model::{ModelError, Models};
use crate::phase::{Life, Phase, Visit};
use crate::reducer::{Engines, ReducerEngine};
use crate::shard::Shared;
use crate::sockets::Sockets;
use crate::stream::ask::{Answer, Ask, Command, SessionId};
use crate::threads::Shards;
use crate::tls::{Tls, TlsError, TlsFiles};

/// What a server is made of.
#[derive(Debug)]
pub struct Options {
    /// The models by name.
    pub models: Models,
    /// Where events lie.
    pub log: Arc<dyn Log>,
    /// A directory of files to serve beside the API.
    pub www: Option<PathBuf>,
    /// Who gets in.
    pub auth: auth::Options,
    /// The certificate; without one there is no TLS.
    pub tls: Option<TlsFiles>,
    /// Whose pages may speak to the server.
    pub origins: Origins,
    /// Threads for reducers.
    pub threads: usize,
    /// What workers and sessions keep to.
    pub limits: Limits,
    /// What the models run in.
    pub engines: Engines,
    /// How long sockets and requests get to come to their end where the server stops.
    pub drain: Duration,
}

impl Options {
    /// The usual ones, for these models and this log.
    #[must_use]
    pub fn new(models: Models, log: Arc<dyn Log>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(limits::REDUCER_THREADS);
        let (www, auth, origins) = (None, auth::Options::default(), Origins::default());
        let (limits, drain) = (Limits::DEFAULT, limits::DRAIN);
        let (engines, tls) = (Engines::default(), None);
        Self { models, log, www, auth, tls, origins, threads, limits, engines, drain }
    }

    /// Serves a model in Rust.
    ///
    /// # Errors
    /// [`ModelError`], where its name is none or is taken.
    pub fn with_model<M: Model>(mut self) -> Result<Self, ModelError> {
        model::add(&mut self.models, model::native::<M>()?)?;
        self.with_past_model::<M>()
    }

    /// Keeps an earlier version of a model in Rust, for the events that it decided.
    ///
    /// # Errors
    /// [`ModelError::Name`].
    pub fn with_past_model<M: Model>(mut self) -> Result<Self, ModelError> {
        self.engines.add::<M>(model::native::<M>()?.hash);
        Ok(self)
    }
}

/// A running server, without its listener.
#[derive(Debug)]
pub struct Server {
    limits: Limits,
    models: Arc<Models>,
    auth: Auth,
    tls: Option<Tls>,
    origins: Origins,
    addresses: Arc<Addresses>,
    log: Arc<dyn Log>,
    engine: Arc<dyn ReducerEngine>,
    shards: Shards,
    www: Option<PathBuf>,
    sessions: AtomicU64,
    analyses: Arc<Semaphore>,
    followers: Arc<Semaphore>,
    drain: Duration,
    life: Life,
    sockets: Arc<Sockets>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

/// Why a server takes nothing now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    #[error("the server is about to stop")]
    Draining,
    #[error(transparent)]
    Store(#[from] Unwell),
}

/// Why a server cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Nobody could be let in.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The models cannot be kept beside their events.
    #[error(transparent)]
    KeepModel(#[from] WriteError),
    /// The system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// There is no TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The listener failed.
    #[error("cannot listen")]
    Listen(#[source] std::io::Error),
}

impl Server {
    /// Keeps the models in the store and starts the reducer threads.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn start(options: Options) -> Result<Arc<Self>, ServerError> {
        let tls = options.tls.map(Tls::new).transpose()?;
        let auth = Auth::new(&options.auth, &options.models, &options.engines)?;
        for model in options.models.values() {
            options.log.put_model((**model).clone())?;
        }
        let models = Arc::new(options.models);
        let metrics = Arc::new(Metrics::of(&models));
        let engine: Arc<dyn ReducerEngine> = Arc::new(options.engines);
        let shared = Shared {
            models: Arc::clone(&models),
            log: Arc::clone(&options.log),
            engine: Arc::new(Timed::new(Arc::clone(&engine), Arc::clone(&metrics))),
            limits: options.limits,
            metrics: Arc::clone(&metrics),
        };
        let health = Arc::new(Health::default());
        let shards =
            Shards::start(options.threads, &shared, &health).map_err(ServerError::Thread)?;
        Ok(Arc::new(Self {
            limits: options.limits,
            models,
            auth,
            tls,
            origins: options.origins,
            addresses: Addresses::new(options.limits),
            log: options.log,
            engine,
            shards,
            www: options.www,
            sessions: AtomicU64::new(1),
            analyses: Arc::new(Semaphore::new(limits::ANALYSES)),
            followers: Arc::new(Semaphore::new(limits::FOLLOWERS)),
            drain: options.drain,
            life: Life::default(),
            sockets: Arc::default(),
            metrics,
            health,
        }))
    }

    /// Whether nobody is asked for a token.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.auth.is_open()
    }

    /// Finishes what was taken, keeps snapshots and closes the log. Blocks until it is done.
    pub fn stop(&self) {
        self.life.stop();
        self.shards.stop();
        self.log.close();
    }

    pub(crate) fn models(&self) -> &Arc<Models> {
        &self.models
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    pub(crate) fn addresses(&self) -> &Arc<Addresses> {
        &self.addresses
    }

    pub(crate) fn auth(&self) -> &Auth {
        &self.auth
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn log(&self) -> &Arc<dyn Log> {
        &self.log
    }

    pub(crate) fn engine(&self) -> &dyn ReducerEngine {
        &*self.engine
    }

    pub(crate) fn www(&self) -> Option<&Path> {
        self.www.as_deref()
    }

    /// Whether it takes actions: its store can be written, and it is not about to stop. That its
    /// models run was seen before it began.
    pub(crate) async fn ready(&self) -> Result<(), NotReady> {
        if *self.phases().borrow() > Phase::Serving {
            return Err(NotReady::Draining);
        }
        Ok(self.health.check(&self.log).await?)
    }

    /// None: the server is about to stop, and takes nothing any more.
    pub(crate) fn visit(&self) -> Option<Visit> {
        self.life.visit()
    }

    pub(crate) fn phases(&self) -> watch::Receiver<Phase> {
        self.life.phases()
    }

    pub(crate) fn sockets(&self) -> &Arc<Sockets> {
        &self.sockets
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Brings sockets and requests to their end, in the time that they have.
    async fn drain(&self) {
        self.metrics.draining.set(1);
        let sockets = self.sockets.census();
        tracing::info!(twins = sockets.twins, thin = sockets.thin, "draining");
        match self.life.drain(self.drain).await {
            true => tracing::info!("stopping"),
            false => tracing::warn!("stopping, though not all came to their end in time"),
        }
        self.life.stop();
    }

    pub(crate) fn analyses(&self) -> &Arc<Semaphore> {
        &self.analyses
    }

    pub(crate) fn followers(&self) -> &Arc<Semaphore> {
        &self.followers
    }

    pub(crate) fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn ask(&self, stream: &StreamId, command: Command<Address>) {
        self.shards.ask(stream, command);
    }

    /// Asks once and waits for the answer.
    pub(crate) async fn question(&self, stream: &StreamId, ask: Ask) -> Result<Answer, HttpError> {
        let (to, mut mailbox) = mailbox();
        self.ask(stream, Command { to, by: self.next_session(), ask });
        match mailbox.next().await {
            Some(Told::Answer(_, answer)) => Ok(answer),
            _ => Err(HttpError::internal()),
        }
    }
}

/// The server's routes: `/sync`, `/streams/…`, `/healthz` and the like, and files where there are
/// any.
pub fn app(server: Arc<Server>) -> Router {
    http::routes(server)
}

/// Serves until `shutdown` resolves. Then it says that it is not ready, takes no new sockets or
/// actions, answers what was taken, closes sockets, and returns; in the time of [`Options::drain`]
/// and some seconds.
///
/// # Errors
/// [`ServerError::Listen`].
pub async fn run(
    listener: TcpListener,
    server: Arc<Server>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServerError> {
    let draining = Arc::clone(&server);
    // It listens while it drains, so that whoever asks hears that it is not ready.
    let drained = async move {
        shutdown.await;
        draining.drain().await;
    };
    let app = app(Arc::clone(&server));
    let serving = async {
        match &server.tls {
            None => serving::serve(listener, app, drained).await,
            Some(tls) => serving::serve(tls.listen(listener)?, app, drained).await,
        }
        Ok(())
    };
    let mut phases = server.phases();
    let late = async {
        // It only fails once the server is gone.
        let _ = phases.wait_for(|phase| *phase == Phase::Stopping).await;
        tokio::time::sleep(limits::LAST_CALL).await;
    };
    let served = tokio::select! {
        served = serving => served.map_err(ServerError::Listen),
        () = late => Ok(()),
    };
    let _ = timeout(limits::LAST_CALL, server.life.gone()).await;
    let blocking = tokio::task::spawn_blocking(move || server.stop());
    if blocking.await.is_err() {
        tracing::error!("stopping panicked");
    }
    served
}

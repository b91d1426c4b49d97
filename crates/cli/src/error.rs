//! What a command says when it cannot do its work, and its exit code.
//!
//! 2: what was asked for is wrong (a model, an argument). 1: the world is (a store, a port).

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use tracing_subscriber::filter::ParseError;
use twinstore_cost::{BadMetrics, BadPrices, BadRun};
use twinstore_export::ExportError;
use twinstore_protocol::StreamIdError;
use twinstore_server::analysis::{CountError, DiffError, FilterError, PastError};
use twinstore_server::audit::{AuditError, CompactError, RebuildError};
use twinstore_server::auth::MintError;
use twinstore_server::fold::FoldError;
use twinstore_server::log::{OpenError, ReadError, WriteError};
use twinstore_server::model::ModelError;
use twinstore_server::{OriginError, ServerError};

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("`{stream}`: {source}")]
    Stream {
        stream: String,
        #[source]
        source: StreamIdError,
    },
    #[error("there is no model: --model NAME=FILE.js, or [models] in the file of --config")]
    NoModel,
    #[error("TLS needs both files: --tls-certificate and --tls-key, or [tls] certificate and key")]
    HalfTls,
    #[error("cannot read {file}")]
    ReadConfig {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{file}: {source}")]
    Config {
        file: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("--limit {line}: {source}")]
    Limit {
        line: String,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error("{file}: {source}")]
    Prices {
        file: PathBuf,
        #[source]
        source: Box<BadPrices>,
    },
    #[error(transparent)]
    Run(#[from] BadRun),
    #[error("{url} does not tell its metrics")]
    Metrics {
        url: String,
        #[source]
        source: Box<ureq::Error>,
    },
    #[error(transparent)]
    NoMetrics(#[from] BadMetrics),
    #[error("nothing is measured yet: the server decided no action since it was started")]
    NothingMeasured,
    #[error("a machine runs from 0 to 1000000 hours")]
    MachineHours,
    #[error("cannot read {file}")]
    ReadSecret {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a token is signed with --secret-file, --secret, --key, or the secret of --config")]
    NoSigningKey,
    #[error(transparent)]
    Mint(#[from] MintError),
    #[error("the settings cannot be written as TOML")]
    PrintConfig(#[source] toml::ser::Error),
    #[error(
        "a store in memory ends with its server: --store sqlite:FILE or postgres://USER@HOST/DATABASE"
    )]
    NothingKept,
    #[error("`backup` copies a file; the tool for this store is `{instead}` (docs/OPERATIONS.md)")]
    NoBackup { instead: &'static str },
    #[error(transparent)]
    Postgres(#[from] twinstore_postgres::OpenError),
    #[cfg(feature = "dynamodb")]
    #[error(transparent)]
    DynamoDb(#[from] twinstore_dynamodb::OpenError),
    #[error("the store has no stream {0}")]
    NoStream(String),
    #[error("the stream ends at {head}, there is no event {at}: name a place from 0 to {head}")]
    BeyondHead { at: u64, head: u64 },
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("`--log {filter}`")]
    LogFilter {
        filter: String,
        #[source]
        source: ParseError,
    },
    #[error("it was stopped")]
    Stopped,
    #[error(
        "{problems} problems: `twinstore rebuild` makes records, clients and snapshots anew; a damaged log needs a backup"
    )]
    Problems { problems: u64 },
    #[error("{} is there already: name another file", path.display())]
    Exists { path: PathBuf },
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    #[error(transparent)]
    Compact(#[from] CompactError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("{0}; try without --diff")]
    Diff(#[source] DiffError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error("{0}: ask for a later place")]
    Gone(FoldError),
    #[error("cannot listen on {address}")]
    Listen {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("{what}")]
    Io {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl From<CountError> for CliError {
    fn from(error: CountError) -> Self {
        match error {
            CountError::NoStream { stream } => Self::NoStream(stream),
            CountError::BeyondHead { from, head } => Self::BeyondHead { at: from, head },
            CountError::Read(error) => Self::Read(error),
            CountError::Stopped => Self::Stopped,
        }
    }
}

impl From<AuditError> for CliError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::NoStream { stream } => Self::NoStream(stream),
            AuditError::Read(error) => Self::Read(error),
            _ => Self::Stopped,
        }
    }
}

impl From<PastError> for CliError {
    fn from(error: PastError) -> Self {
        match error {
            PastError::NoStream { stream } => Self::NoStream(stream),
            PastError::BeyondHead { at, head } => Self::BeyondHead { at, head },
            PastError::Fold(hole @ FoldError::Hole { .. }) => Self::Gone(hole),
            PastError::Fold(error) => Self::Fold(error),
        }
    }
}

impl CliError {
    /// Says it on stderr, with its causes.
    pub(crate) fn report(&self) -> ExitCode {
        let mut text = format!("twinstore: {self}");
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            // Some errors show their cause themselves.
            let said = error.to_string();
            if !text.contains(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = error.source();
        }
        eprintln!("{text}");
        ExitCode::from(self.code())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Export(ExportError::Form { .. } | ExportError::Exists { .. }) => 2,
            Self::Model(_)
            | Self::Stream { .. }
            | Self::LogFilter { .. }
            | Self::Filter(_)
            | Self::NothingKept
            | Self::NoBackup { .. }
            | Self::Postgres(_)
            | Self::Exists { .. }
            | Self::NoModel
            | Self::HalfTls
            | Self::ReadSecret { .. }
            | Self::NoSigningKey
            | Self::Origin(_)
            | Self::Mint(_)
            | Self::Server(ServerError::Auth(_))
            | Self::ReadConfig { .. }
            | Self::Prices { .. }
            | Self::Run(_)
            | Self::MachineHours
            | Self::Config { .. }
            | Self::Limit { .. }
            | Self::BeyondHead { .. } => 2,
            #[cfg(feature = "dynamodb")]
            Self::DynamoDb(_) => 1,
            Self::NoStream(_)
            | Self::Metrics { .. }
            | Self::NoMetrics(_)
            | Self::NothingMeasured
            | Self::Stopped
            | Self::Problems { .. }
            | Self::Rebuild(_)
            | Self::Compact(_)
            | Self::Write(_)
            | Self::Export(_)
            | Self::Diff(_)
            | Self::Open(_)
            | Self::Read(_)
            | Self::Fold(_)
            | Self::Gone(_)
            | Self::Listen { .. }
            | Self::Io { .. }
            | Self::PrintConfig(_)
            | Self::Server(_) => 1,
        }
    }
}

//! `--store`: which store a command works on.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use twinstore_postgres::{PostgresLog, Settings, Url};
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::fold::FoldError;
use twinstore_server::limits;
use twinstore_server::log::{Log, MemoryLog, SqliteLog};
use twinstore_server::reducer::ReducerError;

use crate::error::CliError;

/// A store, as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Store {
    Sqlite(PathBuf),
    Postgres(Url),
    Memory,
    #[cfg(feature = "dynamodb")]
    DynamoDb(twinstore_dynamodb::Options),
}

impl FromStr for Store {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", file)) if !file.is_empty() => Ok(Self::Sqlite(file.into())),
            Some(("postgres" | "postgresql", _)) => {
                text.parse().map(Self::Postgres).map_err(|error| with_causes(&error))
            }
            None if text == "memory" => Ok(Self::Memory),
            #[cfg(feature = "dynamodb")]
            Some(("dynamodb", tables)) => {
                tables.parse().map(Self::DynamoDb).map_err(|bad| format!("{bad}"))
            }
            #[cfg(not(feature = "dynamodb"))]
            Some(("dynamodb", _)) => Err("this program was built without DynamoDB: \
                 cargo install --path crates/cli --features dynamodb"
                .to_owned()),
            _ => Err("a store is sqlite:FILE, postgres://USER@HOST/DATABASE, memory or \
                 dynamodb:PREFIX"
                .to_owned()),
        }
    }
}

impl TryFrom<String> for Store {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Store> for String {
    fn from(store: Store) -> Self {
        match store {
            Store::Sqlite(path) => format!("sqlite:{}", path.display()),
            // Without its password.
            Store::Postgres(url) => url.to_string(),
            Store::Memory => "memory".to_owned(),
            #[cfg(feature = "dynamodb")]
            Store::DynamoDb(options) => format!("dynamodb:{options}"),
        }
    }
}

impl Store {
    /// Its file, where it has one.
    pub(crate) fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) | Self::Memory => None,
            #[cfg(feature = "dynamodb")]
            Self::DynamoDb(_) => None,
        }
    }

    /// Opens it for writing.
    pub(crate) fn open(&self) -> Result<Arc<dyn Log>, CliError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteLog::open(path)?),
            Self::Postgres(url) => Arc::new(PostgresLog::open(url, &Settings::default())?),
            Self::Memory => Arc::new(MemoryLog::new()),
            #[cfg(feature = "dynamodb")]
            Self::DynamoDb(options) => Arc::new(twinstore_dynamodb::DynamoLog::open(options)?),
        })
    }

    /// Opens one that is there for writing.
    pub(crate) fn open_existing(&self) -> Result<Arc<dyn Log>, CliError> {
        // It would be made otherwise.
        self.open_read_only()?;
        self.open()
    }

    /// Opens it for reading, beside servers that may be writing.
    pub(crate) fn open_read_only(&self) -> Result<Arc<dyn Log>, CliError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteLog::open_read_only(path)?),
            Self::Postgres(url) => {
                Arc::new(PostgresLog::open_read_only(url, &Settings::default())?)
            }
            Self::Memory => return Err(CliError::NothingKept),
            #[cfg(feature = "dynamodb")]
            Self::DynamoDb(options) => {
                let options =
                    twinstore_dynamodb::Options { create_tables: false, ..options.clone() };
                Arc::new(twinstore_dynamodb::DynamoLog::open(&options)?)
            }
        })
    }

    /// The file of one that is a file, opened for reading.
    pub(crate) fn open_file(&self) -> Result<SqliteLog, CliError> {
        match self {
            Self::Sqlite(path) => Ok(SqliteLog::open_read_only(path)?),
            Self::Postgres(_) => Err(CliError::NoBackup { instead: "pg_dump" }),
            Self::Memory => Err(CliError::NothingKept),
            #[cfg(feature = "dynamodb")]
            Self::DynamoDb(_) => Err(CliError::NoBackup { instead: "aws dynamodb create-backup" }),
        }
    }
}

/// An error with its causes.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The streams that a command is about, with their heads: that one, or all.
pub(crate) fn streams(
    log: &dyn Log,
    named: Option<&str>,
) -> Result<Vec<(StreamId, Seq)>, CliError> {
    if let Some(name) = named {
        let stream = stream(name)?;
        let head = log.head(&stream)?.ok_or_else(|| CliError::NoStream(name.to_owned()))?;
        return Ok(vec![(stream, head.seq)]);
    }
    let mut all: Vec<(StreamId, Seq)> = Vec::new();
    loop {
        let page = log.streams(all.last().map(|(stream, _)| stream), limits::PAGE_STREAMS)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Does it on a stack that reducers have room on, which is larger than a main thread's.
pub(crate) fn on_reducer_stack<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    let working = std::thread::Builder::new().stack_size(limits::THREAD_STACK).spawn(work);
    let working =
        working.map_err(|source| CliError::Io { what: "cannot start a thread", source })?;
    let panicked = || ReducerError::Engine { what: "fold", reason: "it panicked".to_owned() };
    working.join().map_err(|_| CliError::Fold(FoldError::from(panicked())))?
}

/// A stream's name on the command line.
pub(crate) fn stream(text: &str) -> Result<StreamId, CliError> {
    StreamId::parse(text).map_err(|source| CliError::Stream { stream: text.to_owned(), source })
}

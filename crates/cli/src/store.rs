//! `--store`: which store a command works on.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use twinstore_protocol::StreamId;
use twinstore_server::log::{Log, MemoryLog, SqliteLog};

use crate::error::CliError;

/// A store, as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite(PathBuf),
    Memory,
}

impl FromStr for Store {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", file)) if !file.is_empty() => Ok(Self::Sqlite(file.into())),
            None if text == "memory" => Ok(Self::Memory),
            _ => Err("a store is sqlite:FILE or memory".to_owned()),
        }
    }
}

impl Store {
    /// Opens it for writing.
    pub(crate) fn open(&self) -> Result<Arc<dyn Log>, CliError> {
        Ok(match self {
            Self::Sqlite(path) => Arc::new(SqliteLog::open(path)?),
            Self::Memory => Arc::new(MemoryLog::new()),
        })
    }

    /// Opens it for reading, beside a server that may be writing.
    pub(crate) fn open_read_only(&self) -> Result<SqliteLog, CliError> {
        match self {
            Self::Sqlite(path) => Ok(SqliteLog::open_read_only(path)?),
            Self::Memory => Err(CliError::NoFile),
        }
    }
}

/// A stream's name on the command line.
pub(crate) fn stream(text: &str) -> Result<StreamId, CliError> {
    StreamId::parse(text).map_err(|source| CliError::Stream { stream: text.to_owned(), source })
}

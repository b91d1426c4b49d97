//! A log in PostgreSQL, for several server processes on one database.
//!
//! Any process appends. Keeps I4 (an append is answered after the commit that holds it, which is on
//! the disk) and I8: the fence is the row of the stream's head, locked in the very transaction that
//! writes. The tables are those of the log in SQLite.
//! Not here: what a worker does when another process was first (the server's `stream.rs`).
#![forbid(unsafe_code)]

mod connect;
mod hints;
mod log;
mod rows;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod transaction;
mod writer;

use std::time::Duration;

use twinstore_server::log::BackendError;

pub use log::PostgresLog;

/// What a log keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Connections that read.
    pub readers: usize,
    /// Connections that append: so many transactions at once.
    pub writers: usize,
    /// Appends, of different streams, in one transaction.
    pub group: usize,
    /// How long one statement may take.
    pub statement: Duration,
    /// How long a transaction waits for another one's lock.
    pub lock: Duration,
    /// How long making a connection, or waiting for a free one, may take.
    pub connect: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            readers: 8,
            writers: 2,
            group: 1_000,
            statement: Duration::from_secs(30),
            lock: Duration::from_secs(10),
            connect: Duration::from_secs(5),
        }
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is none.
    #[error("a database is postgres://USER@HOST/DATABASE")]
    Url(#[source] BackendError),
    /// Its settings do not allow what is promised.
    #[error("the database cannot be the store: {rule}")]
    Unfit {
        /// What must be otherwise.
        rule: String,
    },
    /// There are no tables (read-only opening does not make them).
    #[error("the database has no store in it")]
    Missing,
    /// A later version of this program made them.
    #[error("the store has the form {found}, this program knows {known}", known = tables::FORMAT)]
    Newer {
        /// Its form.
        found: i64,
    },
    /// No connection, or a refusal.
    #[error("cannot open the database")]
    Database(#[source] BackendError),
}

//! A log in PostgreSQL, for several server processes on one database.
//!
//! Any process appends. Keeps I4 (an append is answered after the commit that holds it, which is on
//! the disk) and I8: the fence is the row of the stream's head, locked in the very transaction that
//! writes. The tables are those of the log in SQLite.
//! Not here: what a worker does when another process was first (the server's `stream.rs`).
#![forbid(unsafe_code)]

mod compact;
mod connect;
mod derived;
mod hints;
mod locks;
mod log;
mod password;
mod rows;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod transaction;
mod url;
mod writer;

use std::time::Duration;

use twinstore_server::log::BackendError;

pub use log::PostgresLog;
pub use url::Url;

/// What a log keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Connections that read.
    pub readers: usize,
    /// Connections that append: so many transactions at once.
    pub writers: usize,
    /// Connections that hold a stream's lock while its append is decided: so many streams at once, of
    /// those that several processes append to.
    pub lockers: usize,
    /// Appends, of different streams, in one transaction.
    pub group: usize,
    /// How long one statement may take.
    pub statement: Duration,
    /// How long a transaction waits for another one's lock.
    pub lock: Duration,
    /// How long a transaction may stand still: those who wait for its locks wait no longer.
    pub idle: Duration,
    /// How long making a connection, or waiting for a free one, may take.
    pub connect: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            readers: 8,
            writers: 2,
            lockers: 4,
            group: 1_000,
            statement: Duration::from_secs(30),
            lock: Duration::from_secs(15),
            idle: Duration::from_secs(10),
            connect: Duration::from_secs(5),
        }
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is none.
    #[error("a database is postgres://USER@HOST/DATABASE; this is none")]
    Url(#[source] BackendError),
    /// Its settings do not allow what is promised.
    #[error("the database cannot be the store: {rule}")]
    Unfit {
        /// What must be otherwise.
        rule: String,
    },
    /// There are no tables (read-only opening does not make them).
    #[error("the database has no store in it: `twinstore serve` makes one")]
    Missing,
    /// A later version of this program made them.
    #[error("the store has the form {found}, this program knows {known}: run a later one", known = tables::FORMAT)]
    Newer {
        /// Its form.
        found: i64,
    },
    /// No connection, or a refusal.
    #[error(
        "cannot open the database: see that it runs, and that the URL names its host, user and password (PGPASSWORD, ~/.pgpass)"
    )]
    Database(#[source] BackendError),
}

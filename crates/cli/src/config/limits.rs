//! `[limits]`: the limits that an operator may want otherwise, with the server's own as defaults.

use std::num::{NonZeroU64, NonZeroUsize};

use serde::{Deserialize, Serialize};
use toml::Table;
use twinstore_server::limits::Limits;

use crate::error::CliError;

impl LimitsTable {
    /// The same, but for one limit: a line of the table.
    pub(crate) fn with(self, line: &str) -> Result<Self, CliError> {
        let wrong = |source| CliError::Limit { line: line.to_owned(), source: Box::new(source) };
        let other: Table = line.parse().map_err(wrong)?;
        let mut table = Table::try_from(self).map_err(CliError::PrintConfig)?;
        table.extend(other);
        table.try_into().map_err(wrong)
    }
}

/// A limit of 0 would stop the server: it is refused with its place.
macro_rules! limits_table {
    ($($(#[doc = $doc:literal])* $name:ident: $nonzero:ty,)*) => {
        /// The table; a key's meaning is that of the server's limit of the same name.
        #[derive(Clone, Copy, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct LimitsTable {
            $($(#[doc = $doc])* $name: $nonzero,)*
            count_loopback: bool,
        }

        impl Default for LimitsTable {
            fn default() -> Self {
                let limits = Limits::DEFAULT;
                let count_loopback = limits.count_loopback;
                Self { $($name: <$nonzero>::new(limits.$name).unwrap_or(<$nonzero>::MIN),)* count_loopback }
            }
        }

        impl LimitsTable {
            /// The server's limits with these in them.
            pub(crate) fn limits(&self) -> Limits {
                let count_loopback = self.count_loopback;
                Limits { $($name: self.$name.get(),)* count_loopback, ..Limits::DEFAULT }
            }
        }
    };
}

limits_table! {
    commit_entries: NonZeroUsize,
    stream_queue: NonZeroUsize,
    streams_idle: NonZeroUsize,
    catch_up_events: NonZeroU64,
    snapshot_every: NonZeroU64,
    rejections_listed: NonZeroUsize,
    clients_cached: NonZeroUsize,
    client_days: NonZeroU64,
    fold_events: NonZeroU64,
    stats_events: NonZeroU64,
    sockets: NonZeroUsize,
    address_sockets: NonZeroUsize,
    address_actions: NonZeroU64,
    socket_frames: NonZeroU64,
    socket_bytes: NonZeroU64,
    socket_actions: NonZeroU64,
    socket_streams: NonZeroUsize,
}

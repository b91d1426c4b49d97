//! Which events a command is about: the flags that several commands share.

use clap::Args;
use twinstore_protocol::Seq;
use twinstore_server::analysis::{Filter, Missing, MomentError, moment};
use twinstore_server::random;

use crate::error::CliError;

/// Which events are meant: those to which all of it applies.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Which {
    /// Only events of actions of this type. May be given more than once.
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// Only events of this client. May be given more than once.
    #[arg(long = "client", value_name = "CLIENT")]
    clients: Vec<String>,
    /// Only what was decided at this time or later, by the server's clock:
    /// 2026-11-23T18:00:00Z, 2026-11-23, or how long ago: 90m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<u64>,
    /// Only what was decided before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<u64>,
    /// Only rejected actions.
    #[arg(long, conflicts_with = "accepted")]
    rejected: bool,
    /// Only accepted actions.
    #[arg(long)]
    accepted: bool,
}

/// Which places are meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct Places {
    /// Only from this place on.
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from: u64,
    /// Only up to this place, it included.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
}

impl Places {
    pub(crate) fn filter(&self, which: &Which) -> Result<Filter, CliError> {
        which.filter(self.from, self.to)
    }
}

impl Which {
    pub(crate) fn filter(&self, from: u64, to: Option<u64>) -> Result<Filter, CliError> {
        let filter = Filter {
            kinds: self.kinds.clone(),
            clients: self.clients.clone(),
            from: Seq(from.max(1)),
            to: to.map_or(Seq::MAX, Seq),
            since: self.since,
            until: self.until,
            rejected: (self.rejected || self.accepted).then_some(self.rejected),
        };
        filter.check()?;
        Ok(filter)
    }
}

fn time(text: &str) -> Result<u64, MomentError> {
    moment(text, random::now())
}

/// Says on stderr that the log does not begin where it was asked for.
pub(crate) fn report(missing: Option<Missing>) {
    if let Some(Missing { from, to }) = missing {
        eprintln!("events {} to {} are not in the store any more", from.0, to.0);
    }
}

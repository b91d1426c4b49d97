//! `twinstore check`: whether the store is whole: its file, each stream's log with its chain, and what was made
//! from it.

use clap::Args;
use twinstore_protocol::StreamId;
use twinstore_server::audit::{Audit, audit};
use twinstore_server::reducer::QuickJs;

use crate::error::CliError;
use crate::output::{plain, print};
use crate::progress::Progress;
use crate::store::{Store, on_reducer_stack, streams};

/// Look whether the store is whole: the file, each log with its chain and its clients' numbers, and
/// whether records and snapshots are what the events make. Also beside a running server.
#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    /// The stream, MODEL/NAME; without it, all streams.
    stream: Option<String>,
    /// Where events are kept: sqlite:FILE, postgres://USER@HOST/DATABASE or dynamodb:PREFIX.
    #[arg(long, value_name = "STORE", default_value = "sqlite:twinstore.db")]
    store: Store,
}

impl Check {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let check = self.clone();
        on_reducer_stack(move || check.all())
    }

    fn all(&self) -> Result<(), CliError> {
        let log = self.store.open_read_only()?;
        let file = log.integrity()?;
        let mut problems = file.len() as u64;
        for problem in file {
            print(&format!("the file: {}\n", plain(&problem)))?;
        }
        let streams = streams(&*log, self.stream.as_deref())?;
        let mut progress = Progress::new("checked", streams.iter().map(|(_, head)| head.0).sum());
        for (stream, _) in &streams {
            let audit = audit(&*log, &QuickJs, stream, &mut |events| {
                progress.add(events);
                true
            })?;
            problems += audit.problems.len() as u64 + audit.unlisted;
            print(&report(stream, &audit))?;
        }
        if problems > 0 {
            return Err(CliError::Problems { problems });
        }
        Ok(())
    }
}

/// A line where all is well, else one for each problem.
fn report(stream: &StreamId, audit: &Audit) -> String {
    let Audit { events, clients, snapshots, .. } = audit;
    let records = match audit.records {
        Some(records) => format!("{records} records"),
        None => "records not compared".to_owned(),
    };
    let verdict = if audit.is_clean() { "clean" } else { "NOT clean" };
    let mut text = format!(
        "{stream}: {verdict} up to {}: {events} events, {clients} clients, {snapshots} snapshots, {records}\n",
        audit.head.0
    );
    for problem in &audit.problems {
        text += &format!("{stream}: {}\n", plain(&problem.to_string()));
    }
    if audit.unlisted > 0 {
        text += &format!("{stream}: and {} more\n", audit.unlisted);
    }
    text
}

//! `twinstore rebuild`: makes records, clients' numbers and snapshots anew from the events.

use clap::Args;
use twinstore_server::audit::rebuild;
use twinstore_server::reducer::QuickJs;

use crate::error::CliError;
use crate::output::print;
use crate::progress::Progress;
use crate::store::{Store, on_reducer_stack, streams};

/// Make records, clients' numbers and snapshots anew from the events. The server must be stopped.
#[derive(Clone, Debug, Args)]
pub(crate) struct Rebuild {
    /// The stream, MODEL/NAME; without it, all streams.
    stream: Option<String>,
    /// Where events are kept: sqlite:FILE, postgres://USER@HOST/DATABASE or dynamodb:PREFIX.
    #[arg(long, value_name = "STORE", default_value = "sqlite:twinstore.db")]
    store: Store,
}

impl Rebuild {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let rebuild = self.clone();
        on_reducer_stack(move || rebuild.all())
    }

    fn all(&self) -> Result<(), CliError> {
        let log = self.store.open_existing()?;
        let streams = streams(&*log, self.stream.as_deref())?;
        let mut progress = Progress::new("folded", streams.iter().map(|(_, head)| head.0).sum());
        for (stream, _) in &streams {
            let rebuilt = rebuild(&*log, &QuickJs, stream, &mut |events| {
                progress.add(events);
                true
            })?;
            print(&format!(
                "{stream}: made anew from {} events: {} records, {} clients\n",
                rebuilt.events, rebuilt.records, rebuilt.clients
            ))?;
        }
        log.close();
        Ok(())
    }
}

//! `twinstore export`: a stream's events as a file for other tools, from the store.

use std::path::PathBuf;

use clap::Args;
use twinstore_export::{Existing, Export as File};
use twinstore_server::analysis::{Read, Reader};

use crate::error::CliError;
use crate::progress::Progress;
use crate::store::{Store, stream};
use crate::which::{self, Which};

/// Write a stream's events into a file: NDJSON or Parquet.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The stream: MODEL/NAME.
    stream: String,
    /// Where events are kept: sqlite:FILE, postgres://USER@HOST/DATABASE or dynamodb:PREFIX.
    #[arg(long, value_name = "STORE", default_value = "sqlite:twinstore.db")]
    store: Store,
    /// The file; its name ends in .ndjson or .parquet.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Replace the file where there is one.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    which: Which,
    /// Only from this place on.
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    first: u64,
    /// Only up to this place, it included.
    #[arg(long, value_name = "SEQ")]
    last: Option<u64>,
}

impl Export {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let stream = stream(&self.stream)?;
        let mut filter = self.which.filter(self.first, self.last)?;
        let log = self.store.open_read_only()?;
        let head = log.head(&stream)?.ok_or_else(|| CliError::NoStream(self.stream.clone()))?.seq;
        if filter.from > head {
            return Err(CliError::BeyondHead { at: filter.from.0, head: head.0 });
        }
        // What is appended meanwhile is left for the next time.
        filter.to = filter.to.min(head);
        let existing = if self.replace { Existing::Replace } else { Existing::Keep };
        let mut file = File::to(&self.to, stream.as_str(), existing)?;
        let mut progress = Progress::new("exported", filter.to.0 + 1 - filter.from.0);
        let (mut reader, mut written) = (Reader::new(stream, filter), 0_u64);
        while let Read::Events { events, looked_at } = reader.page(&*log)? {
            for event in &events {
                file.put(event)?;
                written += 1;
            }
            progress.add(looked_at);
        }
        file.finish()?;
        which::report(reader.missing());
        eprintln!("{written} events in {}", self.to.display());
        Ok(())
    }
}

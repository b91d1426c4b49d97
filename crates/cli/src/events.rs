//! `twinstore events`: a stream's events as NDJSON, from the store.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use twinstore_protocol::Seq;
use twinstore_server::analysis::{Read, Reader};
use twinstore_server::log::Log;

use crate::error::CliError;
use crate::store::{Store, stream};
use crate::which::{self, Places, Which};

/// How often `--follow` looks for new events.
const LOOK: Duration = Duration::from_millis(100);

/// Print a stream's events, one JSON object a line.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// The stream: MODEL/NAME.
    stream: String,
    /// Where events are kept: sqlite:FILE, postgres://USER@HOST/DATABASE or dynamodb:PREFIX.
    #[arg(long, value_name = "STORE", default_value = "sqlite:twinstore.db")]
    store: Store,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    places: Places,
    /// Only events after this place.
    #[arg(long, value_name = "SEQ", conflicts_with = "from")]
    after: Option<u64>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on with what is appended, until --limit or --to is reached.
    #[arg(long)]
    follow: bool,
}

impl Events {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let stream = stream(&self.stream)?;
        let mut filter = self.places.filter(&self.which)?;
        let log = self.store.open_read_only()?;
        if !self.follow {
            let head = log.head(&stream)?.ok_or_else(|| CliError::NoStream(self.stream.clone()))?;
            if filter.from > head.seq {
                return Err(CliError::BeyondHead { at: filter.from.0, head: head.seq.0 });
            }
        }
        if let Some(after) = self.after {
            filter.from = Seq(after.saturating_add(1));
        }
        let reader = Reader::new(stream, filter);
        let mut tail = Tail { reader, left: self.limit.unwrap_or(u64::MAX), told_missing: false };
        loop {
            match tail.print(&*log) {
                Ok(true) if self.follow => sleep(LOOK),
                Ok(_) => return Ok(()),
                // Whoever read us has read enough.
                Err(CliError::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

struct Tail {
    reader: Reader,
    left: u64,
    told_missing: bool,
}

impl Tail {
    /// Prints what is there; false: enough was printed.
    fn print(&mut self, log: &dyn Log) -> Result<bool, CliError> {
        let write = |source| CliError::Io { what: "cannot write to stdout", source };
        let mut out = io::BufWriter::new(io::stdout().lock());
        while self.left > 0 {
            let events = match self.reader.page(log)? {
                Read::Events { events, .. } => events,
                Read::Head => {
                    out.flush().map_err(write)?;
                    return Ok(true);
                }
                Read::End => break,
            };
            if !self.told_missing && self.reader.missing().is_some() {
                which::report(self.reader.missing());
                self.told_missing = true;
            }
            for event in events.iter().take(usize::try_from(self.left).unwrap_or(usize::MAX)) {
                writeln!(out, "{}", event.line()).map_err(write)?;
                self.left -= 1;
            }
        }
        out.flush().map_err(write)?;
        Ok(false)
    }
}

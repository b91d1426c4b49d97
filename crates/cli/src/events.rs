//! `twinstore events`: a stream's events as NDJSON, from the store's file.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::event::StoredEvent;
use twinstore_server::limits;
use twinstore_server::log::{Log, Page, SqliteLog};

use crate::error::CliError;
use crate::store::{Store, stream};

/// How often `--follow` looks for new events.
const LOOK: Duration = Duration::from_millis(100);

/// Print a stream's events, one JSON object a line.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// The stream: MODEL/NAME.
    stream: String,
    /// Where events are kept: sqlite:FILE.
    #[arg(long, value_name = "STORE", default_value = "sqlite:twinstore.db")]
    store: Store,
    /// Only events after this place.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    /// Only events of actions of this type.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on with what is appended.
    #[arg(long)]
    follow: bool,
}

impl Events {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let stream = stream(&self.stream)?;
        let log = self.store.open_read_only()?;
        if !self.follow && log.head(&stream)?.is_none() {
            return Err(CliError::NoStream(self.stream.clone()));
        }
        let mut tail = Tail { after: Seq(self.after), left: self.limit.unwrap_or(u64::MAX) };
        loop {
            match tail.print(&log, &stream, self.kind.as_deref()) {
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
    after: Seq,
    left: u64,
}

impl Tail {
    /// Prints what is there; false: enough was printed.
    fn print(
        &mut self,
        log: &SqliteLog,
        stream: &StreamId,
        kind: Option<&str>,
    ) -> Result<bool, CliError> {
        let page = Page { events: limits::PAGE_EVENTS, bytes: limits::PAGE_BYTES };
        let write = |source| CliError::Io { what: "cannot write to stdout", source };
        let mut out = io::BufWriter::new(io::stdout().lock());
        while self.left > 0 {
            let events = log.read(stream, self.after, page)?;
            let Some(last) = events.last() else {
                out.flush().map_err(write)?;
                return Ok(true);
            };
            self.after = last.seq;
            for event in events.iter().filter(|event| kind.is_none_or(|kind| event.kind == kind)) {
                if self.left > 0 {
                    writeln!(out, "{}", line(event)).map_err(write)?;
                    self.left -= 1;
                }
            }
        }
        out.flush().map_err(write)?;
        Ok(false)
    }
}

/// An action keeps its client's own text, line breaks and all; a line here has none. In JSON they
/// stand only between values.
fn line(event: &StoredEvent) -> String {
    event.whole().replace(['\n', '\r'], " ")
}

//! `twinstore compact`: puts a state in the place of the oldest events, which are exported first.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Args;
use twinstore_export::{Existing, Export};
use twinstore_protocol::{ClientId, Seq, StreamId};
use twinstore_server::analysis::{Filter, Read, Reader};
use twinstore_server::audit::{Keep, compact, next_base};
use twinstore_server::day::DAY_MS;
use twinstore_server::log::Log;
use twinstore_server::random::now;
use twinstore_server::reducer::QuickJs;

use crate::config::Settings;
use crate::error::CliError;
use crate::output::print;
use crate::progress::Progress;
use crate::store::{Store, on_reducer_stack, streams};

/// Put a state in the place of a stream's oldest events. The server must be stopped.
#[derive(Clone, Debug, Args)]
pub(crate) struct Compact {
    /// The stream, MODEL/NAME; without it, all streams.
    stream: Option<String>,
    /// The server's settings: where events are kept, and `client_days`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where events are kept: sqlite:FILE (the default, twinstore.db), postgres://USER@HOST/DATABASE
    /// or dynamodb:PREFIX.
    #[arg(long, value_name = "STORE")]
    store: Option<Store>,
    /// So many of the newest events of each stream stay.
    #[arg(long, value_name = "EVENTS", default_value_t = 1_000)]
    keep: u64,
    /// The directory that gets the events as NDJSON before they go.
    #[arg(long, value_name = "DIR", required_unless_present = "discard")]
    export: Option<PathBuf>,
    /// Let the events go without an export.
    #[arg(long, conflicts_with = "export")]
    discard: bool,
    /// A client of which nothing is to be left but its numbers: keeps no events, and takes the reasons
    /// out of its rejections. May be given more than once.
    #[arg(long = "forget", value_name = "CLIENT", conflicts_with = "keep", requires = "stream")]
    forget: Vec<String>,
    /// Clients that have been still for so many days, and have no event left, are forgotten. 365 by default.
    #[arg(long, value_name = "DAYS")]
    client_days: Option<NonZeroU64>,
}

impl Compact {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let compact = self.clone();
        on_reducer_stack(move || compact.all())
    }

    fn all(&self) -> Result<(), CliError> {
        let settings = match &self.config {
            Some(file) => Settings::of_file(file)?,
            None => Settings::default(),
        };
        let log = self.store.as_ref().unwrap_or(&settings.store).open_existing()?;
        let limits = settings.limits.limits();
        let days = self.client_days.map_or(limits.client_days, NonZeroU64::get);
        let clients_since = now().saturating_sub(days.saturating_mul(DAY_MS));
        for (stream, _) in streams(&*log, self.stream.as_deref())? {
            self.one(&*log, &stream, clients_since)?;
        }
        log.close();
        Ok(())
    }

    fn one(&self, log: &dyn Log, stream: &StreamId, clients_since: u64) -> Result<(), CliError> {
        let forget: Vec<_> = self.forget.iter().cloned().map(ClientId).collect();
        let events = if forget.is_empty() { self.keep } else { 0 };
        let keep = Keep { events, forget, clients_since };
        log.finish_compaction(stream)?;
        let Some((base, next)) = next_base(log, stream, keep.events)? else {
            return print(&format!("{stream}: nothing to let go of\n"));
        };
        let mut progress = Progress::new("folded", next.0 - base.0);
        if let Some(dir) = &self.export {
            export(log, stream, dir, base, next)?;
        }
        let done = compact(log, &QuickJs, stream, keep, &mut |events| {
            progress.add(events);
            true
        })?;
        let gone = done.map_or(0, |compacted| compacted.gone);
        print(&format!("{stream}: {gone} events up to {} are a state now\n", next.0))
    }
}

/// The events behind the old base up to the new one, in a file that names them.
fn export(
    log: &dyn Log,
    stream: &StreamId,
    dir: &Path,
    base: Seq,
    next: Seq,
) -> Result<(), CliError> {
    let make = |source| CliError::Io { what: "cannot make the directory of --export", source };
    std::fs::create_dir_all(dir).map_err(make)?;
    let name: String = stream.as_str().bytes().map(plain).collect();
    let file = dir.join(format!("{name}.{}-{}.ndjson", base.0 + 1, next.0));
    // One that was stopped before its end is made again.
    let mut file = Export::to(&file, stream.as_str(), Existing::Replace)?;
    let filter = Filter { from: base.next(), to: next, ..Filter::default() };
    let mut reader = Reader::new(stream.clone(), filter);
    while let Read::Events { events, .. } = reader.page(log)? {
        for event in &events {
            file.put(event)?;
        }
    }
    Ok(file.finish()?)
}

/// A byte of a stream's name as it may stand in a file's name.
fn plain(byte: u8) -> String {
    match byte {
        b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}

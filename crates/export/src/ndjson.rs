//! Events as lines: as `twinstore events` prints them.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use twinstore_server::event::StoredEvent;

#[derive(Debug)]
pub(crate) struct Ndjson(BufWriter<File>);

impl Ndjson {
    pub(crate) fn new(out: File) -> Self {
        Self(BufWriter::new(out))
    }

    pub(crate) fn put(&mut self, event: &StoredEvent) -> io::Result<()> {
        writeln!(self.0, "{}", event.line())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

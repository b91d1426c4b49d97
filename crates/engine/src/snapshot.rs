//! A snapshot on its way: its parts, gathered in order, applied whole or not at all.

use twinstore_protocol::{Chain, Cursor, LogId, Seq};

use crate::{Millis, SnapshotPart};

/// Whether a snapshot is waited for, though the cursor alone would not bring one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// No.
    No,
    /// It is to be asked for, not before this time.
    From(Millis),
    /// It is on its way; should the link be lost, it is to be asked for again.
    Asked,
}

/// Which snapshot it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SnapshotMark {
    log: Option<LogId>,
    pub(crate) seq: Seq,
    chain: Chain,
}

impl SnapshotMark {
    /// Where a client stands that has it; none: before the first event of a log that is not there yet.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        let log = self.log.clone()?;
        Some(Cursor { log, seq: self.seq, chain: self.chain.clone(), schema: None })
    }

    /// It is older than where a client stands in the same log, or of the time when there was none.
    pub(crate) fn is_before(&self, cursor: &Cursor) -> bool {
        self.log.as_ref().is_none_or(|log| *log == cursor.log) && self.seq < cursor.seq
    }
}

/// What was gathered so far.
#[derive(Clone, Debug)]
pub(crate) struct Gathering<A> {
    mark: SnapshotMark,
    pieces: Vec<A>,
    /// The last one.
    part: u32,
    bytes: usize,
}

/// Takes a part. Gives all pieces with the last one. What does not follow on drops what was gathered.
pub(crate) fn gather<A>(
    so_far: &mut Option<Gathering<A>>,
    part: SnapshotPart<A>,
    bytes_max: usize,
) -> Option<(SnapshotMark, Vec<A>)> {
    let mark = SnapshotMark { log: part.log, seq: part.seq, chain: part.chain };
    let first = Gathering { mark, pieces: Vec::new(), part: 0, bytes: 0 };
    let mut gathering = match so_far.take() {
        _ if part.part == 1 => first,
        Some(g) if g.mark == first.mark && g.part + 1 == part.part => g,
        Some(_) | None => return None,
    };
    gathering.bytes += part.bytes;
    // I7: a text without end is not waited for.
    if gathering.bytes > bytes_max {
        return None;
    }
    gathering.pieces.push(part.data);
    gathering.part = part.part;
    if part.part >= part.parts {
        return Some((gathering.mark, gathering.pieces));
    }
    *so_far = Some(gathering);
    None
}

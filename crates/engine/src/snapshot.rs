//! A snapshot on its way: its parts, gathered in order, applied whole or not at all.

use twinstore_protocol::{Chain, Cursor, LogId, Seq, SnapshotPart};

use crate::Millis;

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
        Some(Cursor { log, seq: self.seq, chain: self.chain.clone() })
    }

    /// It is older than where a client stands in the same log.
    pub(crate) fn is_before(&self, cursor: &Cursor) -> bool {
        self.log.as_ref() == Some(&cursor.log) && self.seq < cursor.seq
    }
}

/// What was gathered so far.
#[derive(Clone, Debug)]
pub(crate) struct Gathering {
    mark: SnapshotMark,
    next_part: u32,
    text: String,
}

/// Takes a part. Gives the whole text with the last one. What does not follow on drops what was gathered.
pub(crate) fn gather(
    so_far: &mut Option<Gathering>,
    part: SnapshotPart,
    bytes_max: usize,
) -> Option<(SnapshotMark, String)> {
    let mark = SnapshotMark { log: part.log, seq: part.seq, chain: part.chain };
    let mut gathering = match so_far.take() {
        Some(g) if part.part > 1 && g.mark == mark && g.next_part == part.part => g,
        _ if part.part == 1 => Gathering { mark, next_part: 1, text: String::new() },
        _ => return None,
    };
    // I7: a text without end is not waited for.
    if gathering.text.len() + part.data.len() > bytes_max {
        return None;
    }
    gathering.text.push_str(&part.data);
    gathering.next_part += 1;
    if gathering.next_part > part.parts {
        return Some((gathering.mark, gathering.text));
    }
    *so_far = Some(gathering);
    None
}

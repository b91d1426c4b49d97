//! Reading a stream's log by pages, as far as a filter goes.

use twinstore_protocol::{Seq, StreamId};

use super::filter::Filter;
use crate::event::StoredEvent;
use crate::limits;
use crate::log::{Log, Page, ReadError};

/// Where a reading stands.
#[derive(Clone, Debug)]
pub struct Reader {
    stream: StreamId,
    filter: Filter,
    after: Seq,
    missing: Option<Missing>,
}

/// Events that were looked for and are not in the store any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The first of them.
    pub from: Seq,
    /// The last of them.
    pub to: Seq,
}

/// One step of a reading.
#[derive(Debug)]
pub enum Read {
    /// These are meant, of so many that were looked at; there may be more.
    Events {
        /// Those that are meant, possibly none.
        events: Vec<StoredEvent>,
        /// How many were looked at.
        looked_at: u64,
    },
    /// The head is reached: more may be appended.
    Head,
    /// The filter takes nothing behind this.
    End,
}

impl Reader {
    /// At the first place that the filter names.
    #[must_use]
    pub fn new(stream: StreamId, filter: Filter) -> Self {
        let after = Seq(filter.from.0.saturating_sub(1));
        Self { stream, filter, after, missing: None }
    }

    /// The next page. Reading on after [`Read::Head`] gives what was appended since.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn page(&mut self, log: &dyn Log) -> Result<Read, ReadError> {
        if self.after >= self.filter.to {
            return Ok(Read::End);
        }
        let page = Page { events: limits::PAGE_EVENTS, bytes: limits::PAGE_BYTES };
        let mut events = log.read(&self.stream, self.after, page)?;
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Ok(Read::Head);
        };
        if first.seq > self.after.next() && self.missing.is_none() {
            self.missing = Some(Missing { from: self.after.next(), to: Seq(first.seq.0 - 1) });
        }
        self.after = last.seq;
        let looked_at = events.len() as u64;
        events.retain(|event| self.filter.takes(event));
        Ok(Read::Events { events, looked_at })
    }

    /// The last place that was looked at.
    #[must_use]
    pub fn reached(&self) -> Seq {
        self.after
    }

    /// The first events that were looked for and are not in the store any more.
    #[must_use]
    pub fn missing(&self) -> Option<Missing> {
        self.missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::MemoryLog;
    use crate::log::conformance::{self, Sample};

    #[test]
    fn pages_up_to_the_head_and_what_is_appended_then() {
        let (log, sample) = (MemoryLog::new(), Sample::new("m/x"));
        conformance::append(&log, sample.append(1_200)).unwrap();
        let filter = Filter { rejected: Some(true), ..Filter::default() };
        let mut reader = Reader::new(sample.stream.clone(), filter);
        let mut read = || {
            let (mut found, mut looked) = (0, 0);
            while let Read::Events { events, looked_at } = reader.page(&log).unwrap() {
                found += events.len();
                looked += looked_at;
            }
            (found, looked)
        };
        assert_eq!(read(), (400, 1_200));
        assert_eq!(read(), (0, 0));
        conformance::append(&log, sample.append_after(1_200, 3)).unwrap();
        assert_eq!(read(), (1, 3));
        assert_eq!((reader.reached(), reader.missing()), (Seq(1_203), None));
    }

    #[test]
    fn nothing_is_read_behind_the_end() {
        let (log, sample) = (MemoryLog::new(), Sample::new("m/x"));
        conformance::append(&log, sample.append(1_200)).unwrap();
        let filter = Filter { from: Seq(3), to: Seq(5), ..Filter::default() };
        let mut reader = Reader::new(sample.stream, filter);
        let Read::Events { events, .. } = reader.page(&log).unwrap() else { panic!("events") };
        assert_eq!(events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), [3, 4, 5]);
        assert!(matches!(reader.page(&log).unwrap(), Read::End));
    }
}

//! Statistics of one stream or of all, read by pages.

use twinstore_protocol::{Seq, StreamId};

use super::filter::Filter;
use super::reader::{Read, Reader};
use super::stats::Stats;
use crate::limits;
use crate::log::{Log, ReadError};

/// What is to be counted.
#[derive(Clone, Debug)]
pub struct Count {
    /// The streams, with their heads.
    streams: Vec<(StreamId, Seq)>,
    filter: Filter,
}

/// Why there are no statistics.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// Nothing happened in that stream.
    #[error("the store has no stream {stream}")]
    NoStream {
        /// Its name.
        stream: String,
    },
    /// The filter begins where nothing is yet.
    #[error("the stream ends at {head}, there is no event {from}")]
    BeyondHead {
        /// Where it begins.
        from: u64,
        /// The stream's last place.
        head: u64,
    },
    /// The store does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Whoever watched wanted no more of it.
    #[error("the counting was stopped")]
    Stopped,
}

impl Count {
    /// That stream, or all of them, up to their heads as they are now.
    ///
    /// # Errors
    /// [`CountError`].
    pub fn of(
        log: &dyn Log,
        stream: Option<&StreamId>,
        filter: Filter,
    ) -> Result<Self, CountError> {
        let streams = match stream {
            None => all(log)?,
            Some(stream) => {
                let head = log.head(stream)?;
                let none = || CountError::NoStream { stream: stream.to_string() };
                let head = head.ok_or_else(none)?.seq;
                if filter.from > head {
                    return Err(CountError::BeyondHead { from: filter.from.0, head: head.0 });
                }
                vec![(stream.clone(), head)]
            }
        };
        Ok(Self { streams, filter })
    }

    /// How many events must be looked at.
    #[must_use]
    pub fn cost(&self) -> u64 {
        let cost = |(_, head): &(StreamId, Seq)| {
            let last = head.0.min(self.filter.to.0);
            (last + 1).saturating_sub(self.filter.from.0)
        };
        self.streams.iter().map(cost).sum()
    }

    /// Counts. `watch` is told now and then how many more events were looked at, and says whether
    /// to go on.
    ///
    /// # Errors
    /// [`CountError`].
    pub fn run(
        &self,
        log: &dyn Log,
        watch: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Stats, CountError> {
        let mut stats = Stats::default();
        for (stream, head) in &self.streams {
            // What is appended meanwhile is left for the next time.
            let filter = Filter { to: self.filter.to.min(*head), ..self.filter.clone() };
            let mut reader = Reader::new(stream.clone(), filter);
            while let Read::Events { events, looked_at } = reader.page(log)? {
                events.iter().for_each(|event| stats.add(stream, event));
                if !watch(looked_at) {
                    return Err(CountError::Stopped);
                }
            }
        }
        Ok(stats)
    }
}

fn all(log: &dyn Log) -> Result<Vec<(StreamId, Seq)>, ReadError> {
    let mut streams: Vec<(StreamId, Seq)> = Vec::new();
    loop {
        let after = streams.last().map(|(stream, _)| stream);
        let mut page = log.streams(after, limits::PAGE_STREAMS)?;
        if page.is_empty() {
            return Ok(streams);
        }
        streams.append(&mut page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::MemoryLog;
    use crate::log::conformance::{self, Sample};

    #[test]
    fn one_stream_or_all_as_far_as_the_filter_goes() {
        let log = MemoryLog::new();
        let samples = ["m/a", "m/b"].map(Sample::new);
        conformance::append(&log, samples[0].append(1_200)).unwrap();
        conformance::append(&log, samples[1].append(30)).unwrap();
        let count = |stream: Option<&StreamId>, filter: Filter| {
            let count = Count::of(&log, stream, filter).unwrap();
            let stats = count.run(&log, &mut |_| true).unwrap();
            (count.cost(), stats.summary(9).verdicts.total())
        };
        assert_eq!(count(None, Filter::default()), (1_230, 1_230));
        assert_eq!(count(Some(&samples[1].stream), Filter::default()), (30, 30));
        let some = Filter { from: Seq(21), to: Seq(40), ..Filter::default() };
        assert_eq!(count(None, some.clone()), (30, 30));
        assert_eq!(count(None, Filter { rejected: Some(true), ..some }), (30, 11));
        let none = StreamId::parse("m/none").unwrap();
        assert!(matches!(
            Count::of(&log, Some(&none), Filter::default()),
            Err(CountError::NoStream { .. })
        ));
        let stopped = Count::of(&log, None, Filter::default()).unwrap().run(&log, &mut |_| false);
        assert!(matches!(stopped, Err(CountError::Stopped)));
    }
}

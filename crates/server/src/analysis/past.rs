//! States of the past, each event folded with its own model, from the nearest snapshot on.

use twinstore_protocol::{Seq, StreamId};

use crate::fold::{Fold, FoldError};
use crate::log::{Log, Page, ReadError, StoredModel};
use crate::reducer::ReducerEngine;

/// The states that a stream has had.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    log: &'a dyn Log,
    engine: &'a dyn ReducerEngine,
    stream: &'a StreamId,
    head: Seq,
}

/// Why a state of the past cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// Nothing happened in that stream.
    #[error("the store has no stream {stream}")]
    NoStream {
        /// Its name.
        stream: String,
    },
    /// That is still to come.
    #[error("the stream ends at {head}, there is no event {at}")]
    BeyondHead {
        /// The place asked for.
        at: u64,
        /// The stream's last one.
        head: u64,
    },
    /// The log cannot be folded.
    #[error(transparent)]
    Fold(#[from] FoldError),
}

impl From<ReadError> for PastError {
    fn from(error: ReadError) -> Self {
        Self::Fold(error.into())
    }
}

impl<'a> Past<'a> {
    /// The past of a stream, up to its head as it is now.
    ///
    /// # Errors
    /// [`PastError`], where there is no such stream.
    pub fn of(
        log: &'a dyn Log,
        engine: &'a dyn ReducerEngine,
        stream: &'a StreamId,
    ) -> Result<Self, PastError> {
        let head = log.head(stream)?;
        let no_stream = || PastError::NoStream { stream: stream.to_string() };
        Ok(Self { log, engine, stream, head: head.ok_or_else(no_stream)?.seq })
    }

    /// The last place.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.head
    }

    /// How many events must be folded for the states at these places.
    ///
    /// # Errors
    /// [`PastError`].
    pub fn cost(&self, places: &[Seq]) -> Result<u64, PastError> {
        let mut events = 0;
        let mut reached = None;
        for place in self.ascending(places)? {
            let from = self.nearest(place)?.max(reached);
            events += place.0 - from.map_or(0, |seq| seq.0);
            reached = Some(place);
        }
        Ok(events)
    }

    /// The states at these places, as JSON text, in the order of the places. `watch` is told now
    /// and then how many more events were folded, and says whether to go on.
    ///
    /// # Errors
    /// [`PastError`].
    pub fn states(
        &self,
        places: &[Seq],
        watch: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Vec<String>, PastError> {
        let mut states = vec![String::new(); places.len()];
        let mut fold: Option<Fold<'a>> = None;
        for place in self.ascending(places)? {
            let reached = fold.as_ref().map(Fold::at);
            let mut here = match fold.take() {
                Some(fold) if self.nearest(place)? <= reached => fold,
                _ => Fold::begin(self.log, self.engine, self.stream, place)?,
            };
            here.advance(place, watch)?;
            let state = here.state(&self.model_at(place)?)?;
            for (wanted, found) in places.iter().zip(&mut states) {
                if *wanted == place {
                    found.clone_from(&state);
                }
            }
            fold = Some(here);
        }
        Ok(states)
    }

    fn ascending(&self, places: &[Seq]) -> Result<Vec<Seq>, PastError> {
        let mut places = places.to_vec();
        places.sort_unstable();
        places.dedup();
        match places.last() {
            Some(last) if *last > self.head => {
                Err(PastError::BeyondHead { at: last.0, head: self.head.0 })
            }
            _ => Ok(places),
        }
    }

    /// The newest snapshot at or before a place.
    fn nearest(&self, place: Seq) -> Result<Option<Seq>, ReadError> {
        Ok(self.log.snapshot(self.stream, place)?.map(|snapshot| snapshot.seq))
    }

    /// The model that decided the event at that place, or before the first event the one of it.
    fn model_at(&self, place: Seq) -> Result<StoredModel, PastError> {
        let before = Seq(place.0.max(1) - 1);
        let page = Page { events: 1, bytes: usize::MAX };
        let hash = match self.log.read(self.stream, before, page)?.into_iter().next() {
            Some(event) if event.seq == before.next() => event.model,
            // The event itself may be gone, with a snapshot in its place.
            _ => match self.log.snapshot(self.stream, place)? {
                Some(snapshot) => snapshot.model,
                None => return Err(FoldError::Hole { from: before.0 + 1, to: before.0 + 1 }.into()),
            },
        };
        let model = self.log.model(&hash)?;
        Ok(model.ok_or(FoldError::NoModel { hash })?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Parts, StoredEvent};
    use crate::log::{Append, MemoryLog, Snapshot, conformance};
    use crate::model::from_source;
    use crate::reducer::QuickJs;
    use twinstore_protocol::{Chain, ClientId, LogId, N};

    const COUNT: &str = "export default (state = { count: 0 }, { type }) =>
        type === 'more' ? { count: state.count + 1 } : state";

    /// A log of so many events, each one more.
    fn counted(events: u64) -> (Arc<MemoryLog>, StreamId) {
        let log = MemoryLog::new();
        let model = from_source("m", "m.js", COUNT.to_owned()).unwrap();
        log.put_model(model.clone()).unwrap();
        let (stream, client) = (StreamId::parse("m/x").unwrap(), ClientId("c".to_owned()));
        let event = |seq: u64| {
            let action = r#"{"type":"more"}"#;
            let (model, schema) = (model.hash.as_str(), 1);
            let (seq, n) = (Seq(seq), N(seq));
            let (client, kind) = (&client, "more");
            let parts = Parts { seq, client, n, from: None, at: 1, kind, model, schema, action };
            StoredEvent::new(&Chain::default(), parts, None)
        };
        let events = (1..=events).map(event).collect();
        let (log_id, records) = (LogId("l".to_owned()), Vec::new());
        let append = Append {
            stream: stream.clone(),
            log: log_id,
            after: Seq(0),
            events,
            records,
            bound: Vec::new(),
        };
        conformance::append(&log, append).unwrap();
        (Arc::new(log), stream)
    }

    fn snapshot(log: &dyn Log, stream: &StreamId, seq: u64, count: u64) {
        let (model, state) = (crate::model::hash(COUNT), format!(r#"{{"count":{count}}}"#));
        log.put_snapshot(stream, Snapshot { seq: Seq(seq), model, state });
    }

    fn states(past: &Past<'_>, places: &[u64]) -> (Vec<String>, u64) {
        let mut folded = 0;
        let mut watch = |events| {
            folded += events;
            true
        };
        let places: Vec<_> = places.iter().copied().map(Seq).collect();
        assert_eq!(past.head(), Seq(1_200));
        let states = past.states(&places, &mut watch).unwrap();
        assert_eq!(folded, past.cost(&places).unwrap(), "it costs what was said");
        (states, folded)
    }

    #[test]
    fn states_come_from_the_nearest_snapshot() {
        let (log, stream) = counted(1_200);
        let past = Past::of(&*log, &QuickJs, &stream).unwrap();
        let of = |counts: &[u64]| -> Vec<_> {
            counts.iter().map(|count| format!(r#"{{"count":{count}}}"#)).collect()
        };
        assert_eq!(states(&past, &[0]), (of(&[0]), 0));
        assert_eq!(states(&past, &[700, 3, 700]), (of(&[700, 3, 700]), 700), "folded once");
        // A snapshot that is not the fold shows that it was begun from.
        snapshot(&*log, &stream, 600, 10_000);
        assert_eq!(states(&past, &[599]), (of(&[599]), 599));
        assert_eq!(states(&past, &[600]), (of(&[10_000]), 0));
        assert_eq!(states(&past, &[1_200, 3]), (of(&[10_600, 3]), 603), "the middle is left out");
        assert_eq!(states(&past, &[700, 800]), (of(&[10_100, 10_200]), 200), "from there on");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let (log, stream) = counted(5);
        let past = Past::of(&*log, &QuickJs, &stream).unwrap();
        let beyond = past.states(&[Seq(1), Seq(6)], &mut |_| true).unwrap_err();
        assert_eq!(beyond.to_string(), "the stream ends at 5, there is no event 6");
        let stopped = past.states(&[Seq(5)], &mut |_| false).unwrap_err();
        assert!(matches!(stopped, PastError::Fold(FoldError::Stopped)));
        let other = StreamId::parse("m/other").unwrap();
        let none = Past::of(&*log, &QuickJs, &other).unwrap_err();
        assert_eq!(none.to_string(), "the store has no stream m/other");
    }
}

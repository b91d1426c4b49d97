//! A log in memory: for tests, trials and the simulator. Nothing survives the process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use twinstore_protocol::{Chain, ClientId, N, RejectionRow, Seq, StreamId};

use super::{
    Append, AppendError, Base, Compaction, Derived, Done, Head, Log, Page, ReadError, Snapshot,
    StoredModel, Verdict, WriteError,
};
use crate::day::Day;
use crate::event::StoredEvent;
use crate::limits;

/// A [`Log`] that lives as long as its process.
#[derive(Debug, Default)]
pub struct MemoryLog {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    streams: BTreeMap<StreamId, Stream>,
    models: BTreeMap<String, StoredModel>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Stream {
    head: Option<Head>,
    /// The events before these are gone.
    base: Option<Base>,
    events: Vec<StoredEvent>,
    /// Places of events, by client and number.
    by_client: BTreeMap<(ClientId, N), Seq>,
    subjects: BTreeMap<ClientId, Arc<str>>,
    /// What is known of numbers whose events are gone.
    gone: Gone,
    records: BTreeMap<String, String>,
    snapshots: BTreeMap<Seq, Snapshot>,
}

/// Verdicts without their events.
#[derive(Debug, Default)]
struct Gone {
    /// Each client's last number and when it was decided.
    last: BTreeMap<ClientId, (N, u64)>,
    rejections: BTreeMap<(ClientId, N), (N, RejectionRow)>,
    /// Clients of earlier days may have been forgotten.
    clients_since: Day,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves nothing half-written: each write is one step under the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_stream<T: Default>(&self, stream: &StreamId, f: impl FnOnce(&Stream) -> T) -> T {
        self.lock().streams.get(stream).map(f).unwrap_or_default()
    }
}

impl Inner {
    fn append(&mut self, append: Append) -> Result<Head, AppendError> {
        if self.closed {
            return Err(AppendError::Failed("the log is closed".into()));
        }
        let stream = self.streams.entry(append.stream.clone()).or_default();
        let expected = match &stream.head {
            Some(head) => head.seq == append.after && head.log == append.log,
            None => append.after == Seq(0),
        };
        if !expected {
            return Err(AppendError::Conflict { expected: append.after.0 });
        }
        let head = append.head();
        stream.take(append);
        stream.head = Some(head.clone());
        Ok(head)
    }
}

impl Stream {
    fn take(&mut self, append: Append) {
        for event in append.events {
            let next = self.begin() + self.events.len() as u64 + 1;
            assert_eq!(event.seq.0, next, "I3: seq is gap-free");
            let key = (event.client.clone(), event.n);
            let before = self.by_client.insert(key, event.seq);
            assert!(before.is_none(), "I5: a number is used once");
            self.events.push(event);
        }
        self.subjects.extend(append.bound);
        for (key, record) in append.records {
            match record {
                Some(record) => self.records.insert(key, record),
                None => self.records.remove(&key),
            };
        }
    }

    fn of_client(
        &self,
        client: &ClientId,
        from: N,
    ) -> impl DoubleEndedIterator<Item = &StoredEvent> {
        let range = (client.clone(), from)..=(client.clone(), N(u64::MAX));
        self.by_client.range(range).filter_map(|(_, seq)| self.after(Seq(seq.0 - 1)).first())
    }

    /// The last place whose event is gone.
    fn begin(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.seq.0)
    }

    /// The events after a place that are there.
    fn after(&self, seq: Seq) -> &[StoredEvent] {
        let skipped = usize::try_from(seq.0.saturating_sub(self.begin())).unwrap_or(usize::MAX);
        self.events.get(skipped..).unwrap_or_default()
    }

    /// Moves the base; gives how many events are gone.
    fn compact(&mut self, compaction: Compaction) -> Option<u64> {
        let Compaction { base, forget, clients_since, .. } = compaction;
        let count = usize::try_from(base.seq.0.checked_sub(self.begin())?).ok()?;
        let chain = self.events.get(count.checked_sub(1)?)?.chain.clone();
        for event in self.events.drain(..count) {
            self.by_client.remove(&(event.client.clone(), event.n));
            self.gone.take(&event);
        }
        for (_, (_, row)) in
            self.gone.rejections.iter_mut().filter(|((client, _), _)| forget.contains(client))
        {
            row.error.reason.clear();
        }
        self.forget_clients(clients_since);
        self.base = Some(Base { seq: base.seq, chain });
        self.snapshots.retain(|seq, _| *seq > base.seq);
        self.snapshots.insert(base.seq, base);
        Some(count as u64)
    }

    /// Forgets clients of before that moment that have no event left.
    fn forget_clients(&mut self, since: u64) {
        let Self { by_client, gone, subjects, .. } = self;
        let day = Day::of(since);
        let of_client = |client: &ClientId| (client.clone(), N(0))..=(client.clone(), N(u64::MAX));
        gone.last.retain(|client, (_, at)| {
            *at >= since
                || !day.forgets(client)
                || by_client.range(of_client(client)).next().is_some()
        });
        gone.rejections.retain(|(client, _), _| gone.last.contains_key(client));
        subjects.retain(|client, _| {
            gone.last.contains_key(client) || by_client.range(of_client(client)).next().is_some()
        });
        gone.clients_since = gone.clients_since.max(day);
    }

    fn rejections(&self, client: &ClientId, from: N) -> Vec<RejectionRow> {
        let range = (client.clone(), from)..=(client.clone(), N(u64::MAX));
        let gone = self.gone.rejections.range(range).map(|(_, (_, row))| row.clone());
        gone.chain(self.of_client(client, from).filter_map(row)).collect()
    }

    fn verdict(&self, client: &ClientId, n: N) -> Option<Verdict> {
        if let Some(event) = self.of_client(client, n).next().filter(|event| event.first_n() <= n) {
            return Some(Verdict { n: event.n, seq: event.seq, error: event.error.clone() });
        }
        if self.gone.last.get(client).is_none_or(|(last, _)| n > *last) {
            return None;
        }
        let range = (client.clone(), n)..=(client.clone(), N(u64::MAX));
        let rejected =
            self.gone.rejections.range(range).next().filter(|(_, (first, _))| *first <= n);
        Some(match rejected {
            Some((_, (_, row))) => {
                Verdict { n: row.n, seq: row.seq, error: Some(row.error.clone()) }
            }
            None => Verdict { n, seq: Seq(self.begin()), error: None },
        })
    }
}

impl Gone {
    fn take(&mut self, event: &StoredEvent) {
        let (last, at) = self.last.entry(event.client.clone()).or_default();
        (*last, *at) = (event.n.max(*last), event.at.max(*at));
        if let Some(row) = row(event) {
            let key = (event.client.clone(), event.n);
            self.rejections.insert(key, (event.first_n(), row));
        }
    }
}

impl Log for MemoryLog {
    fn append(&self, append: Append, done: Done) {
        let outcome = self.lock().append(append);
        done(outcome);
    }

    fn streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<(StreamId, Seq)>, ReadError> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let inner = self.lock();
        let streams = inner.streams.range::<StreamId, _>((begin, Bound::Unbounded));
        let heads = streams.filter_map(|(id, s)| Some((id.clone(), s.head.as_ref()?.seq)));
        Ok(heads.take(limit).collect())
    }

    fn head(&self, stream: &StreamId) -> Result<Option<Head>, ReadError> {
        Ok(self.in_stream(stream, |s| s.head.clone()))
    }

    fn read(
        &self,
        stream: &StreamId,
        after: Seq,
        page: Page,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        Ok(self.in_stream(stream, |s| page.cut(s.after(after).iter().cloned())))
    }

    fn chain(&self, stream: &StreamId, seq: Seq) -> Result<Option<Chain>, ReadError> {
        let Some(before) = seq.0.checked_sub(1) else { return Ok(None) };
        Ok(self.in_stream(stream, |s| match &s.base {
            Some(base) if base.seq >= seq => (base.seq == seq).then(|| base.chain.clone()),
            _ => s.after(Seq(before)).first().map(|event| event.chain.clone()),
        }))
    }

    fn last_n(&self, stream: &StreamId, client: &ClientId) -> Result<N, ReadError> {
        Ok(self.in_stream(stream, |s| {
            let last = s.of_client(client, N(0)).next_back().map(|event| event.n);
            last.or_else(|| s.gone.last.get(client).map(|(last, _)| *last)).unwrap_or_default()
        }))
    }

    fn subject(&self, stream: &StreamId, client: &ClientId) -> Result<Option<Arc<str>>, ReadError> {
        Ok(self.in_stream(stream, |s| s.subjects.get(client).cloned()))
    }

    fn rejections(
        &self,
        stream: &StreamId,
        client: &ClientId,
        from: N,
        limit: usize,
    ) -> Result<Vec<RejectionRow>, ReadError> {
        let mut rows = self.in_stream(stream, |s| s.rejections(client, from));
        rows.drain(..rows.len().saturating_sub(limit));
        Ok(rows)
    }

    fn verdict(
        &self,
        stream: &StreamId,
        client: &ClientId,
        n: N,
    ) -> Result<Option<Verdict>, ReadError> {
        Ok(self.in_stream(stream, |s| s.verdict(client, n)))
    }

    fn records(&self, stream: &StreamId) -> Result<Vec<(String, String)>, ReadError> {
        Ok(self.in_stream(stream, |s| s.records.clone().into_iter().collect()))
    }

    fn snapshot(&self, stream: &StreamId, at_most: Seq) -> Result<Option<Snapshot>, ReadError> {
        Ok(self.in_stream(stream, |s| {
            s.snapshots.range(..=at_most).next_back().map(|(_, snapshot)| snapshot.clone())
        }))
    }

    fn put_snapshot(&self, stream: &StreamId, snapshot: Snapshot) {
        let mut inner = self.lock();
        let Stream { snapshots, base, .. } = inner.streams.entry(stream.clone()).or_default();
        snapshots.insert(snapshot.seq, snapshot);
        // What stands in for events that are gone stays.
        let base = base.as_ref().and_then(|base| snapshots.remove_entry(&base.seq));
        while snapshots.len() > limits::SNAPSHOTS_KEPT as usize {
            snapshots.pop_first();
        }
        snapshots.extend(base);
    }

    fn replace_derived(&self, id: &StreamId, derived: Derived) -> Result<(), WriteError> {
        let mut inner = self.lock();
        let error = |source: &str| WriteError { what: "what events make", source: source.into() };
        let stream = inner.streams.get_mut(id).ok_or_else(|| error("there is no such stream"))?;
        if stream.head.as_ref() != Some(&derived.head) {
            return Err(error(super::HEAD_MOVED));
        }
        // Clients' numbers are read from the events here.
        stream.records = derived.records.into_iter().collect();
        stream.snapshots = derived.snapshots.into_iter().map(|s| (s.seq, s)).collect();
        Ok(())
    }

    fn compacts(&self) -> bool {
        true
    }

    fn base(&self, stream: &StreamId) -> Result<Option<Base>, ReadError> {
        Ok(self.in_stream(stream, |s| s.base.clone()))
    }

    fn clients_since(&self, stream: &StreamId) -> Result<Day, ReadError> {
        Ok(self.in_stream(stream, |s| s.gone.clients_since))
    }

    fn compact(&self, id: &StreamId, compaction: Compaction) -> Result<u64, WriteError> {
        let mut inner = self.lock();
        let error = |source: &str| WriteError { what: "a base", source: source.into() };
        let stream = inner.streams.get_mut(id).ok_or_else(|| error("there is no such stream"))?;
        if stream.head.as_ref() != Some(&compaction.head) {
            return Err(error(super::HEAD_MOVED));
        }
        stream.compact(compaction).ok_or_else(|| error(super::NO_PLACE))
    }

    fn model(&self, hash: &str) -> Result<Option<StoredModel>, ReadError> {
        Ok(self.lock().models.get(hash).cloned())
    }

    fn put_model(&self, model: StoredModel) -> Result<(), WriteError> {
        self.lock().models.insert(model.hash.clone(), model);
        Ok(())
    }

    fn close(&self) {
        self.lock().closed = true;
    }
}

impl Page {
    /// As many events as fit.
    pub(crate) fn cut(self, events: impl Iterator<Item = StoredEvent>) -> Vec<StoredEvent> {
        let mut bytes = 0;
        let mut page = Vec::new();
        for event in events.take(self.events) {
            bytes += event.body.len();
            page.push(event);
            if bytes >= self.bytes {
                break;
            }
        }
        page
    }
}

fn row(event: &StoredEvent) -> Option<RejectionRow> {
    let error = event.error.clone()?;
    Some(RejectionRow { n: event.n, seq: event.seq, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms() {
        crate::log::conformance::check(&|| Box::new(MemoryLog::new()));
    }
}

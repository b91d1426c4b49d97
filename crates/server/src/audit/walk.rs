//! The pass over the events.

use std::collections::{BTreeMap, BTreeSet};

use twinstore_protocol::{Chain, ClientId, N, Seq, StreamId};

use super::{Audit, AuditError, ByKey, Differs, Problem, fold_problem, is_same_json};
use crate::event::{StoredEvent, chain};
use crate::fold::Fold;
use crate::limits;
use crate::log::{Head, Log, Page, ReadError, Snapshot};
use crate::reducer::ReducerEngine;

/// What the events up to a place make.
pub(super) struct Walk<'a> {
    log: &'a dyn Log,
    stream: &'a StreamId,
    at: Seq,
    chain: Chain,
    clients: BTreeMap<ClientId, N>,
    /// None once it cannot go on.
    fold: Option<Fold<'a>>,
    /// Where snapshots are to be compared, those ahead.
    snapshots: BTreeSet<Seq>,
    /// What stands in for the events before the first.
    pub(super) base: Option<Snapshot>,
    audit: Audit,
}

impl<'a> Walk<'a> {
    /// Before the first event that is there, with the snapshot that stands in for those before it.
    pub(super) fn begin(
        log: &'a dyn Log,
        engine: &'a dyn ReducerEngine,
        stream: &'a StreamId,
        head: &Head,
    ) -> Result<Self, AuditError> {
        let first = log.read(stream, Seq(0), Page { events: 1, bytes: usize::MAX })?;
        let before = first.first().map_or(head.seq, |event| Seq(event.seq.0 - 1));
        let base =
            log.snapshot(stream, before)?.filter(|base| before > Seq(0) && base.seq == before);
        let mut walk = Self {
            log,
            stream,
            at: before,
            chain: Chain::default(),
            clients: BTreeMap::new(),
            fold: None,
            snapshots: snapshots(log, stream, before, head.seq)?,
            base,
            audit: Audit::default(),
        };
        if before > Seq(0) && walk.base.is_none() {
            walk.audit.report(Problem::Hole { from: Seq(1), to: before });
        } else {
            walk.fold = Some(Fold::from_snapshot(log, engine, stream, walk.base.clone()));
        }
        if let (Some(first), true) = (first.first(), before > Seq(0)) {
            // The chain before it is gone with its events: this one is believed.
            walk.chain = log.chain(stream, before)?.unwrap_or_else(|| first.chain.clone());
        }
        Ok(walk)
    }

    pub(super) fn advance(
        &mut self,
        until: Seq,
        watch: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), AuditError> {
        while self.at < until {
            let page = Page { events: limits::PAGE_EVENTS, bytes: limits::PAGE_BYTES };
            let mut events = self.log.read(self.stream, self.at, page)?;
            events.retain(|event| event.seq <= until);
            if events.is_empty() {
                self.hole(until);
                break;
            }
            for event in &events {
                self.event(event)?;
            }
            if !watch(events.len() as u64) {
                return Err(AuditError::Stopped);
            }
        }
        self.audit.head = until;
        Ok(())
    }

    fn event(&mut self, event: &StoredEvent) -> Result<(), AuditError> {
        let follows = event.seq == self.at.next();
        if !follows {
            self.hole(Seq(event.seq.0 - 1));
        }
        // After a gap, and at a base, what came before is not known.
        if follows && self.audit.events + u64::from(self.base.is_none()) > 0 {
            self.chained(event);
        }
        if !event.is_consistent() {
            self.audit.report(Problem::Event { seq: event.seq });
        }
        self.numbered(event);
        self.at = event.seq;
        self.chain = event.chain.clone();
        self.audit.events += 1;
        self.folded(event)
    }

    /// Goes on from the chain that is stored, so that one damage is told once.
    fn chained(&mut self, event: &StoredEvent) {
        let found = chain(&self.chain, &event.body);
        if found != event.chain {
            let stored = event.chain.clone();
            self.audit.report(Problem::Chain { seq: event.seq, stored, found });
        }
    }

    fn numbered(&mut self, event: &StoredEvent) {
        let last = self.clients.entry(event.client.clone()).or_default();
        let (from, to) = (event.first_n(), event.n);
        // The numbers before a base are not known; those behind a gap are.
        let skipped = from > last.next() && (*last > N(0) || self.base.is_none());
        if from <= *last || to < from || skipped {
            let (seq, client, last) = (event.seq, event.client.clone(), *last);
            self.audit.report(Problem::Number { seq, client, from, to, last });
        }
        *last = to.max(*last);
    }

    fn folded(&mut self, event: &StoredEvent) -> Result<(), AuditError> {
        let Some(fold) = &mut self.fold else { return Ok(()) };
        if let Err(error) = fold.take(event) {
            self.fold = None;
            self.audit.report(fold_problem(error)?);
            return Ok(());
        }
        if self.snapshots.remove(&event.seq) {
            self.compare_snapshot(event.seq)?;
        }
        Ok(())
    }

    fn compare_snapshot(&mut self, seq: Seq) -> Result<(), AuditError> {
        let stored = self.log.snapshot(self.stream, seq)?.filter(|snapshot| snapshot.seq == seq);
        // A running server drops old ones.
        let (Some(stored), Some(state)) = (stored, self.state()?) else { return Ok(()) };
        self.audit.snapshots += 1;
        if !is_same_json(&stored.state, &state) {
            self.audit.report(Problem::Snapshot { seq });
        }
        Ok(())
    }

    /// The state's text; none where it cannot be had, which is reported.
    pub(super) fn state(&mut self) -> Result<Option<String>, AuditError> {
        self.of_fold(Fold::state_here)
    }

    /// The records that the state makes; none where they cannot be had, which is reported.
    pub(super) fn records(&mut self) -> Result<Option<Vec<(String, String)>>, AuditError> {
        self.of_fold(Fold::records)
    }

    fn of_fold<T>(
        &mut self,
        ask: impl FnOnce(&mut Fold<'a>) -> Result<Option<T>, crate::fold::FoldError>,
    ) -> Result<Option<T>, AuditError> {
        let Some(fold) = &mut self.fold else { return Ok(None) };
        match ask(fold) {
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.fold = None;
                self.audit.report(fold_problem(error)?);
                Ok(None)
            }
        }
    }

    fn hole(&mut self, to: Seq) {
        self.audit.report(Problem::Hole { from: self.at.next(), to });
        self.fold = None;
        self.at = to;
    }

    pub(super) fn compare_head(&mut self, head: &Head) {
        let is_known = self.audit.events > 0 && self.at == head.seq;
        if is_known && self.chain != head.chain {
            let (seq, stored, found) = (head.seq, head.chain.clone(), self.chain.clone());
            self.audit.report(Problem::Head { seq, stored, found });
        }
    }

    pub(super) fn compare_clients(&mut self) -> Result<(), AuditError> {
        for (client, found) in &self.clients {
            let stored = self.log.last_n(self.stream, client)?;
            // Beside a running server it may have gone on.
            if stored < *found || (stored > *found && self.is_settled_no_further(client, stored)?) {
                let (client, found) = (client.clone(), *found);
                self.audit.report(Problem::Client { client, stored, found });
            }
        }
        Ok(())
    }

    /// Whether no event has that number.
    fn is_settled_no_further(&self, client: &ClientId, n: N) -> Result<bool, ReadError> {
        Ok(self.log.verdict(self.stream, client, n)?.is_none())
    }

    pub(super) fn compare_records(
        &mut self,
        stored: Vec<(String, String)>,
    ) -> Result<(), AuditError> {
        let Some(found) = self.records()? else { return Ok(()) };
        let (stored, found) = (ByKey::from_iter(stored), ByKey::from_iter(found));
        self.audit.records = Some(found.len());
        for key in stored.keys().chain(found.keys().filter(|key| !stored.contains_key(*key))) {
            let how = match (stored.get(key), found.get(key)) {
                (Some(stored), Some(found)) if is_same_json(stored, found) => continue,
                (Some(_), Some(_)) => Differs::Other,
                (Some(_), None) => Differs::TooMany,
                (None, _) => Differs::Missing,
            };
            self.audit.report(Problem::Record { key: key.clone(), how });
        }
        Ok(())
    }

    pub(super) fn clients(&self) -> Vec<(ClientId, N)> {
        self.clients.iter().map(|(client, n)| (client.clone(), *n)).collect()
    }

    pub(super) fn problems(&self) -> &[Problem] {
        &self.audit.problems
    }

    /// The model of the last event that was folded.
    pub(super) fn model(&self) -> Option<String> {
        self.fold.as_ref().and_then(Fold::model)
    }

    pub(super) fn finish(mut self) -> Audit {
        self.audit.clients = self.clients.len();
        self.audit
    }
}

/// The places of the snapshots behind the base, up to the head.
fn snapshots(
    log: &dyn Log,
    stream: &StreamId,
    base: Seq,
    head: Seq,
) -> Result<BTreeSet<Seq>, ReadError> {
    let mut places = BTreeSet::new();
    let mut at_most = head;
    while at_most > base {
        let Some(snapshot) = log.snapshot(stream, at_most)?.filter(|found| found.seq > base) else {
            break;
        };
        places.insert(snapshot.seq);
        at_most = Seq(snapshot.seq.0 - 1);
    }
    Ok(places)
}

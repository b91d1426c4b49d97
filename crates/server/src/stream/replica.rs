//! A stream as its worker holds it: the state in a reducer, where the log stands, and clients.

use std::collections::BTreeMap;
use std::sync::Arc;

use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{Chain, Check, ClientFrom, ClientId, ClientRow, Cursor, LogId, N, Seq};

use super::Config;
use super::ask::{Answer, Join, Joined, Missing, Page, SessionId, State};
use super::batch::Broken;
use super::commit::{Commit, Decided};
use super::number::Known;
use crate::day::Day;
use crate::event::StoredEvent;
use crate::fold::{FoldError, Folded, fold, fold_event};
use crate::limits::Limits;
use crate::log::{Derived, Head, ReadError, Snapshot};
use crate::reducer::{Change, Reducer};

/// The stream as of its last commit, or ahead of it by the batch under way.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) log: Option<LogId>,
    pub(super) seq: Seq,
    pub(super) chain: Chain,
    /// Events up to here are gone.
    base: Seq,
    /// Clients of earlier days may have been forgotten.
    clients_since: Day,
    pub(super) reducer: Box<dyn Reducer>,
    /// Last numbers of clients that were asked for; the log knows the others.
    pub(super) clients: BTreeMap<ClientId, N>,
    /// Subjects of clients that were asked for, with those of the batch under way.
    subjects: BTreeMap<ClientId, Option<Arc<str>>>,
    since_snapshot: u64,
    /// No event of this model's schema is there yet. Until there is one the stream may go back to the older model.
    migrated: bool,
    /// Records that an older model left otherwise than this one has them, for the next append.
    overdue: Vec<Change>,
    /// The state's text at a place, for the many that join at once.
    text: Option<(Seq, Arc<str>)>,
    /// Twins have joined: their commits carry checksums, which others have no use for.
    pub(super) compared: bool,
}

/// What others have appended.
pub(super) enum Followed {
    /// This, now folded.
    Commits(Vec<Arc<Commit>>),
    /// More than is followed, or another log.
    TooFar,
}

impl Followed {
    const NOTHING: Self = Self::Commits(Vec::new());
}

impl Replica {
    /// The stream as its log has it; where others append as well, as it was at the place up to which those
    /// who listen were `told`, if that is near.
    pub(super) fn load(config: &Config, told: Option<Seq>) -> Result<Self, FoldError> {
        match Self::load_once(config, told) {
            // Another process may have compacted the stream between two of the reads.
            Err(FoldError::Hole { .. }) if config.log.is_shared() => Self::load_once(config, told),
            loaded => loaded,
        }
    }

    fn load_once(config: &Config, told: Option<Seq>) -> Result<Self, FoldError> {
        match (config.log.head(&config.stream)?, told) {
            (Some(head), Some(told)) => Self::at(config, Some(earlier(config, told, head)?)),
            (head, _) => Self::at(config, head),
        }
    }

    pub(super) fn at(config: &Config, head: Option<Head>) -> Result<Self, FoldError> {
        let Config { stream, model, log, engine, .. } = config;
        let until = head.as_ref().map_or(Seq(0), |head| head.seq);
        let folded = fold(&**log, &**engine, stream, model, until)?;
        let Folded { mut reducer, since_snapshot, taken_over } = folded;
        let overdue = match taken_over {
            Some(_) => overdue(log.records(stream)?, reducer.records()?),
            None => Vec::new(),
        };
        let base = log.base(stream)?.map_or(Seq(0), |base| base.seq);
        Ok(Self {
            base,
            clients_since: log.clients_since(stream)?,
            seq: until,
            chain: head.as_ref().map(|head| head.chain.clone()).unwrap_or_default(),
            log: head.map(|head| head.log),
            reducer,
            clients: BTreeMap::new(),
            subjects: BTreeMap::new(),
            since_snapshot,
            migrated: taken_over.is_some_and(|over| over.migrated),
            overdue,
            text: None,
            compared: false,
        })
    }

    /// Makes records anew where the log owes some (I8).
    pub(super) fn mend_records(&mut self, config: &Config) -> Result<(), Broken> {
        let Config { stream, model, log, .. } = config;
        // Those of a migrated state come with the next append.
        let owes = self.seq > Seq(0) && !self.migrated;
        let Some(id) = self.log.clone().filter(|_| owes) else { return Ok(()) };
        if !log.owes_records(stream)? {
            return Ok(());
        }
        let (seq, state) = (self.seq, self.state()?.to_string());
        let head = Head { log: id, seq, chain: self.chain.clone() };
        let snapshots = vec![Snapshot { seq, model: model.hash.clone(), state }];
        let records = self.reducer.records()?;
        let derived = Derived { head, records, clients: Vec::new(), snapshots };
        Ok(log.replace_derived(stream, derived)?)
    }

    /// Takes what others appended, up to the head.
    pub(super) fn follow(&mut self, config: &Config) -> Result<Followed, Broken> {
        let Some(head) = config.log.head(&config.stream)? else {
            return Ok(if self.log.is_some() { Followed::TooFar } else { Followed::NOTHING });
        };
        let is_another = self.log.as_ref().is_some_and(|log| *log != head.log);
        let missing = head.seq.0.checked_sub(self.seq.0);
        if is_another || missing.is_none_or(|missing| missing > config.limits.catch_up_events) {
            return Ok(Followed::TooFar);
        }
        self.log = Some(head.log.clone());
        let mut commits = Vec::new();
        while self.seq < head.seq {
            let Limits { page_events: events, page_bytes: bytes, .. } = config.limits;
            let page = crate::log::Page { events, bytes };
            let mut events = config.log.read(&config.stream, self.seq, page)?;
            events.retain(|event| event.seq <= head.seq);
            if events.first().map(|event| event.seq) != Some(self.seq.next()) {
                return Ok(Followed::TooFar);
            }
            let (stream, after) = (config.stream.clone(), self.seq);
            let decided = self.take_page(config, events)?;
            let mut commit = Commit::new(stream, head.log.clone(), after, decided);
            commit.check = if self.compared { self.check(config) } else { None };
            commits.push(Arc::new(commit));
        }
        Ok(Followed::Commits(commits))
    }

    fn take_page(
        &mut self,
        config: &Config,
        events: Vec<StoredEvent>,
    ) -> Result<Vec<Decided>, Broken> {
        let is_own = |event: &StoredEvent| event.model == config.model.hash;
        let goes_on = !self.migrated && self.overdue.is_empty() && events.iter().all(is_own);
        let mut changes = Vec::new();
        if goes_on {
            for event in &events {
                fold_event(&mut *self.reducer, &config.stream, event)?;
                changes.push(self.reducer.changes()?);
            }
        } else {
            // Decided by another model: the states between are its own.
            changes.resize(events.len() - 1, Vec::new());
            changes.push(self.leap(config, &events)?);
        }
        self.limit_clients(config.limits.clients_cached);
        let decided = events.into_iter().zip(changes).map(|(event, changes)| {
            (self.seq, self.chain) = (event.seq, event.chain.clone());
            self.clients.insert(event.client.clone(), event.n);
            self.subjects.remove(&event.client);
            Decided::new(event, SessionId::ELSEWHERE, &changes)
        });
        Ok(decided.collect())
    }

    /// Folds anew up to the last of these events; gives the records that they changed.
    fn leap(&mut self, config: &Config, events: &[StoredEvent]) -> Result<Vec<Change>, Broken> {
        let last = events.last().zip(self.log.clone());
        let Some((last, log)) = last else { return Ok(Vec::new()) };
        let before = self.reducer.records()?;
        let head = Head { log, seq: last.seq, chain: last.chain.clone() };
        let mut there = Self::at(config, Some(head))?;
        let changes = overdue(before, there.reducer.records()?);
        let (clients, compared) = (std::mem::take(&mut self.clients), self.compared);
        *self = Self { seq: self.seq, chain: self.chain.clone(), clients, compared, ..there };
        Ok(changes)
    }

    pub(super) fn advance(&mut self, head: Head, events: usize, clients_cached: usize) {
        self.seq = head.seq;
        self.chain = head.chain;
        self.log = Some(head.log);
        self.since_snapshot += events as u64;
        self.migrated = false;
        self.limit_clients(clients_cached);
    }

    /// What is known of clients is read again where it has become too much.
    fn limit_clients(&mut self, most: usize) {
        if self.clients.len().max(self.subjects.len()) > most {
            self.clients.clear();
            self.subjects.clear();
        }
    }

    /// The records that the next append brings up to date beside its own.
    pub(super) fn overdue(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.overdue)
    }

    /// Whether a snapshot is due after so many events. One of a migrated state waits for the first event
    /// of its schema: an older model could not go on from it.
    pub(super) fn is_due(&self, every: u64) -> bool {
        self.since_snapshot >= every && !self.migrated
    }

    pub(super) fn snapshot_kept(&mut self) {
        self.since_snapshot = 0;
    }

    /// A client's last number that has a verdict, or a place in the batch under way.
    pub(super) fn last_n(&mut self, config: &Config, client: &ClientId) -> Result<N, ReadError> {
        if let Some(last) = self.clients.get(client) {
            return Ok(*last);
        }
        let last = config.log.last_n(&config.stream, client)?;
        self.clients.insert(client.clone(), last);
        Ok(last)
    }

    /// What is known of a client that a caller names.
    pub(super) fn known(
        &mut self,
        config: &Config,
        client: &ClientId,
        caller: Option<&Arc<str>>,
    ) -> Result<Known, ReadError> {
        let last = self.last_n(config, client)?;
        let maybe_forgotten = last == N(0) && self.clients_since.forgets(client);
        let is_others = match caller {
            Some(caller) => self.subject(config, client)?.is_some_and(|bound| bound != *caller),
            None => false,
        };
        Ok(Known { last, maybe_forgotten, is_others })
    }

    /// The subject to which a client is bound, or will be by the batch under way.
    fn subject(
        &mut self,
        config: &Config,
        client: &ClientId,
    ) -> Result<Option<Arc<str>>, ReadError> {
        if let Some(known) = self.subjects.get(client) {
            return Ok(known.clone());
        }
        let subject = config.log.subject(&config.stream, client)?;
        self.subjects.insert(client.clone(), subject.clone());
        Ok(subject)
    }

    /// Binds a client that is the caller's. True: it was bound to nobody.
    pub(super) fn bind(
        &mut self,
        config: &Config,
        client: &ClientId,
        caller: &Arc<str>,
    ) -> Result<bool, ReadError> {
        let is_new = self.subject(config, client)?.is_none();
        if is_new {
            self.subjects.insert(client.clone(), Some(Arc::clone(caller)));
        }
        Ok(is_new)
    }

    pub(super) fn join(&mut self, config: &Config, join: &Join) -> Result<Joined, Broken> {
        self.compared = true;
        let rows = self.rows(config, &join.clients, join.subject.as_ref())?;
        let held = match &join.cursor {
            Some(cursor) => self.holds(config, cursor)?,
            None => self.seq == Seq(0) && !join.empty_too,
        };
        let after = join.cursor.as_ref().map_or(Seq(0), |cursor| cursor.seq);
        // What an older app folded is not what the migrated state is: it takes that.
        let is_older = join.cursor.as_ref().is_some_and(|cursor| cursor.schema.is_some());
        let is_there = (after >= self.base || planted::is(Bug::GoneIsSkipped)) && !is_older;
        // Only what is held is not beyond the head.
        let is_near = held && self.seq.0 - after.0 <= config.limits.catch_up_events;
        let page = match is_there && is_near {
            true => Some(self.read_page(config, after)?)
                .filter(|page| page.goes_on() || planted::is(Bug::GoneIsSkipped)),
            false => None,
        };
        let missing = match page {
            Some(page) => Missing::Events(page),
            None => {
                let (seq, chain) = (self.seq, self.chain.clone());
                Missing::State(State { seq, chain, state: self.state()? })
            }
        };
        let reset = join.cursor.is_some() && !held;
        Ok(Joined { log: self.log.clone(), head: self.seq, reset, rows, missing })
    }

    /// I2: whether this log holds that chain at that place.
    fn holds(&self, config: &Config, cursor: &Cursor) -> Result<bool, ReadError> {
        if planted::is(Bug::LogNotCompared) {
            return Ok(cursor.seq <= self.seq);
        }
        if self.log.as_ref() != Some(&cursor.log) || cursor.seq > self.seq {
            return Ok(false);
        }
        // What is gone cannot be compared; it is the same log, and the state is what it gets.
        if cursor.seq < self.base {
            return Ok(true);
        }
        let chain = match cursor.seq {
            Seq(0) => Some(Chain::default()),
            seq => config.log.chain(&config.stream, seq)?,
        };
        match chain {
            Some(chain) => Ok(chain == cursor.chain),
            // Another process may have compacted the stream meanwhile.
            None => Ok(config.log.base(&config.stream)?.is_some_and(|base| cursor.seq < base.seq)),
        }
    }

    fn rows(
        &mut self,
        config: &Config,
        clients: &[ClientFrom],
        caller: Option<&Arc<str>>,
    ) -> Result<Vec<ClientRow>, Broken> {
        let mut row = |asked: &ClientFrom| -> Result<Option<ClientRow>, Broken> {
            let known = self.known(config, &asked.client, caller)?;
            let Known { last, maybe_forgotten, is_others } = known;
            // A row would say that it never had a verdict, or tell another's.
            if maybe_forgotten || is_others {
                return Ok(None);
            }
            let rejections = config.log.rejections(
                &config.stream,
                &asked.client,
                asked.from,
                config.limits.rejections_listed,
            )?;
            Ok(Some(ClientRow { client: asked.client.clone(), last, rejections }))
        };
        clients.iter().filter_map(|asked| row(asked).transpose()).collect()
    }

    /// The events after a place; after none, those that are there.
    pub(super) fn page(&mut self, config: &Config, after: Seq) -> Result<Page, Broken> {
        let page = self.read_page(config, after)?;
        if after == Seq(0) || page.goes_on() {
            return Ok(page);
        }
        Err(FoldError::Hole { from: after.next().0, to: self.seq.0 }.into())
    }

    fn read_page(&mut self, config: &Config, after: Seq) -> Result<Page, Broken> {
        let Limits { page_events: events, page_bytes: bytes, .. } = config.limits;
        let page = crate::log::Page { events, bytes };
        let mut events = config.log.read(&config.stream, after, page)?;
        events.retain(|event| event.seq <= self.seq);
        let reached = events.last().map_or(after, |event| event.seq);
        let live = reached >= self.seq;
        let check = if live && self.seq > Seq(0) { self.check(config) } else { None };
        Ok(Page { log: self.log.clone(), after, events, live, check })
    }

    /// The checksum of the state, the batch under way included.
    pub(super) fn check(&mut self, config: &Config) -> Option<Check> {
        Some(Check { schema: config.model.schema, sum: self.reducer.checksum()? })
    }

    pub(super) fn watch(&mut self, records: bool) -> Result<Answer, Broken> {
        let records = if records { self.reducer.records()? } else { Vec::new() };
        Ok(Answer::Watching { seq: self.seq, records })
    }

    pub(super) fn records(&mut self) -> Result<Answer, Broken> {
        Ok(Answer::Records { seq: self.seq, records: self.reducer.records()? })
    }

    pub(super) fn state(&mut self) -> Result<Arc<str>, Broken> {
        if let Some((seq, text)) = &self.text
            && *seq == self.seq
        {
            return Ok(Arc::clone(text));
        }
        let text: Arc<str> = self.reducer.state()?.into();
        self.text = Some((self.seq, Arc::clone(&text)));
        Ok(text)
    }
}

/// The head as it was at an earlier place, where folding to there and on is not much longer.
fn earlier(config: &Config, told: Seq, head: Head) -> Result<Head, ReadError> {
    let Config { stream, log, limits, .. } = config;
    if told >= head.seq || head.seq.0 - told.0 > limits.catch_up_events {
        return Ok(head);
    }
    if told == Seq(0) {
        return Ok(Head { seq: told, chain: Chain::default(), ..head });
    }
    let snapshot = log.snapshot(stream, told)?.map_or(Seq(0), |snapshot| snapshot.seq);
    let is_near = told.0 - snapshot.0 <= 2 * limits.snapshot_every;
    Ok(match log.chain(stream, told)?.filter(|_| is_near) {
        Some(chain) => Head { seq: told, chain, ..head },
        None => head,
    })
}

/// What makes the stored records those that are.
fn overdue(stored: Vec<(String, String)>, are: Vec<(String, String)>) -> Vec<Change> {
    let mut stored = BTreeMap::from_iter(stored);
    let mut changes = Vec::new();
    for (key, record) in are {
        if stored.remove(&key).as_ref() != Some(&record) {
            changes.push((key, Some(record)));
        }
    }
    changes.extend(stored.into_keys().map(|key| (key, None)));
    changes
}

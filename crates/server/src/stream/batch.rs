//! One batch: entries get their verdicts from the model, in order, until it is full.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{Chain, Check, ClientId, LogId, N, Rejection, Seq, StreamId, code};

use super::ask::{
    Answer, Ask, Command, Number, Outcome, Refused, SessionId, Submission, Submitted,
};
use super::commit::{Commit, Decided};
use super::number::{Known, Place, place};
use super::replica::Replica;
use super::{Config, Output, verdict_row};
use crate::action::{ActionText, Refusal};
use crate::event::{Parts, StoredEvent};
use crate::fold::{FoldError, fold};
use crate::limits;
use crate::log::{Append, ReadError, WriteError};
use crate::reducer::{Change, Decision, ReducerError, Step, Upcast, seed};

/// Why a batch is given up. It decides nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Reducer(#[from] ReducerError),
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// How much of a submission a batch took.
pub(super) enum Took {
    All,
    /// The batch is full.
    Part,
    /// Others may have appended what would change the answer: look first.
    Doubt,
}

/// A question in the queue, and how far it is, if it is a submission.
#[derive(Debug)]
pub(super) struct Queued<T> {
    command: Command<T>,
    /// The first entry without an outcome.
    next: usize,
    outcomes: Vec<Progress>,
    /// The entry that ended it.
    pub(super) refused: Option<Refused>,
    /// Nothing is decided: entries without a verdict in the log are refused.
    known_only: bool,
}

#[derive(Debug)]
enum Progress {
    /// An event of the batch under way.
    Decided(Seq),
    /// An event that is durable.
    Committed(Arc<Commit>, usize),
    /// It was decided before; the log says how.
    Known(ClientId, N),
}

impl<T: Clone> Queued<T> {
    pub(super) fn new(command: Command<T>) -> Self {
        Self { command, next: 0, outcomes: Vec::new(), refused: None, known_only: false }
    }

    pub(super) fn is_submission(&self) -> bool {
        matches!(self.command.ask, Ask::Submit(_))
    }

    /// Whether its answer is about the stream as it is now.
    pub(super) fn is_of_now(&self) -> bool {
        !matches!(self.command.ask, Ask::Leave | Ask::Submit(_))
    }

    pub(super) fn address(&self) -> (T, SessionId) {
        (self.command.to.clone(), self.command.by)
    }

    pub(super) fn into_ask(self) -> Ask {
        self.command.ask
    }

    pub(super) fn answer(self, answer: Answer) -> Output<T> {
        Output::Answer(self.command.to, self.command.by, answer)
    }

    /// The refusal of its first entry without an outcome; none where it is no submission.
    pub(super) fn as_refused(&self, code: &'static str, reason: &str) -> Option<Refused> {
        let Ask::Submit(submission) = &self.command.ask else { return None };
        let Some(entry) = submission.entries.get(self.next) else {
            return submission.then.clone();
        };
        Some(entry.refused(Refusal { code, reason: reason.to_owned() }, N(0)))
    }

    /// The events of the batch under way are durable.
    pub(super) fn committed(&mut self, commit: &Arc<Commit>) {
        for progress in &mut self.outcomes {
            if let Progress::Decided(seq) = progress {
                let index = usize::try_from(seq.0 - commit.after.0 - 1).unwrap_or(usize::MAX);
                *progress = Progress::Committed(Arc::clone(commit), index);
            }
        }
    }

    /// The events of the batch under way are not, or may not be, durable.
    pub(super) fn rewind(&mut self, known_only: bool) {
        if let Some(first) = self.first_decided() {
            self.outcomes.truncate(first);
            self.next = first;
        }
        self.refused = None;
        self.known_only = known_only;
    }

    /// Whether the batch under way holds events of it.
    pub(super) fn is_under_way(&self) -> bool {
        self.first_decided().is_some()
    }

    fn first_decided(&self) -> Option<usize> {
        self.outcomes.iter().position(|progress| matches!(progress, Progress::Decided(_)))
    }

    /// Each entry's outcome, of which the log knows those decided before.
    pub(super) fn verdicts(&mut self, config: &Config) -> Result<Vec<Outcome>, ReadError> {
        let outcome = |progress| match progress {
            Progress::Committed(commit, index) => Ok(Outcome::New(commit, index)),
            Progress::Decided(seq) => panic!("I4: event {} is not durable", seq.0),
            Progress::Known(client, n) => {
                let verdict = config.log.verdict(&config.stream, &client, n)?;
                let source = || "a number at or below the last has no event".into();
                let missing = || ReadError { what: "a verdict", source: source() };
                let verdict = verdict.ok_or_else(missing)?;
                Ok(Outcome::Known(verdict_row(client, n, verdict)))
            }
        };
        std::mem::take(&mut self.outcomes).into_iter().map(outcome).collect()
    }

    fn submission(&mut self) -> &mut Submission {
        match &mut self.command.ask {
            Ask::Submit(submission) => submission,
            _ => panic!("only submissions are taken into a batch"),
        }
    }
}

impl Submitted {
    fn refused(&self, refusal: Refusal, last: N) -> Refused {
        let n = match self.number {
            Number::Given { n, .. } => Some(n),
            Number::Next => None,
        };
        Refused { client: self.client.clone(), n, refusal, last }
    }
}

/// The events decided since the last commit.
#[derive(Debug)]
pub(super) struct Batch {
    after: Seq,
    chain: Chain,
    events: Vec<Decided>,
    records: BTreeMap<String, Option<String>>,
    /// Whose events: a log may take only so many in one append.
    clients: BTreeSet<ClientId>,
    bound: Vec<(ClientId, Arc<str>)>,
    bytes: usize,
}

impl Batch {
    pub(super) fn after(replica: &Replica) -> Self {
        Self {
            after: replica.seq,
            chain: replica.chain.clone(),
            events: Vec::new(),
            records: BTreeMap::new(),
            clients: BTreeSet::new(),
            bound: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The append, and what is told once it is durable. `overdue`: records that change beside those of the events.
    pub(super) fn finish(
        self,
        stream: &StreamId,
        log: LogId,
        overdue: Vec<Change>,
        check: Option<Check>,
    ) -> (Append, Arc<Commit>) {
        let mut records = BTreeMap::from_iter(overdue);
        records.extend(self.records);
        let append = Append {
            stream: stream.clone(),
            log: log.clone(),
            after: self.after,
            events: self.events.iter().map(|decided| decided.event.clone()).collect(),
            records: records.into_iter().collect(),
            bound: self.bound,
        };
        let mut commit = Commit::new(stream.clone(), log, self.after, self.events);
        commit.check = check;
        (append, Arc::new(commit))
    }

    /// Takes the entries of a submission for as long as there is room. Refusals are given where the state
    /// is `fresh`.
    pub(super) fn take<T: Clone>(
        &mut self,
        config: &Config,
        replica: &mut Replica,
        queued: &mut Queued<T>,
        now: u64,
        fresh: bool,
    ) -> Result<Took, Broken> {
        let (by, known_only) = (queued.command.by, queued.known_only);
        let caller = queued.submission().subject.clone();
        if queued.next == 0 && queued.submission().whole && !known_only {
            let refused = first_refusal(config, replica, queued.submission())?;
            if refused.is_some() && !fresh {
                return Ok(Took::Doubt);
            }
            queued.refused = refused;
            if queued.refused.is_some() {
                return Ok(Took::All);
            }
            if !self.has_room(config, queued.submission()) {
                return Ok(Took::Part);
            }
        }
        while let Some(entry) = next_entry(queued) {
            let known = replica.known(config, &entry.client, caller.as_ref())?;
            let last = known.told();
            let place = match place(entry.number, known) {
                Place::Take(..) if known_only => Place::Refuse(not_stored()),
                place => place,
            };
            match place {
                Place::Refuse(_) if !fresh => return Ok(Took::Doubt),
                Place::Refuse(refusal) => {
                    queued.refused = Some(entry.refused(refusal, last));
                    return Ok(Took::All);
                }
                Place::Known(n) => queued.outcomes.push(Progress::Known(entry.client, n)),
                Place::Take(..) if self.is_full(config, &entry) => return Ok(Took::Part),
                Place::Take(n, from) => {
                    let action = match stamped(&entry, now, n) {
                        Ok(action) => action,
                        Err(refusal) => {
                            queued.refused = Some(entry.refused(refusal, last));
                            return Ok(Took::All);
                        }
                    };
                    let (client, schema) = (&entry.client, entry.schema);
                    let taken = Taken { client, n, from, action: &action, schema, by };
                    let seq = self.decide(config, replica, &taken, now)?;
                    if let Some(caller) = &caller
                        && replica.bind(config, client, caller)?
                    {
                        self.bound.push((client.clone(), Arc::clone(caller)));
                    }
                    queued.outcomes.push(Progress::Decided(seq));
                    // Whatever comes of the append, this entry has this number from here on.
                    let next = queued.next;
                    queued.submission().entries[next] =
                        Submitted { number: Number::Given { n, from }, action, ..entry };
                }
            }
            queued.next += 1;
        }
        if let Some(then) = queued.submission().then.clone() {
            if !fresh {
                return Ok(Took::Doubt);
            }
            let last = replica.known(config, &then.client, caller.as_ref())?.told();
            queued.refused = Some(Refused { last, ..then });
        }
        Ok(Took::All)
    }

    /// Whether a submission that is taken as a whole fits: two commits could end differently.
    fn has_room(&self, config: &Config, submission: &Submission) -> bool {
        let bytes: usize = submission.entries.iter().map(|e| e.action.as_str().len()).sum();
        self.is_empty()
            || (self.events.len() + submission.entries.len() <= config.limits.commit_entries
                && self.bytes + bytes <= limits::COMMIT_BYTES)
    }

    fn is_full(&self, config: &Config, entry: &Submitted) -> bool {
        let another = !self.clients.contains(&entry.client);
        !self.is_empty()
            && (self.events.len() >= config.limits.commit_entries
                || self.bytes + entry.action.as_str().len() > limits::COMMIT_BYTES
                || (another && self.clients.len() >= config.log.append_clients()))
    }

    /// Asks the model, and makes the event of what it says (I3).
    fn decide(
        &mut self,
        config: &Config,
        replica: &mut Replica,
        taken: &Taken<'_>,
        now: u64,
    ) -> Result<Seq, Broken> {
        let seed = seed(config.stream.as_str(), taken.client.as_str(), taken.n.0);
        let now_of_action = taken.action.stamp().at.unwrap_or(now);
        let step = Step { action: taken.action.as_str(), now: now_of_action, seed };
        let upcast = match taken.schema.filter(|schema| *schema < config.model.schema) {
            Some(schema) => replica.reducer.upcast(step, schema)?,
            None => Upcast::Same,
        };
        let upcast = match upcast {
            Upcast::Same => Ok(None),
            Upcast::Action(text) => ActionText::inspect(&text, &limits::WIRE)
                .map(Some)
                .map_err(|Refusal { reason, .. }| Decision::Threw(format!("upcast: {reason}"))),
            Upcast::Failed(decision) => Err(decision),
        };
        let (decision, upcast) = match upcast {
            Ok(upcast) => {
                let action = upcast.as_ref().unwrap_or(taken.action).as_str();
                (replica.reducer.decide(Step { action, ..step })?, upcast)
            }
            Err(decision) => (decision, None),
        };
        let (error, changes) = match decision {
            Decision::Accepted => (None, replica.reducer.changes()?),
            Decision::Invalid(reason) => (rejection(code::INVALID, reason), Vec::new()),
            Decision::Threw(reason) => (rejection(code::THREW, reason), Vec::new()),
            Decision::Limit(reason) => {
                self.rebuild(config, replica)?;
                (rejection(code::LIMIT, reason), Vec::new())
            }
            Decision::Panicked(reason) => {
                self.rebuild(config, replica)?;
                (rejection(code::THREW, reason), Vec::new())
            }
        };
        let seq = Seq(self.after.0 + self.events.len() as u64 + 1);
        let action = upcast.as_ref().unwrap_or(taken.action);
        let parts = Parts {
            seq,
            client: taken.client,
            n: taken.n,
            from: taken.from,
            at: now,
            kind: action.kind(),
            model: &config.model.hash,
            schema: config.model.schema,
            action: action.as_str(),
        };
        let rejected = error.is_some();
        let event = StoredEvent::new(&self.chain, parts, error);
        self.push(event, taken.by, changes, upcast.is_some());
        if !(rejected && planted::is(Bug::RejectedNumberUnused)) {
            replica.clients.insert(taken.client.clone(), taken.n);
        }
        Ok(seq)
    }

    fn push(&mut self, event: StoredEvent, by: SessionId, changes: Vec<Change>, upcast: bool) {
        self.chain = event.chain.clone();
        self.bytes += event.body.len();
        self.clients.insert(event.client.clone());
        let mut decided = Decided::new(event, by, &changes);
        if upcast {
            // Not what was sent: its sender is told the whole.
            decided.short = decided.full.to_string();
        }
        self.events.push(decided);
        self.records.extend(changes);
    }

    /// A reducer that ran past a limit, or panicked, is dropped; its successor folds the log, then the good
    /// part of this batch.
    fn rebuild(&self, config: &Config, replica: &mut Replica) -> Result<(), Broken> {
        let Config { stream, model, log, engine, .. } = config;
        let mut reducer = fold(&**log, &**engine, stream, model, self.after)?.reducer;
        for Decided { event, .. } in &self.events {
            let Some(action) = event.action() else { continue };
            let now = crate::fold::stamped_at(action).unwrap_or(event.at);
            let seed = seed(stream.as_str(), event.client.as_str(), event.n.0);
            reducer.fold(Step { action, now, seed })?;
        }
        // Those of this batch are told already.
        reducer.changes()?;
        replica.reducer = reducer;
        Ok(())
    }
}

struct Taken<'a> {
    client: &'a ClientId,
    n: N,
    from: Option<N>,
    action: &'a ActionText,
    schema: Option<u32>,
    by: SessionId,
}

fn next_entry<T: Clone>(queued: &mut Queued<T>) -> Option<Submitted> {
    let next = queued.next;
    queued.submission().entries.get(next).cloned()
}

fn stamped(entry: &Submitted, now: u64, n: N) -> Result<ActionText, Refusal> {
    match entry.number {
        Number::Given { .. } => Ok(entry.action.clone()),
        Number::Next => entry.action.stamped(now, entry.client.as_str(), n.0),
    }
}

/// For submissions that are taken as a whole: the first entry that would be refused.
fn first_refusal(
    config: &Config,
    replica: &mut Replica,
    submission: &Submission,
) -> Result<Option<Refused>, ReadError> {
    let mut lasts: BTreeMap<&ClientId, N> = BTreeMap::new();
    for entry in &submission.entries {
        let known = match lasts.get(&entry.client) {
            Some(last) => Known { last: *last, maybe_forgotten: false, is_others: false },
            None => replica.known(config, &entry.client, submission.subject.as_ref())?,
        };
        let last = known.told();
        match place(entry.number, known) {
            Place::Known(_) => {}
            Place::Take(n, _) => {
                lasts.insert(&entry.client, n);
                if let Err(refusal) = stamped(entry, 0, n) {
                    return Ok(Some(entry.refused(refusal, last)));
                }
            }
            Place::Refuse(refusal) => return Ok(Some(entry.refused(refusal, last))),
        }
    }
    Ok(submission.then.clone())
}

fn not_stored() -> Refusal {
    Refusal { code: code::BUSY, reason: "it could not be stored: send again later".to_owned() }
}

#[expect(clippy::unnecessary_wraps, reason = "an event without one is accepted")]
fn rejection(code: &str, reason: String) -> Option<Rejection> {
    Some(Rejection { code: code.to_owned(), reason })
}

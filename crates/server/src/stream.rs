//! The worker of a stream: knows its state, decides what is submitted, appends, then tells.
//!
//! Sans-IO but for reads of the log: appends are orders, their outcomes are inputs, and time is
//! handed in. Keeps I3 (each action one event), I4 (nothing leaves before the append is durable),
//! I5 (numbers), I6 and I8. Between an append's order and its outcome nothing is answered, so
//! everything that leaves is as of the last commit.
//! Not here: threads and queues (`shard.rs`), who listens (`hub.rs`), frames (`session.rs`).

pub mod ask;
mod batch;
pub mod commit;
mod number;
mod others;
mod replica;

use std::collections::VecDeque;
use std::sync::Arc;

use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{Chain, ClientId, LogId, N, Rejection, Seq, StreamId, VerdictRow, code};

use self::ask::{Answer, Ask, Command, Missing, Outcome, SessionId, Settled};
use self::batch::{Batch, Broken, Queued, Took};
use self::commit::Commit;
use self::others::Others;
use self::replica::Replica;
use crate::limits::Limits;
use crate::log::{Append, AppendError, Head, Log, Snapshot, StoredModel};
use crate::reducer::ReducerEngine;

/// What a worker works with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its stream.
    pub stream: StreamId,
    /// The model that decides.
    pub model: Arc<StoredModel>,
    /// Where events lie.
    pub log: Arc<dyn Log>,
    /// What models run in.
    pub engine: Arc<dyn ReducerEngine>,
    /// The id of the log that the stream's first event begins: random, and not made here.
    pub new_log: LogId,
    /// What it keeps to.
    pub limits: Limits,
}

/// What a worker is told. `T` is an answer's address.
#[derive(Debug)]
pub enum Input<T> {
    /// Somebody asks.
    Asked(Command<T>),
    /// Several ask at once: what they submit shares its appends.
    AskedTogether(Vec<Command<T>>),
    /// The append that was ordered has this outcome.
    Appended(Result<Head, AppendError>),
    /// Others have appended up to this place, as is said.
    Moved(Seq),
    /// The lock that was ordered is there.
    Locked,
    /// The worker is about to be dropped.
    Stopping,
}

/// What a worker orders.
#[derive(Debug)]
pub enum Output<T> {
    /// Append this and say what came of it. No other append is ordered before.
    Append(Append),
    /// Wait until nobody else appends to the stream, and say so. The next append ends it.
    Lock,
    /// No append comes of the lock.
    Unlock,
    /// Tell everyone who listens.
    Publish(Arc<Commit>),
    /// Tell everyone who listens that they do not hear what leads to this head.
    CutOff(Seq),
    /// From here on, this session listens.
    Subscribe(T, SessionId),
    /// From here on, it does not.
    Unsubscribe(SessionId),
    /// Answer.
    Answer(T, SessionId, Answer),
    /// Keep this snapshot.
    Keep(Snapshot),
}

/// The worker of one stream.
#[derive(Debug)]
pub struct Worker<T> {
    config: Config,
    phase: Phase<T>,
    others: Others,
    queue: VecDeque<Queued<T>>,
    outputs: VecDeque<Output<T>>,
}

/// `Cold → Ready ⇄ (Locking →) Appending`; any of them `→ Cold` on a failure, or `→ Halted` for good.
#[derive(Debug)]
enum Phase<T> {
    /// The state is not loaded.
    Cold,
    /// The state is that of the last commit.
    Ready(Box<Replica>),
    /// It is, and the next batch waits for its turn.
    Locking(Box<Replica>),
    /// The state is ahead of the log by an append whose outcome is not known yet.
    Appending(Box<Replica>, Flight<T>),
    /// The log cannot be folded.
    Halted,
}

/// What is told once the append is durable.
#[derive(Debug)]
struct Flight<T> {
    commit: Arc<Commit>,
    chain: Chain,
    settling: Vec<Queued<T>>,
}

impl<T> Flight<T> {
    /// The head where all is durable.
    fn head(&self) -> Head {
        let seq = Seq(self.commit.after.0 + self.commit.events.len() as u64);
        Head { log: self.commit.log.clone(), seq, chain: self.chain.clone() }
    }
}

impl<T: Clone> Worker<T> {
    /// A worker that loads its state when it is first asked.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let (queue, outputs) = (VecDeque::new(), VecDeque::new());
        let others = Others::of(&*config.log);
        Self { config, phase: Phase::Cold, others, queue, outputs }
    }

    /// Takes one fact. `now` is the server's time.
    pub fn handle_input(&mut self, now: u64, input: Input<T>) {
        match input {
            Input::Asked(command) => self.enqueue(command),
            Input::AskedTogether(commands) => {
                commands.into_iter().for_each(|command| self.enqueue(command));
            }
            Input::Appended(outcome) => self.appended(outcome),
            Input::Moved(seq) => self.moved(seq),
            Input::Locked => self.locked(now),
            Input::Stopping => self.keep_snapshot(1),
        }
        self.run(now);
    }

    /// The next order, oldest first.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output<T>> {
        self.outputs.pop_front()
    }

    /// True where nothing waits and nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.is_waiting()
    }

    /// Whether the outcome of an append, or a lock, is to come.
    fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Appending(..) | Phase::Locking(_))
    }

    fn enqueue(&mut self, command: Command<T>) {
        let queued = Queued::new(command);
        if self.queue.len() >= self.config.limits.stream_queue
            && let Some(refused) =
                queued.as_refused(code::BUSY, "the stream's queue is full: send again later")
        {
            self.settled(queued, Vec::new(), Some(refused));
            return;
        }
        self.queue.push_back(queued);
    }

    fn run(&mut self, now: u64) {
        while !self.is_waiting() {
            let Some(next) = self.queue.pop_front() else { return };
            if let Err(answer) = self.wake_for(&next) {
                self.turn_away(next, answer);
            } else if next.is_submission() {
                self.queue.push_front(next);
                self.submit(now);
            } else {
                self.answer(next);
            }
        }
    }

    /// Loads the state where it is not there; for a question, up to what others appended last.
    fn wake_for(&mut self, next: &Queued<T>) -> Result<(), Answer> {
        match self.phase {
            Phase::Ready(_) if next.is_of_now() => self.refresh(),
            _ => self.wake(),
        }
    }

    /// Loads the state where it is not there.
    fn wake(&mut self) -> Result<(), Answer> {
        match self.phase {
            Phase::Ready(_) | Phase::Locking(_) | Phase::Appending(..) => return Ok(()),
            Phase::Halted => return Err(Answer::Halted),
            Phase::Cold => {}
        }
        match Replica::load(&self.config, self.others.told) {
            Ok(mut replica) => {
                self.mend_records(&mut replica);
                self.phase = Phase::Ready(Box::new(replica));
                self.loaded()
            }
            Err(error) => {
                let stream = &self.config.stream;
                tracing::error!(%stream, error = &error as &dyn std::error::Error, "a stream cannot be loaded");
                if error.is_final() {
                    self.phase = Phase::Halted;
                    return Err(Answer::Halted);
                }
                Err(Answer::Unavailable)
            }
        }
    }

    /// Whoever wrote last did not come to write all records: they are made anew. Where that fails
    /// they stay behind, and whoever loads the stream next tries again.
    fn mend_records(&self, replica: &mut Replica) {
        if let Err(error) = replica.mend_records(&self.config) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(stream = %self.config.stream, error, "records are behind their events");
        }
    }

    /// Decides what waits and orders one append. `fresh`: the state is surely that of the head.
    fn batch(&mut self, now: u64, fresh: bool) {
        let Phase::Ready(mut replica) = std::mem::replace(&mut self.phase, Phase::Cold) else {
            return;
        };
        let mut batch = Batch::after(&replica);
        let (mut settling, mut doubt) = (Vec::new(), false);
        while let Some(mut queued) = self.next_submission() {
            match batch.take(&self.config, &mut replica, &mut queued, now, fresh) {
                Ok(Took::All) => settling.push(queued),
                Ok(took @ (Took::Part | Took::Doubt)) => {
                    self.queue.push_front(queued);
                    doubt = matches!(took, Took::Doubt);
                    break;
                }
                Err(broken) => {
                    settling.push(queued);
                    return self.broken(&broken, settling);
                }
            }
        }
        if batch.is_empty() {
            self.phase = Phase::Ready(replica);
            settling.into_iter().for_each(|queued| self.settle(queued));
            if doubt && self.refresh().is_ok() {
                self.batch(now, true);
            }
            return;
        }
        let log = replica.log.clone().unwrap_or_else(|| self.config.new_log.clone());
        let chain = batch.chain().clone();
        // I9: once a batch, since it costs what changed.
        let check = if replica.compared { replica.check(&self.config) } else { None };
        let overdue = replica.overdue();
        let (append, commit) = batch.finish(&self.config.stream, log, overdue, check);
        if planted::is(Bug::ToldBeforeCommit) {
            self.outputs.push_back(Output::Publish(Arc::clone(&commit)));
        }
        self.outputs.push_back(Output::Append(append));
        self.phase = Phase::Appending(replica, Flight { commit, chain, settling });
    }

    fn next_submission(&mut self) -> Option<Queued<T>> {
        self.queue.front().filter(|next| next.is_submission())?;
        self.queue.pop_front()
    }

    fn appended(&mut self, outcome: Result<Head, AppendError>) {
        let Phase::Appending(mut replica, flight) = std::mem::replace(&mut self.phase, Phase::Cold)
        else {
            panic!("an outcome answers an append that was ordered");
        };
        let outcome = match outcome {
            Err(AppendError::Unknown(_)) if planted::is(Bug::UnknownIsDone) => Ok(flight.head()),
            Err(AppendError::Failed(_)) if planted::is(Bug::FailedStateKept) => {
                self.phase = Phase::Ready(replica);
                return self.requeue(flight.settling, true);
            }
            outcome => outcome,
        };
        match outcome {
            Ok(head) => {
                assert_eq!(head.chain, flight.chain, "I8: the append that was ordered is durable");
                let cached = self.config.limits.clients_cached;
                replica.advance(head, flight.commit.events.len(), cached);
                self.others.told = Some(replica.seq).filter(|_| self.others.may_be);
                self.phase = Phase::Ready(replica);
                self.tell(&flight.commit, flight.settling);
                self.hear();
            }
            Err(AppendError::Conflict { .. }) => {
                // Somebody else wrote: read it and decide anew. Stays Cold.
                match self.others.may_be {
                    true => tracing::debug!("another process was first"),
                    false => {
                        tracing::error!(stream = %self.config.stream, "another writer moved the head")
                    }
                }
                self.others.busy = self.others.may_be;
                self.requeue(flight.settling, false);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(stream = %self.config.stream, error, "an append did not succeed");
                self.requeue(flight.settling, true);
            }
        }
    }

    fn tell(&mut self, commit: &Arc<Commit>, settling: Vec<Queued<T>>) {
        self.outputs.push_back(Output::Publish(Arc::clone(commit)));
        if let Some(front) = self.queue.front_mut() {
            front.committed(commit);
        }
        for mut queued in settling {
            queued.committed(commit);
            self.settle(queued);
        }
        self.keep_snapshot(self.config.limits.snapshot_every);
    }

    /// The reducer failed at what decides nothing: it is dropped, and so is the batch.
    fn broken(&mut self, broken: &Broken, settling: Vec<Queued<T>>) {
        let error = broken as &dyn std::error::Error;
        tracing::error!(stream = %self.config.stream, error, "a batch was given up");
        self.requeue(settling, true);
    }

    /// Puts back what has no verdict. Where `known_only`, it is asked for, not decided anew: the
    /// log says which entries have their verdict, the others are refused.
    fn requeue(&mut self, settling: Vec<Queued<T>>, known_only: bool) {
        if let Some(front) = self.queue.front_mut().filter(|front| front.is_under_way()) {
            front.rewind(known_only);
        }
        for mut queued in settling.into_iter().rev() {
            queued.rewind(known_only);
            self.queue.push_front(queued);
        }
    }

    /// Answers a submission that is through.
    fn settle(&mut self, mut queued: Queued<T>) {
        let refused = queued.refused.take();
        match queued.verdicts(&self.config) {
            Ok(outcomes) => self.settled(queued, outcomes, refused),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(stream = %self.config.stream, error, "a verdict cannot be read");
                self.outputs.push_back(queued.answer(Answer::Unavailable));
            }
        }
    }

    fn settled(
        &mut self,
        queued: Queued<T>,
        outcomes: Vec<Outcome>,
        refused: Option<ask::Refused>,
    ) {
        self.outputs.push_back(queued.answer(Answer::Settled(Settled { outcomes, refused })));
    }

    fn turn_away(&mut self, queued: Queued<T>, answer: Answer) {
        let (code, reason) = match answer {
            Answer::Halted => (code::HALTED, "the stream cannot be folded: an operator must look"),
            _ => (code::BUSY, "the store does not answer: send again later"),
        };
        match queued.as_refused(code, reason) {
            Some(refused) => self.settled(queued, Vec::new(), Some(refused)),
            None => self.outputs.push_back(queued.answer(answer)),
        }
    }

    fn answer(&mut self, queued: Queued<T>) {
        let Phase::Ready(replica) = &mut self.phase else { return };
        let (to, by) = queued.address();
        let outputs = &mut self.outputs;
        let answer = match queued.into_ask() {
            Ask::Join(join) => {
                outputs.push_back(Output::Unsubscribe(by));
                replica.join(&self.config, &join).map(|joined| Answer::Joined(Box::new(joined)))
            }
            Ask::Follow { after } => {
                outputs.push_back(Output::Unsubscribe(by));
                replica.page(&self.config, after).map(Answer::Page)
            }
            Ask::Watch { records } => replica.watch(records),
            Ask::Head => Ok(Answer::Head(replica.seq)),
            Ask::State => replica.state().map(|state| Answer::State { seq: replica.seq, state }),
            Ask::Records => replica.records(),
            Ask::Leave => return outputs.push_back(Output::Unsubscribe(by)),
            Ask::Submit(_) => panic!("submissions are taken by batch()"),
        };
        match answer {
            Ok(answer) => {
                if answer.is_live() {
                    outputs.push_back(Output::Subscribe(to.clone(), by));
                }
                outputs.push_back(Output::Answer(to, by, answer));
            }
            Err(broken) => {
                let error = &broken as &dyn std::error::Error;
                tracing::error!(stream = %self.config.stream, error, "a question was not answered");
                if matches!(broken, Broken::Reducer(_)) {
                    self.phase = Phase::Cold;
                }
                outputs.push_back(Output::Answer(to, by, Answer::Unavailable));
            }
        }
    }

    fn keep_snapshot(&mut self, every: u64) {
        let Phase::Ready(replica) = &mut self.phase else { return };
        if !replica.is_due(every) {
            return;
        }
        match replica.state() {
            Ok(state) => {
                replica.snapshot_kept();
                self.outputs.push_back(Output::Keep(Snapshot {
                    seq: replica.seq,
                    model: self.config.model.hash.clone(),
                    state: state.to_string(),
                }));
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(stream = %self.config.stream, error, "a state cannot be written");
                self.phase = Phase::Cold;
            }
        }
    }
}

impl Answer {
    /// Whether a twin gets the state.
    pub(crate) fn is_snapshot(&self) -> bool {
        matches!(self, Self::Joined(joined) if matches!(joined.missing, Missing::State(_)))
    }

    /// Whether all that follows is sent unasked.
    fn is_live(&self) -> bool {
        match self {
            Self::Joined(joined) => match &joined.missing {
                Missing::Events(page) => page.live,
                Missing::State(_) => true,
            },
            Self::Page(page) => page.live,
            Self::Watching { .. } => true,
            Self::Settled(_)
            | Self::Head(_)
            | Self::State { .. }
            | Self::Records { .. }
            | Self::Unavailable
            | Self::Halted => false,
        }
    }
}

/// The row of an entry whose verdict is that event.
fn verdict_row(client: ClientId, n: N, verdict: crate::log::Verdict) -> VerdictRow {
    let error = if verdict.n == n {
        verdict.error
    } else {
        let reason = format!("the number was skipped, number {} settled it", verdict.n.0);
        Some(Rejection { code: code::DROPPED.to_owned(), reason })
    };
    VerdictRow { client, n, seq: verdict.seq, error }
}

#[cfg(test)]
mod tests;

//! The thread with the workers: models run on it, and it stays between messages.
//!
//! Keeps I4: nothing leaves before its append is durable, for the append is waited for here. Other
//! functions append as well, so a worker that does not stand at the log's head is made anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use twinstore_protocol::{Seq, StreamId, code};
use twinstore_server::auth::{Auth, Denied, Grant, Rights};
use twinstore_server::limits::THREAD_STACK;
use twinstore_server::log::{Append, AppendError, Base, Head, Log, ReadError};
use twinstore_server::model::Models;
use twinstore_server::random;
use twinstore_server::reducer::{Engines, ReducerEngine};
use twinstore_server::session::{self, Door, Identity, Session};
use twinstore_server::stream::ask::{Answer, Ask, Command, SessionId};
use twinstore_server::stream::commit::{Commit, Decided};
use twinstore_server::stream::{Config, Input, Output, Worker};

use crate::limits;
use crate::said::Talk;
use crate::turn::{Mode, Turn};

type Job = Box<dyn FnOnce(&mut Workers) + Send>;

/// The session of the message under way. Others have other numbers.
pub(crate) const OWN: SessionId = SessionId(1);

/// Where work for the workers is handed in.
#[derive(Debug)]
pub(crate) struct Desk {
    jobs: Sender<Job>,
}

/// What workers work with.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) models: Arc<Models>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) auth: Arc<Auth>,
}

impl Desk {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, where it gives none.
    pub(crate) fn start(shared: Shared, runtime: Handle) -> std::io::Result<Self> {
        let (jobs, inbox) = channel();
        let work = move || Workers::new(shared, runtime).run(&inbox);
        thread::Builder::new().name("reducer".to_owned()).stack_size(THREAD_STACK).spawn(work)?;
        Ok(Self { jobs })
    }

    /// Does it on the thread; none: it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Workers) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, done) = oneshot::channel();
        let job: Job = Box::new(move |workers| {
            // Whoever asked may be gone: the function was stopped.
            let _ = sender.send(job(workers));
        });
        self.jobs.send(job).ok()?;
        done.await.ok()
    }
}

/// The workers, on their thread.
pub(crate) struct Workers {
    shared: Shared,
    engine: Arc<dyn ReducerEngine>,
    runtime: Handle,
    workers: BTreeMap<StreamId, Placed>,
}

/// A worker, the place it stands at, and where the stream began for it.
struct Placed {
    worker: Worker<()>,
    at: Seq,
    base: Option<Base>,
}

/// What a worker says while it answers.
#[derive(Clone)]
enum Said {
    Answer(SessionId, Answer),
    Commit(Arc<Commit>),
}

impl Said {
    /// What is an answer to that session, or everyone's news.
    fn concerns(&self, id: SessionId) -> bool {
        match self {
            Self::Answer(by, _) => *by == id,
            Self::Commit(_) => true,
        }
    }

    /// Whether nothing was decided, for want of the store.
    fn must_come_again(&self) -> bool {
        match self {
            Self::Answer(_, Answer::Unavailable) => true,
            Self::Answer(_, Answer::Settled(settled)) => {
                settled.refused.as_ref().is_some_and(|refused| refused.refusal.code == code::BUSY)
            }
            Self::Answer(..) | Self::Commit(_) => false,
        }
    }

    /// What the push to all leaves out: verdicts known before, refusals, and for a thin client its
    /// own events that changed no record.
    fn not_for_all(self, id: SessionId, is_twin: bool) -> Option<Self> {
        let commit = match self {
            Self::Answer(..) => return Some(self),
            Self::Commit(_) if is_twin => return None,
            Self::Commit(commit) => commit,
        };
        let own = commit.events.iter().filter(|decided| decided.by == id);
        let own = own.filter(|decided| decided.records.is_empty());
        let own = own.map(|decided| Decided::new(decided.event.clone(), decided.by, &[])).collect();
        let (stream, log) = (commit.stream.clone(), commit.log.clone());
        Some(Self::Commit(Arc::new(Commit::new(stream, log, commit.after, own))))
    }

    fn tell(self, session: &mut Session, stream: &StreamId) {
        session.handle_input(match self {
            Self::Answer(_, answer) => session::Input::Answered(stream.clone(), answer),
            Self::Commit(commit) => session::Input::Committed(commit),
        });
    }
}

impl Workers {
    fn new(shared: Shared, runtime: Handle) -> Self {
        let engine = Arc::new(Engines::default());
        Self { shared, engine, runtime, workers: BTreeMap::new() }
    }

    fn run(mut self, inbox: &Receiver<Job>) {
        while let Ok(job) = inbox.recv() {
            job(&mut self);
        }
    }

    /// Feeds a session, and does what it orders until nothing is left to do. `grant` is what its
    /// caller may do.
    pub(crate) fn converse(
        &mut self,
        session: &mut Session,
        grant: &mut Option<Grant>,
        input: session::Input<'_>,
        turn: &mut Turn,
    ) {
        session.handle_input(input);
        self.drain(session, grant, turn);
    }

    fn drain(&mut self, session: &mut Session, grant: &mut Option<Grant>, turn: &mut Turn) {
        while let Some(output) = session.poll_output() {
            match output {
                session::Output::Send(frame) => turn.frames.push(frame),
                // Its answer comes later, or from another function.
                session::Output::Ask(_, Ask::Submit(submission)) if turn.mode != Mode::Decide => {
                    turn.submitted = Some(submission);
                }
                session::Output::Ask(stream, ask) => {
                    for said in self.ask(&stream, vec![(OWN, ask)], turn) {
                        turn.failed |= turn.mode == Mode::Reduce && said.must_come_again();
                        said.tell(session, &stream);
                    }
                }
                session::Output::Authenticate(token) => {
                    let identified = self.identify(&token, grant, turn);
                    session.handle_input(session::Input::Door(Door::Identified(identified)));
                }
                session::Output::Admit(stream) => {
                    let said = self.admit(stream, grant.as_ref());
                    session.handle_input(session::Input::Door(said));
                }
                session::Output::Refused(code) => tracing::debug!(code, "refused"),
                session::Output::Close(..) => turn.close = true,
            }
        }
    }

    /// Decides what several sessions submitted to a stream, in as few appends as it takes. Each is
    /// told what the push to all leaves out; the last one's turn gets the states to be kept.
    pub(crate) fn decide(&mut self, stream: &StreamId, mut talks: Vec<&mut Talk>) {
        let submitted =
            |talk: &mut &mut Talk| Some((talk.id, Ask::Submit(talk.turn.submitted.take()?)));
        let asks = talks.iter_mut().filter_map(submitted).collect();
        let mut together = Turn::default();
        let said = self.ask(stream, asks, &mut together);
        for talk in &mut talks {
            let Talk { id, session, grant, turn } = &mut **talk;
            for said in said.iter().filter(|said| said.concerns(*id)) {
                turn.failed |= said.must_come_again();
                if let Some(said) = said.clone().not_for_all(*id, session.must_speak()) {
                    said.tell(session, stream);
                }
            }
            self.drain(session, grant, turn);
        }
        if let Some(last) = talks.last_mut() {
            last.turn.snapshots.append(&mut together.snapshots);
        }
    }

    fn identify(
        &self,
        token: &str,
        grant: &mut Option<Grant>,
        turn: &mut Turn,
    ) -> Result<Identity, Denied> {
        let new = self.runtime.block_on(self.shared.auth.identify(Some(token)))?;
        if grant.as_ref().is_some_and(|known| known.subject() != new.subject()) {
            return Err(Denied::OtherSubject);
        }
        let identity = identity(&new);
        turn.claims = Some(new.claims().clone());
        *grant = Some(new);
        Ok(identity)
    }

    fn admit(&self, stream: StreamId, grant: Option<&Grant>) -> Door {
        if grant.is_none() {
            return Door::Identified(Err(Denied::NoToken));
        }
        let rights = self.rights(grant, &stream);
        Door::Admitted(stream, rights)
    }

    /// What a caller may do with a stream; without a token, nothing.
    pub(crate) fn rights(&self, grant: Option<&Grant>, stream: &StreamId) -> Rights {
        let Some(grant) = grant else { return Rights::default() };
        self.runtime.block_on(self.shared.auth.rights(grant, stream))
    }

    /// Asks a stream's worker and waits for the answers, and for what became durable on the way.
    fn ask(
        &mut self,
        stream: &StreamId,
        asks: Vec<(SessionId, Ask)>,
        turn: &mut Turn,
    ) -> Vec<Said> {
        let log = Arc::clone(&self.shared.log);
        let Some(placed) = self.placed(stream) else {
            let unavailable = |(by, _)| Said::Answer(by, Answer::Unavailable);
            return asks.into_iter().map(unavailable).collect();
        };
        let commands = asks.into_iter().map(|(by, ask)| Command { to: (), by, ask }).collect();
        placed.worker.handle_input(random::now(), Input::AskedTogether(commands));
        let mut said = Vec::new();
        let mut conflicts = 0;
        let mut orders = VecDeque::new();
        loop {
            orders.extend(std::iter::from_fn(|| placed.worker.poll_output()));
            let Some(order) = orders.pop_front() else { return said };
            match order {
                Output::Append(append) => {
                    let mut outcome = durable(&*log, append);
                    if matches!(outcome, Err(AppendError::Conflict { .. })) {
                        conflicts += 1;
                        if conflicts > limits::CONFLICTS {
                            outcome = Err(AppendError::Failed("too many others write".into()));
                        }
                    }
                    placed.worker.handle_input(random::now(), Input::Appended(outcome));
                }
                // Those who listen hear of it from whoever appended it.
                Output::Publish(commit) if commit.is_of_others() => {
                    placed.at = Seq(commit.after.0 + commit.events.len() as u64);
                }
                Output::Publish(commit) => {
                    placed.at = Seq(commit.after.0 + commit.events.len() as u64);
                    turn.commits.push(Arc::clone(&commit));
                    said.push(Said::Commit(commit));
                }
                Output::Answer((), by, answer) => {
                    if let Answer::Joined(joined) = &answer {
                        turn.head = Some(joined.head);
                    }
                    said.push(Said::Answer(by, answer));
                }
                Output::Keep(snapshot) => turn.snapshots.push((stream.clone(), snapshot)),
                Output::Lock => placed.worker.handle_input(random::now(), Input::Locked),
                // Who listens stands in the table of connections.
                Output::Subscribe(..)
                | Output::Unsubscribe(_)
                | Output::CutOff(_)
                | Output::Unlock => {}
            }
        }
    }

    /// Sees to it that the stream's worker stands at the head; none: it cannot be seen, or there
    /// is no such model.
    fn placed(&mut self, stream: &StreamId) -> Option<&mut Placed> {
        let (head, base) = match self.stands(stream) {
            Ok(stands) => stands,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(%stream, error, "the head cannot be read");
                return None;
            }
        };
        let is_there = |placed: &Placed| placed.at == head && placed.base == base;
        if !self.workers.get(stream).is_some_and(is_there) {
            let config = Config {
                stream: stream.clone(),
                model: Arc::clone(self.shared.models.get(stream.model())?),
                log: Arc::clone(&self.shared.log),
                engine: Arc::clone(&self.engine),
                new_log: random::log_id(),
                limits: limits::LIMITS,
            };
            if self.workers.len() >= limits::STREAMS_LOADED {
                self.workers.pop_first();
            }
            let worker = Worker::new(config);
            self.workers.insert(stream.clone(), Placed { worker, at: head, base });
        }
        self.workers.get_mut(stream)
    }

    /// The stream's head and its base, which the log reads with it.
    fn stands(&self, stream: &StreamId) -> Result<(Seq, Option<Base>), ReadError> {
        let head = self.shared.log.head(stream)?.map_or(Seq(0), |head| head.seq);
        let base = if head > Seq(0) { self.shared.log.base(stream)? } else { None };
        Ok((head, base))
    }
}

/// Who a caller is.
pub(crate) fn identity(grant: &Grant) -> Identity {
    Identity { subject: grant.subject().map(ToString::to_string), expires: grant.expires() }
}

fn durable(log: &dyn Log, append: Append) -> Result<Head, AppendError> {
    let (sender, outcome) = channel();
    // The other end waits below.
    log.append(append, Box::new(move |result| drop(sender.send(result))));
    let gone = || Err(AppendError::Unknown("the log does not answer".into()));
    outcome.recv().unwrap_or_else(|_| gone())
}

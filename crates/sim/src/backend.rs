//! The server's process: the real shard, workers, hub and sessions; their threads and sockets are played.
//!
//! Keeps the order of `crates/server/src/socket.rs`: a session's orders are done at once, its mailbox is
//! read in order, and not more often than its socket takes frames.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use twinstore_engine::wire::Incoming;
use twinstore_protocol::{Chain, LogId, Seq, StreamId};
use twinstore_server::audit::{Keep, compact};
use twinstore_server::auth::Rights;
use twinstore_server::day::DAY_MS;
use twinstore_server::event::{Parts, StoredEvent};
use twinstore_server::hub::{Recipient, Told};
use twinstore_server::limits::Limits;
use twinstore_server::log::{Append, AppendError, Head, Log};
use twinstore_server::model::{Models, together};
use twinstore_server::session::{Door, Identity, Input, Output, Session};
use twinstore_server::shard::{Shard, Shared};
use twinstore_server::stream::ask::{Answer, Ask, Command, SessionId};
use twinstore_server::stream::commit::Commit;

use crate::coverage::Count;
use crate::dice::Dice;
use crate::env::{Env, Event};
use crate::faulty_log::FaultyLog;
use crate::model::{Action, Flaw, Kind, MODEL, Native, NativeEngine, Stalls, State, stored_model};
use crate::settings::Fault;
use crate::wire::{Item, decode};
use twinstore_protocol::{ClientId, N, SnapshotBody};

/// A session is closed that was silent for this long, as by the server's own limits.
const IDLE_MS: u64 = 60_000;

/// Days after which a client that is compacted is forgotten, as by the server's own limits.
const CLIENT_DAYS: u64 = Limits::DEFAULT.client_days;

/// The server, its log and its sockets.
pub(crate) struct Backend {
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) schema: u32,
    /// None: it is down.
    shard: Option<Shard<Post>>,
    /// Grows with every start, so that late answers of the disk are known as such.
    life: u64,
    native: NativeEngine,
    sockets: BTreeMap<usize, Socket>,
    sessions: u64,
    /// The append that is under way.
    append: Option<Append>,
    /// Somebody asked to join while it was.
    joining: bool,
    /// Another writer's count of its own events.
    rival: u64,
}

/// A socket's end at the server.
struct Socket {
    id: SessionId,
    session: Session,
    post: Post,
    heard_at: u64,
    /// Its task was told that there is mail.
    called: bool,
    /// It takes no frames.
    stalled: bool,
}

/// A session's mailbox.
#[derive(Clone, Debug, Default)]
struct Post {
    told: Rc<RefCell<VecDeque<Told>>>,
    commits_max: usize,
    cut_off: Rc<RefCell<u64>>,
}

impl Recipient for Post {
    fn answer(&self, stream: &StreamId, answer: Answer) {
        self.told.borrow_mut().push_back(Told::Answer(stream.clone(), answer));
    }

    fn offer(&self, commit: &Arc<Commit>) -> bool {
        let mut told = self.told.borrow_mut();
        let waiting = told.iter().filter(|told| matches!(told, Told::Commit(_))).count();
        if waiting >= self.commits_max {
            return false;
        }
        told.push_back(Told::Commit(Arc::clone(commit)));
        true
    }

    fn cut_off(&self, stream: &StreamId, head: Seq) {
        *self.cut_off.borrow_mut() += 1;
        self.told.borrow_mut().push_back(Told::CutOff(stream.clone(), head));
    }
}

/// The stream of all worlds.
pub(crate) fn stream() -> StreamId {
    StreamId::parse(&format!("{MODEL}/world")).expect("a stream's name")
}

impl Backend {
    pub(crate) fn new(env: &mut Env) -> Self {
        let dice = Dice::new(env.dice.draw());
        let stalls = Stalls { dice, per_mille: 0, count: 0 };
        Self {
            log: FaultyLog::new(env.dice.draw()),
            schema: 1,
            shard: None,
            life: 0,
            native: NativeEngine(Arc::new(Native(Mutex::new(stalls)))),
            sockets: BTreeMap::new(),
            sessions: 0,
            append: None,
            joining: false,
            rival: 0,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.shard.is_some()
    }

    /// The process starts.
    pub(crate) fn start(&mut self, env: &mut Env) {
        if self.is_up() {
            return;
        }
        env.trace(|| format!("server: starts with schema {}", self.schema));
        let rate = |env: &Env, fault| if env.unsafe_phase { env.settings.rate(fault) } else { 0 };
        self.log.fail_reads(rate(env, Fault::ReadFailed));
        self.native.0.0.lock().expect("not poisoned").per_mille = rate(env, Fault::ReducerStalled);
        let model = stored_model(self.schema);
        self.log.put_model(model).expect("a log in memory takes it");
        let shared = Shared {
            models: Arc::new(self.models()),
            log: Arc::<FaultyLog>::clone(&self.log),
            engine: Arc::new(self.native.clone()),
            limits: env.settings.server_limits(),
            metrics: Arc::default(),
        };
        let mut dice = Dice::new(env.dice.draw());
        let new_log = Box::new(move || LogId(format!("log{:08x}", dice.below(1 << 32))));
        self.shard = Some(Shard::new(shared, new_log));
    }

    /// The process is gone, with all that it had not written.
    pub(crate) fn crash(&mut self, env: &mut Env) {
        if !self.is_up() {
            return;
        }
        env.trace(|| "server: dies".to_owned());
        self.end(env);
        let down_ms = env.dice.within(50, 5_000);
        env.after(down_ms, Event::Start);
    }

    /// The process stops in good order: what was taken is finished first.
    pub(crate) fn stop(&mut self, env: &mut Env) {
        while self.append.is_some() {
            self.finish_append(env, Outcome::Written);
        }
        if let Some(mut shard) = self.shard.take() {
            shard.stop(env.wall());
        }
        self.end(env);
        let down_ms = env.dice.within(50, 1_000);
        env.after(down_ms, Event::Start);
    }

    fn end(&mut self, env: &mut Env) {
        self.shard = None;
        self.life += 1;
        self.append = None;
        for link in std::mem::take(&mut self.sockets).into_keys() {
            env.network.links[link].server_open = false;
            env.network.links[link].dead = true;
            let delay = env.dice.within(1, 300);
            env.after(delay, Event::ClientHears(link));
        }
    }

    /// A connection is made. False: there is nobody.
    pub(crate) fn accept(&mut self, env: &mut Env, link: usize, user: u8) -> bool {
        if !self.is_up() {
            return false;
        }
        self.sessions += 1;
        let id = SessionId(self.sessions);
        let models = Arc::new(self.models());
        let commits_max = usize::try_from(env.settings.socket_queue).unwrap_or(usize::MAX);
        let caller = Identity { subject: Some(format!("user {user}")), expires: None };
        let session = Session::twin(id, models, env.settings.server_limits()).guarded(caller);
        let socket = Socket {
            id,
            session,
            post: Post { commits_max, ..Post::default() },
            heard_at: env.now,
            called: false,
            stalled: false,
        };
        self.sockets.insert(link, socket);
        env.network.links[link].server_open = true;
        env.after(IDLE_MS, Event::Idle(link));
        true
    }

    pub(crate) fn frame(&mut self, env: &mut Env, link: usize, text: &str) {
        let Some(socket) = self.sockets.get_mut(&link) else { return };
        env.trace(|| format!("server < link {link}: {text}"));
        socket.heard_at = env.now;
        socket.session.handle_input(Input::Frame(text));
        self.pump(env, link);
    }

    /// A socket's task reads its mailbox.
    pub(crate) fn mail(&mut self, env: &mut Env, link: usize) {
        if let Some(socket) = self.sockets.get_mut(&link) {
            socket.called = false;
        }
        while let Some(socket) = self.sockets.get_mut(&link).filter(|socket| !socket.stalled) {
            let Some(told) = socket.post.told.borrow_mut().pop_front() else { break };
            socket.session.handle_input(match told {
                Told::Answer(stream, answer) => Input::Answered(stream, answer),
                Told::Commit(commit) => Input::Committed(commit),
                Told::CutOff(stream, head) => Input::CutOff(stream, head),
            });
            self.pump(env, link);
        }
    }

    /// A socket takes nothing for a while.
    pub(crate) fn stall(&mut self, env: &mut Env) {
        let links: Vec<_> = self.sockets.keys().copied().collect();
        let Some(link) = env.dice.pick(&links) else { return };
        if let Some(socket) = self.sockets.get_mut(&link) {
            socket.stalled = true;
            env.count(Count::ReceiverStalled);
            let delay = env.dice.within(500, 10_000);
            env.after(delay, Event::Unstall(link));
        }
    }

    pub(crate) fn unstall(&mut self, env: &mut Env, link: usize) {
        if let Some(socket) = self.sockets.get_mut(&link) {
            socket.stalled = false;
            self.mail(env, link);
        }
    }

    /// The client's end is closed, or the link is cut.
    pub(crate) fn hears(&mut self, env: &mut Env, link: usize) {
        let Some(socket) = self.sockets.remove(&link) else { return };
        env.network.links[link].server_open = false;
        for stream in socket.session.streams() {
            let (to, by) = (socket.post.clone(), socket.id);
            self.ask(env, &stream, Command { to, by, ask: Ask::Leave });
        }
    }

    /// A silent socket is closed.
    pub(crate) fn idle(&mut self, env: &mut Env, link: usize) {
        let Some(socket) = self.sockets.get(&link) else { return };
        let quiet_ms = env.now - socket.heard_at;
        if quiet_ms < IDLE_MS {
            return env.after(IDLE_MS - quiet_ms, Event::Idle(link));
        }
        env.close_server(link);
        self.hears(env, link);
    }

    /// The append that was ordered comes to its end.
    pub(crate) fn appended(&mut self, env: &mut Env, life: u64) {
        if life != self.life || self.append.is_none() {
            return;
        }
        if env.strikes(Fault::CrashAtAppend) {
            env.count(Count::ServerCrashed);
            let written = env.dice.below(2) == 0;
            if written {
                env.count(Count::CrashedAfterAppend);
                let append = self.append.take().expect("looked at above");
                let _ = self.write(env, append);
            } else {
                env.count(Count::CrashedBeforeAppend);
            }
            return self.crash(env);
        }
        let outcome = if env.strikes(Fault::AppendFailed) {
            Outcome::Failed
        } else if env.strikes(Fault::AppendUnknown) {
            Outcome::Unknown { written: env.dice.below(2) == 0 }
        } else if env.strikes(Fault::AppendConflict) {
            Outcome::Conflict
        } else {
            Outcome::Written
        };
        self.finish_append(env, outcome);
    }

    fn finish_append(&mut self, env: &mut Env, outcome: Outcome) {
        let Some(append) = self.append.take() else { return };
        env.trace(|| {
            format!(
                "server: append of {} after {}: {outcome:?}",
                append.events.len(),
                append.after.0
            )
        });
        if outcome != Outcome::Written && std::mem::take(&mut self.joining) {
            env.count(Count::JoinedFailing);
        }
        let result = match outcome {
            Outcome::Written => self.write(env, append),
            Outcome::Failed => {
                env.count(Count::AppendFailed);
                Err(AppendError::Failed("the simulated disk is full".into()))
            }
            Outcome::Unknown { written } => {
                env.count(if written {
                    Count::AppendUnknownWritten
                } else {
                    Count::AppendUnknownLost
                });
                if written {
                    let _ = self.write(env, append);
                }
                Err(AppendError::Unknown("the simulated disk does not answer".into()))
            }
            Outcome::Conflict => {
                env.count(Count::AppendConflict);
                self.write_as_rival(env, &append);
                self.write(env, append)
            }
        };
        if let Some(shard) = &mut self.shard {
            shard.appended(env.wall(), &stream(), result);
        }
        self.after_shard(env);
    }

    fn write(&self, env: &mut Env, append: Append) -> Result<Head, AppendError> {
        let events = append.events.clone();
        let head = self.log.write(append)?;
        env.truth.append(&events, &mut env.coverage);
        Ok(head)
    }

    /// Another writer is there before: the stored head moves.
    fn write_as_rival(&mut self, env: &mut Env, append: &Append) {
        self.rival += 1;
        let client = ClientId("rival".to_owned());
        let n = env.truth.last_n(&client).next();
        let id = 1_000_000 + self.rival;
        let action = Action {
            id,
            kind: Kind::Put,
            slot: 0,
            client: client.clone(),
            n,
            at: 1,
            flaw: Flaw::None,
        };
        let head = self.log.true_head(&stream());
        let previous = head.as_ref().map(|head| head.chain.clone()).unwrap_or_default();
        let model = stored_model(self.schema);
        let parts = Parts {
            seq: append.after.next(),
            client: &client,
            n,
            from: None,
            at: env.wall(),
            kind: "put",
            model: &model.hash,
            schema: model.schema,
            action: &action.text(),
        };
        let events = vec![StoredEvent::new(&previous, parts, None)];
        let (stream, log, after) = (append.stream.clone(), append.log.clone(), append.after);
        let rival = Append { stream, log, after, events, records: Vec::new(), bound: Vec::new() };
        self.write(env, rival).expect("the head is where the server's append would begin");
    }

    /// The log is another one from here on: an older copy of itself (of so many appends), or empty.
    pub(crate) fn replace_log(&mut self, env: &mut Env, appends: usize, life_ms: u64) {
        self.crash(env);
        let kept = self.log.events_in(appends);
        self.log =
            if appends == 0 { FaultyLog::new(env.dice.draw()) } else { self.log.restored(appends) };
        for schema in 1..=self.schema {
            self.log.put_model(stored_model(schema)).expect("a log in memory takes it");
        }
        env.truth.cut(kept);
        env.after(life_ms, Event::Start);
    }

    /// The process is stopped, and its log lets go of its oldest events. Now and then that is long after
    /// everything else: clients of before are forgotten then.
    pub(crate) fn compact(&mut self, env: &mut Env) {
        self.stop(env);
        let forgets = env.dice.below(3) == 0;
        if forgets {
            env.still_ms += CLIENT_DAYS * DAY_MS + env.dice.within(0, 2) * DAY_MS;
        }
        let clients_since = env.wall().saturating_sub(CLIENT_DAYS * DAY_MS);
        let keep = Keep { events: env.dice.below(20), forget: Vec::new(), clients_since };
        let since = (self.log.clients_since(&stream()), self.log.base(&stream()));
        let done = compact(&*self.log, &self.native, &stream(), keep, &mut |_| true);
        env.trace(|| format!("server: compacts, {done:?}, before that {since:?}"));
        if let Ok(Some(_)) = done {
            env.count(Count::Compacted);
            if forgets {
                env.count(Count::ClientsForgotten);
            }
        }
    }

    /// A newer model is deployed.
    pub(crate) fn deploy(&mut self, env: &mut Env) {
        self.stop(env);
        self.schema = 2;
        env.server_schema = 2;
    }

    /// From here on nothing fails.
    pub(crate) fn heal(&mut self, env: &mut Env) {
        self.log.fail_reads(0);
        self.native.0.0.lock().expect("not poisoned").per_mille = 0;
        self.start(env);
        let stalled: Vec<_> = self.sockets.keys().copied().collect();
        stalled.into_iter().for_each(|link| self.unstall(env, link));
    }

    /// Counts what only this side sees.
    pub(crate) fn count(&self, env: &mut Env) {
        for _ in 0..self.log.failed() {
            env.count(Count::ReadFailed);
        }
        for _ in 0..self.native.0.0.lock().expect("not poisoned").count {
            env.count(Count::ReducerStalled);
        }
    }

    fn models(&self) -> Models {
        together([stored_model(self.schema)]).expect("one model")
    }

    /// Performs what a session orders.
    fn pump(&mut self, env: &mut Env, link: usize) {
        while let Some(socket) = self.sockets.get_mut(&link) {
            let Some(output) = socket.session.poll_output() else { break };
            match output {
                Output::Send(text) => {
                    let message = decode(&text);
                    env.trace(|| format!("server > link {link}: {}", &*text));
                    check_sent(env, &message);
                    env.send_down(link, message);
                }
                Output::Ask(stream, ask) => {
                    self.joining |= self.append.is_some() && matches!(ask, Ask::Join(_));
                    let (to, by) = (socket.post.clone(), socket.id);
                    self.ask(env, &stream, Command { to, by, ask });
                }
                // Everyone may do everything, and shows no other token.
                Output::Admit(stream) => {
                    let admitted = Door::Admitted(stream, Rights::ALL);
                    socket.session.handle_input(Input::Door(admitted));
                }
                Output::Authenticate(_) => {}
                Output::Refused(_) => {}
                Output::Close(..) => {
                    env.close_server(link);
                    self.hears(env, link);
                }
            }
        }
    }

    fn ask(&mut self, env: &mut Env, stream: &StreamId, command: Command<Post>) {
        if let Some(shard) = &mut self.shard {
            shard.asked(env.wall(), stream, command);
        }
        self.after_shard(env);
    }

    /// The shard has ordered an append, or told somebody something.
    fn after_shard(&mut self, env: &mut Env) {
        if let Some(append) = self.shard.as_mut().and_then(Shard::poll_append) {
            assert!(self.append.is_none(), "I4: one append of a stream is under way");
            self.append = Some(append);
            self.joining = false;
            let delay = env.dice.within(1, 80);
            env.after(delay, Event::Append(self.life));
        }
        for (link, socket) in &mut self.sockets {
            for _ in 0..socket.post.cut_off.take() {
                env.count(Count::ReceiverCutOff);
            }
            if !socket.called && !socket.post.told.borrow().is_empty() {
                socket.called = true;
                let delay = env.dice.below(3);
                env.after(delay, Event::Mail(*link));
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Written,
    Failed,
    Unknown { written: bool },
    Conflict,
}

/// I4: what leaves the server is durable there, and I9: a state is the fold of the log.
fn check_sent(env: &mut Env, message: &Incoming<Item>) {
    let durable = |seq: Seq, chain: &Chain| {
        assert!(env.truth.holds(seq.0, chain), "I4: event {} is told and not durable", seq.0);
    };
    let head = |seq: Seq| assert!(seq.0 <= env.truth.head(), "I4: the head told is not durable");
    match message {
        Incoming::Welcome(welcome) => head(welcome.head),
        Incoming::Events(events) => events.events.iter().for_each(|e| durable(e.seq, &e.chain)),
        Incoming::Verdicts(verdicts) => verdicts.verdicts.iter().for_each(|row| head(row.seq)),
        Incoming::Pong(pong) => head(pong.head),
        Incoming::Snapshot(part) => {
            if part.seq > Seq(0) {
                durable(part.seq, &part.chain);
            }
            if part.parts == 1 {
                let body: SnapshotBody<State> =
                    serde_json::from_str(&part.data).expect("a snapshot's text");
                let (_, state) = env.truth.state_at(&part.chain).unwrap_or_default();
                assert_eq!(body.state, state, "I9: the snapshot at {} is the fold", part.seq.0);
            }
        }
        Incoming::Refused(refused) => {
            env.count(Count::Refused);
            assert!(refused.n > N(0), "I5: a refusal names its entry");
        }
        Incoming::Error(_) => {}
    }
}

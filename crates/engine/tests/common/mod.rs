//! A world for the engine: clients with disks, a small server, and a network that is told what to do.
//!
//! An action is a number; the state is the list of the accepted ones. The server rejects multiples of 7.
//! The real server has tests of its own and meets the engine in the end-to-end tests.
#![allow(dead_code, reason = "each behaviour uses its part of the world")]

use std::collections::{BTreeMap, VecDeque};

use twinstore_engine::*;
use twinstore_protocol::*;

pub type Action = u64;

/// The server: a log, and what it knows of each client.
#[derive(Default)]
pub struct Server {
    pub log: Vec<(ClientId, N, Option<N>, Action, bool)>,
    pub last: BTreeMap<ClientId, N>,
    pub name: String,
    pub snapshot_beyond: usize,
    pub refuse: BTreeMap<Action, &'static str>,
}

pub fn rejected(action: Action) -> bool {
    action.is_multiple_of(7)
}

impl Server {
    pub fn new() -> Self {
        Self { name: "log1".into(), snapshot_beyond: usize::MAX, ..Self::default() }
    }

    pub fn state(&self) -> Vec<Action> {
        self.log.iter().filter(|e| e.4).map(|e| e.3).collect()
    }

    fn head(&self) -> Seq {
        Seq(self.log.len() as u64)
    }

    fn chain(&self, seq: Seq) -> Chain {
        Chain(format!("{}:{}", self.name, seq.0))
    }

    fn log_id(&self) -> Option<LogId> {
        (!self.log.is_empty()).then(|| LogId(self.name.clone()))
    }

    fn rows(&self, clients: &[ClientFrom]) -> Vec<ClientRow> {
        let row = |c: &ClientFrom| ClientRow {
            client: c.client.clone(),
            last: self.last.get(&c.client).copied().unwrap_or_default(),
            rejections: self
                .log
                .iter()
                .enumerate()
                .filter(|(_, e)| e.0 == c.client && !e.4 && e.1 >= c.from)
                .map(|(i, e)| RejectionRow { n: e.1, seq: Seq(i as u64 + 1), error: rejection() })
                .collect(),
        };
        clients.iter().map(row).collect()
    }

    fn event(&self, i: usize, whole: bool) -> Event<Action> {
        let (client, n, from, action, accepted) = &self.log[i];
        let seq = Seq(i as u64 + 1);
        Event {
            seq,
            client: Some(client.clone()),
            n: Some(*n),
            from: *from,
            at: None,
            model: None,
            schema: None,
            action: (*accepted && whole).then_some(*action),
            error: (!accepted).then(rejection),
            chain: self.chain(seq),
        }
    }

    fn events(&self, after: Seq, short: Option<&ClientId>) -> Vec<Message<Action>> {
        let range = after.0 as usize..self.log.len();
        if range.is_empty() {
            return Vec::new();
        }
        let events = range.map(|i| self.event(i, short != Some(&self.log[i].0))).collect();
        let log = LogId(self.name.clone());
        vec![Message::Events(Events { stream: stream(), log, after, events })]
    }

    fn snapshot(&self, clients: &[ClientFrom]) -> Vec<Message<Action>> {
        // The text is not JSON here: the state's numbers and the rows, as `read_snapshot` takes them.
        let rows: Vec<String> = self
            .rows(clients)
            .iter()
            .map(|r| {
                let rejected: Vec<_> =
                    r.rejections.iter().map(|x| format!("{}@{}", x.n.0, x.seq.0)).collect();
                format!("{}={}={}", r.client, r.last.0, rejected.join(","))
            })
            .collect();
        let state: Vec<_> = self.state().iter().map(u64::to_string).collect();
        let text = format!("{}|{}", state.join(","), rows.join(";"));
        let half = text.len() / 2;
        let parts = [text[..half].to_owned(), text[half..].to_owned()];
        let seq = self.head();
        let part = |(i, data)| {
            Message::Snapshot(SnapshotPart {
                stream: stream(),
                log: self.log_id(),
                seq,
                chain: self.chain(seq),
                schema: 1,
                part: i as u32 + 1,
                parts: 2,
                data,
            })
        };
        parts.into_iter().enumerate().map(part).collect()
    }

    /// Takes a frame; answers to the sender. Whether the log grew is for the caller to see.
    pub fn receive(&mut self, frame: Frame<Action>) -> Vec<Message<Action>> {
        match frame {
            Frame::Hello(hello) => self.hello(&hello),
            Frame::Push(push) => self.push(push),
            Frame::Pull(pull) => match &pull.cursor {
                Some(cursor) => self.events(cursor.seq, None),
                None => self.snapshot(&pull.clients),
            },
            Frame::Ping(_) => vec![Message::Pong(Pong { stream: stream(), head: self.head() })],
            Frame::Leave(_) => Vec::new(),
        }
    }

    fn hello(&self, hello: &Hello) -> Vec<Message<Action>> {
        let known = hello
            .cursor
            .as_ref()
            .map(|c| c.log.0 == self.name && c.seq <= self.head() && c.chain == self.chain(c.seq));
        let welcome = Message::Welcome(Welcome {
            v: 1,
            stream: stream(),
            log: self.log_id(),
            head: self.head(),
            reset: known == Some(false),
            clients: self.rows(&hello.clients),
            schema: 1,
            model: "m".into(),
            limits: WireLimits { batch_actions: 3, ..WireLimits::DEFAULT },
            ping_ms: 20_000,
            subject: None,
        });
        let after = hello.cursor.as_ref().map_or(Seq(0), |c| c.seq);
        let behind = self.log.len().saturating_sub(after.0 as usize);
        let follow = if known == Some(false) || behind > self.snapshot_beyond {
            self.snapshot(&hello.clients)
        } else {
            self.events(after, None)
        };
        [welcome].into_iter().chain(follow).collect()
    }

    fn push(&mut self, push: Push<Action>) -> Vec<Message<Action>> {
        let mut verdicts = Vec::new();
        let mut refused = None;
        let after = self.head();
        let sender = push.entries[0].client.clone();
        for entry in push.entries {
            let last = self.last.get(&entry.client).copied().unwrap_or_default();
            let from = entry.from.unwrap_or(entry.n);
            if entry.n <= last {
                let at = self.log.iter().position(|e| e.0 == entry.client && e.1 == entry.n);
                let at = at.expect("the tests drop nothing that was sent");
                let error = (!self.log[at].4).then(rejection);
                let seq = Seq(at as u64 + 1);
                verdicts.push(VerdictRow { client: entry.client, n: entry.n, seq, error });
                continue;
            }
            let code = self.refuse.get(&entry.action).copied();
            let code = code.or((from > last.next()).then_some(code::GAP));
            let code = code.or((from <= last).then_some(code::OVERLAP));
            if let Some(code) = code {
                refused = Some(Message::Refused(Refused {
                    stream: stream(),
                    client: entry.client,
                    n: entry.n,
                    code: code.into(),
                    reason: String::new(),
                    last,
                }));
                break;
            }
            self.last.insert(entry.client.clone(), entry.n);
            let accepted = !rejected(entry.action);
            self.log.push((entry.client, entry.n, entry.from, entry.action, accepted));
        }
        let mut answers = self.events(after, Some(&sender));
        if !verdicts.is_empty() {
            answers.push(Message::Verdicts(Verdicts { stream: stream(), verdicts }));
        }
        answers.extend(refused);
        answers
    }

    /// What another socket is sent after the log grew.
    pub fn news(&self, after: Seq) -> Vec<Message<Action>> {
        self.events(after, None)
    }
}

pub fn stream() -> StreamId {
    StreamId::parse("list/test").unwrap()
}

fn rejection() -> Rejection {
    Rejection { code: "invalid".into(), reason: "a multiple of 7".into() }
}

/// What lies on a device's disk.
#[derive(Clone, Default)]
pub struct Disk {
    pub base: Option<Vec<Action>>,
    pub events: Vec<StoredEvent<Value>>,
    pub cursor: Option<Cursor>,
    pub settled: BTreeMap<ClientId, N>,
    pub entries: Vec<StoredEntry<Value>>,
}

/// The engine's `A`: an action, or a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Action(Action),
    State(Vec<Action>),
}

fn action(value: &Value) -> Action {
    match value {
        Value::Action(action) => *action,
        Value::State(_) => panic!("an action is not a state"),
    }
}

/// A page load: an engine, its driver, its two states, and its disk.
pub struct Page {
    pub engine: Engine<Value>,
    pub id: ClientId,
    pub disk: Disk,
    pub confirmed: Vec<Action>,
    pub visible: Vec<Action>,
    /// In how many steps the shown actions were laid over the confirmed state.
    shown: VecDeque<Action>,
    pub notices: Vec<String>,
    pub wire: VecDeque<Frame<Value>>,
    pub linked: bool,
    pub rebases: usize,
    /// Writes that the disk has not answered yet.
    pub slow_disk: bool,
    unanswered: Vec<N>,
}

impl Page {
    pub fn load(id: &str, disk: Disk, others_gone: bool) -> Self {
        let client = ClientId(id.to_owned());
        let config = Config {
            stream: stream(),
            client: client.clone(),
            schema: 1,
            seed: id.bytes().map(u64::from).sum(),
            limits: Limits::default(),
        };
        let mut page = Self {
            engine: Engine::new(config),
            id: client,
            disk,
            confirmed: Vec::new(),
            visible: Vec::new(),
            shown: VecDeque::new(),
            notices: Vec::new(),
            wire: VecDeque::new(),
            linked: false,
            rebases: 0,
            slow_disk: false,
            unanswered: Vec::new(),
        };
        let disk = page.disk.clone();
        page.feed(
            0,
            Input::Restored(StoredState {
                base: disk.base.map(Value::State),
                events: disk.events,
                cursor: disk.cursor,
                settled: disk.settled.into_iter().collect(),
                entries: disk.entries.clone(),
            }),
        );
        page.rebases = 0;
        if others_gone {
            for client in page.engine.strangers() {
                let of = |e: &&StoredEntry<Value>| e.client == client;
                let entries = disk.entries.iter().filter(of).cloned().collect();
                page.feed(0, Input::Adopted { client: client.clone(), entries });
            }
        }
        page
    }

    pub fn feed(&mut self, now: u64, input: Input<Value>) {
        self.try_feed(now, input).expect("the engine takes this input");
    }

    pub fn try_feed(&mut self, now: u64, input: Input<Value>) -> Result<(), InputError> {
        let mut inputs = VecDeque::from([input]);
        let mut result = Ok(());
        while let Some(input) = inputs.pop_front() {
            result = result.and(self.engine.handle_input(Millis(now), input));
            while let Some(output) = self.engine.poll_output() {
                self.perform(output, &mut inputs);
            }
        }
        result
    }

    fn perform(&mut self, output: Output<Value>, inputs: &mut VecDeque<Input<Value>>) {
        match output {
            Output::Persist(write) => self.persist(write, inputs),
            Output::OpenLink => self.linked = true,
            Output::CloseLink => self.linked = false,
            Output::Transmit(frame) => self.wire.push_back(frame),
            Output::ReadSnapshot(text) => inputs.push_back(read_snapshot(&text)),
            Output::Apply(apply) => self.apply(apply),
            Output::Notify(notice) => self.notices.push(render(&notice)),
        }
    }

    fn persist(&mut self, write: Write<Value>, inputs: &mut VecDeque<Input<Value>>) {
        match write {
            Write::Enqueue(entry) => {
                let n = entry.n;
                self.disk.entries.push(entry);
                if self.slow_disk {
                    self.unanswered.push(n);
                } else {
                    inputs.push_back(Input::Persisted(n));
                }
            }
            Write::Confirm { events, cursor, settled } => {
                self.disk.events.extend(events);
                self.disk.cursor = cursor.or(self.disk.cursor.take());
                self.forget(settled);
            }
            Write::Remove { client, n } => {
                self.disk.entries.retain(|e| !(e.client == client && e.n == n));
            }
            Write::Hold { client, n, reason } => {
                let row = self.disk.entries.iter_mut().find(|e| e.client == client && e.n == n);
                row.expect("what is held is stored").held = Some(reason);
            }
            Write::Snapshot { state: Value::State(state), cursor, settled } => {
                self.disk.base = Some(state);
                self.disk.events.clear();
                self.disk.cursor = cursor;
                self.forget(settled);
            }
            Write::Snapshot { state: Value::Action(_), .. } => panic!("a state is not an action"),
        }
    }

    fn forget(&mut self, settled: Vec<(ClientId, N)>) {
        for (client, n) in settled {
            self.disk.entries.retain(|e| !(e.client == client && e.n == n));
            let last = self.disk.settled.entry(client).or_default();
            *last = (*last).max(n);
        }
    }

    fn apply(&mut self, apply: Apply<Value>) {
        match apply {
            Apply::Advance { count } => {
                for _ in 0..count {
                    self.confirmed.push(self.shown.pop_front().expect("advanced past the shown"));
                }
            }
            Apply::Rebase { base, events, shown, .. } => {
                self.rebases += 1;
                if let Some(Value::State(state)) = base {
                    self.confirmed = state;
                }
                self.confirmed.extend(events.iter().map(|e| action(&e.action)));
                self.shown = shown.iter().map(action).collect();
                self.visible = self.confirmed.iter().chain(&self.shown).copied().collect();
            }
        }
        let fold: Vec<_> = self.confirmed.iter().chain(&self.shown).copied().collect();
        assert_eq!(self.visible, fold, "I1: visible is the fold of confirmed and shown");
    }

    pub fn dispatch(&mut self, now: u64, action: Action) {
        self.dispatch_routed(now, action, false);
    }

    pub fn dispatch_routed(&mut self, now: u64, action: Action, hidden: bool) {
        if !hidden {
            self.shown.push_back(action);
            self.visible.push(action);
        }
        self.feed(now, Input::Dispatched { action: Value::Action(action), bytes: 10, hidden });
    }

    /// The disk answers all it owes.
    pub fn disk_answers(&mut self, now: u64) {
        for n in std::mem::take(&mut self.unanswered) {
            self.feed(now, Input::Persisted(n));
        }
    }

    pub fn receive(&mut self, now: u64, message: Message<Action>) {
        self.feed(now, Input::Received(lift(message)));
    }

    pub fn connect(&mut self, now: u64, server: &mut Server) {
        self.feed(now, Input::Connected);
        self.open(now);
        self.exchange(now, server);
    }

    pub fn open(&mut self, now: u64) {
        assert!(self.linked, "the engine asked for a link");
        self.feed(now, Input::LinkOpened { token: None });
    }

    /// Carries frames to and fro until there are none.
    pub fn exchange(&mut self, now: u64, server: &mut Server) {
        while let Some(frame) = self.wire.pop_front() {
            for answer in server.receive(lower(frame)) {
                self.receive(now, answer);
            }
        }
    }

    pub fn cut(&mut self, now: u64) {
        self.wire.clear();
        self.linked = false;
        self.feed(now, Input::LinkClosed);
    }

    /// Waits until the engine wants a link, and gives it one.
    pub fn reconnect(&mut self, now: u64, server: &mut Server) {
        self.feed(now, Input::Woken);
        self.open(now);
        self.exchange(now, server);
    }
}

fn read_snapshot(text: &str) -> Input<Value> {
    let (state, rows) = text.split_once('|').unwrap();
    let numbers = |s: &str| -> Vec<u64> {
        s.split(',').filter(|x| !x.is_empty()).map(|x| x.parse().unwrap()).collect()
    };
    let row = |row: &str| {
        let mut fields = row.split('=');
        let client = ClientId(fields.next().unwrap().to_owned());
        let last = N(fields.next().unwrap().parse().unwrap());
        let pairs = fields.next().unwrap().split(',').filter(|x| !x.is_empty());
        let rejections = pairs
            .map(|pair| {
                let (n, seq) = pair.split_once('@').unwrap();
                let (n, seq) = (N(n.parse().unwrap()), Seq(seq.parse().unwrap()));
                RejectionRow { n, seq, error: rejection() }
            })
            .collect();
        ClientRow { client, last, rejections }
    };
    let clients = rows.split(';').filter(|x| !x.is_empty()).map(row).collect();
    Input::SnapshotRead { state: Value::State(numbers(state)), clients }
}

fn render(notice: &Notice<Value>) -> String {
    match notice {
        Notice::Confirmed { n, seq, action: a, .. } => {
            format!("confirmed {} n{} seq{}", action(a), n.0, seq.0)
        }
        Notice::Rejected { n, seq, action: a, .. } => {
            format!("rejected {} n{} seq{}", action(a), n.0, seq.0)
        }
        Notice::Held { n, reason, action: a, .. } => {
            format!("held {} n{} {}", action(a), n.0, reason.as_str())
        }
        Notice::Diverged { seq } => format!("diverged seq{}", seq.0),
        Notice::Reset { held } => format!("reset {held}"),
        Notice::Failed { code, .. } => format!("failed {code}"),
    }
}

fn lift(message: Message<Action>) -> Message<Value> {
    match message {
        Message::Events(events) => Message::Events(Events {
            stream: events.stream,
            log: events.log,
            after: events.after,
            events: events
                .events
                .into_iter()
                .map(|e| Event {
                    seq: e.seq,
                    client: e.client,
                    n: e.n,
                    from: e.from,
                    at: e.at,
                    model: e.model,
                    schema: e.schema,
                    action: e.action.map(Value::Action),
                    error: e.error,
                    chain: e.chain,
                })
                .collect(),
        }),
        Message::Welcome(x) => Message::Welcome(x),
        Message::Snapshot(x) => Message::Snapshot(x),
        Message::Verdicts(x) => Message::Verdicts(x),
        Message::Refused(x) => Message::Refused(x),
        Message::Pong(x) => Message::Pong(x),
        Message::Error(x) => Message::Error(x),
    }
}

pub fn lower(frame: Frame<Value>) -> Frame<Action> {
    match frame {
        Frame::Push(push) => Frame::Push(Push {
            stream: push.stream,
            entries: push
                .entries
                .into_iter()
                .map(|e| Entry {
                    client: e.client,
                    n: e.n,
                    from: e.from,
                    schema: e.schema,
                    action: action(&e.action),
                })
                .collect(),
        }),
        Frame::Hello(x) => Frame::Hello(x),
        Frame::Pull(x) => Frame::Pull(x),
        Frame::Ping(x) => Frame::Ping(x),
        Frame::Leave(x) => Frame::Leave(x),
    }
}

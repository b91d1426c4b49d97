//! A world for the engine: clients with disks, a small server, and a network that is told what to do.
//!
//! An action is a number; the state is the list of the accepted ones. The server rejects multiples of 7.
//! The real server has tests of its own and meets the engine in the end-to-end tests.
#![allow(dead_code, reason = "each behaviour uses its part of the world")]

use std::collections::{BTreeMap, VecDeque};

use twinstore_engine::*;
use twinstore_protocol::*;

pub(crate) type Action = u64;

/// The server: a log, and what it knows of each client.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) log: Vec<(ClientId, N, Option<N>, Action, bool)>,
    pub(crate) last: BTreeMap<ClientId, N>,
    pub(crate) name: String,
    pub(crate) snapshot_beyond: usize,
    pub(crate) refuse: BTreeMap<Action, &'static str>,
    pub(crate) limits: WireLimits,
    /// Rejections are told to everyone as to those who did not name their client.
    pub(crate) anonymous_rejections: bool,
}

/// The size of an action where a test does not say.
pub(crate) const ACTION_BYTES: u32 = 10;

/// How often the server wants pings.
pub(crate) const PING_MS: u32 = 20_000;

pub(crate) fn rejected(action: Action) -> bool {
    action.is_multiple_of(7)
}

impl Server {
    pub(crate) fn new() -> Self {
        let limits = WireLimits { batch_actions: 3, ..WireLimits::DEFAULT };
        Self { name: "log1".into(), snapshot_beyond: usize::MAX, limits, ..Self::default() }
    }

    pub(crate) fn state(&self) -> Vec<Action> {
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
        let named = *accepted || !self.anonymous_rejections;
        Event {
            seq,
            client: named.then(|| client.clone()),
            n: named.then_some(*n),
            from: *from,
            at: None,
            model: None,
            schema: None,
            action: (*accepted && whole).then_some(*action),
            error: (!accepted && named).then(rejection),
            chain: self.chain(seq),
        }
    }

    fn events(&self, after: Seq, short: Option<&ClientId>) -> Vec<Message<Action>> {
        let range = index(after)..self.log.len();
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
        let part = |(part, data)| {
            Message::Snapshot(SnapshotPart {
                stream: stream(),
                log: self.log_id(),
                seq,
                chain: self.chain(seq),
                schema: 1,
                part,
                parts: 2,
                data,
            })
        };
        (1..).zip(parts).map(part).collect()
    }

    /// Takes a frame; answers to the sender. Whether the log grew is for the caller to see.
    pub(crate) fn receive(&mut self, frame: Frame<Action>) -> Vec<Message<Action>> {
        match frame {
            Frame::Hello(hello) => self.hello(&hello),
            Frame::Push(push) => self.push(push),
            Frame::Pull(pull) => match &pull.cursor {
                Some(cursor) if self.holds(cursor) => self.events(cursor.seq, None),
                Some(_) | None => self.snapshot(&pull.clients),
            },
            Frame::Ping(_) => vec![Message::Pong(Pong { stream: stream(), head: self.head() })],
            Frame::Leave(_) => Vec::new(),
        }
    }

    fn holds(&self, cursor: &Cursor) -> bool {
        cursor.log.0 == self.name
            && cursor.seq <= self.head()
            && cursor.chain == self.chain(cursor.seq)
    }

    fn hello(&self, hello: &Hello) -> Vec<Message<Action>> {
        let known = hello.cursor.as_ref().map(|cursor| self.holds(cursor));
        let welcome = Message::Welcome(Welcome {
            v: 1,
            stream: stream(),
            log: self.log_id(),
            head: self.head(),
            reset: known == Some(false),
            clients: self.rows(&hello.clients),
            schema: 1,
            model: "m".into(),
            limits: self.limits,
            ping_ms: PING_MS,
            subject: None,
        });
        let after = hello.cursor.as_ref().map_or(Seq(0), |c| c.seq);
        let behind = self.log.len().saturating_sub(index(after));
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
                // Its own event, or the later one that settled it.
                let at = self.log.iter().position(|e| e.0 == entry.client && e.1 >= entry.n);
                let at = at.expect("what was decided is in the log");
                let error = if self.log[at].1 > entry.n {
                    Some(Rejection { code: code::DROPPED.into(), reason: "dropped".into() })
                } else {
                    (!self.log[at].4).then(rejection)
                };
                let seq = Seq(at as u64 + 1);
                verdicts.push(VerdictRow { client: entry.client, n: entry.n, seq, error });
                continue;
            }
            let code = match self.refuse.get(&entry.action) {
                Some(code) => Some(*code),
                None if from > last.next() => Some(code::GAP),
                None if from <= last => Some(code::OVERLAP),
                None => None,
            };
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
    pub(crate) fn news(&self, after: Seq) -> Vec<Message<Action>> {
        self.events(after, None)
    }

    /// What the socket of this client is sent after the log grew.
    pub(crate) fn echo(&self, after: Seq, client: &ClientId) -> Vec<Message<Action>> {
        self.events(after, Some(client))
    }

    /// The same, an event a frame.
    pub(crate) fn one_by_one(&self, after: Seq) -> Vec<Message<Action>> {
        let log = || LogId(self.name.clone());
        let frame = |i| Events {
            stream: stream(),
            log: log(),
            after: Seq(i as u64),
            events: vec![self.event(i, true)],
        };
        (index(after)..self.log.len()).map(frame).map(Message::Events).collect()
    }

    /// The parts of a state for a client that waits for its own verdicts from the first on.
    pub(crate) fn parts(&self, client: &ClientId) -> Vec<Message<Action>> {
        self.snapshot(&[ClientFrom { client: client.clone(), from: N(1) }])
    }

    /// Something another client did.
    pub(crate) fn append(&mut self, client: &str, action: Action) {
        let client = ClientId(client.to_owned());
        let n = self.last.get(&client).copied().unwrap_or_default().next();
        self.push(Push {
            stream: stream(),
            entries: vec![Entry { client, n, from: None, schema: None, action }],
        });
    }
}

fn index(seq: Seq) -> usize {
    usize::try_from(seq.0).expect("the logs of tests are short")
}

pub(crate) fn pong(head: u64) -> Pong {
    Pong { stream: stream(), head: Seq(head) }
}

pub(crate) fn config(id: &str, limits: Limits) -> Config {
    Config {
        stream: stream(),
        client: ClientId(id.to_owned()),
        schema: 1,
        seed: id.bytes().map(u64::from).sum(),
        limits,
    }
}

pub(crate) fn stream() -> StreamId {
    StreamId::parse("list/test").expect("it is a stream's name")
}

fn rejection() -> Rejection {
    Rejection { code: "invalid".into(), reason: "a multiple of 7".into() }
}

/// Chance, the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(sides)).expect("less than the sides")
    }
}

/// What lies on a device's disk.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) base: Option<Vec<Action>>,
    pub(crate) events: Vec<StoredEvent<Value>>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) settled: BTreeMap<ClientId, N>,
    pub(crate) entries: Vec<StoredEntry<Value>>,
}

/// The engine's `A`: an action, or a state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
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
pub(crate) struct Page {
    pub(crate) engine: Engine<Value>,
    pub(crate) id: ClientId,
    pub(crate) disk: Disk,
    pub(crate) confirmed: Vec<Action>,
    pub(crate) visible: Vec<Action>,
    /// The actions laid over the confirmed state.
    shown: VecDeque<Action>,
    pub(crate) notices: Vec<String>,
    pub(crate) wire: VecDeque<Frame<Value>>,
    pub(crate) linked: bool,
    pub(crate) advances: usize,
    pub(crate) rebases: usize,
    /// What entered the store with its verdict, in order.
    pub(crate) entered: Vec<Action>,
    /// The disk answers when it is told to.
    pub(crate) slow_disk: bool,
    /// The text of a snapshot is read when the test says so.
    pub(crate) slow_reader: bool,
    pub(crate) text: Option<String>,
    unanswered: Vec<N>,
}

impl Page {
    /// The first page of a device.
    pub(crate) fn new(id: &str) -> Self {
        Self::load(id, Disk::default(), true)
    }

    /// A page that was welcomed by the server.
    pub(crate) fn online(id: &str, server: &mut Server) -> Self {
        let mut page = Self::new(id);
        page.connect(0, server);
        page
    }

    pub(crate) fn load(id: &str, disk: Disk, others_gone: bool) -> Self {
        Self::load_limited(id, disk, others_gone, Limits::default())
    }

    pub(crate) fn load_limited(id: &str, disk: Disk, others_gone: bool, limits: Limits) -> Self {
        let mut page = Self { disk, ..Self::with_limits(id, limits) };
        page.restore(0);
        if others_gone {
            page.adopt_strangers();
        }
        page
    }

    /// A page whose storage was not read yet.
    pub(crate) fn unread(id: &str) -> Self {
        Self::with_limits(id, Limits::default())
    }

    fn with_limits(id: &str, limits: Limits) -> Self {
        Self {
            engine: Engine::new(config(id, limits)),
            id: ClientId(id.to_owned()),
            disk: Disk::default(),
            confirmed: Vec::new(),
            visible: Vec::new(),
            shown: VecDeque::new(),
            notices: Vec::new(),
            wire: VecDeque::new(),
            linked: false,
            advances: 0,
            rebases: 0,
            entered: Vec::new(),
            slow_disk: false,
            slow_reader: false,
            text: None,
            unanswered: Vec::new(),
        }
    }

    /// Storage is read.
    pub(crate) fn restore(&mut self, now: u64) {
        let disk = self.disk.clone();
        let stored = StoredState {
            base: disk.base.map(Value::State),
            events: disk.events,
            cursor: disk.cursor,
            settled: disk.settled.into_iter().collect(),
            entries: disk.entries,
        };
        self.feed(now, Input::Restored(stored));
        self.rebases = 0;
    }

    /// No other tab is open: what they left is ours.
    fn adopt_strangers(&mut self) {
        for client in self.engine.strangers() {
            let of = |e: &&StoredEntry<Value>| e.client == client;
            let entries = self.disk.entries.iter().filter(of).cloned().collect();
            self.feed(0, Input::Adopted { client, entries });
        }
    }

    pub(crate) fn feed(&mut self, now: u64, input: Input<Value>) {
        self.try_feed(now, input).expect("the engine takes this input");
    }

    pub(crate) fn try_feed(&mut self, now: u64, input: Input<Value>) -> Result<(), InputError> {
        let mut inputs = VecDeque::from([input]);
        let mut result = Ok(());
        while let Some(input) = inputs.pop_front() {
            let taken = self.engine.handle_input(Millis(now), input);
            result = result.and(taken);
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
            Output::ReadSnapshot(text) if self.slow_reader => self.text = Some(text),
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
                if cursor.is_some() {
                    self.disk.cursor = cursor;
                }
                self.forget(settled);
            }
            Write::Remove { client, n } => {
                self.disk.entries.retain(|e| !(e.client == client && e.n == n));
            }
            Write::Hold { client, n, reason } => {
                let row = self.disk.entries.iter_mut().find(|e| e.client == client && e.n == n);
                row.expect("what is held is stored").held = Some(reason);
            }
            Write::Reset => self.disk.settled.clear(),
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
                self.advances += 1;
                for _ in 0..count {
                    self.confirmed.push(self.shown.pop_front().expect("advanced past the shown"));
                }
            }
            Apply::Rebase { base, events, shown, entering } => {
                self.rebases += 1;
                self.entered.extend(entering.iter().map(action));
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

    pub(crate) fn dispatch(&mut self, now: u64, action: Action) {
        self.dispatch_routed(now, action, false);
    }

    pub(crate) fn dispatch_all(&mut self, now: u64, actions: impl IntoIterator<Item = Action>) {
        for action in actions {
            self.dispatch(now, action);
        }
    }

    pub(crate) fn dispatch_routed(&mut self, now: u64, action: Action, hidden: bool) {
        self.try_dispatch(now, action, ACTION_BYTES, hidden).expect("there is room");
    }

    /// As the middleware does it: room first, then the store, then the engine's number.
    pub(crate) fn try_dispatch(
        &mut self,
        now: u64,
        action: Action,
        bytes: u32,
        hidden: bool,
    ) -> Result<(), InputError> {
        self.engine.check_room(bytes)?;
        if !hidden {
            self.shown.push_back(action);
            self.visible.push(action);
        }
        self.try_feed(now, Input::Dispatched { action: Value::Action(action), bytes, hidden })
    }

    pub(crate) fn drop_own(&mut self, now: u64, n: u64) -> Result<(), InputError> {
        let client = self.id.clone();
        self.try_feed(now, Input::Dropped { client, n: N(n) })
    }

    /// What others did since.
    pub(crate) fn hear(&mut self, now: u64, server: &Server) {
        for message in server.news(self.engine.status().cursor) {
            self.receive(now, message);
        }
    }

    pub(crate) fn read_text(&mut self, now: u64) {
        let text = self.text.take().expect("the engine gave a snapshot's text");
        self.feed(now, read_snapshot(&text));
    }

    /// What was sent since the last look: `n2`, `n4 from 3` for entries, the names of other frames.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.wire.iter().map(render_frame).collect()
    }

    /// The frames are lost, and the link stays.
    pub(crate) fn lose_sent(&mut self) {
        self.wire.clear();
    }

    pub(crate) fn progress(&self) -> Vec<Progress> {
        self.engine.pending().map(|p| p.progress).collect()
    }

    /// Feeds timeouts as they come due, up to and with `until`. Gives the times.
    pub(crate) fn pass_time(&mut self, until: u64) -> Vec<u64> {
        let mut times = Vec::new();
        while let Some(Millis(due)) = self.engine.poll_timeout().filter(|due| due.0 <= until) {
            assert!(times.len() < 100, "timeouts without end: {times:?}");
            times.push(due);
            self.feed(due, Input::TimedOut);
        }
        times
    }

    /// The disk answers all it owes.
    pub(crate) fn disk_answers(&mut self, now: u64) {
        for n in std::mem::take(&mut self.unanswered) {
            self.feed(now, Input::Persisted(n));
        }
    }

    pub(crate) fn receive(&mut self, now: u64, message: Message<Action>) {
        self.feed(now, Input::Received(lift(message)));
    }

    pub(crate) fn connect(&mut self, now: u64, server: &mut Server) {
        self.feed(now, Input::Connected);
        self.open(now);
        self.exchange(now, server);
    }

    pub(crate) fn open(&mut self, now: u64) {
        assert!(self.linked, "the engine asked for a link");
        self.feed(now, Input::LinkOpened { token: None });
    }

    /// Carries frames to and fro until there are none.
    pub(crate) fn exchange(&mut self, now: u64, server: &mut Server) {
        while !self.wire.is_empty() {
            self.exchange_one(now, server);
        }
    }

    /// Carries one frame and its answers.
    pub(crate) fn exchange_one(&mut self, now: u64, server: &mut Server) {
        if let Some(frame) = self.wire.pop_front() {
            for answer in server.receive(lower(frame)) {
                self.receive(now, answer);
            }
        }
    }

    /// What was sent arrives, the answers do not, and the link is lost.
    pub(crate) fn exchange_lost(&mut self, now: u64, server: &mut Server) {
        for frame in std::mem::take(&mut self.wire) {
            server.receive(lower(frame));
        }
        self.cut(now);
    }

    /// Connects and is welcomed; what is sent then stays on the wire.
    pub(crate) fn connect_only(&mut self, now: u64, server: &mut Server) {
        self.feed(now, Input::Connected);
        self.open(now);
        self.exchange_one(now, server);
    }

    /// The kinds of the orders that a message leads to.
    pub(crate) fn orders(&mut self, now: u64, message: Message<Action>) -> Vec<&'static str> {
        let input = Input::Received(lift(message));
        self.engine.handle_input(Millis(now), input).expect("the engine takes this input");
        std::iter::from_fn(|| self.engine.poll_output()).map(|output| kind(&output)).collect()
    }

    pub(crate) fn known(&self) -> u32 {
        u32::try_from(self.engine.status().cursor.0).expect("the logs of tests are short")
    }

    pub(crate) fn cut(&mut self, now: u64) {
        self.wire.clear();
        self.linked = false;
        self.feed(now, Input::LinkClosed);
    }

    /// Waits until the engine wants a link, and gives it one.
    pub(crate) fn reconnect(&mut self, now: u64, server: &mut Server) {
        self.feed(now, Input::Woken);
        self.open(now);
        self.exchange(now, server);
    }
}

/// Reads what [`Server::snapshot`] wrote.
fn read_snapshot(text: &str) -> Input<Value> {
    let (state, rows) = text.split_once('|').expect("a state and rows");
    let row = |row: &str| {
        let [client, last, rejections] = fields(row, '=');
        let rejections = list(rejections, ',').map(|pair| {
            let [n, seq] = fields(pair, '@');
            RejectionRow { n: N(number(n)), seq: Seq(number(seq)), error: rejection() }
        });
        ClientRow {
            client: ClientId(client.to_owned()),
            last: N(number(last)),
            rejections: rejections.collect(),
        }
    };
    Input::SnapshotRead {
        state: Value::State(list(state, ',').map(number).collect()),
        clients: list(rows, ';').map(row).collect(),
    }
}

fn list(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.split(separator).filter(|part| !part.is_empty())
}

fn fields<const COUNT: usize>(text: &str, separator: char) -> [&str; COUNT] {
    let parts: Vec<_> = text.split(separator).collect();
    parts.try_into().expect("as many fields as were written")
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn render_frame(frame: &Frame<Value>) -> String {
    match frame {
        Frame::Hello(hello) => format!("hello {}", render_cursor(hello.cursor.as_ref())),
        Frame::Push(push) => {
            let entry = |e: &Entry<Value>| match e.from {
                None => format!("n{}", e.n.0),
                Some(from) => format!("n{} from {}", e.n.0, from.0),
            };
            push.entries.iter().map(entry).collect::<Vec<_>>().join(", ")
        }
        Frame::Pull(pull) => format!("pull {}", render_cursor(pull.cursor.as_ref())),
        Frame::Ping(_) => "ping".to_owned(),
        Frame::Leave(_) => "leave".to_owned(),
    }
}

fn render_cursor(cursor: Option<&Cursor>) -> String {
    cursor.map_or_else(|| "nothing".to_owned(), |c| format!("{}", c.chain))
}

fn kind(output: &Output<Value>) -> &'static str {
    match output {
        Output::Persist(_) => "persist",
        Output::OpenLink => "open",
        Output::CloseLink => "close",
        Output::Transmit(_) => "transmit",
        Output::ReadSnapshot(_) => "read",
        Output::Apply(_) => "apply",
        Output::Notify(_) => "notify",
    }
}

fn render(notice: &Notice<Value>) -> String {
    match notice {
        Notice::Confirmed { n, seq, action: a, .. } => {
            format!("confirmed {} n{} seq{}", action(a), n.0, seq.0)
        }
        Notice::Rejected { n, seq, action: a, error, .. } => {
            format!("rejected {} n{} seq{}: {}", action(a), n.0, seq.0, error.reason)
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

pub(crate) fn lower(frame: Frame<Value>) -> Frame<Action> {
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

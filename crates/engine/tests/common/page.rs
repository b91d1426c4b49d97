//! A page with its disk: a driver for the engine, and the two states that the engine never sees.

use std::collections::{BTreeMap, VecDeque};

use twinstore_engine::*;
use twinstore_protocol::*;

use super::text::{kind, read_snapshot, render, render_frame};
use super::wire::{lift, lower};
use super::{ACTION_BYTES, Action, Server, Value, action, config};

/// What lies on a device's disk.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) base: Option<Vec<Action>>,
    pub(crate) events: Vec<StoredEvent<Value>>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) settled: BTreeMap<ClientId, N>,
    pub(crate) entries: Vec<StoredEntry<Value>>,
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
            Write::Hold(held) => {
                let row = self.disk.entries.iter_mut();
                let row = row.into_iter().find(|e| e.client == held.client && e.n == held.n);
                *row.expect("what is held is stored") = held;
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
        for _ in 0..1_000 {
            if self.wire.is_empty() {
                return;
            }
            self.exchange_one(now, server);
        }
        panic!("frames without end: {:?}", self.sent());
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

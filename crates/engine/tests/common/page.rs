//! A page with its disk: a driver for the engine, and the two states that the engine never sees.

use std::collections::{BTreeMap, VecDeque};

use twinstore_engine::wire::{Incoming, Outgoing};
use twinstore_engine::*;
use twinstore_protocol::{ClientId, Cursor, N};

use super::text::{kind, read_snapshot, render, render_frame};
use super::wire::{lift, lower};
use super::{ACTION_BYTES, Action, Server, Value, action, config, stream, sum};

/// What lies on a device's disk.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) base: Option<Vec<Action>>,
    pub(crate) events: Vec<StoredEvent<Value>>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) settled: BTreeMap<ClientId, N>,
    pub(crate) epoch: u64,
    /// By client: an engine's own names for clients end with it.
    pub(crate) entries: Vec<(ClientId, Entry<Value>)>,
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
    pub(crate) wire: VecDeque<Outgoing<Value>>,
    pub(crate) linked: bool,
    pub(crate) advances: usize,
    pub(crate) rebases: usize,
    /// What entered the store with its verdict, in order.
    pub(crate) entered: Vec<Action>,
    /// How often it asked its leader for the server's state.
    pub(crate) asked_leader: usize,
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

    /// A tab beside one that leads.
    pub(crate) fn following(id: &str, disk: Disk) -> Self {
        let config = Config { leads: false, ..config(id, Limits::default()) };
        let mut page = Self { disk, engine: Engine::new(config), ..Self::unread(id) };
        page.restore(0);
        page.feed(0, Input::Connected);
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
            asked_leader: 0,
            slow_disk: false,
            slow_reader: false,
            text: None,
            unanswered: Vec::new(),
        }
    }

    /// Storage is read.
    pub(crate) fn restore(&mut self, now: u64) {
        let stored = self.stored();
        self.feed(now, Input::Restored(stored));
        self.rebases = 0;
    }

    pub(crate) fn stored(&mut self) -> StoredState<Value> {
        let disk = self.disk.clone();
        let settled = disk.settled.into_iter();
        let settled =
            settled.map(|(name, n)| Id { client: self.engine.add_client(name.as_str()), n });
        let settled = settled.collect();
        let entries = self.entries_of(|_| true);
        StoredState {
            base: disk.base.map(Value::State),
            events: disk.events,
            cursor: disk.cursor,
            epoch: disk.epoch,
            passed: Vec::new(),
            settled,
            entries,
        }
    }

    pub(crate) fn entries_of(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<Entry<Value>> {
        let mut entries = Vec::new();
        for (name, entry) in &self.disk.entries {
            if wanted(name.as_str()) {
                let client = self.engine.add_client(name.as_str());
                entries.push(Entry { id: Id { client, n: entry.id.n }, ..entry.clone() });
            }
        }
        entries
    }

    /// No other tab is open: what they left is ours.
    fn adopt_strangers(&mut self) {
        let mut names: Vec<_> = self.disk.entries.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names.retain(|name| *name != self.id);
        for name in names {
            let entries = self.entries_of(|other| other == name.as_str());
            let client = self.engine.client(name.as_str());
            self.feed(0, Input::Adopted { client, entries, whole: true });
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
            Output::Replace(entry, gone) => {
                self.persist(Write { removed: vec![gone], ..Write::default() });
                self.perform(Output::Enqueue(entry), inputs);
            }
            Output::Enqueue(entry) => {
                let n = entry.id.n;
                self.put(entry);
                if self.slow_disk {
                    self.unanswered.push(n);
                } else {
                    inputs.push_back(Input::Persisted(n));
                }
            }
            Output::Persist(write) => self.persist(write),
            Output::Compact(cursor) => {
                self.disk.base = Some(self.confirmed.clone());
                self.disk.events.clear();
                self.disk.cursor = Some(cursor);
            }
            Output::Reread => {
                let stored = self.stored();
                inputs.push_back(Input::Reread(Some(stored)));
            }
            Output::OpenLink => self.linked = true,
            Output::CloseLink => self.linked = false,
            Output::Transmit(frame) => {
                let frame = self.engine.write(&stream(), None, frame);
                self.wire.push_back(frame);
            }
            Output::ReadSnapshot(pieces) => {
                let text = |piece| match piece {
                    Value::Text(text) => text,
                    other => panic!("not a text: {other:?}"),
                };
                let text: String = pieces.into_iter().map(text).collect();
                if self.slow_reader {
                    self.text = Some(text);
                } else {
                    inputs.push_back(read_snapshot(&self.engine, &text));
                }
            }
            Output::Advance(count) => self.advance(count),
            Output::Rebase(rebase) => self.rebase(rebase),
            Output::Compare { seq, sum: theirs } => {
                if sum(&self.confirmed) != theirs {
                    inputs.push_back(Input::FoldFailed(seq));
                }
            }
            Output::AskLeader => self.asked_leader += 1,
            Output::Notify(notice) => self.notices.push(render(&notice)),
        }
    }

    fn put(&mut self, entry: Entry<Value>) {
        let name = ClientId(self.engine.client_name(entry.id.client).to_owned());
        let known = self.disk.entries.iter_mut().find(|(n, e)| *n == name && e.id.n == entry.id.n);
        match known {
            Some((_, known)) => *known = entry,
            None => self.disk.entries.push((name, entry)),
        }
    }

    fn persist(&mut self, write: Write<Value>) {
        let disk = &mut self.disk;
        if write.state.is_some() && disk.epoch != self.engine.epoch() {
            disk.epoch = self.engine.epoch();
            disk.settled.clear();
        }
        for id in write.removed.iter().chain(&write.settled) {
            let name = self.engine.client_name(id.client);
            disk.entries.retain(|(n, e)| !(n.as_str() == name && e.id.n == id.n));
        }
        for id in &write.settled {
            let name = ClientId(self.engine.client_name(id.client).to_owned());
            let last = disk.settled.entry(name).or_default();
            *last = (*last).max(id.n);
        }
        match write.state {
            Some(Value::State(state)) => {
                disk.base = Some(state);
                disk.events.clear();
                disk.cursor = write.cursor;
            }
            Some(other) => panic!("not a state: {other:?}"),
            None => {
                disk.events.extend(write.events);
                if write.cursor.is_some() {
                    disk.cursor = write.cursor;
                }
            }
        }
        for entry in write.entries {
            self.put(entry);
        }
    }

    fn advance(&mut self, count: usize) {
        self.advances += 1;
        for _ in 0..count {
            self.confirmed.push(self.shown.pop_front().expect("advanced past the shown"));
        }
        self.check_fold();
    }

    fn rebase(&mut self, rebase: Rebase<Value>) {
        self.rebases += 1;
        self.entered.extend(rebase.entering.iter().map(action));
        if let Some(Value::State(state)) = rebase.base {
            self.confirmed = state;
        }
        if rebase.anew {
            self.confirmed.clear();
        }
        self.confirmed.extend(rebase.events.iter().map(|e| action(&e.action)));
        self.shown = rebase.shown.iter().map(action).collect();
        self.visible = self.confirmed.iter().chain(&self.shown).copied().collect();
        self.check_fold();
    }

    fn check_fold(&self) {
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

    /// The app merges an action into the last one, and shows what came of it.
    pub(crate) fn merge_into_last(&mut self, now: u64, merged: Action) -> Result<(), InputError> {
        let (_, last) = self.engine.last_unsent().ok_or(InputError::AlreadySent)?;
        assert_eq!(Some(&action(last)), self.shown.back(), "the last one shown");
        self.shown.pop_back();
        self.visible.pop();
        self.shown.push_back(merged);
        self.visible.push(merged);
        let action = Value::Action(merged);
        self.try_feed(now, Input::Merged { action, bytes: ACTION_BYTES })
    }

    pub(crate) fn drop_own(&mut self, now: u64, n: u64) -> Result<(), InputError> {
        self.try_feed(now, Input::Dropped(Id { client: Client::OWN, n: N(n) }))
    }

    /// What others did since.
    pub(crate) fn hear(&mut self, now: u64, server: &Server) {
        for message in server.news(self.engine.status().cursor) {
            self.receive(now, message);
        }
    }

    pub(crate) fn read_text(&mut self, now: u64) {
        let text = self.text.take().expect("the engine gave a snapshot's text");
        let input = read_snapshot(&self.engine, &text);
        self.feed(now, input);
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
        self.engine.pending().map(|(_, progress)| progress).collect()
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

    pub(crate) fn receive(&mut self, now: u64, frame: Incoming<Action>) {
        if let Some(message) = self.engine.read(&stream(), lift(frame), Value::Text) {
            self.feed(now, Input::Received(message));
        }
    }

    pub(crate) fn connect(&mut self, now: u64, server: &mut Server) {
        self.feed(now, Input::Connected);
        self.open(now);
        self.exchange(now, server);
    }

    pub(crate) fn open(&mut self, now: u64) {
        assert!(self.linked, "the engine asked for a link");
        self.feed(now, Input::LinkOpened);
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
    pub(crate) fn orders(&mut self, now: u64, frame: Incoming<Action>) -> Vec<&'static str> {
        let message = self.engine.read(&stream(), lift(frame), Value::Text);
        let input = Input::Received(message.expect("it is about this stream"));
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

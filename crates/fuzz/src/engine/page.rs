//! A page that performs the engine's orders and holds it to its word. What must hold after each input: `rules.rs`.

mod rules;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use twinstore_engine::*;
use twinstore_protocol::{ClientId, Cursor, N};

use crate::chance::Chance;
use rules::{said_done, weight};

/// The engine's `A`. Reducing an action appends it to the state.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Action(u16),
    State(Vec<u16>),
    /// A piece of a snapshot.
    Text,
}

fn action(value: &Value) -> u16 {
    match value {
        Value::Action(action) => *action,
        Value::State(_) | Value::Text => panic!("not an action: {value:?}"),
    }
}

/// What lies on the disk. Entries go by their client's name: the engine's own names end with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) base: Vec<u16>,
    pub(super) events: Vec<StoredEvent<Value>>,
    pub(super) cursor: Option<Cursor>,
    pub(super) settled: Vec<(String, N)>,
    pub(super) epoch: u64,
    pub(super) entries: Vec<(String, Entry<Value>)>,
}

impl Disk {
    fn fold(&self) -> Vec<u16> {
        let events = self.events.iter().map(|e| action(&e.action));
        self.base.iter().copied().chain(events).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    None,
    Asked,
    Open,
}

pub(super) struct Page {
    pub(super) engine: Engine<Value>,
    pub(super) disk: Disk,
    /// The disk still owes these answers.
    pub(super) unanswered: VecDeque<N>,
    slow_disk: bool,
    limits: Limits,
    pub(super) restored: bool,
    /// Storage was asked for again and has not answered, or is gone.
    rereading: bool,
    confirmed: Vec<u16>,
    shown: VecDeque<u16>,
    visible: Vec<u16>,
    link: Link,
    cursor: Option<Cursor>,
    next_action: u16,
    /// Own numbers that have no verdict yet and were not dropped.
    owed: BTreeSet<N>,
    told: BTreeSet<N>,
    /// What may be sent: it is stored.
    durable: BTreeSet<Id>,
    sent: BTreeSet<Id>,
    /// Up to which number somebody said that a client's actions are done.
    done: BTreeMap<Client, N>,
    /// The input under way takes an action off the disk without a verdict.
    drops: bool,
    closed: bool,
}

impl Page {
    pub(super) fn load(load: u32, disk: Disk, chance: &mut Chance<'_>) -> Self {
        let link = LinkLimits { snapshot_bytes_max: 1_000, ..Limits::default().link };
        let limits = Limits { outbox_actions: 8, outbox_bytes: 1_000, link };
        let config = Config {
            client: ClientId(format!("own{load}")),
            schema: 1,
            seed: 1,
            leads: !chance.one_in(4),
            limits,
        };
        Self {
            engine: Engine::new(config),
            disk,
            unanswered: VecDeque::new(),
            slow_disk: chance.one_in(3),
            limits,
            restored: false,
            rereading: false,
            confirmed: Vec::new(),
            shown: VecDeque::new(),
            visible: Vec::new(),
            link: Link::None,
            cursor: None,
            next_action: 1000,
            owed: BTreeSet::new(),
            told: BTreeSet::new(),
            durable: BTreeSet::new(),
            sent: BTreeSet::new(),
            done: BTreeMap::new(),
            drops: false,
            closed: false,
        }
    }

    /// What the disk holds, once.
    pub(super) fn restorable(&mut self) -> Option<StoredState<Value>> {
        (!std::mem::replace(&mut self.restored, true)).then(|| self.read_disk())
    }

    pub(super) fn read_disk(&mut self) -> StoredState<Value> {
        let settled = self.disk.settled.iter();
        let settled = settled.map(|(name, n)| Id { client: self.engine.add_client(name), n: *n });
        let settled = settled.collect();
        let mut entries = Vec::new();
        for (name, entry) in &self.disk.entries {
            let client = self.engine.add_client(name);
            let id = Id { client, n: entry.id.n };
            // A disk that says so makes it pending again, whatever was told of it.
            if client == Client::OWN && entry.held.is_some() {
                self.told.remove(&id.n);
            }
            entries.push(Entry { id, ..entry.clone() });
        }
        entries.sort_by_key(|e| (e.order, e.id.n));
        let answered = |e: &&Entry<Value>| !self.unanswered.contains(&e.id.n);
        let own = |e: &&Entry<Value>| e.id.client == Client::OWN;
        self.durable.extend(entries.iter().filter(|e| !own(e) || answered(e)).map(|e| e.id));
        let base = Some(Value::State(self.disk.base.clone()));
        let (events, cursor) = (self.disk.events.clone(), self.disk.cursor.clone());
        let epoch = self.disk.epoch;
        StoredState { base, events, cursor, epoch, settled, passed: Vec::new(), entries }
    }

    /// Other tabs put these on the disk.
    pub(super) fn stored_by_others(&mut self, entries: &[Entry<Value>]) {
        for entry in entries {
            self.durable.insert(entry.id);
            self.put(entry.clone());
        }
    }

    /// Another tab, or a user, deletes an entry; not one whose transaction is still under way. A held one that is
    /// gone was dropped there.
    pub(super) fn lose_entry(&mut self, chance: &mut Chance<'_>) {
        let at = chance.roll(self.disk.entries.len());
        if self.disk.entries.get(at).is_some_and(|(_, e)| !self.unanswered.contains(&e.id.n)) {
            let (of, entry) = self.disk.entries.remove(at);
            if of == self.engine.client_name(Client::OWN) && self.is_held(own(entry.id.n)) {
                self.owed.remove(&entry.id.n);
            }
        }
    }

    pub(super) fn persisted(&mut self, now: u64, n: N) {
        let ids = self.engine.pending().map(|(e, _)| e.id);
        self.durable.extend(ids.filter(|id| id.client == Client::OWN && id.n <= n));
        self.feed(now, Input::Persisted(n));
    }

    /// As the middleware does it: room first, then the store, then the engine's number.
    pub(super) fn dispatch(&mut self, now: u64, chance: &mut Chance<'_>) {
        let (bytes, hidden) = (chance.small(), self.engine.is_online() && chance.one_in(4));
        let (room, n) = (self.engine.check_room(bytes), self.engine.next_n());
        self.next_action = self.next_action.wrapping_add(1);
        if room.is_ok() {
            self.owed.insert(n);
            if !hidden {
                self.shown.push_back(self.next_action);
                self.visible.push(self.next_action);
            }
        }
        let input = Input::Dispatched { action: Value::Action(self.next_action), bytes, hidden };
        assert_eq!(self.try_feed(now, input), room, "the engine keeps to its check");
    }

    /// A new action is merged into the last one, where that was never sent.
    pub(super) fn merge(&mut self, now: u64, chance: &mut Chance<'_>) {
        let Some((last, _)) = self.engine.last_unsent() else { return };
        let (bytes, n) = (chance.small(), self.engine.next_n());
        if self.closed || self.engine.check_room(bytes).is_err() {
            return;
        }
        assert!(!self.sent.contains(&own(last)), "{last:?} was sent and may have been applied");
        self.owed.remove(&last);
        self.owed.insert(n);
        self.next_action = self.next_action.wrapping_add(1);
        self.shown.pop_back();
        self.shown.push_back(self.next_action);
        self.visible = self.confirmed.iter().chain(&self.shown).copied().collect();
        self.feed(now, Input::Merged { action: Value::Action(self.next_action), bytes });
    }

    pub(super) fn drop_action(&mut self, now: u64, id: Id) {
        let (may, held) = (self.engine.can_change(id), self.is_held(id));
        if may.is_ok() && !self.closed {
            assert!(held || !self.sent.contains(&id), "{id:?} was sent and may have been applied");
            if id.client == Client::OWN {
                self.owed.remove(&id.n);
            }
        }
        let dropped = self.try_feed(now, Input::Dropped(id));
        assert!(self.closed || dropped == may, "the engine keeps to its check");
    }

    pub(super) fn edit(&mut self, now: u64, id: Id, action: Value, bytes: u32) {
        let held = self.is_held(id);
        if self.try_feed(now, Input::Edited { id, action, bytes }).is_ok() {
            assert!(held || !self.sent.contains(&id), "{id:?} was sent and may have been applied");
        }
    }

    fn is_held(&self, id: Id) -> bool {
        self.engine.pending().any(|(e, _)| e.id == id && e.held.is_some())
    }

    pub(super) fn feed(&mut self, now: u64, input: Input<Value>) {
        let closed = matches!(input, Input::Closed);
        let result = self.try_feed(now, input);
        assert!(result.is_ok() || self.closed, "{result:?}");
        self.closed |= closed;
    }

    fn try_feed(&mut self, now: u64, input: Input<Value>) -> Result<(), InputError> {
        match (&input, self.link) {
            (Input::LinkOpened, Link::Asked) => self.link = Link::Open,
            (Input::LinkClosed, _) => self.link = Link::None,
            (Input::Reread(stored), _) => self.rereading = stored.is_none(),
            _ => {}
        }
        self.drops = matches!(input, Input::Dropped(_));
        for Id { client, n } in said_done(&input) {
            let done = self.done.entry(client).or_insert(n);
            *done = n.max(*done);
        }
        if std::env::var_os("TWINSTORE_FUZZ_TRACE").is_some_and(|on| on == "1") {
            eprintln!("{now} {input:?}");
        }
        let most = 16 + 4 * (self.engine.pending().count() + weight(&input));
        let result = self.engine.handle_input(Millis(now), input);
        let (mut orders, mut reset) = (0, false);
        while let Some(output) = self.engine.poll_output() {
            orders += 1;
            reset |= matches!(output, Output::Notify(Notice::Reset(_)));
            self.perform(output);
        }
        assert!(orders <= most, "I7: {orders} orders for one input, at most {most}");
        self.check_cursor(reset);
        self.check();
        if !self.slow_disk
            && let Some(n) = self.unanswered.pop_back()
        {
            self.unanswered.clear();
            self.persisted(now, n);
        }
        result
    }

    fn perform(&mut self, output: Output<Value>) {
        match output {
            Output::Enqueue(entry) => {
                self.unanswered.push_back(entry.id.n);
                self.put(entry);
            }
            Output::Replace(entry, gone) => {
                let name = self.engine.client_name(gone.client).to_owned();
                self.disk.entries.retain(|(of, e)| *of != name || e.id.n != gone.n);
                self.unanswered.push_back(entry.id.n);
                self.put(entry);
            }
            Output::Compare { .. } | Output::AskLeader => {}
            Output::Persist(write) => self.persist(write),
            Output::Compact(cursor) => {
                assert_eq!(Some(&cursor), self.engine.cursor(), "it is where the state stands");
                self.disk.base = self.confirmed.clone();
                self.disk.events.clear();
                self.disk.cursor = Some(cursor);
            }
            Output::Reread => self.rereading = true,
            Output::OpenLink => {
                assert_eq!(self.link, Link::None, "one link at a time");
                self.link = Link::Asked;
            }
            Output::CloseLink => self.link = Link::None,
            Output::Transmit(frame) => self.transmit(&frame),
            Output::ReadSnapshot(pieces) => assert!(!pieces.is_empty()),
            Output::Advance(count) => {
                for _ in 0..count {
                    self.confirmed.push(self.shown.pop_front().expect("I1: as many are shown"));
                }
                self.check_fold();
            }
            Output::Rebase(rebase) => self.rebase(rebase),
            Output::Notify(notice) => self.note(&notice),
        }
    }

    fn transmit(&mut self, frame: &Frame<Value>) {
        assert_eq!(self.link, Link::Open, "there is a link to send {frame:?} over");
        let Frame::Push(entries) = frame else { return };
        assert!(!entries.is_empty(), "a push has entries");
        let mut last = None;
        for entry in entries {
            assert!(self.durable.contains(&entry.id), "I4: {entry:?} is sent and not stored");
            assert!(entry.held.is_none(), "{entry:?} is held");
            assert!(entry.from <= entry.id.n, "I5: {entry:?}");
            if entry.id.client == Client::OWN {
                assert!(last < Some(entry.id.n), "I5: own actions in the order of n");
                last = Some(entry.id.n);
            }
            self.sent.insert(entry.id);
        }
    }

    fn rebase(&mut self, rebase: Rebase<Value>) {
        match rebase.base {
            Some(Value::State(state)) => self.confirmed = state,
            Some(other) => panic!("not a state: {other:?}"),
            None if rebase.anew => self.confirmed.clear(),
            None => {}
        }
        self.confirmed.extend(rebase.events.iter().map(|e| action(&e.action)));
        self.shown = rebase.shown.iter().map(action).collect();
        self.visible = self.confirmed.iter().chain(&self.shown).copied().collect();
        self.check_fold();
    }

    fn note(&mut self, notice: &Notice<Value>) {
        match notice {
            Notice::Verdict { id, .. } if id.client == Client::OWN => {
                assert!(self.told.insert(id.n), "I3: {id:?} has one verdict");
                self.owed.remove(&id.n);
            }
            Notice::Verdict { .. }
            | Notice::Held { .. }
            | Notice::Diverged(_)
            | Notice::Reset(_) => {}
        }
    }

    fn put(&mut self, entry: Entry<Value>) {
        let name = self.engine.client_name(entry.id.client).to_owned();
        let known = self.disk.entries.iter_mut().find(|(n, e)| *n == name && e.id.n == entry.id.n);
        match known {
            Some((_, known)) => *known = entry,
            None => self.disk.entries.push((name, entry)),
        }
    }

    /// As `logAfter` of `src/rows.js` does it: what does not follow on changes nothing.
    fn persist(&mut self, write: Write<Value>) {
        assert!(self.engine.leads() || write.cursor.is_none(), "who follows writes no log");
        if write.state.is_some() && self.disk.epoch != self.engine.epoch() {
            self.disk.epoch = self.engine.epoch();
            self.disk.settled.clear();
        }
        // What somebody else stored under a name of ours, which is no pending action, goes as well.
        let pends = |id: &Id| self.engine.pending().any(|(entry, _)| entry.id == *id);
        let foreign = |id: &Id| id.client == Client::OWN && !pends(id);
        let may = self.drops || write.removed.iter().all(foreign);
        assert!(may, "nobody dropped {:?}", write.removed);
        for id in &write.settled {
            let done = self.done.get(&id.client).copied().unwrap_or(N(0));
            assert!(done >= id.n, "{id:?} leaves the disk by nobody's word");
        }
        for id in write.removed.iter().chain(&write.settled) {
            let name = self.engine.client_name(id.client);
            self.disk.entries.retain(|(n, e)| !(n == name && e.id.n == id.n));
        }
        for id in &write.settled {
            self.disk.settled.push((self.engine.client_name(id.client).to_owned(), id.n));
        }
        for entry in write.entries {
            self.put(entry);
        }
        let known = self.disk.cursor.as_ref();
        let seq = known.map_or(0, |c| c.seq.0);
        let follows = write.cursor.as_ref().is_some_and(|cursor| {
            seq == write.behind.as_ref().map_or(0, |behind| behind.seq.0)
                && known.is_none_or(|known| known.log == cursor.log)
        });
        if let Some(Value::State(state)) = write.state {
            self.disk.base = state;
            self.disk.events.clear();
            self.disk.cursor = write.cursor;
        } else if follows {
            self.disk.events.extend(write.events);
            self.disk.cursor = write.cursor;
        }
    }
}

fn own(n: N) -> Id {
    Id { client: Client::OWN, n }
}

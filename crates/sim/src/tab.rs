//! A tab: one page load with its engine, and the driver that `src/driver.rs` is in the browser.
//!
//! Not here: where entries are stored (`storage.rs`), what others left (`adoption.rs`), who leads (`tabs.rs`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use twinstore_engine::wire::Incoming;
use twinstore_engine::{
    Config, Engine, Frame, HeldReason, Input, Limits, Message, Millis, Notice, Output, Progress,
    Rebase,
};
use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{ClientId, Cursor, N, Seq};
use twinstore_server::day::Day;

use crate::backend::stream;
use crate::coverage::Count;
use crate::device::Device;
use crate::disk::End;
use crate::env::{Env, Event, WALL_MS};
use crate::model::{Action, Flaw, Kind, State};
use crate::replica::Replica;
use crate::rows::{Key, Row, Stored};
use crate::storage::{Home, Opening, Store, Then, Written};
use crate::tabs::{Said, Tabs};
use crate::wire::{Item, encode, read_snapshot};

/// What a tab is told.
#[derive(Debug)]
pub(crate) enum TabEvent {
    /// The socket that it asked for is open.
    Opened(usize),
    /// The socket is closed, or could not be opened.
    Closed(usize),
    /// A frame came.
    Frame(usize, Box<Incoming<Item>>),
    /// Its timer rings, unless it was set anew.
    Timer(u64),
    /// The database is open and read; none: it does not open.
    Database { stored: Option<Stored>, opening: Opening },
    /// A database that is being opened is its own to write; none: it does not open.
    Entered { term: Option<u64>, opening: Opening },
    /// A transaction of its own has ended.
    Written(End, Written),
    /// Its term has begun; none: it could not.
    Claimed { term: Option<u64>, turn: u64, losses: u32 },
    /// Storage was read again.
    Reread { stored: Option<Stored>, losses: u32, writes: u64 },
    /// There is nothing to be read again.
    Unread,
    /// Who has something stored.
    Clients { clients: Option<BTreeSet<ClientId>>, link: Option<usize> },
    /// What a client has stored.
    Client {
        rows: Option<Vec<Row>>,
        client: ClientId,
        gone: bool,
        link: Option<usize>,
        losses: u32,
    },
    /// A hello has waited long enough for what others left.
    HelloNow(usize),
    /// The lock of a client that it waited for is its own.
    Outlived(ClientId),
    /// Another tab says something.
    Said(Said),
    /// The lock of the leader is its own.
    Granted(u64),
    /// The lock was stolen.
    Robbed,
    /// The leader did not answer.
    Unanswered(u64),
    /// It is time to ask the leader.
    Ask,
    /// The database was taken away.
    DatabaseLost,
    /// Trying again may be worth while.
    Wake,
}

/// What a tab's transaction is for.
#[derive(Debug)]
pub(crate) enum Wanted {
    Database(Opening),
    Entry(Opening),
    Written(Written),
    Claim { turn: u64, losses: u32 },
    Reread { losses: u32, writes: u64 },
    Clients { link: Option<usize> },
    Client { client: ClientId, from: N, gone: bool, link: Option<usize>, losses: u32 },
}

/// A tab's surroundings.
pub(crate) struct Within<'a> {
    pub(crate) env: &'a mut Env,
    pub(crate) device: &'a mut Device,
}

/// A page load.
#[derive(Debug)]
pub(crate) struct Tab {
    /// Its place among all tabs.
    pub(crate) number: usize,
    pub(crate) on: usize,
    pub(crate) client: ClientId,
    pub(crate) schema: u32,
    pub(crate) engine: Engine<Item>,
    pub(crate) replica: Replica,
    pub(crate) store: Store,
    /// Among the others; none: it leads alone.
    pub(crate) tabs: Option<Tabs>,
    /// Storage was read once.
    pub(crate) ready: bool,
    pub(crate) link: Option<usize>,
    /// A hello waits for what others left.
    pub(crate) greeting: Option<usize>,
    /// The clients whose verdicts are told here.
    pub(crate) ours: BTreeSet<ClientId>,
    /// Clients whose locks are held here, but whose entries could not be read yet.
    pub(crate) unread: Vec<ClientId>,
    /// Of other tabs' clients, the last number that was asked for.
    pub(crate) seen: BTreeMap<ClientId, N>,
    /// What others said they stored before this tab had read its storage.
    pub(crate) looks: Vec<(ClientId, N)>,
    /// It was killed: nothing that it does has any effect.
    pub(crate) dead: bool,
    /// It dies at its so-many-th effect from now.
    pub(crate) doom: Option<u64>,
    /// What came while it stood still; none: it does not.
    pub(crate) frozen: Option<VecDeque<TabEvent>>,
    pub(crate) wants_link: bool,
    /// The browser lost its lock: others take it for dead.
    pub(crate) unlocked: bool,
    inputs: VecDeque<Input<Item>>,
    draining: bool,
    timer: u64,
    /// What its clock shows beside the world's: as the wall clock stood when it was loaded.
    origin_ms: i64,
    /// Actions that are held back from the store.
    hidden: BTreeSet<u64>,
    cursor: Option<Cursor>,
    was_reset: bool,
    epoch: u64,
    /// An event did not fold here since the last snapshot.
    diverged: bool,
    told: BTreeSet<Key>,
    sent: BTreeSet<Key>,
}

impl Tab {
    pub(crate) fn load(w: &mut Within<'_>, number: usize, on: usize) -> Self {
        w.device.loads += u64::from(!planted::is(Bug::NumbersAnew) || w.device.loads == 0);
        let day = Day::of(u64::try_from(wall(w)).unwrap_or_default());
        let client = ClientId(format!("{day}-d{on}t{}", w.device.loads));
        let schema = w.device.schema;
        let outbox = usize::try_from(w.env.settings.outbox).unwrap_or(usize::MAX);
        let alone = !(w.env.settings.locks && w.env.settings.channel);
        let config = Config {
            client: client.clone(),
            schema,
            seed: w.env.dice.draw(),
            leads: alone,
            limits: Limits { outbox_actions: outbox, ..Limits::default() },
        };
        w.device.locks.insert(client.clone(), number);
        w.device.tabs.insert(number);
        w.env.trace(|| format!("tab {number}: opens on device {on} as {client}, schema {schema}"));
        let ahead = i64::try_from(w.device.ahead_ms).unwrap_or(i64::MAX);
        let mut tab = Self {
            number,
            on,
            engine: Engine::new(config),
            replica: Replica::new(schema),
            store: Store::new(!w.device.local.full, alone),
            tabs: None,
            ready: false,
            schema,
            link: None,
            greeting: None,
            ours: BTreeSet::from([client.clone()]),
            client,
            unread: Vec::new(),
            seen: BTreeMap::new(),
            looks: Vec::new(),
            dead: false,
            doom: None,
            frozen: None,
            wants_link: true,
            unlocked: false,
            inputs: VecDeque::new(),
            draining: false,
            timer: 0,
            origin_ms: w.device.wall_ms - ahead,
            hidden: BTreeSet::new(),
            cursor: None,
            was_reset: false,
            epoch: 0,
            diverged: false,
            told: BTreeSet::new(),
            sent: BTreeSet::new(),
        };
        tab.open_database(w, Then::Restore);
        if !alone {
            tab.join(w);
        }
        tab.feed(w, Input::Connected);
        tab
    }

    /// Takes what is due for it; keeps it where it stands still.
    pub(crate) fn handle(&mut self, w: &mut Within<'_>, event: TabEvent) {
        if self.dead {
            return;
        }
        if let Some(backlog) = &mut self.frozen {
            backlog.push_back(event);
            return;
        }
        match event {
            TabEvent::Opened(link) if self.link == Some(link) => self.answer(w, link),
            TabEvent::Closed(link) if self.link == Some(link) => {
                self.link = None;
                self.greeting = None;
                self.feed(w, Input::LinkClosed);
            }
            TabEvent::Frame(link, frame) if self.link == Some(link) => self.said(w, *frame),
            TabEvent::Opened(_) | TabEvent::Closed(_) | TabEvent::Frame(..) => {}
            TabEvent::Timer(timer) if timer == self.timer => self.feed(w, Input::TimedOut),
            TabEvent::Timer(_) => {}
            TabEvent::Wake => {
                self.feed(w, Input::Woken);
                self.ask_leader(w);
                self.adopt(w, None);
                self.feed(w, Input::Changed);
            }
            TabEvent::HelloNow(link) => self.hello(w, link),
            TabEvent::Outlived(client) => self.outlived(w, client),
            TabEvent::Said(said) => self.hear(w, said),
            TabEvent::Granted(request) => self.granted(w, request),
            TabEvent::Robbed => self.step_down(w),
            TabEvent::Unanswered(question) => self.unanswered(w, question),
            TabEvent::Ask => self.ask_again_later(w),
            stored => self.handle_stored(w, stored),
        }
        self.end_task(w);
    }

    fn handle_stored(&mut self, w: &mut Within<'_>, event: TabEvent) {
        match event {
            TabEvent::Database { stored, opening } => {
                self.database_opened(w, stored, opening);
                for (client, n) in std::mem::take(&mut self.looks) {
                    self.look(w, client, n);
                }
            }
            TabEvent::Written(end, written) => self.written(w, end, written),
            TabEvent::Entered { term, opening } => self.entered(w, term, opening),
            TabEvent::Claimed { term, turn, losses } => self.claimed(w, term, turn, losses),
            TabEvent::Reread { stored, losses, writes } => {
                self.reread_done(w, stored, losses, writes);
            }
            TabEvent::Unread => self.feed(w, Input::Reread(None)),
            TabEvent::Clients { clients, link } => self.clients_read(w, clients, link),
            TabEvent::Client { rows, client, gone, link, losses } => {
                let failed = rows.is_none();
                self.client_read(w, rows, client, gone, link, true);
                if failed {
                    self.lose(w, losses, false);
                }
            }
            TabEvent::DatabaseLost => {
                if self.store.home == Home::IndexedDb {
                    self.lose(w, self.store.losses, false);
                }
            }
            other => panic!("not about storage: {other:?}"),
        }
    }

    /// A frame of the server; what followers want of it they are told, after its write was begun.
    fn said(&mut self, w: &mut Within<'_>, frame: Incoming<Item>) {
        let passes_on =
            matches!(frame, Incoming::Events(_) | Incoming::Verdicts(_) | Incoming::Snapshot(_));
        let copy = (passes_on && self.tabs.is_some()).then(|| frame.clone());
        self.receive(w, frame);
        // What this tab could not take after a reset is of no use to those that do not know of it yet.
        let knows = self.engine.cursor().is_some();
        if let Some(frame) = copy.filter(|_| self.is_leader() && knows) {
            self.say(w, &Said::Frame(std::rc::Rc::new(frame)));
        }
    }

    /// A frame, of the server or passed on by the leader.
    pub(crate) fn receive(&mut self, w: &mut Within<'_>, frame: Incoming<Item>) {
        w.env.trace(|| format!("tab {}: hears {}", self.number, kind_of(&frame)));
        if let Some(message) = self.engine.read(&stream(), frame, Item::Text) {
            if matches!(message, Message::Failed) {
                w.env.count(Count::Failed);
            }
            self.feed(w, Input::Received(message));
        }
    }

    /// Tells the engine a fact, and performs all that follows.
    pub(crate) fn feed(&mut self, w: &mut Within<'_>, input: Input<Item>) {
        self.inputs.push_back(input);
        if std::mem::replace(&mut self.draining, true) {
            return; // the loop below takes it
        }
        while let Some(input) = self.inputs.pop_front() {
            // A late fact about a closed twin is no error.
            let _ = self.engine.handle_input(self.now(w), input);
            while let Some(output) = self.engine.poll_output() {
                self.perform(w, output);
            }
        }
        self.draining = false;
        self.set_timer(w);
        self.say_link(w);
        self.check(w);
    }

    /// The driver's clock: it stands still or goes on, and never back.
    pub(crate) fn now(&self, w: &Within<'_>) -> Millis {
        if planted::is(Bug::WallClock) {
            return Millis(wall(w).unsigned_abs());
        }
        let since = WALL_MS + w.env.now + w.device.ahead_ms;
        Millis(since.saturating_add_signed(self.origin_ms))
    }

    pub(crate) fn set_timer(&mut self, w: &mut Within<'_>) {
        self.timer += 1;
        if let Some(due) = self.engine.poll_timeout().filter(|_| !self.dead) {
            let delay = due.0.saturating_sub(self.now(w).0);
            w.env.after(delay, Event::Tab(self.number, TabEvent::Timer(self.timer)));
        }
    }

    /// What may be the last thing that it does. False: it is dead, and does it no more.
    pub(crate) fn lives(&mut self, w: &mut Within<'_>, place: Count) -> bool {
        match &mut self.doom {
            _ if self.dead => {}
            Some(0) => {
                self.dead = true;
                w.env.count(place);
                w.env.trace(|| format!("tab {}: dies: {place:?}", self.number));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        !self.dead
    }

    /// The app dispatches. False: it was not taken.
    pub(crate) fn dispatch(
        &mut self,
        w: &mut Within<'_>,
        id: u64,
        (kind, slot, flaw): (Kind, usize, Flaw),
        routed: bool,
    ) -> bool {
        let n = self.engine.next_n();
        let (client, at) = (self.client.clone(), wall(w).unsigned_abs());
        let action = Arc::new(Action { id, kind, slot, client, n, at, flaw });
        let Ok(to) = self.replica.visible.reduce(self.schema, &action) else {
            w.env.count(Count::DispatchInvalid);
            return false;
        };
        let bytes = u32::try_from(action.text().len()).unwrap_or(u32::MAX);
        if self.engine.check_room(bytes).is_err() {
            w.env.count(Count::DispatchRefused);
            return false;
        }
        let pending = self.engine.pending().count() as u64;
        assert!(pending < w.env.settings.outbox, "I7: the outbox holds more than it may");
        w.env.count(Count::Dispatched);
        w.env.trace(|| {
            format!("tab {}: dispatches {}:{} = {id} {kind:?}", self.number, self.client, n.0)
        });
        w.env.truth.dispatched(&action, self.on);
        let hidden = routed && self.engine.is_online();
        if hidden {
            w.env.count(Count::ServerRouted);
            self.hidden.insert(id);
        } else {
            self.replica.show(Arc::clone(&action), to);
        }
        let item = Item::Action(action);
        self.feed(w, Input::Dispatched { action: item, bytes, hidden });
        true
    }

    /// The app drops an action, if it may.
    pub(crate) fn drop_action(&mut self, w: &mut Within<'_>, client: &ClientId, n: N) {
        let id = twinstore_engine::Id { client: self.engine.client(client.as_str()), n };
        if self.engine.can_change(id).is_err() {
            return;
        }
        w.env.count(Count::Dropped);
        w.env.trace(|| format!("tab {}: drops {client}:{}", self.number, n.0));
        if let Some(record) = w.env.truth.record(client, n) {
            record.dropped = true;
        }
        self.feed(w, Input::Dropped(id));
    }

    /// The pending actions, held ones too.
    pub(crate) fn pending(&self) -> impl Iterator<Item = (Key, Progress)> {
        self.engine.pending().map(|(entry, progress)| {
            let client = self.engine.client_name(entry.id.client);
            ((ClientId(client.to_owned()), entry.id.n), progress)
        })
    }

    fn perform(&mut self, w: &mut Within<'_>, output: Output<Item>) {
        match output {
            Output::Persist(write) => {
                for entry in write.entries.iter().filter(|entry| entry.held.is_some()) {
                    let client = ClientId(self.engine.client_name(entry.id.client).to_owned());
                    if let Some(record) = w.env.truth.record(&client, entry.id.n) {
                        record.held = entry.held;
                    }
                }
                if write.state.is_some() {
                    self.count_snapshot(w);
                }
                self.store(w, Output::Persist(write));
            }
            output @ (Output::Enqueue(_)
            | Output::Replace(..)
            | Output::Compact(_)
            | Output::Reread) => self.store(w, output),
            Output::OpenLink => {
                if !self.dead {
                    self.link = Some(w.env.open_link(self.number));
                }
            }
            Output::CloseLink => self.close_link(w),
            Output::Transmit(frame) => self.transmit(w, frame),
            Output::ReadSnapshot(pieces) => {
                self.inputs.push_back(read_snapshot(&self.engine, &pieces));
            }
            Output::Advance(count) => self.advance(w, count),
            Output::Rebase(rebase) => self.rebase(w, rebase),
            Output::Compare { seq, sum } => {
                if self.replica.sum() != sum {
                    let (number, state) = (self.number, self.replica.confirmed);
                    assert!(
                        self.diverged,
                        "I9: tab {number} at {}: {state:?} has another checksum",
                        seq.0
                    );
                    self.inputs.push_back(Input::FoldFailed(seq));
                }
            }
            Output::AskLeader => self.say(w, &Said::State),
            Output::Notify(notice) => self.note(w, &notice),
        }
    }

    pub(crate) fn close_link(&mut self, w: &mut Within<'_>) {
        self.greeting = None;
        if let Some(link) = self.link.take() {
            w.env.close_client(link);
        }
    }

    fn transmit(&mut self, w: &mut Within<'_>, frame: Frame<Item>) {
        let Some(link) = self.link else { return };
        if !self.lives(w, Count::KilledAtSend) {
            return;
        }
        match &frame {
            Frame::Push(entries) => {
                for entry in entries {
                    let client = ClientId(self.engine.client_name(entry.id.client).to_owned());
                    self.check_stored(w, &client, entry.id.n);
                    if !self.sent.insert((client.clone(), entry.id.n)) {
                        w.env.count(Count::Resent);
                    }
                    if entry.schema < 2 && w.env.server_schema == 2 {
                        w.env.count(Count::OldTabSends);
                    }
                    if client != self.client && w.env.is_living(&client) {
                        w.env.count(Count::SentForOthers);
                    }
                    if let Some(record) = w.env.truth.record(&client, entry.id.n) {
                        record.sent = true;
                    }
                }
            }
            Frame::Pull(_) => w.env.count(Count::Pulled),
            Frame::Hello(_) | Frame::Ping | Frame::Leave => {}
        }
        let text = encode(&self.engine.write(&stream(), None, frame));
        w.env.trace(|| format!("tab {}: sends {text}", self.number));
        w.env.send_up(link, text);
    }

    fn advance(&mut self, w: &mut Within<'_>, count: usize) {
        w.env.count(Count::Advanced);
        w.env.trace(|| format!("tab {}: advances by {count}", self.number));
        let before = self.replica.visible;
        if let Some(at) = self.replica.advance(count) {
            let cursor = self.engine.status().cursor;
            let seq = Seq(cursor.0.saturating_sub((count - 1 - at) as u64));
            self.inputs.push_back(Input::FoldFailed(seq));
            self.diverged = true;
        } else if self.replica.shown().next().is_none() {
            assert_eq!(before, self.replica.visible, "I1: confirmed in order, and changed");
        }
    }

    fn rebase(&mut self, w: &mut Within<'_>, rebase: Rebase<Item>) {
        w.env.count(Count::Rebased);
        w.env.trace(|| {
            let seqs: Vec<_> = rebase.events.iter().map(|event| event.seq.0).collect();
            let base = rebase.base.is_some();
            format!(
                "tab {}: rebases, base {base}, events {seqs:?}, shows {}",
                self.number,
                rebase.shown.len()
            )
        });
        for item in &rebase.entering {
            self.hidden.remove(&item.action().id);
        }
        let begun = rebase.anew.then(State::default);
        let base = rebase.base.map(|item| item.state()).or(begun);
        if base.is_some() {
            self.diverged = false;
        }
        let shown = rebase.shown.iter().map(|item| Arc::clone(item.action())).collect();
        if let Some(seq) = self.replica.rebase(base, &rebase.events, shown) {
            self.inputs.push_back(Input::FoldFailed(seq));
            self.diverged = true;
        }
    }

    fn count_snapshot(&self, w: &mut Within<'_>) {
        w.env.count(Count::SnapshotTaken);
        if self.engine.pending().any(|(_, progress)| progress == Progress::Sent) {
            w.env.count(Count::SnapshotInFlight);
        }
    }

    fn note(&mut self, w: &mut Within<'_>, notice: &Notice<Item>) {
        if self.dead {
            return;
        }
        match notice {
            Notice::Verdict { id, error, action, .. } => {
                let client = ClientId(self.engine.client_name(id.client).to_owned());
                w.env.count(if error.is_none() { Count::Confirmed } else { Count::RejectedTold });
                let code = error.as_ref().map(|error| error.code.as_str());
                self.hidden.remove(&action.action().id);
                self.check_verdict(w, &client, id.n, code);
            }
            Notice::Held { reason, action, .. } => {
                w.env.count(match reason {
                    HeldReason::Reset => Count::HeldReset,
                    HeldReason::TooLarge => Count::HeldTooLarge,
                    HeldReason::TooDeep => Count::HeldTooDeep,
                    HeldReason::NotPlain => Count::HeldNotPlain,
                    HeldReason::TooOld => Count::HeldTooOld,
                    HeldReason::OtherSubject => Count::HeldOtherSubject,
                    HeldReason::Skipped => Count::HeldSkipped,
                    HeldReason::Schema => Count::HeldSchema,
                });
                self.hidden.remove(&action.action().id);
            }
            Notice::Diverged(_) => w.env.count(Count::Diverged),
            Notice::Reset(_) => {
                w.env.count(Count::Reset);
                self.was_reset = true;
                self.told.clear(); // by a log that is gone
            }
        }
        w.env.trace(|| format!("tab {}: is told {notice:?}", self.number));
    }

    /// I3: what is told is what the log says, and is told once.
    fn check_verdict(&mut self, w: &Within<'_>, client: &ClientId, n: N, code: Option<&str>) {
        assert!(self.told.insert((client.clone(), n)), "I3: {client}:{} is told twice", n.0);
        let verdicts = w.env.truth.verdicts_of(client, n);
        let accepted = code.is_none();
        let dropped = code == Some(twinstore_protocol::code::DROPPED);
        let known = verdicts.iter().any(|verdict| verdict.accepted == accepted)
            // A snapshot's rows name no skipped numbers: an action that was dropped, and that storage brought
            // back, is told as confirmed with it. A verdict by itself says that it was dropped.
            || ((dropped || accepted) && w.env.truth.was_skipped(client, n));
        assert!(known, "I3: {client}:{} accepted={accepted} is told, {verdicts:?} is true", n.0);
    }

    /// I4: what is sent is stored. The journal is enough for those only who left it behind.
    fn check_stored(&self, w: &Within<'_>, client: &ClientId, n: N) {
        let key = (client.clone(), n);
        let stored = w.device.disk.tables.outbox.contains_key(&key)
            || match self.store.home {
                Home::Memory => true,
                Home::LocalStorage => w.device.local.holds(&key),
                Home::Opening | Home::IndexedDb => {
                    *client != self.client && w.device.local.holds(&key)
                }
            };
        let record = w.env.truth.actions.get(&key);
        let excused = record.is_none_or(|record| record.robbed);
        let name = || format!("{client}:{}", n.0);
        assert!(
            excused || stored || w.env.truth.is_done(&key),
            "I4: {} is sent and not stored",
            name()
        );
    }

    /// I1 and I2 as they show after every input.
    fn check(&mut self, w: &Within<'_>) {
        if self.dead {
            return;
        }
        let foreseen = self.engine.foreseen();
        let foreseen = foreseen.iter().map(|item| item.action().id);
        let expected: Vec<_> = foreseen.filter(|id| !self.hidden.contains(id)).collect();
        let shown: Vec<_> = self.replica.shown().collect();
        assert_eq!(shown, expected, "I1: what is shown is what is pending");
        let cursor = self.engine.cursor().cloned();
        // Another tab may have met a server that was reset.
        self.was_reset |=
            std::mem::replace(&mut self.epoch, self.engine.epoch()) != self.engine.epoch();
        if let (Some(before), Some(now)) = (&self.cursor, &cursor)
            && !self.was_reset
        {
            // What was never stored another tab that led did not know.
            let same = before.log == now.log;
            let leads = self.is_leader() && self.link.is_some();
            assert!(same || !leads, "I2: another log without a reset");
            assert!(!same || before.seq <= now.seq, "I2: the cursor went back");
        }
        self.was_reset &= cursor.is_none();
        self.cursor.clone_from(&cursor);
        if self.diverged {
            return;
        }
        let confirmed = match &cursor {
            // It waits for a snapshot of another log, or has that of an empty one.
            None => return,
            Some(cursor) => w.env.truth.state_at(&cursor.chain),
        };
        let (at, state): (u64, State) = confirmed.expect("I4: a cursor's chain was durable once");
        let seq = cursor.map_or(0, |cursor| cursor.seq.0);
        assert_eq!((at, state), (seq, self.replica.confirmed), "I1: confirmed is the log's fold");
    }
}

/// What a device's wall clock shows.
pub(crate) fn wall(w: &Within<'_>) -> i64 {
    i64::try_from(w.env.true_wall()).unwrap_or(i64::MAX) + w.device.wall_ms
}

fn kind_of(frame: &Incoming<Item>) -> String {
    match frame {
        Incoming::Welcome(m) => format!("welcome head {} reset {}", m.head.0, m.reset),
        Incoming::Events(m) => format!("events after {}: {}", m.after.0, m.events.len()),
        Incoming::Snapshot(m) => format!("snapshot at {}, part {} of {}", m.seq.0, m.part, m.parts),
        Incoming::Verdicts(m) => format!("verdicts {:?}", m.verdicts),
        Incoming::Refused(m) => {
            format!("refused {}:{} {} last {}", m.client, m.n.0, m.code, m.last.0)
        }
        Incoming::Pong(m) => format!("pong {}", m.head.0),
        Incoming::Error(m) => format!("error {}: {}", m.code, m.message),
    }
}

//! The engine: takes inputs, hands out outputs.
//!
//! Here are its parts and what the app tells it; `tabs.rs` has storage and the other tabs, `exchange.rs` the link
//! and what is sent, `receive.rs` what the server says.

use std::collections::VecDeque;

use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{ClientId, Cursor, N, Seq, WireLimits};

use crate::clients::Clients;
use crate::link::{Jitter, Link};
use crate::outbox::{Outbox, Pending};
use crate::snapshot::{Gathering, SnapshotMark, Wanted};
use crate::{
    Client, Entry, HeldReason, Id, Input, InputError, Limits, Millis, Output, Progress, Rebase,
    StoredEvent, Write,
};

/// What an engine is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// This page load, or program start.
    pub client: ClientId,
    /// The app's schema.
    pub schema: u32,
    /// Feeds the jitter.
    pub seed: u64,
    /// Whether it may lead at once: no other tab shares its storage, or they cannot agree on a leader.
    pub leads: bool,
    /// What is taken and kept.
    pub limits: Limits,
}

/// The client of one stream. See the crate's documentation for how to drive it.
#[derive(Debug)]
pub struct Engine<A> {
    pub(crate) config: Config,
    pub(crate) wire: WireLimits,
    pub(crate) ping_ms: u64,
    pub(crate) clients: Clients,
    pub(crate) outbox: Outbox<A>,
    pub(crate) next_n: N,
    /// Storage was read; before that nothing is sent or folded.
    pub(crate) ready: bool,
    pub(crate) closed: bool,
    /// The schema of the server's model; 0: not heard yet.
    pub(crate) schema: u32,
    /// The app wants a link.
    pub(crate) wanted: bool,
    /// This tab holds the link, and writes what the server says.
    pub(crate) leads: bool,
    /// As a follower: the leader's link is up.
    pub(crate) relayed: bool,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) head: Seq,
    /// Events stored since the last state that was.
    pub(crate) uncompacted: usize,
    pub(crate) link: Link,
    pub(crate) in_flight: usize,
    /// A ping was sent behind the push that is under way.
    pub(crate) pinged_behind: bool,
    /// The server is to say how far it is with a client whose numbers are waited for.
    pub(crate) probes: bool,
    pub(crate) gathering: Option<Gathering<A>>,
    /// The snapshot whose text the driver is reading.
    pub(crate) reading: Option<SnapshotMark>,
    /// A pull is under way: no second one for the same gap.
    pub(crate) pulling: bool,
    /// What was dropped here, and why it was held. It may still stand in storage, where a write failed.
    pub(crate) dropped: Vec<(Id, Option<HeldReason>)>,
    /// Storage is being read again, so often.
    pub(crate) reads: usize,
    /// Something was missed that these may have come too early for.
    pub(crate) missed: bool,
    /// What was to be read could not be: its home was just lost.
    pub(crate) unread: bool,
    /// Drawn anew when the server was reset: what was stored of another one says nothing about this one.
    pub(crate) epoch: u64,
    /// Not before this may a snapshot be asked for again.
    pub(crate) snapshot_after: Millis,
    /// How long the last one had to wait for the next.
    pub(crate) snapshot_wait_ms: u64,
    pub(crate) snapshot_wanted: Wanted,
    /// No push before this, after the server said it was busy.
    pub(crate) push_after: Option<Millis>,
    pub(crate) outputs: VecDeque<Output<A>>,
    pub(crate) jitter: Jitter,
}

/// The link as the app sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// No connection, and none being made at this moment.
    Offline,
    /// A connection is being made.
    Connecting,
    /// Welcomed.
    Online,
}

/// Counts and places, as of the last input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The link; that of the leader where another tab leads.
    pub link: LinkState,
    /// Actions without a verdict, without those held.
    pub pending: usize,
    /// Actions kept but neither shown nor sent.
    pub held: usize,
    /// The log's last place, as far as was heard.
    pub head: Seq,
    /// The last place applied here.
    pub cursor: Seq,
    /// The server's schema is newer than the app's: nothing more is folded here.
    pub outdated: bool,
    /// The schema of the server's model; 0: not heard yet.
    pub schema: u32,
}

impl<A: Clone> Engine<A> {
    /// An engine that knows nothing yet: dispatches are taken, and wait for [`Input::Restored`].
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            wire: WireLimits::DEFAULT,
            ping_ms: 20_000,
            clients: Clients::new(config.client.clone()),
            outbox: Outbox::new(),
            next_n: N(1),
            ready: false,
            closed: false,
            schema: 0,
            wanted: false,
            leads: config.leads,
            relayed: false,
            cursor: None,
            head: Seq(0),
            uncompacted: 0,
            link: Link::Off,
            in_flight: 0,
            pinged_behind: false,
            probes: false,
            gathering: None,
            reading: None,
            pulling: false,
            dropped: Vec::new(),
            reads: 0,
            missed: false,
            unread: false,
            epoch: 0,
            snapshot_after: Millis(0),
            snapshot_wait_ms: 0,
            snapshot_wanted: Wanted::No,
            push_after: None,
            outputs: VecDeque::new(),
            jitter: Jitter(config.seed),
            config,
        }
    }

    /// Takes in one fact. Whatever a peer or a disk said, it never panics.
    ///
    /// # Errors
    /// [`InputError`]: the input changed nothing.
    pub fn handle_input(&mut self, now: Millis, input: Input<A>) -> Result<(), InputError> {
        if !self.outputs.is_empty() {
            return Err(InputError::NotDrained);
        }
        if self.closed {
            return Err(InputError::Closed);
        }
        match input {
            Input::Restored(stored) => {
                self.restore(stored);
                self.try_to_open(now);
            }
            Input::Changed => self.read_anew(),
            Input::Reread(stored) => self.reread(now, stored),
            Input::Dispatched { action, bytes, hidden } => {
                self.dispatch(now, action, bytes, hidden)?;
            }
            Input::Merged { action, bytes } => self.merge_into_last(now, action, bytes)?,
            Input::Persisted(n) => self.persisted(n),
            Input::Arrived(entries) => self.arrive(entries),
            Input::Adopted { client, entries, whole } => self.adopt(client, entries, whole),
            Input::Led(leads) => self.lead(now, leads),
            Input::Relayed { online, schema } => self.relay(online, schema),
            Input::Connected => self.connect(now),
            Input::Disconnected => self.disconnect(),
            Input::Dropped(id) => self.drop_action(id)?,
            Input::Edited { id, action, bytes } => self.edit(id, action, bytes)?,
            Input::Woken => self.wake(now),
            Input::LinkOpened => self.greet(now),
            Input::LinkClosed => self.link_lost(now),
            Input::Received(message) => self.receive(now, message),
            Input::SnapshotRead { state, settled, rejections } => {
                self.take_snapshot(now, state, &settled, &rejections);
            }
            Input::SnapshotUnreadable => self.ask_for_snapshot(now),
            Input::FoldFailed(seq) => self.fold_failed(now, seq),
            Input::StateAsked => self.ask_for_snapshot(now),
            Input::TimedOut => self.timed_out(now),
            Input::Closed => self.close(),
        }
        self.send_pending(now);
        self.check();
        Ok(())
    }

    /// The next order, oldest first; `None`: all are performed.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output<A>> {
        self.outputs.pop_front()
    }

    /// When to feed [`Input::TimedOut`] if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Millis> {
        // What cannot be done yet must not keep a timer spinning.
        let mut due = self.link.due().filter(|_| self.ready);
        if self.is_online() {
            let mut no_later_than = |at: Millis| due = Some(due.map_or(at, |due| due.min(at)));
            if let Some(at) = self.push_after {
                no_later_than(at);
            }
            if let Wanted::From(at) = self.snapshot_wanted {
                no_later_than(at);
            }
        }
        due
    }

    /// The app's schema.
    #[must_use]
    pub fn schema(&self) -> u32 {
        self.config.schema
    }

    /// The number the next dispatched action will take.
    #[must_use]
    pub fn next_n(&self) -> N {
        self.next_n
    }

    /// The client of that name; [`Client::STRANGER`] where nothing of it was ever in the outbox.
    #[must_use]
    pub fn client(&self, name: &str) -> Client {
        self.clients.find(name)
    }

    /// The client of that name, known from now on.
    pub fn add_client(&mut self, name: &str) -> Client {
        self.clients.add(name)
    }

    /// A client's name.
    #[must_use]
    pub fn client_name(&self, client: Client) -> &str {
        self.clients.get(client).map_or("", |c| c.name.as_str())
    }

    /// Whether an action of this size would be taken.
    ///
    /// # Errors
    /// As [`Input::Dispatched`] would answer.
    pub fn check_room(&self, bytes: u32) -> Result<(), InputError> {
        if self.closed {
            return Err(InputError::Closed);
        }
        self.outbox.check_room(bytes, &self.config.limits)
    }

    /// Counts and places.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            link: match self.link {
                _ if self.is_online() => LinkState::Online,
                Link::Opening { .. } | Link::Greeting { .. } => LinkState::Connecting,
                Link::Off | Link::Waiting { .. } | Link::Online { .. } => LinkState::Offline,
            },
            pending: self.outbox.waiting(),
            held: self.outbox.held(),
            head: self.head,
            cursor: self.place(),
            outdated: self.is_outdated(),
            schema: self.schema,
        }
    }

    /// The pending actions, held ones too, in the order of the outbox.
    pub fn pending(&self) -> impl Iterator<Item = (&Entry<A>, Progress)> {
        self.outbox.iter().map(|p| (&p.entry, p.progress))
    }

    /// Which server the confirmed state is of, for storage: another one after each reset.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the confirmed state is a server's. After a reset it is that of a log which is gone, until the new one
    /// is here; and the new one may be of an empty log, which has no cursor. Nor is it where an event did not fold.
    #[must_use]
    pub fn has_state(&self) -> bool {
        self.snapshot_wanted == Wanted::No && (self.cursor.is_some() || self.epoch != 0)
    }

    /// The last event held here.
    #[must_use]
    pub fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// Whether actions are held back from the store until their verdicts.
    #[must_use]
    pub fn hides(&self) -> bool {
        self.outbox.hides()
    }

    /// All actions that are shown or will be once their verdicts are there, in order.
    #[must_use]
    pub fn foreseen(&self) -> Vec<A> {
        let mut actions = Vec::new();
        for pending in self.outbox.iter().filter(|p| !p.is_held() && !p.included) {
            actions.push(pending.entry.action.clone());
        }
        actions
    }

    /// Whether the link is there, here or at the leader, so that `'server'` routing holds actions back.
    #[must_use]
    pub fn is_online(&self) -> bool {
        if self.leads { self.link.is_online() } else { self.relayed && self.wanted }
    }

    /// Whether this tab holds the link and sends for all.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leads
    }

    /// Whether this page tells a client's verdicts: its own, or of one that is gone.
    #[must_use]
    pub fn is_ours(&self, client: Client) -> bool {
        self.clients.is_ours(client)
    }

    /// Whether an action may be dropped or edited.
    ///
    /// # Errors
    /// As [`Input::Dropped`] would answer.
    pub fn can_change(&self, id: Id) -> Result<(), InputError> {
        let pending = self.outbox.find(id).ok_or(InputError::NotPending)?;
        // What was sent may have been applied: only what never left, or is held, can be taken back. Where
        // another tab leads it may be on its way at any moment.
        let may = pending.is_held() || (!pending.ever_sent && (self.leads || !self.is_online()));
        if may { Ok(()) } else { Err(InputError::AlreadySent) }
    }

    /// The number and the action of the last entry, where a new action may be merged into it: it is this page's own,
    /// shown, and nobody can have sent it. Only the tab that leads knows that.
    #[must_use]
    pub fn last_unsent(&self) -> Option<(N, &A)> {
        let last = self.outbox.last()?;
        let Entry { id, action, .. } = &last.entry;
        let unsent = id.client == Client::OWN && last.is_shown() && !last.ever_sent && self.leads;
        unsent.then_some((id.n, action))
    }

    pub(crate) fn is_outdated(&self) -> bool {
        self.schema > self.config.schema
    }

    pub(crate) fn place(&self) -> Seq {
        self.cursor.as_ref().map_or(Seq(0), |cursor| cursor.seq)
    }

    fn dispatch(
        &mut self,
        now: Millis,
        action: A,
        bytes: u32,
        hidden: bool,
    ) -> Result<(), InputError> {
        self.outbox.check_room(bytes, &self.config.limits)?;
        let pending = self.next_pending(now, action, bytes, hidden);
        self.outputs.push_back(Output::Enqueue(pending.entry.clone()));
        self.put(pending);
        Ok(())
    }

    /// An action of this page, with the next number.
    fn next_pending(&mut self, now: Millis, action: A, bytes: u32, hidden: bool) -> Pending<A> {
        let id = Id { client: Client::OWN, n: self.next_n };
        // I5: what was dropped or merged since the last one is settled with this.
        let last = self.outbox.iter_mut().rev().find(|p| p.entry.id.client == Client::OWN);
        let last = last.map_or(N(0), |p| p.entry.id.n).max(self.clients.settled(Client::OWN));
        let entry = Entry {
            id,
            from: last.next().min(id.n),
            order: now.0.max(self.outbox.last_order().saturating_add(1)),
            schema: self.config.schema,
            bytes,
            held: None,
            action,
        };
        self.next_n = self.next_n.next();
        // I4: not sent before storage has answered.
        Pending {
            entry,
            progress: Progress::Queued,
            stored: planted::is(Bug::SendBeforeStored),
            // Who leads sends it as soon as it is stored, and may be gone before it says so.
            ever_sent: !self.leads && self.is_online(),
            hidden,
            included: false,
            told: false,
        }
    }

    fn merge_into_last(&mut self, now: Millis, action: A, bytes: u32) -> Result<(), InputError> {
        let (n, _) = self.last_unsent().ok_or(InputError::AlreadySent)?;
        self.outbox.check_room(bytes, &self.config.limits)?;
        let gone = Id { client: Client::OWN, n };
        // While the older one is there, so that the order says which is the newer one.
        let mut pending = self.next_pending(now, action, bytes, false);
        let last = self.take_out(gone).ok_or(InputError::NotPending)?;
        // I5: the older one's numbers are settled with this.
        pending.entry.from = last.entry.from;
        self.outputs.push_back(Output::Replace(pending.entry.clone(), gone));
        self.put(pending);
        Ok(())
    }

    fn persisted(&mut self, n: N) {
        // Newest first: what was stored before needs no second look.
        let list = self.outbox.iter_mut().rev();
        for pending in list.filter(|p| p.entry.id.client == Client::OWN) {
            if pending.stored {
                break;
            }
            pending.stored = pending.entry.id.n <= n;
        }
    }

    fn drop_action(&mut self, id: Id) -> Result<(), InputError> {
        self.can_change(id)?;
        let mut entries = Vec::new();
        let gone = self.pass_over(id, &mut entries).ok_or(InputError::NotPending)?;
        self.dropped.push((id, gone.entry.held));
        let write = Write { removed: vec![id], entries, ..Write::default() };
        self.outputs.push_back(Output::Persist(write));
        if gone.is_shown() {
            self.replay();
        }
        Ok(())
    }

    /// I5: an action goes without a verdict, and the next number settles this one too. To be said on disk, for whoever
    /// sends it.
    pub(crate) fn pass_over(&mut self, id: Id, news: &mut Vec<Entry<A>>) -> Option<Pending<A>> {
        let gone = self.take_out(id)?;
        let mut behind = self.outbox.iter_mut();
        if let Some(next) = behind.find(|p| p.entry.id.client == id.client && p.entry.id.n > id.n) {
            next.entry.from = next.entry.from.min(gone.entry.from);
            news.push(next.entry.clone());
        }
        Some(gone)
    }

    fn edit(&mut self, id: Id, action: A, bytes: u32) -> Result<(), InputError> {
        self.can_change(id)?;
        self.outbox.check_room(bytes, &self.config.limits)?;
        // In its place: behind others of the same order it would count as dispatched after them.
        let Some(pending) = self.outbox.find_mut(id) else { return Err(InputError::NotPending) };
        pending.entry.action = action;
        pending.entry.bytes = bytes;
        pending.entry.schema = self.config.schema;
        let write = Write { entries: vec![pending.entry.clone()], ..Write::default() };
        self.outputs.push_back(Output::Persist(write));
        self.outbox.weigh();
        self.replay();
        Ok(())
    }

    fn close(&mut self) {
        self.disconnect();
        self.closed = true;
    }

    /// Puts an action into the outbox, and into the counts.
    pub(crate) fn put(&mut self, pending: Pending<A>) {
        if let Some(row) = self.clients.get_mut(pending.entry.id.client) {
            row.pending += 1;
            self.outbox.put(pending);
        }
    }

    /// Takes an action out of the outbox, and out of the counts.
    pub(crate) fn take_out(&mut self, id: Id) -> Option<Pending<A>> {
        let row = self.clients.get_mut(id.client).filter(|row| row.pending > 0)?;
        let pending = self.outbox.remove(id)?;
        row.pending -= 1;
        self.in_flight -= usize::from(pending.progress == Progress::Sent);
        Some(pending)
    }

    /// What the server says is written by the tab that leads.
    pub(crate) fn persist(&mut self, write: Write<A>) {
        if self.leads {
            self.outputs.push_back(Output::Persist(write));
        }
    }

    /// The outbox changed: what is shown is replayed.
    pub(crate) fn replay(&mut self) {
        self.rebase(None, Vec::new(), Vec::new());
    }

    pub(crate) fn rebase(
        &mut self,
        base: Option<A>,
        events: Vec<StoredEvent<A>>,
        entering: Vec<A>,
    ) {
        let mut shown = Vec::new();
        for pending in self.outbox.shown() {
            shown.push(pending.entry.action.clone());
        }
        let rebase = Rebase { base, anew: false, events, shown, entering };
        self.outputs.push_back(Output::Rebase(rebase));
    }

    /// The confirmed state as storage has it, whatever it was here: it may have been of events that are no more.
    pub(crate) fn rebase_on_stored(&mut self, base: Option<A>, events: Vec<StoredEvent<A>>) {
        let anew = base.is_none();
        self.rebase(base, events, Vec::new());
        if let Some(Output::Rebase(rebase)) = self.outputs.back_mut() {
            rebase.anew = anew;
        }
    }

    /// What must hold after every input.
    fn check(&self) {
        debug_assert!(self.link.is_online() || self.in_flight == 0, "in flight without a link");
        debug_assert!(self.leads || self.link == Link::Off, "a link without being the leader");
        debug_assert!(self.place() <= self.head, "I2: the cursor is past the head");
        debug_assert!(
            self.outbox.iter().all(|p| p.stored || p.progress != Progress::Sent),
            "I4: sent before it was stored"
        );
        debug_assert!(
            self.is_online() || self.outbox.iter().all(|p| !p.hidden),
            "I1: held back without a link"
        );
    }
}

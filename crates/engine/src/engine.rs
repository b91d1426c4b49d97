//! The engine: takes inputs, hands out outputs.
//!
//! Here are its parts and what the app and storage tell it; `exchange.rs` has the link and what is sent,
//! `receive.rs` what the server says.

use std::collections::VecDeque;

use twinstore_protocol::{ClientId, Cursor, N, Seq, StreamId, WireLimits};

use crate::clients::Clients;
use crate::link::{Jitter, Link};
use crate::outbox::{Outbox, Pending};
use crate::snapshot::{Gathering, SnapshotMark, Wanted};
use crate::{
    Apply, Input, InputError, Limits, Millis, Output, PendingView, Progress, StoredEntry,
    StoredState, Write,
};

/// What an engine is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which stream.
    pub stream: StreamId,
    /// This page load, or program start.
    pub client: ClientId,
    /// The app's schema.
    pub schema: u32,
    /// Feeds the jitter.
    pub seed: u64,
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
    pub(crate) outdated: bool,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) head: Seq,
    pub(crate) link: Link,
    pub(crate) in_flight: usize,
    pub(crate) gathering: Option<Gathering>,
    /// The snapshot whose text the driver is reading.
    pub(crate) reading: Option<SnapshotMark>,
    /// A pull is under way: no second one for the same gap.
    pub(crate) pulling: bool,
    /// Not before this may a snapshot be asked for again.
    pub(crate) snapshot_after: Millis,
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
    /// The link.
    pub link: LinkState,
    /// Actions without a verdict, without those held.
    pub pending: usize,
    /// Actions kept but neither shown nor sent.
    pub held: usize,
    /// The log's last place, as far as was heard.
    pub head: Seq,
    /// The last place applied here.
    pub cursor: Seq,
    /// The server's schema is newer than the app's.
    pub outdated: bool,
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
            outdated: false,
            cursor: None,
            head: Seq(0),
            link: Link::Off,
            in_flight: 0,
            gathering: None,
            reading: None,
            pulling: false,
            snapshot_after: Millis(0),
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
            Input::Dispatched { action, bytes, hidden } => self.dispatch(action, bytes, hidden)?,
            Input::Persisted(n) => self.persisted(n),
            Input::Adopted { client, entries } => self.adopt(&client, entries),
            Input::Connected => self.connect(now),
            Input::Disconnected => self.disconnect(),
            Input::Dropped { client, n } => self.drop_action(&client, n)?,
            Input::Woken => self.wake(now),
            Input::LinkOpened { token } => self.greet(now, token),
            Input::LinkClosed => self.link_lost(now),
            Input::Received(message) => self.receive(now, message),
            Input::SnapshotRead { state, clients } => self.take_snapshot(now, state, &clients),
            Input::SnapshotUnreadable => self.ask_for_snapshot(now),
            Input::FoldFailed { seq } => self.fold_failed(now, seq),
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
        let link = self.link.due().filter(|_| self.ready);
        let push = self.push_after.filter(|_| self.link.is_online());
        let snapshot = match self.snapshot_wanted {
            Wanted::From(at) if self.link.is_online() => Some(at),
            Wanted::From(_) | Wanted::No | Wanted::Asked => None,
        };
        [link, snapshot, push].into_iter().flatten().min()
    }

    /// The number the next dispatched action will take.
    #[must_use]
    pub fn next_n(&self) -> N {
        self.next_n
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
                Link::Off | Link::Waiting { .. } => LinkState::Offline,
                Link::Opening { .. } | Link::Greeting { .. } => LinkState::Connecting,
                Link::Online { .. } => LinkState::Online,
            },
            pending: self.outbox.waiting(),
            held: self.outbox.held(),
            head: self.head,
            cursor: self.place(),
            outdated: self.outdated,
        }
    }

    /// The pending actions, held ones too, in the order of the outbox.
    pub fn pending(&self) -> impl Iterator<Item = PendingView<'_, A>> {
        self.outbox.iter().map(|p| PendingView {
            client: &p.entry.client,
            n: p.entry.n,
            action: &p.entry.action,
            progress: p.progress,
        })
    }

    /// Whether actions are held back from the store until their verdicts.
    #[must_use]
    pub fn hides(&self) -> bool {
        self.outbox.hides()
    }

    /// All actions that are shown or will be once their verdicts are there, in order.
    #[must_use]
    pub fn foreseen(&self) -> Vec<A> {
        self.outbox.iter().filter(|p| !p.is_held()).map(|p| p.entry.action.clone()).collect()
    }

    /// Whether the link is there, so that `'server'` routing holds actions back.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.link.is_online()
    }

    /// The clients whose entries this page sends.
    #[must_use]
    pub fn ours(&self) -> Vec<ClientId> {
        self.clients.iter().filter(|c| c.ours).map(|c| c.id.clone()).collect()
    }

    /// The clients in the outbox whose entries this page does not send.
    #[must_use]
    pub fn strangers(&self) -> Vec<ClientId> {
        let theirs = |c: &&crate::clients::ClientState| !c.ours && c.pending > 0;
        self.clients.iter().filter(theirs).map(|c| c.id.clone()).collect()
    }

    /// Whether an action may be dropped.
    ///
    /// # Errors
    /// As [`Input::Dropped`] would answer.
    pub fn can_drop(&self, client: &ClientId, n: N) -> Result<(), InputError> {
        let pending = self.outbox.find(client, n).ok_or(InputError::NotPending)?;
        // What was sent may have been applied: only what never left, or is held, can be taken back.
        if pending.ever_sent && !pending.is_held() { Err(InputError::AlreadySent) } else { Ok(()) }
    }

    pub(crate) fn place(&self) -> Seq {
        self.cursor.as_ref().map_or(Seq(0), |cursor| cursor.seq)
    }

    fn restore(&mut self, stored: StoredState<A>) {
        for (client, n) in stored.settled {
            let row = self.clients.row(&client);
            row.settled = row.settled.max(n);
        }
        // What a settled number names is done, whatever a backup or a journal brings back.
        let (unsettled, done): (Vec<_>, Vec<_>) =
            stored.entries.into_iter().partition(|entry| self.is_news(entry));
        if !done.is_empty() {
            let settled = done.into_iter().map(|entry| (entry.client, entry.n)).collect();
            let write = Write::Confirm { events: Vec::new(), cursor: None, settled };
            self.outputs.push_back(Output::Persist(write));
        }
        for entry in &unsettled {
            self.clients.row(&entry.client).pending += 1;
        }
        self.outbox.restore(unsettled.into_iter());
        self.cursor = stored.cursor;
        self.head = self.place();
        self.ready = true;
        self.rebase(stored.base, stored.events, Vec::new());
    }

    /// Neither settled (or held, and so kept whatever its number) nor in the outbox already.
    fn is_news(&self, entry: &StoredEntry<A>) -> bool {
        let settled = self.clients.get(&entry.client).map_or(N(0), |c| c.settled);
        (entry.n > settled || entry.held.is_some())
            && self.outbox.find(&entry.client, entry.n).is_none()
    }

    fn dispatch(&mut self, action: A, bytes: u32, hidden: bool) -> Result<(), InputError> {
        self.outbox.check_room(bytes, &self.config.limits)?;
        let entry = StoredEntry {
            client: self.config.client.clone(),
            n: self.next_n,
            schema: self.config.schema,
            bytes,
            held: None,
            action,
        };
        self.next_n = self.next_n.next();
        self.clients.row(&entry.client).pending += 1;
        self.outputs.push_back(Output::Persist(Write::Enqueue(entry.clone())));
        self.outbox.push(Pending {
            entry,
            progress: Progress::Queued,
            stored: false, // I4: not sent before storage has answered
            ever_sent: false,
            hidden,
        });
        Ok(())
    }

    fn persisted(&mut self, n: N) {
        let own = &self.config.client;
        // Newest first: what was stored before needs no second look.
        let list = self.outbox.iter_mut().rev();
        for pending in list.filter(|p| p.entry.client == *own) {
            if pending.stored {
                break;
            }
            pending.stored = pending.entry.n <= n;
        }
    }

    fn adopt(&mut self, client: &ClientId, entries: Vec<StoredEntry<A>>) {
        let mut grown = false;
        for entry in entries {
            if self.is_news(&entry) {
                self.clients.row(client).pending += 1;
                self.outbox.push(Pending::restored(entry));
                grown = true;
            }
        }
        self.clients.row(client).ours = true;
        if grown {
            self.rebase(None, Vec::new(), Vec::new());
        }
    }

    fn drop_action(&mut self, client: &ClientId, n: N) -> Result<(), InputError> {
        self.can_drop(client, n)?;
        let shown = self.outbox.find(client, n).is_some_and(Pending::is_shown);
        self.take_out(client, n);
        self.outputs.push_back(Output::Persist(Write::Remove { client: client.clone(), n }));
        if shown {
            self.rebase(None, Vec::new(), Vec::new());
        }
        Ok(())
    }

    fn close(&mut self) {
        self.disconnect();
        self.closed = true;
    }

    /// Takes an action out of the outbox, and out of the counts.
    pub(crate) fn take_out(&mut self, client: &ClientId, n: N) -> Option<Pending<A>> {
        let row = self.clients.get_mut(client).filter(|row| row.pending > 0)?;
        let pending = self.outbox.remove(client, n)?;
        row.pending -= 1;
        self.in_flight -= usize::from(pending.progress == Progress::Sent);
        Some(pending)
    }

    pub(crate) fn rebase(
        &mut self,
        base: Option<A>,
        events: Vec<crate::StoredEvent<A>>,
        entering: Vec<A>,
    ) {
        let shown = self.outbox.shown_actions();
        self.outputs.push_back(Output::Apply(Apply::Rebase { base, events, shown, entering }));
    }

    /// What must hold after every input.
    fn check(&self) {
        debug_assert!(self.link.is_online() || self.in_flight == 0, "in flight without a link");
        debug_assert!(self.place() <= self.head, "I2: the cursor is past the head");
        debug_assert_eq!(
            self.clients.iter().map(|c| c.pending).sum::<usize>(),
            self.outbox.iter().count(),
            "each pending action belongs to a client"
        );
        debug_assert!(
            self.outbox.iter().all(|p| p.stored || p.progress != Progress::Sent),
            "I4: sent before it was stored"
        );
        debug_assert!(
            self.link.is_online() || self.outbox.iter().all(|p| !p.hidden),
            "I1: held back without a link"
        );
    }
}

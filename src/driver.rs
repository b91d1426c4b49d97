//! The engine's driver: performs its outputs, feeds its inputs, and tells the app.
//!
//! Two steps, never mixed. First the engine is drained: storage, socket and replica follow its orders, and of
//! the app's code only the reducer runs, which may not dispatch. Then, with nothing borrowed and everything
//! consistent, the stores and the listeners are told; they may dispatch again.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use js_sys::{Array, Function};
use serde::Serialize;
use twinstore_engine::{
    Client, Engine, Entry, Input, LinkState, Message, Notice, Output, Progress, StoredState,
};
use twinstore_protocol::{N, Seq};
use wasm_bindgen::prelude::*;

use crate::clock::{Timer, now};
use crate::codec::{Signature, decode, encode, frame_of, rejections, settled, snapshot_of};
use crate::dispatch::Shell;
use crate::host::{Host, Options};
use crate::replica::Replica;
use crate::socket::{Peer, Socket};
use crate::storage::{Change, Left, Listener, Storage, Stored, to_entries, to_state, up_to_date};
use crate::web::{Fields, float, later};

/// One twin: everything behind the object that the app holds.
pub(crate) struct Driver {
    pub(crate) options: Options,
    pub(crate) host: Host,
    pub(crate) key: String,
    stream: String,
    pub(crate) engine: RefCell<Engine<JsValue>>,
    pub(crate) replica: Replica,
    pub(crate) shell: Shell,
    pub(crate) is_ready: Cell<bool>,
    me: Weak<Self>,
    storage: OnceCell<Rc<Storage>>,
    socket: RefCell<Option<Rc<Socket>>>,
    /// What the next hello carries.
    token: RefCell<JsValue>,
    /// Grows with every opening and closing of the link, so that a late answer is known as such.
    link_turn: Cell<u32>,
    inputs: RefCell<VecDeque<Input<JsValue>>>,
    draining: Cell<bool>,
    timer: Timer,
}

impl Driver {
    pub(crate) fn new(
        options: Options,
        host: Host,
        engine: Engine<JsValue>,
        replica: Replica,
    ) -> Rc<Self> {
        let driver = Rc::new_cyclic(|me: &Weak<Self>| {
            let ringing = me.clone();
            Self {
                key: options.key(),
                shell: Shell::new(replica.visible()),
                stream: options.stream(),
                options,
                host,
                engine: RefCell::new(engine),
                replica,
                is_ready: Cell::default(),
                me: me.clone(),
                storage: OnceCell::new(),
                socket: RefCell::default(),
                token: RefCell::default(),
                link_turn: Cell::default(),
                inputs: RefCell::default(),
                draining: Cell::default(),
                timer: Timer::new(move || {
                    if let Some(driver) = ringing.upgrade() {
                        driver.feed(Input::TimedOut);
                    }
                }),
            }
        });
        let _ = driver.storage.set(Storage::open(&driver.options, driver.clone()));
        driver.tell_status();
        driver
    }

    pub(crate) fn storage(&self) -> &Rc<Storage> {
        self.storage.get().expect("the storage is opened with the twin")
    }

    /// Tells the engine a fact, performs all that follows, then tells the app.
    pub(crate) fn feed(&self, input: Input<JsValue>) {
        self.inputs.borrow_mut().push_back(input);
        if self.draining.replace(true) {
            return; // the loop below takes it
        }
        loop {
            let input = self.inputs.borrow_mut().pop_front();
            let Some(input) = input else { break };
            // What an app can do wrong was checked before: a late fact about a closed twin is no error.
            let _ = self.engine.borrow_mut().handle_input(now(), input);
            loop {
                let output = self.engine.borrow_mut().poll_output();
                let Some(output) = output else { break };
                self.perform(output);
            }
        }
        self.draining.set(false);
        self.timer.set(self.engine.borrow().poll_timeout());
        self.tell_status();
        self.tell_app();
    }

    fn then(&self, input: Input<JsValue>) {
        self.inputs.borrow_mut().push_back(input);
    }

    fn perform(&self, output: Output<JsValue>) {
        match output {
            Output::Enqueue(entry) => self.enqueue(&entry, None),
            Output::Replace(entry, gone) => self.enqueue(&entry, Some(gone.n)),
            Output::Persist(write) => {
                let change = Change::write(&self.engine.borrow(), &write);
                self.storage().write(change);
            }
            Output::Compact(cursor) => {
                let change = Change::new();
                let engine = self.engine.borrow();
                change.stands(&engine, &self.replica.confirmed(), Some(&cursor));
                self.storage().write(change);
            }
            Output::Reread => self.reread(),
            Output::OpenLink => self.open_link(),
            Output::CloseLink => self.close_link(),
            Output::Transmit(frame) => {
                if let Some(socket) = &*self.socket.borrow() {
                    let (stream, token) = (&self.stream, &*self.token.borrow());
                    let by = Signature { stream, schema: self.options.schema(), token };
                    socket.send(&encode(&self.engine.borrow(), &frame, &by));
                }
            }
            Output::ReadSnapshot(pieces) => {
                let joined = Array::new();
                for piece in &pieces {
                    joined.push(piece);
                }
                self.then(self.read_snapshot(&joined));
            }
            Output::Advance(count) => {
                if let Some(at) = self.replica.advance(count) {
                    // They end at the cursor, which has moved already.
                    let cursor = self.engine.borrow().status().cursor;
                    let seq = Seq(cursor.0.saturating_sub((count - 1 - at) as u64));
                    self.then(Input::FoldFailed(seq));
                }
            }
            Output::Compare { seq, sum } => {
                if !self.replica.sums_to(sum) {
                    self.then(Input::FoldFailed(seq));
                }
            }
            Output::AskLeader => self.host.ask_leader(),
            Output::Rebase(rebase) => {
                if let Some(base) = &rebase.base {
                    self.host.replaced(&self.replica.confirmed(), base);
                }
                let base = rebase.base.or_else(|| rebase.anew.then(|| self.replica.initial()));
                let failed = self.replica.rebase(base, &rebase.events, rebase.shown);
                self.shell.enter_later(rebase.entering);
                if let Some(seq) = failed {
                    self.then(Input::FoldFailed(seq));
                }
            }
            Output::Notify(notice) => self.note(&notice),
        }
    }

    /// Stores an entry, in place of another one where it is said which.
    fn enqueue(&self, entry: &Entry<JsValue>, gone: Option<N>) {
        let engine = self.engine.borrow();
        self.storage().enqueue(entry.id.n, gone, |change| change.entry(&engine, entry));
    }

    fn reread(&self) {
        let me = self.me.clone();
        self.storage().read(move |stored| {
            let Some(driver) = me.upgrade() else { return };
            if let Some(stored) = &stored {
                driver.host.restored(&stored.broken());
            }
            let stored = stored.map(|stored| driver.to_state(&stored));
            driver.feed(Input::Reread(stored));
        });
    }

    fn to_state(&self, stored: &Stored) -> StoredState<JsValue> {
        stored.up_to_date(&self.options);
        to_state(&mut self.engine.borrow_mut(), stored)
    }

    fn read_snapshot(&self, pieces: &Array) -> Input<JsValue> {
        let engine = self.engine.borrow();
        match snapshot_of(pieces) {
            Some(body) => Input::SnapshotRead {
                state: body.get("state"),
                settled: settled(&engine, &body),
                rejections: rejections(&engine, &body),
            },
            None => Input::SnapshotUnreadable,
        }
    }

    fn open_link(&self) {
        let turn = self.next_turn();
        let me = self.me.clone();
        // Not at once: a socket's first answer must find this input done.
        later(Box::new(move |_| {
            if let Some(driver) = me.upgrade().filter(|driver| driver.link_turn.get() == turn) {
                driver.join_socket();
            }
        }));
    }

    fn join_socket(&self) {
        let url = self.options.url().unwrap_or_default();
        match Socket::join(&url, &self.options.line(), self.me.clone()) {
            Some(socket) => drop(self.socket.replace(Some(socket))),
            None => {
                self.host.noted("failed", "bad-url", "", 0.0);
                self.feed(Input::LinkClosed);
            }
        }
    }

    fn close_link(&self) {
        self.next_turn();
        self.socket.take();
    }

    fn next_turn(&self) -> u32 {
        let turn = self.link_turn.get().wrapping_add(1);
        self.link_turn.set(turn);
        turn
    }

    pub(crate) fn linked(&self, turn: u32, token: JsValue) {
        if self.link_turn.get() == turn {
            self.token.replace(token);
            self.feed(Input::LinkOpened);
        }
    }

    pub(crate) fn unlinked(&self, turn: u32) {
        if self.link_turn.get() == turn {
            self.close_link();
            self.feed(Input::LinkClosed);
        }
    }

    fn note(&self, notice: &Notice<JsValue>) {
        match notice {
            Notice::Verdict { id, seq, error, action } => {
                let own = if id.client == Client::OWN { id.n.0 } else { 0 };
                let error = error.as_ref();
                let (code, reason) =
                    error.map_or(("", ""), |e| (e.code.as_str(), e.reason.as_str()));
                self.host.verdict(float(own), float(seq.0), code, reason, action);
            }
            Notice::Held { reason, action, .. } => self.host.held(reason.as_str(), action),
            Notice::Diverged(seq) => self.host.noted("diverged", "", "", float(seq.0)),
            Notice::Reset(held) => self.host.noted("reset", "", "", float(*held as u64)),
        }
    }

    fn tell_status(&self) {
        let engine = self.engine.borrow();
        let status = engine.status();
        let oldest = engine.pending().find(|(entry, _)| entry.held.is_none());
        let oldest = oldest.map_or(JsValue::UNDEFINED, |(entry, _)| entry.action.clone());
        drop(engine);
        let link = match status.link {
            LinkState::Offline => "offline",
            LinkState::Connecting => "connecting",
            LinkState::Online => "online",
        };
        let storage = self.storage.get().map_or("opening", |s| s.kind());
        let list = (
            link,
            float(status.pending as u64),
            float(status.held as u64),
            float(status.head.0),
            float(status.cursor.0),
            storage,
            status.outdated,
            status.schema,
        );
        let list = list.serialize(&serde_wasm_bindgen::Serializer::new());
        self.host.status(&list.unwrap_or_default(), &oldest);
    }

    /// Names each pending action to the host.
    pub(crate) fn pending(&self) {
        let engine = self.engine.borrow();
        for (entry, progress) in engine.pending() {
            let (state, reason) = match progress {
                Progress::Queued => ("queued", ""),
                Progress::Sent | Progress::Decided => ("sent", ""),
                Progress::Held(reason) => ("held", reason.as_str()),
            };
            let client = engine.client_name(entry.id.client);
            self.host.row(client, float(entry.id.n.0), &entry.action, state, reason);
        }
    }

    /// This tab leads from now on, or follows. Calls `done` when that is so.
    pub(crate) fn lead(&self, leads: bool, done: Function) {
        let me = self.me.clone();
        self.storage().lead(leads, move || {
            let Some(driver) = me.upgrade() else { return };
            driver.feed(Input::Led(leads));
            let _ = done.call0(&JsValue::UNDEFINED);
        });
    }

    /// Another tab has stored entries, or a client is gone: reads what there is of it.
    pub(crate) fn look(&self, client: String, from: f64, gone: bool, done: Function) {
        let me = self.me.clone();
        let name = client.clone();
        self.storage().read_client(&name, from, gone, move |read| {
            let Some(driver) = me.upgrade() else { return };
            // What could not be read may not be taken for all there is.
            let Some((rows, left)) = read else {
                let _ = done.call1(&JsValue::UNDEFINED, &JsValue::FALSE);
                return;
            };
            up_to_date(&rows, &driver.options);
            let (client, entries) = {
                let engine = &mut driver.engine.borrow_mut();
                (engine.add_client(&client), to_entries(engine, &rows))
            };
            driver.feed(match gone {
                true => Input::Adopted { client, entries, whole: left.whole },
                false => Input::Arrived(entries),
            });
            if !left.is_empty() {
                driver.keep(client, left);
            }
            let _ = done.call1(&JsValue::UNDEFINED, &JsValue::TRUE);
        });
    }

    /// What stood in a journal is to stand in the database: as it is now, it may have been held since it was read.
    fn keep(&self, client: Client, left: Left) {
        let change = Change::new();
        change.set_again(true);
        let engine = self.engine.borrow();
        for (entry, _) in engine.pending() {
            if entry.id.client == client && float(entry.id.n.0) >= left.first {
                change.entry(&engine, entry);
            }
        }
        drop(engine);
        self.storage().keep(left, change);
    }

    /// A frame that the leader passed on.
    pub(crate) fn hear(&self, text: &JsValue) {
        let message = frame_of(text).and_then(|frame| decode(&self.engine.borrow(), &frame));
        if let Some(message) = message {
            self.feed(Input::Received(message));
        }
    }

    /// Ends the twin.
    pub(crate) fn close(&self) {
        self.feed(Input::Closed);
        self.storage().close();
        self.timer.set(None);
        self.tell_status();
        self.tell_app();
    }
}

impl Peer for Driver {
    fn opened(&self) {
        self.host.opened(self.link_turn.get());
    }

    fn said(&self, text: &JsValue, frame: Option<&Fields>) {
        if self.socket.borrow().is_none() {
            return;
        }
        // A frame that names no stream is about the whole socket.
        let elsewhere = |of: String| of != self.stream;
        if frame.is_some_and(|frame| frame.text("stream").is_some_and(elsewhere)) {
            return;
        }
        let message = frame.and_then(|frame| decode(&self.engine.borrow(), frame));
        if let (Some(Message::Failed), Some(error)) = (&message, frame) {
            self.host.noted("failed", &error.str("code"), &error.str("message"), 0.0);
        }
        let passes_on = matches!(
            message,
            Some(Message::Events(_) | Message::Verdicts(_) | Message::Snapshot(_))
        );
        match message {
            Some(message) => self.feed(Input::Received(message)),
            // Not a message of this protocol: nothing that follows can be trusted.
            None => {
                self.host.noted("failed", "bad-message", "", 0.0);
                self.close_link();
                self.feed(Input::LinkClosed);
            }
        }
        // What this tab could not take after a reset is of no use to those that do not know of it yet.
        if passes_on && self.engine.borrow().cursor().is_some() {
            // After its write was begun: a tab that missed something reads behind that write.
            self.host.relay(text);
        }
    }

    fn closed(&self) {
        if self.socket.take().is_some() {
            self.next_turn();
            self.feed(Input::LinkClosed);
        }
    }
}

impl Listener for Driver {
    fn restored(&self, stored: Option<&Stored>) {
        let state = stored.map(|stored| self.to_state(stored));
        self.feed(Input::Restored(state.unwrap_or_default()));
        self.is_ready.set(true);
        self.host.restored(&stored.map_or(JsValue::NULL, |stored| stored.broken().into()));
        self.decide_undecided();
    }

    fn persisted(&self, n: N) {
        self.host.stored(float(n.0), self.storage().is_memory());
        self.feed(Input::Persisted(n));
    }

    fn moved(&self, reason: &str) {
        self.host.noted("storage", self.storage().kind(), reason, 0.0);
        self.tell_status();
        self.tell_app();
    }

    fn changed(&self) {
        self.host.changed();
    }

    fn carried(&self) {
        self.host.changed();
        self.feed(Input::Changed);
    }

    fn outranked(&self) {
        self.host.noted("outranked", "", "", 0.0);
    }

    fn everything(&self) -> (Change, N) {
        let change = Change::new();
        change.set_again(true);
        let engine = self.engine.borrow();
        for (entry, _) in engine.pending() {
            // What other tabs have they carry along themselves.
            if engine.is_ours(entry.id.client) {
                change.entry(&engine, entry);
            }
        }
        if engine.leads() && engine.has_state() {
            change.stands(&engine, &self.replica.confirmed(), engine.cursor());
        }
        (change, N(engine.next_n().0 - 1))
    }
}

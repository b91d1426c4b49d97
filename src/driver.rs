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
use twinstore_engine::{Apply, Engine, Input, LinkState, Notice, Output, StoredState};
use twinstore_protocol::{ClientId, N, Rejection, Seq, StreamId};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::clock::{Timer, now};
use crate::codec::{Item, client_rows, decode, encode};
use crate::dispatch::Shell;
use crate::host::{Host, Options};
use crate::replica::Replica;
use crate::socket::{Peer, Socket};
use crate::storage::{Listener, Storage};
use crate::web::{Fields, float, snapshot_of};

/// One twin: everything behind the object that the app holds.
pub(crate) struct Driver {
    pub(crate) options: Options,
    pub(crate) host: Host,
    pub(crate) key: String,
    pub(crate) client: ClientId,
    stream: StreamId,
    pub(crate) engine: RefCell<Engine<Item>>,
    pub(crate) replica: Replica,
    pub(crate) shell: Shell,
    pub(crate) is_ready: Cell<bool>,
    me: Weak<Self>,
    storage: OnceCell<Rc<Storage>>,
    socket: RefCell<Option<Rc<Socket>>>,
    /// Grows with every opening and closing of the link, so that a late answer is known as such.
    link_turn: Cell<u32>,
    inputs: RefCell<VecDeque<Input<Item>>>,
    draining: Cell<bool>,
    timer: Timer,
}

impl Driver {
    pub(crate) fn new(
        options: Options,
        host: Host,
        stream: StreamId,
        engine: Engine<Item>,
        replica: Replica,
    ) -> Rc<Self> {
        let driver = Rc::new_cyclic(|me: &Weak<Self>| {
            let ringing = me.clone();
            Self {
                key: options.key(),
                client: ClientId(options.client()),
                shell: Shell::new(replica.visible()),
                options,
                host,
                stream,
                engine: RefCell::new(engine),
                replica,
                is_ready: Cell::default(),
                me: me.clone(),
                storage: OnceCell::new(),
                socket: RefCell::default(),
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
        let storage = Storage::open(&driver.options, driver.client.clone(), driver.clone());
        let _ = driver.storage.set(storage);
        driver.tell_status();
        driver
    }

    pub(crate) fn storage(&self) -> &Rc<Storage> {
        self.storage.get().expect("the storage is opened with the twin")
    }

    /// Tells the engine a fact, performs all that follows, then tells the app.
    pub(crate) fn feed(&self, input: Input<Item>) {
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

    fn then(&self, input: Input<Item>) {
        self.inputs.borrow_mut().push_back(input);
    }

    fn perform(&self, output: Output<Item>) {
        match output {
            Output::Persist(write) => self.storage().write(write),
            Output::OpenLink => self.open_link(),
            Output::CloseLink => self.close_link(),
            Output::Transmit(frame) => {
                if let Some(socket) = &*self.socket.borrow() {
                    socket.send(&encode(&frame));
                }
            }
            Output::ReadSnapshot(text) => self.then(read_snapshot(&text)),
            Output::Apply(Apply::Advance { count }) => {
                if let Some(at) = self.replica.advance(count) {
                    // They end at the cursor, which has moved already.
                    let cursor = self.engine.borrow().status().cursor;
                    let seq = Seq(cursor.0.saturating_sub((count - 1 - at) as u64));
                    self.then(Input::FoldFailed { seq });
                }
            }
            Output::Apply(Apply::Rebase { base, events, shown, entering }) => {
                let failed = self.replica.rebase(base, &events, shown);
                self.shell.enter_later(entering);
                if let Some(seq) = failed {
                    self.then(Input::FoldFailed { seq });
                }
            }
            Output::Notify(notice) => self.note(&notice),
        }
    }

    fn open_link(&self) {
        let turn = self.next_turn();
        let me = self.me.clone();
        // Not at once: a socket's first answer must find this input done.
        spawn_local(async move {
            if let Some(driver) = me.upgrade().filter(|driver| driver.link_turn.get() == turn) {
                driver.join_socket();
            }
        });
    }

    fn join_socket(&self) {
        let url = self.options.url().unwrap_or_default();
        match Socket::join(&url, &self.options.line(), self.me.clone()) {
            Some(socket) => drop(self.socket.replace(Some(socket))),
            None => {
                self.host.noted(
                    "failed",
                    "bad-url",
                    "the browser does not take `url` for a socket's address",
                    0.0,
                );
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

    pub(crate) fn linked(&self, turn: u32, token: Option<String>) {
        if self.link_turn.get() == turn {
            self.feed(Input::LinkOpened { token });
        }
    }

    pub(crate) fn unlinked(&self, turn: u32) {
        if self.link_turn.get() == turn {
            self.close_link();
            self.feed(Input::LinkClosed);
        }
    }

    fn note(&self, notice: &Notice<Item>) {
        match notice {
            Notice::Confirmed { client, n, seq, action } => {
                self.verdict(client, *n, *seq, None, action)
            }
            Notice::Rejected { client, n, seq, error, action } => {
                self.verdict(client, *n, *seq, Some(error), action);
            }
            Notice::Held { reason, action, .. } => self.host.held(reason.as_str(), &action.value),
            Notice::Diverged { seq } => self.host.noted("diverged", "", "", float(seq.0)),
            Notice::Reset { held } => self.host.noted("reset", "", "", float(*held as u64)),
            Notice::Failed { code, message } => self.host.noted("failed", code, message, 0.0),
        }
    }

    fn verdict(&self, client: &ClientId, n: N, seq: Seq, error: Option<&Rejection>, action: &Item) {
        let own = if *client == self.client { n.0 } else { 0 };
        let (code, reason) = error.map_or(("", ""), |e| (e.code.as_str(), e.reason.as_str()));
        self.host.verdict(float(own), float(seq.0), code, reason, &action.value);
    }

    fn tell_status(&self) {
        let status = self.engine.borrow().status();
        let link = match status.link {
            LinkState::Offline => "offline",
            LinkState::Connecting => "connecting",
            LinkState::Online => "online",
        };
        let storage = self.storage.get().map_or("opening", |s| s.kind());
        let list = (
            link,
            status.pending,
            status.held,
            float(status.head.0),
            float(status.cursor.0),
            storage,
            status.outdated,
        );
        let list = list.serialize(&serde_wasm_bindgen::Serializer::new());
        self.host.status(&list.unwrap_or_default());
    }

    pub(crate) fn strangers(&self, found: Function) {
        let ours = self.engine.borrow().ours();
        self.storage().entries_of(
            Box::new(move |client| !ours.contains(client)),
            Box::new(move |entries| {
                let clients: Array =
                    entries.iter().map(|e| JsValue::from_str(e.client.as_str())).collect();
                let _ = found.call1(&JsValue::UNDEFINED, &clients);
            }),
        );
    }

    pub(crate) fn adopt(&self, gone: Vec<ClientId>, done: Function) {
        let (me, wanted) = (self.me.clone(), gone.clone());
        // Read now: until its lock was free a client may have written.
        self.storage().entries_of(
            Box::new(move |client| wanted.contains(client)),
            Box::new(move |entries| {
                let Some(driver) = me.upgrade() else { return };
                driver.storage().take_over_journals(&gone);
                for client in gone {
                    let entries = entries.iter().filter(|e| e.client == client).cloned().collect();
                    driver.feed(Input::Adopted { client, entries });
                }
                let _ = done.call0(&JsValue::UNDEFINED);
            }),
        );
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

fn read_snapshot(text: &str) -> Input<Item> {
    match snapshot_of(text) {
        Some(body) => {
            Input::SnapshotRead { state: Item::of(body.get("state")), clients: client_rows(&body) }
        }
        None => Input::SnapshotUnreadable,
    }
}

impl Peer for Driver {
    fn opened(&self) {
        self.host.opened(self.link_turn.get());
    }

    fn said(&self, frame: Option<&Fields>) {
        if self.socket.borrow().is_none() {
            return;
        }
        // A frame that names no stream is about the whole socket.
        let elsewhere =
            |frame: &Fields| frame.text("stream").is_some_and(|s| s != self.stream.as_str());
        match frame.map(|frame| (elsewhere(frame), decode(frame, &self.stream))) {
            Some((true, _)) => {}
            Some((false, Some(message))) => self.feed(Input::Received(message)),
            // Not a message of this protocol: nothing that follows can be trusted.
            Some((false, None)) | None => {
                self.host.noted(
                    "failed",
                    "bad-message",
                    "the server sent a frame that is no message of this protocol",
                    0.0,
                );
                self.close_link();
                self.feed(Input::LinkClosed);
            }
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
    fn restored(&self, stored: StoredState<Item>) {
        self.feed(Input::Restored(stored));
        self.is_ready.set(true);
        self.decide_undecided();
        self.host.restored();
    }

    fn persisted(&self, n: N) {
        self.host.stored(float(n.0), self.storage().is_memory());
        self.feed(Input::Persisted(n));
    }

    fn degraded(&self, reason: &str) {
        self.host.noted("storage", "", reason, 0.0);
        self.tell_status();
        self.tell_app();
    }
}

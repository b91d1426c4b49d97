//! The engine's driver: performs its outputs, feeds its inputs, and tells the app.
//!
//! Two steps, never mixed. First the engine is drained: storage, socket and replica follow its orders, and of
//! the app's code only the reducer runs, which may not dispatch. Then, with nothing borrowed and everything
//! consistent, the stores and the listeners are told; they may dispatch again.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use js_sys::{Function, Promise};
use serde::Serialize;
use twinstore_engine::{Apply, Engine, Input, LinkState, Notice, Output, Progress, StoredState};
use twinstore_protocol::{ClientId, N, Rejection, Seq};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::clock::{Timer, now};
use crate::codec::{Item, client_rows, decode, encode, stream_of};
use crate::dispatch::Shell;
use crate::error::error;
use crate::options::Options;
use crate::replica::Replica;
use crate::socket::{Peer, Socket};
use crate::storage::{Listener, Storage};
use crate::tickets::Tickets;
use crate::web::{Deferred, Fields, console_error, deferred, number, parse};

/// One twin: everything behind the object that the app holds.
pub(crate) struct Core {
    pub(crate) options: Options,
    pub(crate) key: String,
    pub(crate) client: ClientId,
    pub(crate) engine: RefCell<Engine<Item>>,
    pub(crate) replica: Replica,
    pub(crate) tickets: Tickets,
    pub(crate) shell: Shell,
    pub(crate) ready: Deferred,
    pub(crate) is_ready: Cell<bool>,
    pub(crate) notices: Notices,
    me: Weak<Self>,
    storage: OnceCell<Rc<Storage>>,
    socket: RefCell<Option<Rc<Socket>>>,
    /// Grows with every opening and closing of the link, so that a late answer is known as such.
    link_turn: Cell<u32>,
    inputs: RefCell<VecDeque<Input<Item>>>,
    draining: Cell<bool>,
    timer: OnceCell<Timer>,
    status: RefCell<StatusCell>,
}

/// Who listens, and what they are still to be told.
pub(crate) struct Notices {
    listeners: RefCell<Vec<(String, Function)>>,
    pub(crate) waiting: RefCell<VecDeque<(&'static str, JsValue)>>,
}

/// The status as the app sees it; the same object until something changes.
#[derive(Default)]
struct StatusCell {
    shown: Option<Status>,
    value: JsValue,
    since: f64,
    last_error: Option<LastError>,
}

#[derive(Clone, PartialEq, Serialize)]
struct Status {
    link: &'static str,
    pending: usize,
    held: usize,
    head: f64,
    cursor: f64,
    storage: &'static str,
    role: &'static str,
    outdated: bool,
    since: f64,
    #[serde(rename = "lastError")]
    last_error: Option<LastError>,
}

#[derive(Clone, PartialEq, Serialize)]
struct LastError {
    code: String,
    message: String,
}

impl Core {
    pub(crate) fn new(
        options: Options,
        client: ClientId,
        engine: Engine<Item>,
        replica: Replica,
    ) -> Rc<Self> {
        let core = Rc::new_cyclic(|me: &Weak<Self>| Self {
            key: options.key(),
            shell: Shell::new(replica.visible()),
            options,
            client,
            engine: RefCell::new(engine),
            replica,
            tickets: Tickets::new(),
            ready: deferred(),
            is_ready: Cell::new(false),
            notices: Notices { listeners: RefCell::default(), waiting: RefCell::default() },
            me: me.clone(),
            storage: OnceCell::new(),
            socket: RefCell::default(),
            link_turn: Cell::default(),
            inputs: RefCell::default(),
            draining: Cell::default(),
            timer: OnceCell::new(),
            status: RefCell::default(),
        });
        let me = core.me.clone();
        let ring = move || me.upgrade().iter().for_each(|core| core.feed(Input::TimedOut));
        let _ = core.timer.set(Timer::new(ring));
        core.refresh_status();
        core.notices.waiting.take();
        let storage =
            Storage::open(&core.key, core.client.clone(), core.options.storage, core.clone());
        let _ = core.storage.set(storage);
        core
    }

    pub(crate) fn weak(&self) -> Weak<Self> {
        self.me.clone()
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
        while let Some(input) = self.next_input() {
            // What an app can do wrong was checked before: a late fact about a closed twin is no error.
            let _ = self.engine.borrow_mut().handle_input(now(), input);
            while let Some(output) = self.next_output() {
                self.perform(output);
            }
        }
        self.draining.set(false);
        let due = self.engine.borrow().poll_timeout();
        if let Some(timer) = self.timer.get() {
            timer.set(due);
        }
        self.refresh_status();
        self.tell_app();
    }

    fn next_input(&self) -> Option<Input<Item>> {
        self.inputs.borrow_mut().pop_front()
    }

    fn next_output(&self) -> Option<Output<Item>> {
        self.engine.borrow_mut().poll_output()
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
            Output::ReadSnapshot(text) => self.read_snapshot(&text),
            Output::Apply(Apply::Advance { count }) => self.replica.advance(count),
            Output::Apply(Apply::Rebase { base, events, shown, entering }) => {
                let failed = self.replica.rebase(base, &events, &shown);
                self.shell.enter_later(entering);
                if let Some(seq) = failed {
                    self.inputs.borrow_mut().push_back(Input::FoldFailed { seq });
                }
            }
            Output::Notify(notice) => self.note(notice),
        }
    }

    fn read_snapshot(&self, text: &str) {
        let body = parse(text).ok().and_then(|value| Fields::of(&value));
        let read = body.and_then(|body| {
            Some(Input::SnapshotRead {
                state: Item::of(body.get("state")),
                clients: client_rows(&body)?,
            })
        });
        self.inputs.borrow_mut().push_back(read.unwrap_or(Input::SnapshotUnreadable));
    }

    fn open_link(&self) {
        let turn = self.next_turn();
        let Some(url) = self.options.url.clone() else { return };
        let me = self.me.clone();
        // Not at once: what follows may call the app's own token function.
        spawn_local(async move {
            let Some(core) = me.upgrade() else { return };
            core.adopt_orphans();
            if core.link_turn.get() != turn {
                return;
            }
            match Socket::join(&url, &core.options.user, core.peer()) {
                Some(socket) => drop(core.socket.replace(Some(socket))),
                None => {
                    core.remember_error(
                        "bad-url",
                        "the browser does not take `url` for a socket's address",
                    );
                    core.feed(Input::LinkClosed);
                }
            }
        });
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

    fn peer(&self) -> Weak<dyn Peer> {
        self.me.clone()
    }

    fn note(&self, notice: Notice<Item>) {
        let object = Fields::new();
        let name = match notice {
            Notice::Confirmed { client, n, seq, action } => {
                self.settle(&client, n, Ok(seq));
                object.set("seq", &number(seq.0));
                object.set("action", &action.value);
                "confirmed"
            }
            Notice::Rejected { client, n, seq, error: why, action } => {
                self.settle(&client, n, Err(rejection(&why, seq)));
                object.set("seq", &number(seq.0));
                object.set("code", &JsValue::from_str(&why.code));
                object.set("reason", &JsValue::from_str(&why.reason));
                object.set("action", &action.value);
                "rejected"
            }
            Notice::Held { reason, action, .. } => {
                object.set("reason", &JsValue::from_str(reason.as_str()));
                object.set("action", &action.value);
                "held"
            }
            Notice::Diverged { seq } => {
                object.set("seq", &number(seq.0));
                object.set("reason", &"an accepted event threw in this client's reducer".into());
                "diverged"
            }
            Notice::Reset { held } => {
                object.set("held", &number(held as u64));
                object.set("reason", &"the server was reset, or restored from a backup".into());
                "reset"
            }
            Notice::Failed { code, message } => {
                self.remember_error(&code, &message);
                return;
            }
        };
        self.notices.waiting.borrow_mut().push_back((name, object.into()));
    }

    fn settle(&self, client: &ClientId, n: N, verdict: Result<Seq, JsValue>) {
        if *client == self.client {
            self.tickets.settle(n, verdict);
        }
    }

    /// Keeps an error for `status.lastError`.
    pub(crate) fn remember_error(&self, code: &str, message: &str) {
        let (code, message) = (code.to_owned(), message.to_owned());
        self.status.borrow_mut().last_error = Some(LastError { code, message });
    }

    pub(crate) fn status(&self) -> JsValue {
        self.status.borrow().value.clone()
    }

    fn refresh_status(&self) {
        let status = self.engine.borrow().status();
        let mut cell = self.status.borrow_mut();
        let link = match status.link {
            LinkState::Offline => "offline",
            LinkState::Connecting => "connecting",
            LinkState::Online => "online",
        };
        if cell.shown.as_ref().is_none_or(|shown| shown.link != link) {
            cell.since = js_sys::Date::now();
        }
        let place = |seq: Seq| number(seq.0).as_f64().unwrap_or_default();
        let shown = Status {
            link,
            pending: status.pending,
            held: status.held,
            head: place(status.head),
            cursor: place(status.cursor),
            storage: self.storage.get().map_or("opening", |s| s.kind()),
            role: "alone",
            outdated: status.outdated,
            since: cell.since,
            last_error: cell.last_error.clone(),
        };
        if cell.shown.as_ref() == Some(&shown) {
            return;
        }
        let serializer = serde_wasm_bindgen::Serializer::new().serialize_missing_as_null(true);
        cell.value = shown.serialize(&serializer).unwrap_or_default();
        cell.shown = Some(shown);
        let value = cell.value.clone();
        drop(cell);
        let mut waiting = self.notices.waiting.borrow_mut();
        // Only the newest is worth telling.
        waiting.retain(|(name, _)| *name != "status");
        waiting.push_back(("status", value));
    }

    /// Whether nothing is unsent or in flight.
    pub(crate) fn is_flushed(&self) -> bool {
        self.engine.borrow().status().pending == 0
    }

    pub(crate) fn listen(&self, name: String, listener: Function) {
        self.notices.listeners.borrow_mut().push((name, listener));
    }

    pub(crate) fn unlisten(&self, name: &str, listener: &Function) {
        let mut listeners = self.notices.listeners.borrow_mut();
        if let Some(at) = listeners.iter().position(|(n, f)| n == name && f == listener) {
            listeners.remove(at);
        }
    }

    /// Calls the listeners of one notice. One that throws does not keep the others from hearing it.
    pub(crate) fn call_listeners(&self, name: &str, value: &JsValue) {
        let listeners: Vec<_> = {
            let all = self.notices.listeners.borrow();
            all.iter().filter(|(n, _)| n == name).map(|(_, f)| f.clone()).collect()
        };
        for listener in listeners {
            if listener.call1(&JsValue::UNDEFINED, value).is_err() {
                console_error(&["a listener of the twin's notice \"", name, "\" threw"].concat());
            }
        }
    }

    /// Ends the twin. What waits for an answer is told so.
    pub(crate) fn close(&self) {
        self.feed(Input::Closed);
        self.tickets
            .close(&error("closed", "the twin was closed before the action had its verdict"));
        self.storage().close();
        if let Some(timer) = self.timer.get() {
            timer.set(None);
        }
        self.refresh_status();
        self.tell_app();
    }

    async fn token(&self) -> Result<Option<String>, JsValue> {
        let token = match self.options.token.dyn_ref::<Function>() {
            Some(ask) => ask.call0(&JsValue::UNDEFINED)?,
            None => self.options.token.clone(),
        };
        let token = match token.dyn_into::<Promise>() {
            Ok(promise) => JsFuture::from(promise).await?,
            Err(token) => token,
        };
        Ok(token.as_string())
    }
}

impl Peer for Core {
    fn opened(&self) {
        let (me, turn) = (self.me.clone(), self.link_turn.get());
        spawn_local(async move {
            let Some(core) = me.upgrade() else { return };
            let token = core.token().await;
            if core.link_turn.get() != turn {
                return;
            }
            match token {
                Ok(token) => core.feed(Input::LinkOpened { token }),
                Err(_) => {
                    core.remember_error(
                        "token",
                        "the app's token function failed; trying again later",
                    );
                    core.close_link();
                    core.feed(Input::LinkClosed);
                }
            }
        });
    }

    fn said(&self, frame: Option<&Fields>) {
        if self.socket.borrow().is_none() {
            return;
        }
        let stream = self.options.stream.as_str();
        let here = |frame: &&Fields| stream_of(frame).is_none_or(|s| s == stream);
        match frame.map(|frame| (frame, decode(frame, &self.options.stream))) {
            Some((frame, _)) if !here(&frame) => {}
            Some((_, Some(message))) => self.feed(Input::Received(message)),
            // Not a message of this protocol: nothing that follows can be trusted.
            Some((_, None)) | None => {
                self.remember_error(
                    "bad-message",
                    "the server sent a frame that is no message of this protocol",
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

impl Listener for Core {
    fn restored(&self, stored: StoredState<Item>) {
        self.feed(Input::Restored(stored));
        self.is_ready.set(true);
        self.decide_undecided();
        self.adopt_orphans();
        self.ready.settle(&JsValue::UNDEFINED);
    }

    fn persisted(&self, n: N) {
        self.tickets.stored(n, self.storage().is_memory());
        self.feed(Input::Persisted(n));
    }

    fn degraded(&self, reason: &str) {
        let object = Fields::new()
            .with("storage", &"memory".into())
            .with("reason", &JsValue::from_str(reason));
        self.remember_error("storage", reason);
        self.notices.waiting.borrow_mut().push_back(("storage", object.into()));
        self.refresh_status();
        self.tell_app();
    }
}

fn rejection(why: &Rejection, seq: Seq) -> JsValue {
    let error = error("rejected", &why.reason);
    if let Some(fields) = Fields::of(&error) {
        fields.set("reason", &JsValue::from_str(&why.reason));
        fields.set("verdict", &JsValue::from_str(&why.code));
        fields.set("seq", &number(seq.0));
    }
    error
}

/// How far a pending action has come, as `pending()` lists it.
pub(crate) fn progress_name(progress: Progress) -> &'static str {
    match progress {
        Progress::Queued => "queued",
        Progress::Sent | Progress::Decided => "sent",
        Progress::Held(_) => "held",
    }
}

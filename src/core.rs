//! A twin as `js/twin.ts` holds it: what the app, its stores and the browser tell it.

use std::rc::Rc;

use js_sys::{Array, Function};
use twinstore_engine::{Config, Engine, Input, InputError, Limits, Progress};
use twinstore_protocol::{ClientId, N, StreamId};
use wasm_bindgen::prelude::*;

use crate::driver::Driver;
use crate::host::{Host, Options};
use crate::replica::Replica;
use crate::web::{float, twin_error};

/// One twin: its engine, its states and its storage.
#[wasm_bindgen]
pub struct Core {
    driver: Rc<Driver>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core")
    }
}

#[wasm_bindgen]
impl Core {
    /// A twin with these options, as `js/options.ts` completes them. Its storage opens at once, and tells
    /// `host` later what it found.
    ///
    /// # Errors
    /// A `TwinError` `bad-stream` or `impure-reducer`, or what the reducer throws for its initial state.
    #[wasm_bindgen(constructor)]
    pub fn new(options: Options, host: Host) -> Result<Self, JsValue> {
        let stream = StreamId::parse(&options.stream())
            .map_err(|e| twin_error("bad-option", &["`stream`: ", e.rule()].concat()))?;
        let replica = Replica::new(options.reducer(), options.validate(), options.initial())?;
        if options.sync().is_none() && !replica.ignores_strangers()? {
            return Err(twin_error("impure-reducer", ""));
        }
        let defaults = Limits::default();
        let engine = Engine::new(Config {
            stream: stream.clone(),
            client: ClientId(options.client()),
            schema: options.schema(),
            seed: options.seed().to_bits(),
            limits: Limits {
                outbox_actions: options.outbox_actions() as usize,
                outbox_bytes: options.outbox_bytes() as usize,
                ..defaults
            },
        });
        Ok(Self { driver: Driver::new(options, host, stream, engine, replica) })
    }

    /// The middleware: takes an action on its way to the reducers.
    ///
    /// # Errors
    /// What `dispatch` throws.
    pub fn take(&self, action: &JsValue, next: &Function) -> Result<JsValue, JsValue> {
        self.driver.take(action, next)
    }

    /// The reducer in the store.
    ///
    /// # Errors
    /// What the app's reducer throws.
    pub fn reduce(&self, state: &JsValue, action: &JsValue) -> Result<JsValue, JsValue> {
        self.driver.reduce(state, action)
    }

    /// A store shows this twin from now on; `emit` is its way below the middleware.
    pub fn attach(&self, emit: &Function) {
        self.driver.attach(emit);
    }

    /// Swaps the app's reducer.
    #[wasm_bindgen(js_name = replaceReducer)]
    pub fn replace_reducer(&self, reducer: Function) {
        self.driver.replica.replace_reducer(reducer);
    }

    /// The app wants to be connected.
    pub fn connect(&self) {
        self.driver.feed(Input::Connected);
    }

    /// The app wants to be offline.
    pub fn disconnect(&self) {
        self.driver.feed(Input::Disconnected);
    }

    /// The browser says that trying again may be worth while.
    pub fn wake(&self) {
        self.driver.feed(Input::Woken);
    }

    /// Answers `Host::opened`: the token is there.
    pub fn linked(&self, turn: u32, token: Option<String>) {
        self.driver.linked(turn, token);
    }

    /// Answers `Host::opened`: there is no token.
    pub fn unlinked(&self, turn: u32) {
        self.driver.unlinked(turn);
    }

    /// Names each pending action to `Host::row`.
    pub fn pending(&self) {
        let engine = self.driver.engine.borrow();
        for p in engine.pending() {
            let (state, reason) = match p.progress {
                Progress::Queued => ("queued", ""),
                Progress::Sent | Progress::Decided => ("sent", ""),
                Progress::Held(reason) => ("held", reason.as_str()),
            };
            self.driver.host.row(p.client.as_str(), float(p.n.0), &p.action.value, state, reason);
        }
    }

    /// Drops an action that was never sent, or is held. Gives the code of why it cannot.
    pub fn drop(&self, client: String, n: f64) -> Option<String> {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of ours"
        )]
        let (client, n) = (ClientId(client), N(n as u64));
        let refused = self.driver.engine.borrow().can_drop(&client, n).err();
        match refused {
            Some(InputError::AlreadySent) => Some("already-sent".to_owned()),
            Some(_) => Some("not-pending".to_owned()),
            None => {
                self.driver.feed(Input::Dropped { client, n });
                None
            }
        }
    }

    /// Looks for clients in the stored outbox whose entries this page does not send; calls `found` with a list.
    pub fn strangers(&self, found: Function) {
        self.driver.strangers(found);
    }

    /// Takes over the entries of clients whose lock this page holds now; calls `done` then.
    pub fn adopt(&self, gone: &Array, done: Function) {
        let gone = gone.iter().filter_map(|c| c.as_string()).map(ClientId).collect();
        self.driver.adopt(gone, done);
    }

    /// Ends the twin. The stored data stays.
    pub fn close(&self) {
        self.driver.close();
    }

    /// Erases the stored data of a closed twin; calls `done` when it is gone.
    pub fn erase(&self, done: &Function) {
        self.driver.storage().erase(done);
    }
}

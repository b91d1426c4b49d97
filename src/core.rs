//! A twin as `js/twin.ts` holds it: what the app, its stores and the browser tell it.

use std::rc::Rc;

use js_sys::Function;
use twinstore_engine::{Config, Engine, Id, Input, InputError, Limits};
use twinstore_protocol::ClientId;
use wasm_bindgen::prelude::*;

use crate::driver::Driver;
use crate::host::{Host, Options};
use crate::replica::Replica;
use crate::web::{Fields, number, twin_error, weigh};

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
    /// A `TwinError` `impure-reducer`, or what the reducer throws for its initial state.
    #[wasm_bindgen(constructor)]
    pub fn new(options: Options, host: Host) -> Result<Self, JsValue> {
        let replica = Replica::new(options.reducer(), options.validate(), options.initial())?;
        if options.sync().is_none() && !replica.ignores_strangers()? {
            return Err(twin_error("impure-reducer", ""));
        }
        let defaults = Limits::default();
        let engine = Engine::new(Config {
            client: ClientId(options.client()),
            leads: options.leads(),
            schema: options.schema(),
            seed: options.seed().to_bits(),
            limits: Limits {
                outbox_actions: options.outbox_actions() as usize,
                outbox_bytes: options.outbox_bytes() as usize,
                ..defaults
            },
        });
        Ok(Self { driver: Driver::new(options, host, engine, replica) })
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

    /// The stores that were attached show another stream: they are brought here when the stored state is back.
    #[wasm_bindgen(js_name = takeOver)]
    pub fn take_over(&self) {
        self.driver.shell.take_over();
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
        self.driver.storage.probe();
        self.driver.feed(Input::Woken);
    }

    /// This tab leads from now on, or follows. Calls `done` when that is so.
    pub fn lead(&self, leads: bool, done: Function) {
        self.driver.lead(leads, done);
    }

    /// For a tab that follows: the leader's link is up, or not; `schema` is that of the server's model.
    pub fn relayed(&self, online: bool, schema: u32) {
        self.driver.feed(Input::Relayed { online, schema });
    }

    /// For a tab that follows: a frame that the leader passed on.
    pub fn hear(&self, text: &JsValue) {
        self.driver.hear(text);
    }

    /// A tab that follows needs the server's state: has it sent.
    #[wasm_bindgen(js_name = askState)]
    pub fn ask_state(&self) {
        self.driver.feed(Input::StateAsked);
    }

    /// What others stored may have changed: reads everything again.
    pub fn reread(&self) {
        self.driver.feed(Input::Changed);
    }

    /// A text came by the socket, and the frame it is; none: it is no message of the protocol.
    pub fn said(&self, text: &JsValue, frame: &JsValue) {
        self.driver.said(text, Fields::of(frame).as_ref());
    }

    /// The socket is closed, or could not be opened.
    pub fn lost(&self) {
        self.driver.lost();
    }

    /// Answers `Host::opened`: the token is there.
    pub fn linked(&self, turn: u32, token: JsValue) {
        self.driver.linked(turn, token);
    }

    /// Answers `Host::opened`: there is no token.
    pub fn unlinked(&self, turn: u32) {
        self.driver.unlinked(turn);
    }

    /// Names each pending action to `Host::row`.
    pub fn pending(&self) {
        self.driver.pending();
    }

    /// Drops an action that was never sent, or is held. Gives the code of why it cannot.
    pub fn drop(&self, client: &str, n: f64) -> Option<String> {
        self.change(client, n, Input::Dropped)
    }

    /// Gives an action that was never sent another content. Gives the code of why it cannot.
    ///
    /// # Errors
    /// A `TwinError`: the new action is not plain, or too large.
    pub fn edit(&self, client: &str, n: f64, action: &JsValue) -> Result<Option<String>, JsValue> {
        let options = &self.driver.options;
        let bytes = weigh(action, options.action_bytes(), options.action_depth())?;
        let action = action.clone();
        Ok(self.change(client, n, |id| Input::Edited { id, action, bytes }))
    }

    fn change(
        &self,
        client: &str,
        n: f64,
        input: impl FnOnce(Id) -> Input<JsValue>,
    ) -> Option<String> {
        let engine = self.driver.engine.borrow();
        let id = Id { client: engine.client(client), n: number(n) };
        let refused = engine.can_change(id);
        drop(engine);
        match refused {
            Ok(()) => self.driver.feed(input(id)),
            Err(InputError::AlreadySent) => return Some("already-sent".to_owned()),
            Err(_) => return Some("not-pending".to_owned()),
        }
        None
    }

    /// Names the clients that have something stored to `found`, as a list.
    pub fn clients(&self, found: &Function) {
        self.driver.storage.clients(found);
    }

    /// Takes in what a client has stored from a number on; `gone`: its lock is held here, what it left is ours.
    /// Calls `done` then, with whether it could be read.
    pub fn look(&self, client: String, from: f64, gone: bool, done: Function) {
        self.driver.look(client, from, gone, done);
    }

    /// Ends the twin. The stored data stays.
    pub fn close(&self) {
        self.driver.close();
    }

    /// Erases the stored data of a closed twin; calls `done` when it is gone.
    pub fn erase(&self, done: &Function) {
        self.driver.storage.erase(done);
    }
}

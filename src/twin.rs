//! The object that the app holds, and its making.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Function, Promise};
use twinstore_engine::{Config, Engine, Input};
use twinstore_protocol::{ClientId, N};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use crate::driver::{Core, progress_name};
use crate::error::{error, refused_input};
use crate::options::{Options, Sync};
use crate::replica::Replica;
use crate::tickets::{CONFIRMED, DURABLE};
use crate::web::{Fields, deferred, middleware, number, on_wake, random_text};
use crate::{clock, locks};

thread_local! {
    /// The twins of this page, by key, so that a second `createTwin` gives the first twin back.
    static TWINS: RefCell<Vec<(String, JsValue, Rc<Core>)>> = const { RefCell::new(Vec::new()) };
    /// This page load as a client, one for each user.
    static CLIENTS: RefCell<Vec<(String, ClientId)>> = const { RefCell::new(Vec::new()) };
}

/// A durable twin of a stream. See `js/index.ts` for what each member does.
#[wasm_bindgen]
pub struct Twin {
    core: Rc<Core>,
    middleware: Function,
    reducer: JsValue,
    stop_waking: Function,
}

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Twin")
    }
}

/// Makes a twin, or gives back the one of that name, user and stream with the new reducer.
///
/// # Errors
/// A `TwinError` `bad-option`, `impure-reducer`, or what the reducer throws for its initial state.
#[wasm_bindgen(js_name = createTwin)]
pub fn create_twin(options: &JsValue) -> Result<JsValue, JsValue> {
    let options = Options::read(options)?;
    let key = options.key();
    let known = TWINS
        .with_borrow(|twins| twins.iter().find(|t| t.0 == key).map(|t| (t.1.clone(), t.2.clone())));
    if let Some((twin, core)) = known {
        core.replica.replace_reducer(options.reducer);
        return Ok(twin);
    }
    let replica =
        Replica::new(options.reducer.clone(), options.validate.clone(), options.snapshot.clone())?;
    if matches!(options.sync, Sync::Changes) && !replica.ignores_strangers()? {
        return Err(error(
            "impure-reducer",
            "the reducer gives a new state for an action it does not know, so that every action would be twinned: return the same state, or say with `sync` which actions are meant",
        ));
    }
    let client = client_of(&options.user);
    let engine = Engine::new(Config {
        stream: options.stream.clone(),
        client: client.clone(),
        schema: options.schema,
        seed: js_sys::Math::random().to_bits(),
        limits: options.limits,
    });
    let connects = options.url.is_some();
    let core = Core::new(options, client, engine, replica);
    let twin = JsValue::from(Twin::new(core.clone()));
    TWINS.with_borrow_mut(|twins| twins.push((key, twin.clone(), core.clone())));
    if connects {
        core.feed(Input::Connected);
    }
    Ok(twin)
}

impl Twin {
    fn new(core: Rc<Core>) -> Self {
        let (take, attach, reduce, wake) = (core.clone(), core.clone(), core.clone(), core.weak());
        let take = Closure::<dyn Fn(JsValue, Function) -> Result<JsValue, JsValue>>::new(
            move |action: JsValue, next: Function| take.take(&action, &next),
        );
        let attach = Closure::<dyn Fn(Function)>::new(move |emit: Function| attach.attach(&emit));
        let reduce = Closure::<dyn Fn(JsValue, JsValue) -> Result<JsValue, JsValue>>::new(
            move |state: JsValue, action: JsValue| reduce.reduce(&state, &action),
        );
        let wake = Closure::<dyn Fn()>::new(move || {
            if let Some(core) = wake.upgrade() {
                core.feed(Input::Woken);
                core.adopt_orphans();
            }
        });
        Self {
            core,
            middleware: middleware(&take.into_js_value(), &attach.into_js_value()),
            reducer: reduce.into_js_value(),
            stop_waking: on_wake(&wake.into_js_value()),
        }
    }
}

#[wasm_bindgen]
impl Twin {
    /// The Redux middleware.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn middleware(&self) -> Function {
        self.middleware.clone()
    }

    /// The reducer for the store.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn reducer(&self) -> JsValue {
        self.reducer.clone()
    }

    /// The name given, or the stream's.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn name(&self) -> String {
        self.core.options.name.clone()
    }

    /// The same object until something changes.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn status(&self) -> JsValue {
        self.core.status()
    }

    /// Resolves when the stored state is back.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn ready(&self) -> Promise {
        self.core.ready.promise()
    }

    /// Calls `listener` after each change of the status.
    #[must_use]
    pub fn subscribe(&self, listener: Function) -> Function {
        self.on("status".to_owned(), listener)
    }

    /// Calls `listener` with each notice of that name.
    #[must_use]
    pub fn on(&self, name: String, listener: Function) -> Function {
        let (core, heard, event) = (self.core.clone(), listener.clone(), name.clone());
        core.listen(name, listener);
        let core = self.core.clone();
        let off = Closure::<dyn Fn()>::new(move || core.unlisten(&event, &heard));
        off.into_js_value().unchecked_into()
    }

    /// The actions without a verdict, in the order of the outbox.
    #[must_use]
    pub fn pending(&self) -> Array {
        let engine = self.core.engine.borrow();
        let list = engine.pending().map(|p| {
            let row = Fields::new()
                .with(
                    "id",
                    &JsValue::from_str(&[p.client.as_str(), ":", &p.n.0.to_string()].concat()),
                )
                .with("client", &JsValue::from_str(p.client.as_str()))
                .with("n", &number(p.n.0))
                .with("action", &p.action.value)
                .with("state", &progress_name(p.progress).into());
            if let twinstore_engine::Progress::Held(reason) = p.progress {
                row.set("reason", &reason.as_str().into());
            }
            row
        });
        list.collect()
    }

    /// Resolves when the action is on disk.
    #[must_use]
    pub fn durable(&self, action: &JsValue) -> Promise {
        self.promise(action, DURABLE)
    }

    /// Resolves with the action's place in the log.
    #[must_use]
    pub fn confirmed(&self, action: &JsValue) -> Promise {
        self.promise(action, CONFIRMED)
    }

    /// Dispatches a held action anew, under a new number.
    ///
    /// # Errors
    /// `not-pending`, and what `dispatch` throws.
    pub fn retry(&self, id: &str) -> Result<(), JsValue> {
        let (client, n) = parse_id(id)?;
        let action = {
            let engine = self.core.engine.borrow();
            let held = |p: &twinstore_engine::PendingView<'_, _>| {
                *p.client == client
                    && p.n == n
                    && matches!(p.progress, twinstore_engine::Progress::Held(_))
            };
            engine.pending().find(held).map(|p| p.action.value.clone())
        };
        let action = action
            .ok_or_else(|| error("not-pending", "only a held action can be dispatched anew"))?;
        self.core.dispatch_anew(&action, n)?;
        self.core.feed(Input::Dropped { client, n });
        Ok(())
    }

    /// Removes an action that was never sent, or is held.
    ///
    /// # Errors
    /// `not-pending`, `already-sent`.
    pub fn drop(&self, id: &str) -> Result<(), JsValue> {
        let (client, n) = parse_id(id)?;
        self.core.engine.borrow().can_drop(&client, n).map_err(refused_input)?;
        if client == self.core.client {
            self.core.tickets.settle(n, Err(error("dropped", "the action was dropped by the app")));
        }
        self.core.feed(Input::Dropped { client, n });
        Ok(())
    }

    /// Resolves when nothing is unsent or in flight.
    #[must_use]
    pub fn flush(&self) -> Promise {
        let done = deferred();
        let promise = done.promise();
        if self.core.is_flushed() {
            done.settle(&JsValue::UNDEFINED);
            return promise;
        }
        let core = self.core.weak();
        let check = Closure::<dyn Fn()>::new(move || {
            if core.upgrade().is_some_and(|core| core.is_flushed()) {
                done.settle(&JsValue::UNDEFINED);
            }
        });
        let check: Function = check.into_js_value().unchecked_into();
        self.core.listen("status".to_owned(), check.clone());
        let core = self.core.weak();
        let unlisten = async move {
            let done = JsFuture::from(promise).await;
            core.upgrade().iter().for_each(|core| core.unlisten("status", &check));
            done
        };
        future_to_promise(unlisten)
    }

    /// Ends `disconnect`.
    pub fn connect(&self) {
        if self.core.options.url.is_some() {
            self.core.feed(Input::Connected);
        }
    }

    /// Offline until `connect`.
    pub fn disconnect(&self) {
        self.core.feed(Input::Disconnected);
    }

    /// Swaps the model's reducer.
    #[wasm_bindgen(js_name = replaceReducer)]
    pub fn replace_reducer(&self, reducer: Function) {
        self.core.replica.replace_reducer(reducer);
    }

    /// Leaves the stream; the stored data stays.
    pub fn close(&self) {
        let _ = self.stop_waking.call0(&JsValue::UNDEFINED);
        TWINS.with_borrow_mut(|twins| twins.retain(|t| t.0 != self.core.key));
        self.core.close();
    }

    /// Closes, and erases the stored data.
    #[must_use]
    pub fn forget(&self) -> Promise {
        self.close();
        let core = self.core.clone();
        future_to_promise(async move { core.storage().erase().await.map(|()| JsValue::UNDEFINED) })
    }

    /// For adapters: takes an action on its way to the reducers.
    ///
    /// # Errors
    /// What `dispatch` throws.
    pub fn take(&self, action: &JsValue, next: &Function) -> Result<JsValue, JsValue> {
        self.core.take(action, next)
    }

    /// For adapters: a store that shows this twin; held weakly.
    #[must_use]
    pub fn attach(&self, emit: &Function) -> Function {
        self.core.attach(emit);
        let (core, emit) =
            (self.core.clone(), js_sys::WeakRef::new(emit.unchecked_ref::<js_sys::Object>()));
        let detach = Closure::<dyn Fn()>::new(move || {
            if let Some(emit) = emit.deref() {
                core.detach(emit.unchecked_ref());
            }
        });
        detach.into_js_value().unchecked_into()
    }

    fn promise(&self, action: &JsValue, fact: &str) -> Promise {
        match self.core.tickets.find(action) {
            Ok(ticket) => ticket.promise(fact),
            Err(error) => Promise::reject(&error),
        }
    }
}

/// `<client>:<n>`, as `pending()` gives it.
fn parse_id(id: &str) -> Result<(ClientId, N), JsValue> {
    let parts = id.rsplit_once(':');
    let parsed =
        parts.and_then(|(client, n)| Some((ClientId(client.to_owned()), N(n.parse().ok()?))));
    parsed.ok_or_else(|| error("not-pending", "give the `id` of a row of pending()"))
}

/// This page load as a client of that user: the day it was made, and randomness. Its lock is asked for at once.
fn client_of(user: &str) -> ClientId {
    let known = CLIENTS.with_borrow(|all| all.iter().find(|c| c.0 == user).map(|c| c.1.clone()));
    known.unwrap_or_else(|| {
        let client = ClientId([&clock::day(), "-", &random_text(16)].concat());
        locks::hold_own(&client);
        CLIENTS.with_borrow_mut(|all| all.push((user.to_owned(), client.clone())));
        client
    })
}

//! An action's way into the store, and the store's reducer: what a middleware and a wrapped reducer do.
//!
//! The order of a dispatch is DESIGN §4's: refuse inside a reducer, stamp a copy, reduce it, pass on what does
//! not concern this twin, check that it is plain, `validate`, give it its number, store it, `next(stamped)`.
//! A throw before the store leaves nothing behind.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use js_sys::{Function, JsString, WeakRef};
use twinstore_engine::Input;
use wasm_bindgen::prelude::*;

use crate::clock::now;
use crate::codec::Item;
use crate::driver::Core;
use crate::error::{error, not_plain, refused_input};
use crate::web::{
    Fields, byte_length, console_error, impurity, number, random_text, stamp, stringify,
};

/// The type of the internal action that carries a new state below the middleware.
const REBASE: &str = "@@twin/rebase";

/// Actions of the frameworks themselves.
const FOREIGN: [&str; 4] = ["@@redux", "@@INIT", "@ngrx/", "@@twin/"];

thread_local! {
    /// The stamped action that passes down the middleware now: an inner twin shares its stamp.
    static PASSING: RefCell<JsValue> = const { RefCell::new(JsValue::UNDEFINED) };
}

/// The stores that show a twin, and whether they show what they should.
pub(crate) struct Shell {
    /// The ways below the middleware, one a store, held weakly.
    sinks: RefCell<Vec<WeakRef>>,
    /// What `reducer(undefined, …)` gives: fixed at its first call, so that the reducer stays pure.
    base: RefCell<Option<JsValue>>,
    /// What the stores were led to.
    told: RefCell<JsValue>,
    /// Actions held back so far, on their way into the store.
    entering: RefCell<VecDeque<Item>>,
    /// Actions kept until it is known whether they concern this twin: the original and the stamped one.
    undecided: RefCell<Vec<(JsValue, JsValue)>>,
    /// How deep in dispatches of this twin we are.
    depth: Cell<u32>,
    /// Stamped actions that went into the store since the outermost dispatch began, and came out of its reducer.
    entered: Cell<u32>,
    reached: Cell<u32>,
    /// The slice is not where the twin is.
    astray: Cell<bool>,
    /// Outermost dispatches in a row that ended astray.
    astray_in_a_row: Cell<u32>,
    rebase_seen: Cell<bool>,
    telling: Cell<bool>,
    warned: Cell<bool>,
}

/// What `meta.twin` of a dispatched action asks for.
struct Wish {
    never: bool,
    always: bool,
    server_routed: Option<bool>,
    retry_of: JsValue,
}

impl Shell {
    pub(crate) fn new(told: JsValue) -> Self {
        Self {
            sinks: RefCell::default(),
            base: RefCell::default(),
            told: RefCell::new(told),
            entering: RefCell::default(),
            undecided: RefCell::default(),
            depth: Cell::default(),
            entered: Cell::default(),
            reached: Cell::default(),
            astray: Cell::default(),
            astray_in_a_row: Cell::default(),
            rebase_seen: Cell::default(),
            telling: Cell::default(),
            warned: Cell::default(),
        }
    }

    pub(crate) fn enter_later(&self, actions: Vec<Item>) {
        self.entering.borrow_mut().extend(actions);
    }

    fn live_sinks(&self) -> Vec<Function> {
        let mut sinks = self.sinks.borrow_mut();
        sinks.retain(|sink| sink.deref().is_some());
        sinks.iter().filter_map(|sink| sink.deref()?.dyn_into().ok()).collect()
    }
}

impl Core {
    /// Takes an action on its way to the reducers.
    pub(crate) fn take(&self, action: &JsValue, next: &Function) -> Result<JsValue, JsValue> {
        let pass = || next.call1(&JsValue::UNDEFINED, action);
        let Some(fields) = Fields::of(action) else { return pass() };
        let Some(action_type) = fields.text("type") else { return pass() };
        if FOREIGN.iter().any(|prefix| action_type.starts_with(prefix)) {
            return pass();
        }
        if self.replica.is_reducing() {
            return Err(error("reducing", "reducers and validate may not dispatch actions"));
        }
        let wish = Wish::read(&fields);
        let rule = self.options.sync.takes(action, &action_type)?;
        let asked = wish.always || rule == Some(true);
        if wish.never || self.is_closed() || (rule == Some(false) && !wish.always) {
            return pass();
        }
        let stamped = self.stamped(action, &wish);
        let from = self.replica.visible();
        let to = self.replica.reduce(&from, &stamped)?;
        if !asked && !self.concerns(&from, &to, &stamped) {
            if !self.is_ready.get() {
                self.keep_undecided(action, stamped);
            }
            return pass();
        }
        let routed = wish.server_routed.unwrap_or(self.options.server_routed);
        let hidden = routed && self.engine.borrow().is_online();
        self.shell.depth.set(self.shell.depth.get() + 1);
        let result = self
            .accept(action, &stamped, &from, to, hidden)
            .and_then(|()| if hidden { Ok(()) } else { self.enter(&stamped, next) });
        self.end_dispatch(Some(next));
        result.map(|()| stamped)
    }

    /// Checks the action, gives it its number, stores it and shows it.
    fn accept(
        &self,
        action: &JsValue,
        stamped: &JsValue,
        from: &JsValue,
        to: JsValue,
        hidden: bool,
    ) -> Result<(), JsValue> {
        let (item, bytes) = self.check(stamped)?;
        if let Some(reason) = self.replica.invalid(from, stamped)? {
            return Err(error("invalid", &reason));
        }
        let n = {
            let engine = self.engine.borrow();
            engine.check_room(bytes).map_err(refused_input)?;
            engine.next_n()
        };
        self.tickets.issue(n, [action, stamped]);
        if !hidden {
            self.replica.show(stamped, to);
        }
        self.feed(Input::Dispatched { action: item, bytes, hidden });
        Ok(())
    }

    /// Plain JSON, within its limits: the action as it is stored and sent.
    fn check(&self, stamped: &JsValue) -> Result<(Item, u32), JsValue> {
        let limits = &self.options.wire;
        if let Some(found) = impurity(stamped, limits.action_depth) {
            let mut parts = found.iter().map(String::from);
            let code = parts.next().unwrap_or_default();
            return Err(not_plain(&code, &parts.next().unwrap_or_default()));
        }
        let text: JsString = stringify(stamped)?;
        let bytes = byte_length(&text);
        if bytes > limits.action_bytes {
            let sizes =
                [&bytes.to_string(), " bytes as JSON, at most ", &limits.action_bytes.to_string()]
                    .concat();
            return Err(error("too-large", &["a twinned action is too large: ", &sizes].concat()));
        }
        Ok((Item { value: stamped.clone(), text: Some(text) }, bytes))
    }

    /// Whether the action changes this twin's state, with the actions in flight in it.
    fn concerns(&self, from: &JsValue, to: &JsValue, stamped: &JsValue) -> bool {
        let foreseen = {
            let engine = self.engine.borrow();
            engine.hides().then(|| engine.foreseen())
        };
        match foreseen {
            None => to != from,
            Some(actions) => {
                let from = self.replica.foresee(&actions);
                self.replica.reduce(&from, stamped).is_ok_and(|to| to != from)
            }
        }
    }

    /// `next(stamped)`, counted.
    fn enter(&self, stamped: &JsValue, next: &Function) -> Result<(), JsValue> {
        let shell = &self.shell;
        shell.entered.set(shell.entered.get() + 1);
        shell.told.replace(self.replica.visible());
        let outer = PASSING.replace(stamped.clone());
        let result = next.call1(&JsValue::UNDEFINED, stamped);
        PASSING.replace(outer);
        // Another reducer, a middleware or a subscriber threw: the store may not have moved.
        if result.is_err() {
            shell.astray.set(true);
        }
        result.map(|_| ())
    }

    /// At the end of the outermost dispatch every store must show what the twin shows.
    fn end_dispatch(&self, dispatcher: Option<&Function>) {
        let shell = &self.shell;
        shell.depth.set(shell.depth.get() - 1);
        if shell.depth.get() > 0 {
            return;
        }
        let missed = shell.reached.replace(0) < shell.entered.replace(0);
        let astray = missed || shell.astray.get();
        shell.astray.set(astray);
        shell.astray_in_a_row.set(if astray { shell.astray_in_a_row.get() + 1 } else { 0 });
        if shell.astray_in_a_row.get() == 3 {
            self.report_wiring();
        }
        if let Some(dispatcher) = dispatcher {
            self.rebase_stores(Some(dispatcher));
        }
        self.tell_app();
    }

    /// Brings stores and listeners up to date. Nested calls leave it to the outer one.
    pub(crate) fn tell_app(&self) {
        let shell = &self.shell;
        if shell.depth.get() > 0 || shell.telling.replace(true) {
            return;
        }
        loop {
            let entering = shell.entering.borrow_mut().pop_front();
            if let Some(action) = entering {
                self.enter_now(&action.value);
            } else if self.owes_rebase() {
                shell.rebase_seen.set(false);
                self.rebase_stores(None);
                // One that was swallowed stays due, until the next dispatch or event.
                shell.astray.set(!shell.rebase_seen.get() && !shell.live_sinks().is_empty());
                if shell.astray.get() {
                    break;
                }
            } else if let Some((name, value)) = self.next_notice() {
                self.call_listeners(name, &value);
            } else {
                break;
            }
        }
        while let Some((name, value)) = self.next_notice() {
            self.call_listeners(name, &value);
        }
        shell.telling.set(false);
    }

    fn next_notice(&self) -> Option<(&'static str, JsValue)> {
        self.notices.waiting.borrow_mut().pop_front()
    }

    fn owes_rebase(&self) -> bool {
        self.shell.astray.get() || *self.shell.told.borrow() != self.replica.visible()
    }

    /// An action that was held back enters the store through `next`, once, with the state it is part of.
    fn enter_now(&self, action: &JsValue) {
        let from = self.shell.told.borrow().clone();
        self.replica.remember(action, &from, &self.replica.visible());
        let Some(first) = self.shell.live_sinks().into_iter().next() else { return };
        self.shell.depth.set(self.shell.depth.get() + 1);
        if self.enter(action, &first).is_err() {
            console_error(
                "a reducer or subscriber threw while an action entered the store with its verdict",
            );
        }
        self.end_dispatch(Some(&first));
    }

    /// One absolute action below the middleware, to every store but the one given.
    fn rebase_stores(&self, except: Option<&Function>) {
        let visible = self.replica.visible();
        let sinks = self.shell.live_sinks();
        if except.is_none() {
            self.shell.told.replace(visible.clone());
        }
        for sink in sinks.iter().filter(|sink| except != Some(*sink)) {
            if sink.call1(&JsValue::UNDEFINED, &self.rebase_action(&visible)).is_err() {
                console_error(
                    "a reducer or subscriber threw while the twin's state was brought up to date",
                );
            }
        }
    }

    fn rebase_action(&self, visible: &JsValue) -> JsValue {
        let twin = Fields::new().with("name", &JsValue::from_str(&self.key));
        Fields::new()
            .with("type", &JsValue::from_str(REBASE))
            .with("payload", visible)
            .with("meta", &Fields::new().with("twin", &twin))
            .into()
    }

    /// The reducer in the store. Pure: the same state and action give the same result at any time.
    pub(crate) fn reduce(&self, state: &JsValue, action: &JsValue) -> Result<JsValue, JsValue> {
        let shell = &self.shell;
        let Some(fields) = Fields::of(action) else { return Ok(state.clone()) };
        let action_type = fields.get("type");
        if action_type == REBASE && self.is_named(&fields) {
            shell.rebase_seen.set(true);
            return Ok(fields.get("payload"));
        }
        let step = self.replica.recall(action);
        if let Some((_, to)) = step.as_ref().filter(|(from, _)| from == state) {
            shell.reached.set(shell.reached.get() + 1);
            return Ok(to.clone());
        }
        let state = if state.is_undefined() { self.base() } else { state.clone() };
        self.check_beginning(&state, &action_type)?;
        if step.is_none() {
            self.warn_unwired(&state, action);
            // A twinned slice changes by twinned actions only: others could not survive a rebase.
            return Ok(state);
        }
        // Ours, but the slice is not where the twin is: DevTools recompute, or another middleware interfered.
        shell.astray.set(true);
        self.replica.reduce(&state, action)
    }

    /// A store that shows this twin: `emit` is its way below the middleware.
    pub(crate) fn attach(&self, emit: &Function) {
        self.shell.sinks.borrow_mut().push(WeakRef::new(emit.unchecked_ref()));
        let visible = self.replica.visible();
        // A store made after something had changed began with the first store's beginning.
        if self.shell.base.borrow().as_ref().is_some_and(|base| *base != visible) {
            let _ = emit.call1(&JsValue::UNDEFINED, &self.rebase_action(&visible));
        }
    }

    pub(crate) fn detach(&self, emit: &Function) {
        let is = |sink: &WeakRef| sink.deref().is_some_and(|live| js_sys::Object::is(&live, emit));
        self.shell.sinks.borrow_mut().retain(|sink| !is(sink));
    }

    /// Storage was read: what may have concerned this twin is tested again, in order.
    pub(crate) fn decide_undecided(&self) {
        for (original, stamped) in self.shell.undecided.take() {
            let from = self.replica.visible();
            let Ok(to) = self.replica.reduce(&from, &stamped) else { continue };
            if to != from {
                // Refused now means that it was never taken: it passed on long ago.
                let _ = self
                    .restamp(&stamped)
                    .and_then(|s| self.accept(&original, &s, &from, to, false));
            }
        }
        self.tell_app();
    }

    /// Dispatches a held action again, as a new one that names the old number.
    pub(crate) fn dispatch_anew(
        &self,
        action: &JsValue,
        n: twinstore_protocol::N,
    ) -> Result<(), JsValue> {
        let twin = Fields::new().with("retryOf", &number(n.0));
        let again = stamp(action, &twin);
        match self.shell.live_sinks().into_iter().next() {
            Some(next) => self.take(&again, &next).map(|_| ()),
            None => {
                Err(error("no-store", "no store shows this twin: there is nothing to dispatch to"))
            }
        }
    }

    fn keep_undecided(&self, action: &JsValue, stamped: JsValue) {
        let mut undecided = self.shell.undecided.borrow_mut();
        let plain = impurity(&stamped, self.options.wire.action_depth).is_none();
        if plain && undecided.len() < self.options.undecided {
            undecided.push((action.clone(), stamped));
        }
    }

    /// With the number it will have now.
    fn restamp(&self, stamped: &JsValue) -> Result<JsValue, JsValue> {
        let twin =
            Fields::of(stamped).and_then(|f| f.object("meta")).and_then(|f| f.object("twin"));
        let twin = twin.ok_or(JsValue::UNDEFINED)?;
        twin.set("n", &number(self.engine.borrow().next_n().0));
        Ok(stamped.clone())
    }

    fn stamped(&self, action: &JsValue, wish: &Wish) -> JsValue {
        if PASSING.with_borrow(|passing| passing == action) {
            return action.clone();
        }
        let twin = Fields::new()
            .with("id", &JsValue::from_str(&random_text(12)))
            .with("at", &number(now().0))
            .with("client", &JsValue::from_str(self.client.as_str()))
            .with("n", &number(self.engine.borrow().next_n().0));
        if !self.options.user.is_empty() {
            twin.set("user", &JsValue::from_str(&self.options.user));
        }
        if !wish.retry_of.is_undefined() {
            twin.set("retryOf", &wish.retry_of);
        }
        stamp(action, &twin)
    }

    fn is_closed(&self) -> bool {
        self.engine.borrow().check_room(0) == Err(twinstore_engine::InputError::Closed)
    }

    fn is_named(&self, fields: &Fields) -> bool {
        let twin = fields.object("meta").and_then(|meta| meta.object("twin"));
        twin.and_then(|twin| twin.text("name")).as_deref() == Some(self.key.as_str())
    }

    fn base(&self) -> JsValue {
        self.shell.base.borrow_mut().get_or_insert_with(|| self.replica.visible()).clone()
    }

    /// A preloaded state would be overwritten by the first dispatch: refused where it can be seen.
    fn check_beginning(&self, state: &JsValue, action_type: &JsValue) -> Result<(), JsValue> {
        let init = action_type.as_string().is_some_and(|t| t.starts_with("@@redux/INIT"));
        if init && *state != self.base() {
            return Err(error(
                "preloaded-state",
                "the store was given a state for a twin's slice, which only its twin may set: give createTwin a `snapshot` instead",
            ));
        }
        Ok(())
    }

    fn report_wiring(&self) {
        let message = "the store does not follow its twin: the twin's reducer is missing from the store, or is wrapped, or a later middleware swallows or copies actions";
        self.remember_error("wiring", message);
        console_error(message);
    }

    /// The reducer is in the store, but no middleware: the slice would never move. Said once.
    fn warn_unwired(&self, state: &JsValue, action: &JsValue) {
        let shell = &self.shell;
        if shell.warned.get() || !shell.sinks.borrow().is_empty() || self.replica.is_reducing() {
            return;
        }
        if self.replica.reduce(state, action).is_ok_and(|to| to != *state) {
            shell.warned.set(true);
            console_error(
                "an action would change a twin's slice, but the twin's middleware is not in this store: add it, last",
            );
        }
    }
}

impl Wish {
    fn read(action: &Fields) -> Self {
        let twin = action.object("meta").map_or(JsValue::UNDEFINED, |meta| meta.get("twin"));
        let fields = Fields::of(&twin);
        let text = |key: &str| fields.as_ref().and_then(|f| f.text(key));
        // A stamp says that the action was taken before: dispatched again, it is judged anew.
        let is_stamp = text("id").is_some();
        Self {
            never: twin == JsValue::FALSE,
            always: twin == JsValue::TRUE || (fields.is_some() && !is_stamp),
            server_routed: text("routing").map(|routing| routing == "server"),
            retry_of: fields.as_ref().map_or(JsValue::UNDEFINED, |f| f.get("retryOf")),
        }
    }
}

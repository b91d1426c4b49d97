//! An action's way into the store, and the store's reducer: what a middleware and a wrapped reducer do.
//!
//! The order of a dispatch: refuse inside a reducer, stamp a copy, reduce it, pass on what does not concern
//! this twin, check that it is plain, `validate`, give it its number, store it, `next(stamped)`. A throw before
//! the store leaves nothing behind.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use js_sys::Function;
use twinstore_engine::{Input, InputError};
use wasm_bindgen::prelude::*;

use crate::driver::Driver;
use crate::web::{
    Fields, Wish, float, merged_action, rebase_action, restamp, share, stamp, twin_error, weigh,
    wish,
};

/// The type of the internal action that carries a new state below the middleware.
const REBASE: &str = "@@twin/rebase";

thread_local! {
    /// The stamped action that passes down the middleware now: an inner twin shares its stamp.
    static PASSING: RefCell<JsValue> = const { RefCell::new(JsValue::UNDEFINED) };
}

/// Whether the stores that show a twin show what they should.
pub(crate) struct Shell {
    /// What `reducer(undefined, …)` gives: fixed at its first call, so that the reducer stays pure.
    base: RefCell<Option<JsValue>>,
    /// What the stores were led to.
    told: RefCell<JsValue>,
    /// Actions held back so far, on their way into the store.
    entering: RefCell<VecDeque<JsValue>>,
    /// Actions kept until it is known whether they concern this twin: the original and the stamped one.
    undecided: RefCell<Vec<[JsValue; 2]>>,
    /// How deep in dispatches of this twin we are.
    depth: Cell<u32>,
    /// Stamped actions that went into the store since the outermost dispatch began, and came out of its reducer.
    entered: Cell<u32>,
    reached: Cell<u32>,
    /// A store did follow once.
    followed: Cell<bool>,
    /// The slice is not where the twin is.
    astray: Cell<bool>,
    /// Outermost dispatches in a row that ended astray.
    astray_in_a_row: Cell<u32>,
    rebase_seen: Cell<bool>,
    telling: Cell<bool>,
    attached: Cell<bool>,
    warned: Cell<bool>,
}

impl Shell {
    pub(crate) fn new(told: JsValue) -> Self {
        Self {
            base: RefCell::default(),
            told: RefCell::new(told),
            entering: RefCell::default(),
            undecided: RefCell::default(),
            depth: Cell::default(),
            entered: Cell::default(),
            reached: Cell::default(),
            followed: Cell::default(),
            astray: Cell::default(),
            astray_in_a_row: Cell::default(),
            rebase_seen: Cell::default(),
            telling: Cell::default(),
            attached: Cell::default(),
            warned: Cell::default(),
        }
    }

    /// The stores were led elsewhere.
    pub(crate) fn take_over(&self) {
        self.told.replace(JsValue::UNDEFINED);
    }

    pub(crate) fn enter_later(&self, actions: Vec<JsValue>) {
        self.entering.borrow_mut().extend(actions);
    }
}

impl Driver {
    /// Takes an action on its way to the reducers.
    pub(crate) fn take(&self, action: &JsValue, next: &Function) -> Result<JsValue, JsValue> {
        let pass = || next.call1(&JsValue::UNDEFINED, action);
        let wish = wish(action);
        if wish == 0 || self.is_closed() {
            return pass();
        }
        if self.replica.is_reducing() {
            return Err(twin_error("reducing", ""));
        }
        let rule = self.rule(action)?;
        let asked = wish & Wish::ALWAYS != 0 || rule == Some(true);
        if rule == Some(false) && !asked {
            return pass();
        }
        let stamped = self.stamped(action);
        let from = self.replica.visible();
        let to = self.replica.reduce(&from, &stamped)?;
        if !asked && !self.concerns(&from, &to, &stamped) {
            if !self.is_ready.get() {
                self.keep_undecided(action, stamped);
            }
            return pass();
        }
        let routed = wish & Wish::SERVER != 0
            || (wish & Wish::OPTIMISTIC == 0 && self.options.server_routed());
        let hidden = routed && self.engine.borrow().is_online();
        self.shell.depth.set(self.shell.depth.get() + 1);
        let mut result = self.accept(action, &stamped, &from, to, hidden);
        if result.is_ok() {
            if hidden {
                self.host.withheld(&stamped, next);
            } else {
                result = self.enter(&stamped, next);
            }
        }
        self.end_dispatch(next);
        result.map(|()| stamped)
    }

    /// What the app's own rule says of the action; none: there is no rule.
    fn rule(&self, action: &JsValue) -> Result<Option<bool>, JsValue> {
        match self.options.sync() {
            Some(rule) => Ok(Some(rule.call1(&JsValue::UNDEFINED, action)?.is_truthy())),
            None => Ok(None),
        }
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
        let bytes = weigh(stamped, self.options.action_bytes(), self.options.action_depth())?;
        if let Some(reason) = self.replica.invalid(from, stamped)? {
            return Err(twin_error("invalid", &reason));
        }
        let room = self.engine.borrow().check_room(bytes);
        if room.is_err() {
            return Err(twin_error("outbox-full", ""));
        }
        if !hidden && self.merge(action, stamped, &to)? {
            return Ok(());
        }
        self.host.issued(self.next_n(), action, stamped);
        if !hidden {
            self.replica.show(stamped, to);
        }
        self.feed(Input::Dispatched { action: stamped.clone(), bytes, hidden });
        Ok(())
    }

    /// Merges the action into the last one, where the app's `coalesce` does so and the model takes what it gives.
    /// The stores see the action itself, with the state that the merged one leads to.
    fn merge(&self, action: &JsValue, stamped: &JsValue, to: &JsValue) -> Result<bool, JsValue> {
        let Some(coalesce) = self.options.coalesce() else { return Ok(false) };
        let last = self.engine.borrow().last_unsent().map(|(n, last)| (n, last.clone()));
        let Some((n, last)) = last else { return Ok(false) };
        let merged = merged_action(&self.replica.run(&coalesce, &last, stamped)?, stamped);
        let before = self.replica.before_last();
        let (bytes_max, depth_max) = (self.options.action_bytes(), self.options.action_depth());
        let (Ok(bytes), Ok(None), Ok(made)) = (
            weigh(&merged, bytes_max, depth_max),
            self.replica.invalid(&before, &merged),
            self.replica.reduce(&before, &merged),
        ) else {
            return Ok(false);
        };
        if self.engine.borrow().check_room(bytes).is_err() {
            return Ok(false);
        }
        self.host.issued(self.next_n(), action, stamped);
        self.host.merged(float(n.0), self.next_n(), &merged);
        // I1: what is equal in value to the plain step keeps its reference.
        self.replica.show_merged(&merged, stamped, share(to, &made));
        self.feed(Input::Merged { action: merged, bytes });
        Ok(true)
    }

    /// Whether the action changes this twin's state, with the actions in flight in it.
    fn concerns(&self, from: &JsValue, to: &JsValue, stamped: &JsValue) -> bool {
        let engine = self.engine.borrow();
        if !engine.hides() {
            return to != from;
        }
        let foreseen = engine.foreseen();
        drop(engine);
        let from = self.replica.foresee(&foreseen);
        self.replica.reduce(&from, stamped).is_ok_and(|to| to != from)
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
    fn end_dispatch(&self, dispatcher: &Function) {
        let shell = &self.shell;
        shell.depth.set(shell.depth.get() - 1);
        if shell.depth.get() > 0 {
            return;
        }
        let missed = shell.reached.replace(0) < shell.entered.replace(0);
        let astray = missed || shell.astray.get();
        shell.astray.set(astray);
        shell.astray_in_a_row.set(if astray { shell.astray_in_a_row.get() + 1 } else { 0 });
        // A store that followed once, and now takes no rebase either, is locked by its DevTools.
        let wired = shell.followed.get() && !shell.rebase_seen.get();
        if shell.astray_in_a_row.get() == 3 && !wired {
            self.host.noted("failed", "wiring", "", 0.0);
        }
        self.rebase_stores(dispatcher);
        self.tell_app();
    }

    /// Brings stores and listeners up to date. Nested calls leave it to the outer one.
    pub(crate) fn tell_app(&self) {
        let shell = &self.shell;
        if shell.depth.get() > 0 || shell.telling.replace(true) {
            return;
        }
        loop {
            // Stores that come from another stream go to what is stored, in one step.
            if shell.told.borrow().is_undefined() && !self.is_ready.get() {
                break;
            }
            let entering = shell.entering.borrow_mut().pop_front();
            if let Some(action) = entering {
                self.enter_now(&action);
            } else if shell.astray.get() || *shell.told.borrow() != self.replica.visible() {
                shell.rebase_seen.set(false);
                shell.told.replace(self.replica.visible());
                self.rebase_stores(&JsValue::UNDEFINED);
                // One that was swallowed stays due, until the next dispatch or event.
                let shown = self.host.store_for(&JsValue::UNDEFINED).is_some();
                let swallowed = !shell.rebase_seen.get() && shown;
                shell.astray.set(swallowed);
                if swallowed {
                    break;
                }
            } else {
                break;
            }
        }
        shell.telling.set(false);
        self.host.flush();
    }

    /// An action that was held back enters the store through `next`, once, with the state it is part of.
    fn enter_now(&self, action: &JsValue) {
        let from = self.shell.told.borrow().clone();
        self.replica.memo.set(action, &from, &self.replica.visible());
        let Some(store) = self.host.store_for(action) else { return };
        self.shell.depth.set(self.shell.depth.get() + 1);
        // A throw there leaves the slice astray, which is mended below.
        let _ = self.enter(action, &store);
        self.end_dispatch(&store);
    }

    /// One absolute action below the middleware, to every store but that of `except`.
    fn rebase_stores(&self, except: &JsValue) {
        self.host.emit(&rebase_action(&self.key, &self.replica.visible()), except);
    }

    /// The reducer in the store. Pure: the same state and action give the same result at any time.
    pub(crate) fn reduce(&self, state: &JsValue, action: &JsValue) -> Result<JsValue, JsValue> {
        let shell = &self.shell;
        let Some(fields) = Fields::of(action) else { return Ok(state.clone()) };
        let action_type = fields.text("type").unwrap_or_default();
        if action_type == REBASE && self.is_named(&fields) {
            shell.rebase_seen.set(true);
            return Ok(fields.get("payload"));
        }
        if let Some(to) = self.replica.memo.at(action, state) {
            shell.reached.set(shell.reached.get() + 1);
            shell.followed.set(true);
            return Ok(to.get(0));
        }
        let base = shell.base.borrow_mut().get_or_insert_with(|| self.replica.visible()).clone();
        let state = if state.is_undefined() { base.clone() } else { state.clone() };
        // A preloaded state would be overwritten by the first dispatch: refused where it can be seen.
        if state != base && action_type.starts_with("@@redux/INIT") {
            return Err(twin_error("preloaded-state", ""));
        }
        if !self.replica.memo.has(action) {
            self.warn_unwired(&state, action);
            // A twinned slice changes by twinned actions only: others could not survive a rebase.
            return Ok(state);
        }
        // Ours, but the slice is not where the twin is: DevTools recompute, or another middleware interfered.
        shell.astray.set(true);
        self.replica.reduce(&state, action)
    }

    /// A store shows this twin from now on.
    pub(crate) fn attach(&self, emit: &Function) {
        self.shell.attached.set(true);
        let visible = self.replica.visible();
        // A store made after something had changed began with the first store's beginning.
        if self.shell.base.borrow().as_ref().is_some_and(|base| *base != visible) {
            let _ = emit.call1(&JsValue::UNDEFINED, &rebase_action(&self.key, &visible));
        }
    }

    /// Storage was read: what may have concerned this twin is tested again, in order.
    pub(crate) fn decide_undecided(&self) {
        for [original, stamped] in self.shell.undecided.take() {
            let stamped = restamp(&stamped, self.next_n());
            let from = self.replica.visible();
            let Ok(to) = self.replica.reduce(&from, &stamped) else { continue };
            if to != from {
                // Refused now means that it was never taken: it passed on long ago.
                let _ = self.accept(&original, &stamped, &from, to, false);
            }
        }
        self.tell_app();
    }

    fn keep_undecided(&self, action: &JsValue, stamped: JsValue) {
        let plain =
            weigh(&stamped, self.options.action_bytes(), self.options.action_depth()).is_ok();
        let mut undecided = self.shell.undecided.borrow_mut();
        if plain && undecided.len() < self.options.undecided() as usize {
            undecided.push([action.clone(), stamped]);
        }
    }

    fn stamped(&self, action: &JsValue) -> JsValue {
        if PASSING.with_borrow(|passing| passing == action) {
            return action.clone();
        }
        stamp(action, &self.options.client(), self.next_n(), &self.options.user())
    }

    fn next_n(&self) -> f64 {
        float(self.engine.borrow().next_n().0)
    }

    fn is_closed(&self) -> bool {
        self.engine.borrow().check_room(0) == Err(InputError::Closed)
    }

    fn is_named(&self, fields: &Fields) -> bool {
        let twin = fields.object("meta").and_then(|meta| meta.object("twin"));
        twin.and_then(|twin| twin.text("name")).as_deref() == Some(self.key.as_str())
    }

    /// The reducer is in the store, but no middleware: the slice would never move. Said once.
    fn warn_unwired(&self, state: &JsValue, action: &JsValue) {
        let shell = &self.shell;
        let known = shell.warned.get() || shell.attached.get() || self.replica.is_reducing();
        // The framework's own actions come before any middleware.
        if known || wish(action) == 0 {
            return;
        }
        if self.replica.reduce(state, action).is_ok_and(|to| to != *state) {
            shell.warned.set(true);
            self.host.noted("failed", "no-middleware", "", 0.0);
        }
    }
}

//! The confirmed and the visible state round the user's reducer, and what each shown action made of it.
//!
//! Keeps I1: visible = fold(confirmed, shown). States are references into the app's own immutable data, so a
//! confirmation in order costs nothing and changes nothing.
//! Not here: which actions are shown and when (the engine), how the store is told (`driver.rs`).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use js_sys::Function;
use twinstore_engine::StoredEvent;
use twinstore_protocol::Seq;
use wasm_bindgen::prelude::*;

use crate::web::{Checksums, Fields, Memo, float, share};

pub(crate) struct Replica {
    reducer: RefCell<Function>,
    validate: Option<Function>,
    /// The user's code runs: it may not dispatch.
    reducing: Cell<bool>,
    /// What a log begins with.
    initial: JsValue,
    confirmed: RefCell<JsValue>,
    visible: RefCell<JsValue>,
    /// The shown actions, in order, and what each led to.
    steps: RefCell<VecDeque<Step>>,
    /// What the store's reducer need not do again.
    pub(crate) memo: Memo,
    checksums: Checksums,
}

/// A shown action.
struct Step {
    action: JsValue,
    to: JsValue,
    /// On replay it threw, or was not valid any more: it changed nothing.
    skipped: bool,
}

impl Replica {
    /// Begins with the reducer's own initial state, or with `snapshot`.
    pub(crate) fn new(
        reducer: Function,
        validate: Option<Function>,
        initial: JsValue,
    ) -> Result<Self, JsValue> {
        let mut replica = Self {
            reducer: RefCell::new(reducer),
            validate,
            reducing: Cell::new(false),
            initial: JsValue::UNDEFINED,
            confirmed: RefCell::default(),
            visible: RefCell::default(),
            steps: RefCell::default(),
            memo: Memo::new(),
            checksums: Checksums::new(),
        };
        let initial = if initial.is_undefined() {
            replica.reduce_with(&initial, "@@twin/init")?
        } else {
            initial
        };
        replica.confirmed.replace(initial.clone());
        replica.visible.replace(initial.clone());
        replica.initial = initial;
        Ok(replica)
    }

    /// Whether the reducer gives the same state back for an action it does not know.
    pub(crate) fn ignores_strangers(&self) -> Result<bool, JsValue> {
        let state = self.visible();
        Ok(self.reduce_with(&state, "@@twin/probe")? == state)
    }

    pub(crate) fn visible(&self) -> JsValue {
        self.visible.borrow().clone()
    }

    pub(crate) fn confirmed(&self) -> JsValue {
        self.confirmed.borrow().clone()
    }

    /// Whether the confirmed state has this checksum.
    pub(crate) fn sums_to(&self, sum: u64) -> bool {
        self.checksums.of(&self.confirmed()) == float(sum)
    }

    pub(crate) fn is_reducing(&self) -> bool {
        self.reducing.get()
    }

    pub(crate) fn replace_reducer(&self, reducer: Function) {
        self.reducer.replace(reducer);
    }

    /// The user's reducer.
    pub(crate) fn reduce(&self, state: &JsValue, action: &JsValue) -> Result<JsValue, JsValue> {
        let reducer = self.reducer.borrow().clone();
        self.run(&reducer, state, action)
    }

    /// The reason why the model would not take this action now.
    pub(crate) fn invalid(
        &self,
        state: &JsValue,
        action: &JsValue,
    ) -> Result<Option<String>, JsValue> {
        let Some(validate) = &self.validate else { return Ok(None) };
        Ok(self.run(validate, state, action)?.as_string())
    }

    /// The visible state with these actions laid over the confirmed one.
    pub(crate) fn foresee(&self, actions: &[JsValue]) -> JsValue {
        let mut state = self.confirmed();
        for action in actions {
            state = self.replay(&state, action).unwrap_or(state);
        }
        state
    }

    /// Shows one more action, which made this of the visible state.
    pub(crate) fn show(&self, action: &JsValue, to: JsValue) {
        self.memo.set(action, &self.visible(), &to);
        let step = Step { action: action.clone(), to: to.clone(), skipped: false };
        self.steps.borrow_mut().push_back(step);
        self.visible.replace(to);
    }

    /// The state before the last shown action.
    pub(crate) fn before_last(&self) -> JsValue {
        let steps = self.steps.borrow();
        let before = steps.len().checked_sub(2).and_then(|at| steps.get(at));
        before.map_or_else(|| self.confirmed(), |step| step.to.clone())
    }

    /// Shows a merged action in place of the last one; to the stores `stamped` made this of the visible state.
    pub(crate) fn show_merged(&self, merged: &JsValue, stamped: &JsValue, to: JsValue) {
        self.memo.set(stamped, &self.visible(), &to);
        let _ = self.steps.borrow_mut().pop_back();
        self.show(merged, to);
    }

    /// The first shown actions are confirmed. Gives which of them the server accepted and throws here.
    pub(crate) fn advance(&self, count: usize) -> Option<usize> {
        let mut steps = self.steps.take();
        let rest = steps.split_off(count.min(steps.len()));
        if !steps.iter().any(|step| step.skipped) {
            if let Some(step) = steps.pop_back() {
                self.confirmed.replace(step.to);
            }
            self.steps.replace(rest);
            return None;
        }
        // What was skipped here counts all the same: the server has accepted it.
        let mut state = self.confirmed.take();
        let mut failed = None;
        for (at, step) in steps.into_iter().enumerate() {
            match self.reduce(&state, &step.action) {
                Ok(next) => state = next,
                Err(_) => failed = failed.or(Some(at)),
            }
        }
        self.replay_all(state, rest.into_iter().map(|step| step.action), true);
        failed
    }

    /// The state that a log begins with.
    pub(crate) fn initial(&self) -> JsValue {
        self.initial.clone()
    }

    /// Folds events, then replays what is shown. Gives the first accepted event that threw here.
    pub(crate) fn rebase(
        &self,
        base: Option<JsValue>,
        events: &[StoredEvent<JsValue>],
        shown: Vec<JsValue>,
    ) -> Option<Seq> {
        // Without anything to roll back, the reducer's own sharing keeps every reference that can be kept.
        let rolls_back = base.is_some() || !self.steps.borrow().is_empty();
        let mut failed = None;
        let mut state = base.unwrap_or_else(|| self.confirmed());
        for event in events {
            match self.reduce(&state, &event.action) {
                Ok(next) => state = next,
                Err(_) => failed = failed.or(Some(event.seq)),
            }
        }
        self.replay_all(state, shown.into_iter(), rolls_back);
        failed
    }

    /// A new confirmed state, with the shown actions laid over it.
    fn replay_all(
        &self,
        mut confirmed: JsValue,
        shown: impl Iterator<Item = JsValue>,
        rolls_back: bool,
    ) {
        let mut state = confirmed.clone();
        let mut steps = VecDeque::new();
        for action in shown {
            let replayed = self.replay(&state, &action);
            let skipped = replayed.is_none();
            state = replayed.unwrap_or(state);
            steps.push_back(Step { action, to: state.clone(), skipped });
        }
        if rolls_back {
            state = share(&self.visible(), &state);
            match steps.back_mut() {
                Some(last) => last.to.clone_from(&state),
                None => confirmed.clone_from(&state),
            }
        }
        self.confirmed.replace(confirmed);
        self.steps.replace(steps);
        self.visible.replace(state);
    }

    /// A pending action that throws or is not valid any more changes nothing: the server will decide (I1).
    fn replay(&self, state: &JsValue, action: &JsValue) -> Option<JsValue> {
        match self.invalid(state, action) {
            Ok(None) => self.reduce(state, action).ok(),
            Ok(Some(_)) | Err(_) => None,
        }
    }

    fn reduce_with(&self, state: &JsValue, action_type: &str) -> Result<JsValue, JsValue> {
        let action = Fields::new();
        action.set("type", &JsValue::from_str(action_type));
        self.reduce(state, &action)
    }

    /// Calls the app's code, which may not dispatch meanwhile.
    pub(crate) fn run(
        &self,
        function: &Function,
        state: &JsValue,
        action: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let outer = self.reducing.replace(true);
        let result = function.call2(&JsValue::UNDEFINED, state, action);
        self.reducing.set(outer);
        result
    }
}

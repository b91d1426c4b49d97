//! The confirmed and the visible state round the user's reducer, and what each shown action made of it.
//!
//! Keeps I1: visible = fold(confirmed, shown). States are references into the app's own immutable data, so a
//! confirmation in order costs nothing and changes nothing.
//! Not here: which actions are shown and when (the engine), how the store is told (`driver.rs`).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use js_sys::{Array, Function, WeakMap};
use twinstore_engine::StoredEvent;
use twinstore_protocol::Seq;
use wasm_bindgen::prelude::*;

use crate::codec::Item;
use crate::web::share;

pub(crate) struct Replica {
    reducer: RefCell<Function>,
    validate: Option<Function>,
    /// The user's code runs: it may not dispatch.
    reducing: Cell<bool>,
    confirmed: RefCell<JsValue>,
    visible: RefCell<JsValue>,
    /// What each shown action led to, in order.
    steps: RefCell<VecDeque<JsValue>>,
    /// Of a stamped action: `[from, to]`, so that the store's reducer need not run again.
    memo: WeakMap,
}

impl Replica {
    /// Begins with the reducer's own initial state, or with `snapshot`.
    pub(crate) fn new(
        reducer: Function,
        validate: Option<Function>,
        snapshot: Option<JsValue>,
    ) -> Result<Self, JsValue> {
        let replica = Self {
            reducer: RefCell::new(reducer),
            validate,
            reducing: Cell::new(false),
            confirmed: RefCell::default(),
            visible: RefCell::default(),
            steps: RefCell::default(),
            memo: WeakMap::new(),
        };
        let initial = match snapshot {
            Some(state) => state,
            None => replica.reduce_with(&JsValue::UNDEFINED, "@@twin/init")?,
        };
        replica.confirmed.replace(initial.clone());
        replica.visible.replace(initial);
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
    pub(crate) fn foresee(&self, actions: &[Item]) -> JsValue {
        let mut state = self.confirmed.borrow().clone();
        for action in actions {
            state = self.replay(state, &action.value);
        }
        state
    }

    /// Shows one more action, which made this of the visible state.
    pub(crate) fn show(&self, action: &JsValue, to: JsValue) {
        self.remember(action, &self.visible(), &to);
        self.steps.borrow_mut().push_back(to.clone());
        self.visible.replace(to);
    }

    /// The store's reducer will be asked for this action at `from`: the answer is `to`.
    pub(crate) fn remember(&self, action: &JsValue, from: &JsValue, to: &JsValue) {
        self.memo.set(action.unchecked_ref(), &Array::of2(from, to).into());
    }

    /// What was remembered of an action: `(from, to)`.
    pub(crate) fn recall(&self, action: &JsValue) -> Option<(JsValue, JsValue)> {
        let pair: Array = self.memo.get(action.unchecked_ref()).dyn_into().ok()?;
        Some((pair.get(0), pair.get(1)))
    }

    /// The first shown actions are confirmed.
    pub(crate) fn advance(&self, count: usize) {
        let mut steps = self.steps.borrow_mut();
        let count = count.min(steps.len());
        if let Some(state) = steps.drain(..count).last() {
            self.confirmed.replace(state);
        }
    }

    /// Folds events, then replays what is shown. Gives the first accepted event that threw here.
    pub(crate) fn rebase(
        &self,
        base: Option<Item>,
        events: &[StoredEvent<Item>],
        shown: &[Item],
    ) -> Option<Seq> {
        let before = self.visible();
        // Without anything to roll back, the reducer's own sharing keeps every reference that can be kept.
        let rolls_back = base.is_some() || !self.steps.borrow().is_empty();
        let mut failed = None;
        let mut state = base.map_or_else(|| self.confirmed.borrow().clone(), |item| item.value);
        for event in events {
            match self.reduce(&state, &event.action.value) {
                Ok(next) => state = next,
                Err(_) => failed = failed.or(Some(event.seq)),
            }
        }
        let mut confirmed = state.clone();
        let mut steps: VecDeque<JsValue> = VecDeque::new();
        for action in shown {
            state = self.replay(state, &action.value);
            steps.push_back(state.clone());
        }
        if rolls_back {
            state = share(&before, &state);
            match steps.back_mut() {
                Some(last) => last.clone_from(&state),
                None => confirmed.clone_from(&state),
            }
        }
        self.confirmed.replace(confirmed);
        self.steps.replace(steps);
        self.visible.replace(state);
        failed
    }

    /// A pending action that throws or is not valid any more changes nothing: the server will decide (I1).
    fn replay(&self, state: JsValue, action: &JsValue) -> JsValue {
        match self.invalid(&state, action) {
            Ok(None) => self.reduce(&state, action).unwrap_or(state),
            Ok(Some(_)) | Err(_) => state,
        }
    }

    fn reduce_with(&self, state: &JsValue, action_type: &str) -> Result<JsValue, JsValue> {
        let action = crate::web::Fields::new().with("type", &JsValue::from_str(action_type));
        self.reduce(state, &action)
    }

    fn run(
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

//! What `durable` and `confirmed` answer: a ticket for each action dispatched here, found by the action.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use js_sys::WeakMap;
use twinstore_protocol::{N, Seq};
use wasm_bindgen::prelude::*;

use crate::error::error;
use crate::web::{Ticket, number};

pub(crate) const DURABLE: &str = "durable";
pub(crate) const CONFIRMED: &str = "confirmed";

pub(crate) struct Tickets {
    /// By the original and by the stamped action; neither is kept alive.
    by_action: WeakMap,
    /// Those without a verdict, by number.
    open: RefCell<VecDeque<(N, Ticket)>>,
    stored: Cell<N>,
}

impl Tickets {
    pub(crate) fn new() -> Self {
        Self { by_action: WeakMap::new(), open: RefCell::default(), stored: Cell::default() }
    }

    pub(crate) fn issue(&self, n: N, actions: [&JsValue; 2]) {
        #[allow(clippy::cast_precision_loss, reason = "a number of ours stays below 2^53")]
        let ticket = Ticket::new(n.0 as f64);
        for action in actions {
            self.by_action.set(action.unchecked_ref(), &ticket);
        }
        self.open.borrow_mut().push_back((n, ticket));
    }

    pub(crate) fn find(&self, action: &JsValue) -> Result<Ticket, JsValue> {
        let ticket = if action.is_object() {
            self.by_action.get(action.unchecked_ref())
        } else {
            JsValue::UNDEFINED
        };
        if ticket.is_undefined() {
            return Err(error(
                "not-twinned",
                "this twin did not take that action: give what dispatch returned, or the object that was dispatched",
            ));
        }
        Ok(ticket.unchecked_into())
    }

    /// Own actions up to `n` are stored, in memory only if `lost` says so.
    pub(crate) fn stored(&self, n: N, in_memory: bool) {
        let before = self.stored.replace(self.stored.get().max(n));
        let open = self.open.borrow();
        let from = open.partition_point(|(m, _)| *m <= before);
        for (_, ticket) in open.range(from..).take_while(|(m, _)| *m <= n) {
            tell_stored(ticket, in_memory);
        }
    }

    /// The action has its verdict: its place, or an error.
    pub(crate) fn settle(&self, n: N, verdict: Result<Seq, JsValue>) {
        let mut open = self.open.borrow_mut();
        let Ok(at) = open.binary_search_by(|(m, _)| m.cmp(&n)) else { return };
        let Some((_, ticket)) = open.remove(at) else { return };
        match verdict {
            Ok(seq) => {
                // A verdict is more than being stored here.
                ticket.resolve(DURABLE, &JsValue::UNDEFINED);
                ticket.resolve(CONFIRMED, &number(seq.0));
            }
            Err(error) => {
                ticket.resolve(DURABLE, &JsValue::UNDEFINED);
                ticket.reject(CONFIRMED, &error);
            }
        }
    }

    /// Nothing more will be told.
    pub(crate) fn close(&self, reason: &JsValue) {
        for (_, ticket) in self.open.take() {
            ticket.reject(DURABLE, reason);
            ticket.reject(CONFIRMED, reason);
        }
    }
}

fn tell_stored(ticket: &Ticket, in_memory: bool) {
    if in_memory {
        let message =
            "the outbox is in memory only: nothing is stored on this device. See status.storage";
        ticket.reject(DURABLE, &error("not-durable", message));
    } else {
        ticket.resolve(DURABLE, &JsValue::UNDEFINED);
    }
}

//! The time, and one timer that is set anew.

use std::cell::RefCell;

use twinstore_engine::Millis;
use wasm_bindgen::prelude::*;

use crate::web::{clear_timeout, float, set_timeout};

/// Milliseconds since 1970, as the device knows them.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time is whole and positive"
)]
pub(crate) fn now() -> Millis {
    Millis(js_sys::Date::now() as u64)
}

/// A timer; setting it stops what was set before, as does dropping it.
pub(crate) struct Timer {
    ring: Closure<dyn Fn()>,
    pending: RefCell<JsValue>,
}

impl Timer {
    pub(crate) fn new(ring: impl Fn() + 'static) -> Self {
        Self { ring: Closure::new(ring), pending: RefCell::default() }
    }

    /// Rings at `due`, or not at all.
    pub(crate) fn set(&self, due: Option<Millis>) {
        // Stopping what does not run is no error.
        clear_timeout(&self.pending.take());
        if let Some(due) = due {
            let delay_ms = due.0.saturating_sub(now().0).min(1 << 30);
            self.pending.replace(set_timeout(self.ring.as_ref(), float(delay_ms)));
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.set(None);
    }
}

//! The time, and one timer that is set anew.

use std::cell::RefCell;

use twinstore_engine::Millis;
use wasm_bindgen::prelude::*;

use crate::web::{clear_timeout, set_timeout};

/// Milliseconds since 1970, as the device knows them.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time is whole and positive"
)]
pub(crate) fn now() -> Millis {
    Millis(js_sys::Date::now() as u64)
}

/// Today, UTC, as `YYYYMMDD`.
pub(crate) fn day() -> String {
    let iso = String::from(js_sys::Date::new_0().to_iso_string());
    iso.chars().take(10).filter(char::is_ascii_digit).collect()
}

/// A timer; setting it stops what was set before, as does dropping it.
pub(crate) struct Timer {
    ring: Closure<dyn Fn()>,
    pending: RefCell<Option<JsValue>>,
}

impl Timer {
    pub(crate) fn new(ring: impl Fn() + 'static) -> Self {
        Self { ring: Closure::new(ring), pending: RefCell::new(None) }
    }

    /// Rings at `due`, or not at all.
    pub(crate) fn set(&self, due: Option<Millis>) {
        self.stop();
        let Some(due) = due else { return };
        let delay_ms = due.0.saturating_sub(now().0).min(1 << 30);
        #[allow(clippy::cast_precision_loss, reason = "at most 2^30")]
        let id = set_timeout(self.ring.as_ref(), delay_ms as f64);
        self.pending.replace(Some(id));
    }

    fn stop(&self) {
        if let Some(id) = self.pending.take() {
            clear_timeout(&id);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.stop();
    }
}

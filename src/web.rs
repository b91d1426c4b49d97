//! The border to `web.js` and to the few globals of the platform that have no other binding.

use js_sys::Array;
use twinstore_protocol::N;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/web.js")]
extern "C" {
    #[wasm_bindgen(js_name = twinError)]
    pub(crate) fn twin_error(code: &str, detail: &str) -> JsValue;
    /// 0: passes untouched; else bits of [`Wish`].
    pub(crate) fn wish(action: &JsValue) -> u32;
    pub(crate) fn stamp(action: &JsValue, client: &str, n: f64, user: &str) -> JsValue;
    /// What `coalesce` gave, with the new action's stamp; undefined where it gave none.
    #[wasm_bindgen(js_name = mergedAction)]
    pub(crate) fn merged_action(merged: &JsValue, stamped: &JsValue) -> JsValue;
    pub(crate) fn restamp(stamped: &JsValue, n: f64) -> JsValue;
    /// The bytes of the stamped action as JSON text, or a `TwinError`.
    #[wasm_bindgen(catch)]
    pub(crate) fn weigh(stamped: &JsValue, bytes_max: u32, depth_max: u32) -> Result<u32, JsValue>;
    /// `next`, with what is equal in value taken from `prev`.
    pub(crate) fn share(prev: &JsValue, next: &JsValue) -> JsValue;
    #[wasm_bindgen(js_name = rebaseAction)]
    pub(crate) fn rebase_action(key: &str, payload: &JsValue) -> JsValue;

    /// What a stamped action made of which state.
    pub(crate) type Memo;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> Memo;
    #[wasm_bindgen(method)]
    pub(crate) fn set(this: &Memo, action: &JsValue, from: &JsValue, to: &JsValue);
    #[wasm_bindgen(method)]
    pub(crate) fn has(this: &Memo, action: &JsValue) -> bool;
    #[wasm_bindgen(method)]
    pub(crate) fn at(this: &Memo, action: &JsValue, state: &JsValue) -> Option<Array>;
}

#[wasm_bindgen(module = "/src/checksum.js")]
extern "C" {
    /// Sums of a twin's confirmed states.
    pub(crate) type Checksums;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> Checksums;
    /// NaN where there is none.
    #[wasm_bindgen(method)]
    pub(crate) fn of(this: &Checksums, state: &JsValue) -> f64;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(callback: &JsValue, delay_ms: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub(crate) fn clear_timeout(id: &JsValue);
    #[wasm_bindgen(js_name = queueMicrotask)]
    fn queue_microtask(callback: &JsValue);

    /// Any object, field by field.
    #[derive(Clone)]
    #[wasm_bindgen(js_name = Object)]
    pub(crate) type Fields;
    #[wasm_bindgen(constructor, js_class = "Object")]
    pub(crate) fn new() -> Fields;
    #[wasm_bindgen(method, structural, indexing_getter)]
    pub(crate) fn get(this: &Fields, key: &str) -> JsValue;
    #[wasm_bindgen(method, structural, indexing_setter)]
    pub(crate) fn set(this: &Fields, key: &str, value: &JsValue);
}

/// The bits of what [`wish`] answers.
pub(crate) struct Wish;

impl Wish {
    pub(crate) const ALWAYS: u32 = 2;
    pub(crate) const SERVER: u32 = 4;
    pub(crate) const OPTIMISTIC: u32 = 8;
}

impl Fields {
    /// The value's fields; of what is no object, none.
    pub(crate) fn of(value: &JsValue) -> Option<Self> {
        value.is_object().then(|| value.clone().unchecked_into())
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.get(key).as_string()
    }

    /// A text that is there.
    pub(crate) fn str(&self, key: &str) -> String {
        self.text(key).unwrap_or_default()
    }

    /// A number that is there.
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.number(key).unwrap_or_default()
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the numbers of the wire are whole, positive and below 2^53"
    )]
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.get(key).as_f64().map(|n| n as u64)
    }

    pub(crate) fn object(&self, key: &str) -> Option<Self> {
        Self::of(&self.get(key))
    }

    pub(crate) fn list(&self, key: &str) -> Array {
        self.get(key).dyn_into().unwrap_or_default()
    }
}

/// A number that fits, or the largest there is.
pub(crate) fn small(fields: &Fields, key: &str) -> u32 {
    u32::try_from(fields.count(key)).unwrap_or(u32::MAX)
}

/// A client's number, as JavaScript tells it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of ours")]
pub(crate) fn number(n: f64) -> N {
    N(n as u64)
}

/// A number as JavaScript knows it; ours stay below 2^53.
#[allow(clippy::cast_precision_loss, reason = "ours stay below 2^53")]
pub(crate) fn float(n: u64) -> f64 {
    n as f64
}

/// Runs `work` when the present code is done.
pub(crate) fn later(work: Box<dyn FnOnce(JsValue)>) {
    queue_microtask(&once(work));
}

/// A function for JavaScript that is called once.
pub(crate) fn once(call: Box<dyn FnOnce(JsValue)>) -> JsValue {
    // One kind for all: each kind of closure would weigh a kilobyte.
    Closure::once_into_js(call)
}

//! The border to `web.js` and to the few globals of the platform that have no other binding.

use js_sys::{Function, JsString, Promise};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/web.js")]
extern "C" {
    /// A copy of the action with its stamp.
    pub(crate) fn stamp(action: &JsValue, twin: &JsValue) -> JsValue;
    /// `[code, path]` where the value is not plain JSON.
    pub(crate) fn impurity(value: &JsValue, depth_max: u32) -> Option<Vec<JsString>>;
    #[wasm_bindgen(js_name = byteLength)]
    pub(crate) fn byte_length(text: &JsString) -> u32;
    /// `next`, with what is equal in value taken from `prev`.
    pub(crate) fn share(prev: &JsValue, next: &JsValue) -> JsValue;
    #[wasm_bindgen(js_name = twinError)]
    pub(crate) fn twin_error(code: &str, message: &str, cause: &JsValue) -> JsValue;
    /// The Redux middleware round `take`.
    pub(crate) fn middleware(take: &JsValue, attach: &JsValue) -> Function;
    #[wasm_bindgen(js_name = holdLock)]
    pub(crate) fn hold_lock(name: &str, wait: bool) -> Promise;
    #[wasm_bindgen(js_name = underLock)]
    pub(crate) fn under_lock(name: &str, work: &JsValue) -> Promise;
    #[wasm_bindgen(js_name = onWake)]
    pub(crate) fn on_wake(wake: &JsValue) -> Function;
    #[wasm_bindgen(js_name = localStorageWorks)]
    pub(crate) fn local_storage_works() -> bool;
    #[wasm_bindgen(js_name = randomText)]
    pub(crate) fn random_text(length: u32) -> String;

    /// What becomes of one action.
    #[derive(Clone)]
    pub(crate) type Ticket;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new(n: f64) -> Ticket;
    #[wasm_bindgen(method)]
    pub(crate) fn promise(this: &Ticket, fact: &str) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn resolve(this: &Ticket, fact: &str, value: &JsValue);
    #[wasm_bindgen(method)]
    pub(crate) fn reject(this: &Ticket, fact: &str, error: &JsValue);

    /// A promise with its ends.
    pub(crate) type Deferred;
    pub(crate) fn deferred() -> Deferred;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn promise(this: &Deferred) -> Promise;
    #[wasm_bindgen(method, structural, js_name = resolve)]
    pub(crate) fn settle(this: &Deferred, value: &JsValue);
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(callback: &JsValue, delay_ms: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub(crate) fn clear_timeout(id: &JsValue);
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub(crate) fn console_error(message: &str);
    #[wasm_bindgen(js_namespace = JSON, js_name = stringify, catch)]
    pub(crate) fn stringify(value: &JsValue) -> Result<JsString, JsValue>;
    #[wasm_bindgen(js_namespace = JSON, js_name = parse, catch)]
    pub(crate) fn parse(text: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = JSON, js_name = parse, catch)]
    pub(crate) fn parse_text(text: &JsString) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen]
extern "C" {
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

impl Fields {
    pub(crate) fn of(value: &JsValue) -> Option<Self> {
        value.is_object().then(|| value.clone().unchecked_into())
    }

    pub(crate) fn with(self, key: &str, value: &JsValue) -> Self {
        self.set(key, value);
        self
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.get(key).as_string()
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "the numbers of the wire are whole and below 2^53"
    )]
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.get(key).as_f64().map(|n| n as u64)
    }

    pub(crate) fn object(&self, key: &str) -> Option<Self> {
        Self::of(&self.get(key))
    }

    pub(crate) fn list(&self, key: &str) -> js_sys::Array {
        self.get(key).dyn_into().unwrap_or_default()
    }
}

/// A number as JavaScript knows it; ours stay below 2^53.
#[allow(clippy::cast_precision_loss, reason = "numbers of the wire stay below 2^53")]
pub(crate) fn number(n: u64) -> JsValue {
    JsValue::from_f64(n as f64)
}

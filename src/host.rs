//! The TypeScript half of a twin (`js/host.ts`), as this half calls it, and the options it was made with.

use js_sys::Function;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Who is told. None of these throws, and none but `flush` and `emit` runs the app's code.
    pub type Host;

    /// An action took its number.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn issued(this: &Host, n: f64, action: &JsValue, stamped: &JsValue);
    /// The action of that number was merged into the one that took its number last.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn merged(this: &Host, older: f64, n: f64, merged: &JsValue);
    /// Own actions up to this number are stored.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn stored(this: &Host, n: f64, in_memory: bool);
    /// What became of an action; `n` is 0 where another page load dispatched it.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn verdict(
        this: &Host,
        n: f64,
        seq: f64,
        code: &str,
        reason: &str,
        action: &JsValue,
    );
    /// An action is kept, but neither shown nor sent.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn held(this: &Host, reason: &str, action: &JsValue);
    /// Something about the whole twin: `diverged`, `reset`, `storage`, `failed`.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn noted(this: &Host, name: &str, code: &str, reason: &str, number: f64);
    /// The counts and places, as a list, and the oldest pending action.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn status(this: &Host, status: &JsValue, oldest: &JsValue);
    /// Everything is consistent: the listeners may be called.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn flush(this: &Host);
    /// The stored state is back; with it, the rows that could not be read.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn restored(this: &Host, broken: &JsValue);
    /// What is stored is not what other tabs know.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn changed(this: &Host);
    /// A frame for the tabs that follow.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn relay(this: &Host, text: &JsValue);
    /// A tab that follows needs the server's state.
    #[wasm_bindgen(method, structural, js_name = askLeader)]
    pub(crate) fn ask_leader(this: &Host);
    /// A state takes the confirmed one's place.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn replaced(this: &Host, before: &JsValue, after: &JsValue);
    /// One pending action, for the list that is being made.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn row(
        this: &Host,
        client: &str,
        n: f64,
        action: &JsValue,
        state: &str,
        reason: &str,
    );
    /// Sends an action below the middleware, to every store but that of `except`.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn emit(this: &Host, action: &JsValue, except: &JsValue);
    /// The action was held back on its way to this store.
    #[wasm_bindgen(method, structural)]
    pub(crate) fn withheld(this: &Host, stamped: &JsValue, next: &Function);
    /// The way below the middleware that the action was held back from, or of the oldest store that is left.
    #[wasm_bindgen(method, structural, js_name = storeFor)]
    pub(crate) fn store_for(this: &Host, stamped: &JsValue) -> Option<Function>;
}

#[wasm_bindgen]
extern "C" {
    /// The options of `createTwin`, checked and completed by `js/options.ts`.
    #[derive(Clone)]
    pub type Options;

    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn url(this: &Options) -> Option<String>;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn stream(this: &Options) -> String;
    /// Tells stored data apart, and twins of one page: name, user and stream.
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn key(this: &Options) -> String;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn user(this: &Options) -> String;
    /// Twins of one address for which this is equal share a socket.
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn line(this: &Options) -> String;
    /// This page load, in this twin.
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn client(this: &Options) -> String;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn reducer(this: &Options) -> Function;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn validate(this: &Options) -> Option<Function>;
    /// The app's rule of which actions are twinned, where it gave one.
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn sync(this: &Options) -> Option<Function>;
    /// The app's rule of which actions become one.
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn coalesce(this: &Options) -> Option<Function>;
    #[wasm_bindgen(method, getter, structural, js_name = serverRouted)]
    pub(crate) fn server_routed(this: &Options) -> bool;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn schema(this: &Options) -> u32;
    /// The state to begin with; undefined: the reducer's own.
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn initial(this: &Options) -> JsValue;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn memory(this: &Options) -> bool;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn strict(this: &Options) -> bool;
    /// Whether this tab may lead at once.
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn leads(this: &Options) -> bool;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn seed(this: &Options) -> f64;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn burst(this: &Options) -> u32;
    #[wasm_bindgen(method, getter, structural, js_name = outboxActions)]
    pub(crate) fn outbox_actions(this: &Options) -> u32;
    #[wasm_bindgen(method, getter, structural, js_name = outboxBytes)]
    pub(crate) fn outbox_bytes(this: &Options) -> u32;
    #[wasm_bindgen(method, getter, structural, js_name = actionBytes)]
    pub(crate) fn action_bytes(this: &Options) -> u32;
    #[wasm_bindgen(method, getter, structural, js_name = actionDepth)]
    pub(crate) fn action_depth(this: &Options) -> u32;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn undecided(this: &Options) -> u32;
}

//! Where the outbox lies: `storage.js` has its homes, `rows.rs` what is stored there.

mod rows;

use js_sys::Function;
use wasm_bindgen::prelude::*;

use crate::host::{Host, Options};
pub(crate) use rows::{Change, Stored, to_entries, to_state, up_to_date};

#[wasm_bindgen(module = "/src/storage.js")]
extern "C" {
    /// The storage of one twin.
    pub(crate) type Storage;
    /// Opens it; `tell` hears a [`Fact`], with what belongs to it.
    #[wasm_bindgen(constructor)]
    pub(crate) fn open(options: &Options, host: &Host, tell: &JsValue) -> Storage;
    /// Where entries are kept now, as the app sees it.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn kind(this: &Storage) -> String;
    #[wasm_bindgen(method, getter, js_name = isMemory)]
    pub(crate) fn is_memory(this: &Storage) -> bool;
    /// Stores the one entry of a change, of this page load, in place of that of the number `gone`; 0: of none.
    #[wasm_bindgen(method)]
    pub(crate) fn enqueue(this: &Storage, n: f64, gone: f64, change: &Change);
    /// Performs a change, in one transaction.
    #[wasm_bindgen(method)]
    pub(crate) fn write(this: &Storage, change: &Change);
    /// Reads everything again. Undefined: it cannot be read.
    #[wasm_bindgen(method)]
    pub(crate) fn read(this: &Storage, done: &JsValue);
    /// Reads a client's entries from a number on: `[rows, left]`, `left` being what its journal holds, for `keep`.
    /// Undefined: they cannot be read.
    #[wasm_bindgen(method, js_name = readClient)]
    pub(crate) fn read_client(
        this: &Storage,
        client: &str,
        from: f64,
        journal: bool,
        done: &JsValue,
    );
    /// Puts what a client left in its journal into the database.
    #[wasm_bindgen(method)]
    pub(crate) fn keep(this: &Storage, left: &JsValue, change: &Change);
    /// Names the clients that have something stored.
    #[wasm_bindgen(method)]
    pub(crate) fn clients(this: &Storage, found: &Function);
    /// This tab leads from now on, or follows.
    #[wasm_bindgen(method)]
    pub(crate) fn lead(this: &Storage, leads: bool, then: &JsValue);
    /// Something may have happened to it while the page slept.
    #[wasm_bindgen(method)]
    pub(crate) fn probe(this: &Storage);
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &Storage);
    #[wasm_bindgen(method)]
    pub(crate) fn erase(this: &Storage, done: &Function);
}

/// What storage tells its driver.
pub(crate) struct Fact;

impl Fact {
    /// This is what the last run left; undefined: nothing is ever stored.
    pub(crate) const RESTORED: u32 = 0;
    /// Own actions up to this number are stored.
    pub(crate) const PERSISTED: u32 = 1;
    /// The home was lost, for this reason; from now on it is another one, or opened anew.
    pub(crate) const MOVED: u32 = 2;
    /// All there is was stored in the new home. Others may have stored something meanwhile.
    pub(crate) const CARRIED: u32 = 3;
}

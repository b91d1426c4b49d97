//! The WASM in a real browser: what is dispatched is in IndexedDB, comes back, and is not there twice.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use js_sys::{Array, Function, Promise, Reflect};
use twinstore_web::Core;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

// The TypeScript half, as small as it can be: it remembers what it is told.
#[wasm_bindgen(inline_js = "
export function options(key, client) {
  return { stream: 'list/test', key, user: '', client, schema: 1, memory: false, leads: true, strict: false, seed: 1, burst: 8,
    outboxActions: 100, outboxBytes: 1 << 20, actionBytes: 1 << 16, actionDepth: 64, undecided: 10, serverRouted: false,
    reducer: (state = [], action) => action.type === 'add' ? [...state, action.payload] : state }
}
export function host() {
  const told = { rows: [], waiting: [] }
  const wake = () => { for (const w of [...told.waiting]) if (w.done()) { told.waiting.splice(told.waiting.indexOf(w), 1); w.resolve() } }
  told.until = done => new Promise(resolve => { told.waiting.push({ done, resolve }); wake() })
  for (const name of ['issued', 'verdict', 'held', 'noted', 'flush', 'opened', 'emit', 'withheld', 'changed', 'relay']) told[name] = () => {}
  told.stored = (n, inMemory) => { told.storedTo = n; told.inMemory = inMemory; wake() }
  told.restored = () => { told.isRestored = true; wake() }
  told.status = status => { told.current = status; wake() }
  told.storeFor = () => undefined
  told.row = (client, n, action) => told.rows.push(`${client}:${n}:${action.payload}`)
  told.untilRestored = () => told.until(() => told.isRestored)
  told.untilStored = n => told.until(() => told.storedTo >= n)
  return told
}
export function leave(key, client, n, payload) {
  const text = JSON.stringify({ type: 'add', payload })
  localStorage.setItem(`twinstore:journal:${key}:${client}/${n}`, JSON.stringify([{ client, n, order: n, schema: 1, bytes: text.length, text }]))
}
export function journaled(key) { return Object.keys(localStorage).filter(k => k.includes(key)).length }
")]
extern "C" {
    fn options(key: &str, client: &str) -> JsValue;
    fn host() -> JsValue;
    fn leave(key: &str, client: &str, n: u32, payload: &str);
    fn journaled(key: &str) -> u32;
}

struct Page {
    core: Core,
    host: JsValue,
}

impl Page {
    fn new(options: JsValue) -> Self {
        let host = host();
        let core = Core::new(options.unchecked_into(), host.clone().unchecked_into());
        Self { core: core.expect("the options are right"), host }
    }

    async fn open(key: &str, client: &str) -> Self {
        let page = Self::new(options(key, client));
        page.wait("untilRestored", &[]).await;
        page
    }

    fn dispatch(&self, payload: &str) -> JsValue {
        let action = js_sys::Object::new();
        Reflect::set(&action, &"type".into(), &"add".into()).unwrap();
        Reflect::set(&action, &"payload".into(), &payload.into()).unwrap();
        let next = Function::new_with_args("action", "return action");
        self.core.take(&action, &next).expect("a plain action is taken")
    }

    fn pending(&self) -> Vec<String> {
        let rows = Array::new();
        Reflect::set(&self.host, &"rows".into(), &rows).unwrap();
        self.core.pending();
        rows.iter().filter_map(|row| row.as_string()).collect()
    }

    fn state(&self) -> JsValue {
        let init = js_sys::Object::new();
        Reflect::set(&init, &"type".into(), &"look".into()).unwrap();
        self.core.reduce(&JsValue::UNDEFINED, &init).unwrap()
    }

    fn told(&self, what: &str) -> JsValue {
        Reflect::get(&self.host, &what.into()).unwrap()
    }

    async fn wait(&self, until: &str, args: &[JsValue]) {
        let method: Function = self.told(until).unchecked_into();
        let promise: Promise =
            method.apply(&self.host, &args.iter().collect::<Array>()).unwrap().unchecked_into();
        JsFuture::from(promise).await.unwrap();
    }
}

#[wasm_bindgen_test]
async fn what_was_dispatched_is_on_disk_and_comes_back() {
    let first = Page::open("comes-back", "c1").await;
    assert_eq!(first.pending(), Vec::<String>::new());
    for payload in ["a", "b", "c"] {
        first.dispatch(payload);
    }
    first.wait("untilStored", &[3.into()]).await;
    assert_eq!(first.told("inMemory"), JsValue::FALSE);
    assert_eq!(journaled("comes-back"), 0, "the journal is empty once IndexedDB has them");

    let second = Page::open("comes-back", "c2").await;
    assert_eq!(second.pending(), ["c1:1:a", "c1:2:b", "c1:3:c"]);
    assert_eq!(js_sys::JSON::stringify(&second.state()).unwrap(), "[\"a\",\"b\",\"c\"]");
}

#[wasm_bindgen_test]
async fn what_only_the_journal_holds_is_shown_at_once_and_not_twice() {
    let first = Page::open("journaled", "c1").await;
    first.dispatch("a");
    first.wait("untilStored", &[1.into()]).await;
    leave("journaled", "c1", 1, "a");
    leave("journaled", "c0", 7, "b");
    let second = Page::open("journaled", "c2").await;
    assert_eq!(second.pending(), ["c0:7:b", "c1:1:a"]);
}

#[wasm_bindgen_test]
async fn in_memory_nothing_is_left_on_the_device() {
    let options = options("memory", "c1");
    Reflect::set(&options, &"memory".into(), &true.into()).unwrap();
    let page = Page::new(options);
    page.dispatch("before it is open");
    assert_eq!(journaled("memory"), 0);
    page.wait("untilStored", &[1.into()]).await;
    page.dispatch("after");
    page.wait("untilStored", &[2.into()]).await;
    assert_eq!(page.told("inMemory"), JsValue::TRUE);
    assert_eq!(journaled("memory"), 0);
}

#[wasm_bindgen_test]
async fn a_burst_is_whole_and_in_order() {
    let first = Page::open("burst", "c1").await;
    let payloads: Vec<String> = (0..50).map(|i| i.to_string()).collect();
    for payload in &payloads {
        first.dispatch(payload);
    }
    first.wait("untilStored", &[50.into()]).await;
    let second = Page::open("burst", "c2").await;
    let expected: Vec<String> =
        payloads.iter().enumerate().map(|(i, p)| format!("c1:{}:{p}", i + 1)).collect();
    assert_eq!(second.pending(), expected);
}

#[wasm_bindgen_test]
async fn the_order_of_two_pages_is_that_of_their_dispatches() {
    let first = Page::open("two-pages", "z").await;
    first.dispatch("1");
    first.wait("untilStored", &[1.into()]).await;
    let second = Page::open("two-pages", "a").await;
    second.dispatch("2");
    second.wait("untilStored", &[1.into()]).await;
    let third = Page::open("two-pages", "m").await;
    assert_eq!(third.pending(), ["z:1:1", "a:1:2"]);
}

#[wasm_bindgen_test]
async fn what_was_dropped_does_not_come_back() {
    let first = Page::open("dropped", "c1").await;
    first.dispatch("a");
    first.dispatch("b");
    assert_eq!(first.core.drop("c1", 1.0), None);
    first.wait("untilStored", &[2.into()]).await;
    first.dispatch("c");
    first.wait("untilStored", &[3.into()]).await;
    let second = Page::open("dropped", "c2").await;
    assert_eq!(second.pending(), ["c1:2:b", "c1:3:c"]);
    // What another run may have sent cannot be dropped.
    assert_eq!(second.core.drop("c1", 2.0).as_deref(), Some("already-sent"));
}

#[wasm_bindgen_test]
async fn refused_actions_leave_nothing_behind() {
    let page = Page::open("refused", "c1").await;
    let action = js_sys::Object::new();
    Reflect::set(&action, &"type".into(), &"add".into()).unwrap();
    Reflect::set(&action, &"payload".into(), &Function::new_no_args("").into()).unwrap();
    let next = Function::new_with_args("action", "throw new Error('it must not get here')");
    let error = page.core.take(&action, &next).unwrap_err();
    assert_eq!(Reflect::get(&error, &"code".into()).unwrap(), "not-plain");
    assert_eq!(page.pending(), Vec::<String>::new());
    assert_eq!(js_sys::JSON::stringify(&page.state()).unwrap(), "[]");
}

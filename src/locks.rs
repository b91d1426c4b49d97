//! Web Locks: each page load holds one in its client's name, so that others know when it is gone.
//!
//! A page sends its own entries, and those of clients whose lock it could take. Where there are no Web Locks
//! (an insecure context) every lock counts as free: the server knows each action by client and number, so
//! that what two pages send is taken once.

use js_sys::Promise;
use twinstore_engine::Input;
use twinstore_protocol::ClientId;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};

use crate::driver::Core;
use crate::web::{hold_lock, under_lock};

/// Holds this page load's own lock, from now until the page ends.
pub(crate) fn hold_own(client: &ClientId) {
    // Asked for before anything is stored: nobody can be first. Without the right to locks there are none.
    let _ = hold_lock(&lock_name(client), true);
}

impl Core {
    /// Takes over what clients left that are gone. One page at a time looks.
    pub(crate) fn adopt_orphans(&self) {
        if self.storage().is_memory() || !self.is_ready.get() {
            return;
        }
        let me = self.weak();
        spawn_local(async move {
            let Some(name) = me.upgrade().map(|core| ["twinstore:stream:", &core.key].concat())
            else {
                return;
            };
            let work = Closure::once_into_js(move || -> Promise {
                future_to_promise(async move {
                    if let Some(core) = me.upgrade() {
                        core.look_for_orphans().await;
                    }
                    Ok(JsValue::UNDEFINED)
                })
            });
            let _ = JsFuture::from(under_lock(&name, &work)).await;
        });
    }

    async fn look_for_orphans(&self) {
        let ours = self.engine.borrow().ours();
        let stored = self.storage().entries_of(&|client| !ours.contains(client)).await;
        let mut strangers: Vec<ClientId> = stored.into_iter().map(|e| e.client).collect();
        strangers.sort_unstable();
        strangers.dedup();
        let mut gone = Vec::new();
        for client in strangers {
            let held = JsFuture::from(hold_lock(&lock_name(&client), false)).await;
            if held.is_ok_and(|held| held.is_truthy()) {
                gone.push(client);
            }
        }
        if gone.is_empty() {
            return;
        }
        // Read again: until its lock was free a client may have written.
        let left = self.storage().entries_of(&|client| gone.contains(client)).await;
        self.storage().take_over_journals(&gone);
        for client in gone {
            let entries = left.iter().filter(|e| e.client == client).cloned().collect();
            self.feed(Input::Adopted { client, entries });
        }
    }
}

fn lock_name(client: &ClientId) -> String {
    ["twinstore:client:", client.as_str()].concat()
}

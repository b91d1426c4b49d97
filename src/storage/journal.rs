//! The journal: entries in localStorage, one key each, while IndexedDB is not open yet.
//!
//! localStorage writes are synchronous and outlive the tab. Never said to be durable: they do not outlive the
//! browser's death.

use gloo_storage::{LocalStorage, Storage as _};
use twinstore_engine::StoredEntry;
use twinstore_protocol::{ClientId, N};
use wasm_bindgen::JsCast;

use super::record::{from_entry, to_entry};
use crate::codec::Item;
use crate::web::{local_storage_works, parse, stringify};

/// The journal of one stored outbox.
#[derive(Clone)]
pub(crate) struct Journal {
    name: String,
}

impl Journal {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// Whether this page may write to localStorage.
    pub(super) fn works() -> bool {
        local_storage_works()
    }

    /// The name of the stored outbox it belongs to.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn add(&self, entry: &StoredEntry<Item>) {
        let Ok(text) = stringify(&from_entry(entry)) else { return };
        // A full localStorage: the entry has no journal, and waits in memory for IndexedDB.
        let _ =
            LocalStorage::raw().set_item(&self.key(&entry.client, entry.n), &String::from(text));
    }

    /// Every entry in it, of all clients, in the order of their numbers.
    pub(super) fn read(&self) -> Vec<StoredEntry<Item>> {
        let read = |key: &String| {
            let text = LocalStorage::raw().get_item(key).ok()??;
            to_entry(&parse(&text).ok()?)
        };
        let mut entries: Vec<_> = self.keys().iter().filter_map(read).collect();
        entries.sort_unstable_by_key(|e| e.n);
        entries
    }

    pub(super) fn remove(&self, names: &[(ClientId, N)]) {
        if !Self::works() {
            return;
        }
        for (client, n) in names {
            let _ = LocalStorage::raw().remove_item(&self.key(client, *n));
        }
    }

    pub(super) fn clear(&self) {
        for key in self.keys() {
            let _ = LocalStorage::raw().remove_item(&key);
        }
    }

    fn keys(&self) -> Vec<String> {
        if !Self::works() {
            return Vec::new();
        }
        let storage = LocalStorage::raw();
        let prefix = self.prefix();
        let keys = js_sys::Object::keys(storage.unchecked_ref::<js_sys::Object>());
        let keys = keys.iter().filter_map(|key| key.as_string());
        keys.filter(|key| key.starts_with(&prefix)).collect()
    }

    fn key(&self, client: &ClientId, n: N) -> String {
        [&self.prefix(), client.as_str(), "/", &n.0.to_string()].concat()
    }

    fn prefix(&self) -> String {
        ["twinstore:journal:", &self.name, ":"].concat()
    }
}

//! The journal: entries in localStorage, from their dispatch until IndexedDB has them for certain.
//!
//! localStorage writes are synchronous and outlive the tab. IndexedDB's own do too, but not while another
//! transaction reads the outbox: then they wait in the tab and die with it. Never said to be durable: the
//! journal does not outlive the browser's death.

use gloo_storage::{LocalStorage, Storage as _};
use js_sys::Array;
use twinstore_engine::StoredEntry;
use twinstore_protocol::{ClientId, N};
use wasm_bindgen::JsValue;

use super::record::to_entries;
use crate::codec::Item;
use crate::web::{
    digits, float, in_order, journal_keys, journal_rows, local_storage_works, stringify,
};

/// The journal of one stored outbox.
pub(super) struct Journal {
    name: String,
    /// Something shall outlive the tab, and this page may write to localStorage.
    works: bool,
}

impl Journal {
    /// `wanted`: whether anything is to be stored at all.
    pub(super) fn new(name: &str, wanted: bool) -> Self {
        Self { name: name.to_owned(), works: wanted && local_storage_works() }
    }

    /// The name of the stored outbox it belongs to.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Adds rows of a client; `n` is the first one's number. Gives their key.
    pub(super) fn add(&self, client: &ClientId, n: N, rows: &Array) -> String {
        let key = self.key(client, n);
        if let (true, Ok(text)) = (self.works, stringify(rows)) {
            // A full localStorage: the entries have no journal, only IndexedDB.
            let _ = LocalStorage::raw().set_item(&key, &String::from(text));
        }
        key
    }

    /// The rows of the clients that are wanted, in order, and their keys.
    pub(super) fn read(&self, wanted: &dyn Fn(&ClientId) -> bool) -> (Array, Vec<String>) {
        let rows = Array::new();
        let mut keys = self.keys();
        keys.retain(|key| {
            let client = key.strip_prefix(&self.prefix()).and_then(|rest| rest.split_once('/'));
            let taken = client.is_some_and(|(client, _)| wanted(&ClientId(client.to_owned())));
            if taken {
                for row in journal_rows(key).iter() {
                    rows.push(&row);
                }
            }
            taken
        });
        (in_order(&rows), keys)
    }

    /// The same rows as entries.
    pub(super) fn entries(&self, wanted: &dyn Fn(&ClientId) -> bool) -> Vec<StoredEntry<Item>> {
        to_entries(&self.read(wanted).0, &|_| true)
    }

    pub(super) fn remove(&self, keys: &[String]) {
        if self.works {
            for key in keys {
                let _ = LocalStorage::raw().remove_item(key);
            }
        }
    }

    /// Takes out an entry that stands alone, as those do that were dispatched one by one.
    pub(super) fn remove_entry(&self, client: &ClientId, n: N) {
        self.remove(&[self.key(client, n)]);
    }

    pub(super) fn clear(&self) {
        self.remove(&self.keys());
    }

    fn keys(&self) -> Vec<String> {
        let keys: Array = journal_keys(&self.prefix());
        keys.iter().filter_map(|key: JsValue| key.as_string()).collect()
    }

    fn key(&self, client: &ClientId, n: N) -> String {
        let mut key = self.prefix();
        key.push_str(client.as_str());
        key.push('/');
        key.push_str(&digits(float(n.0)));
        key
    }

    fn prefix(&self) -> String {
        let mut prefix = "twinstore:journal:".to_owned();
        prefix.push_str(&self.name);
        prefix.push(':');
        prefix
    }
}

//! The journal: entries in localStorage, one key each, while IndexedDB is not open yet.
//!
//! localStorage writes are synchronous and outlive the tab. Never said to be durable: they do not outlive the
//! browser's death.

use gloo_storage::{LocalStorage, Storage as _};
use twinstore_engine::StoredEntry;
use twinstore_protocol::{ClientId, N};

use super::record::{from_entry, to_entry};
use crate::codec::Item;
use crate::web::{digits, float, journal_keys, local_storage_works, parse, stringify};

/// The journal of one stored outbox.
pub(super) struct Journal {
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
        if let Ok(text) = stringify(&from_entry(entry)) {
            // A full localStorage: the entry has no journal, and waits in memory for IndexedDB.
            let _ = LocalStorage::raw()
                .set_item(&self.key(&entry.client, entry.n), &String::from(text));
        }
    }

    /// The entries of the clients that are wanted, in the order of their numbers.
    pub(super) fn read(&self, wanted: &dyn Fn(&ClientId) -> bool) -> Vec<StoredEntry<Item>> {
        let mut entries: Vec<StoredEntry<Item>> = Vec::new();
        for key in self.keys() {
            let text = LocalStorage::raw().get_item(&key).ok().flatten().unwrap_or_default();
            let entry = parse(&text).ok().and_then(|value| to_entry(&value));
            if let Some(entry) = entry.filter(|e| wanted(&e.client)) {
                let at = entries.partition_point(|e| e.n < entry.n);
                entries.insert(at, entry);
            }
        }
        entries
    }

    pub(super) fn remove(&self, names: &[(ClientId, N)]) {
        if Self::works() {
            for (client, n) in names {
                let _ = LocalStorage::raw().remove_item(&self.key(client, *n));
            }
        }
    }

    pub(super) fn clear(&self) {
        for key in self.keys() {
            let _ = LocalStorage::raw().remove_item(&key);
        }
    }

    fn keys(&self) -> Vec<String> {
        journal_keys(&self.prefix()).iter().filter_map(|key| key.as_string()).collect()
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

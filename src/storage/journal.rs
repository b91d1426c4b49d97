//! The journal: entries in localStorage, from their dispatch until IndexedDB has them for certain.
//!
//! localStorage writes are synchronous and outlive the tab. IndexedDB's own do too, but not while another
//! transaction reads the outbox: then they wait in the tab and die with it. Never said to be durable: the
//! journal does not outlive the browser's death. Where there is no IndexedDB, entries stay here.

use gloo_storage::{LocalStorage, Storage as _};
use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::rows::{
    Change, Stored, change_local, clients_of, journal_of, local_keys, remove_local, stored_local,
    unjournal,
};
use crate::web::{digits, stringify};

/// The journal of one stored outbox.
pub(super) struct Journal {
    /// What its keys begin with.
    entries: String,
    /// What the keys of the log begin with, where localStorage is its home.
    log: String,
    /// Something shall outlive the tab, and this page may write to localStorage.
    pub(super) works: bool,
}

impl Journal {
    pub(super) fn new(name: &str, works: bool) -> Self {
        let prefix = |kind: &str| ["twinstore:", kind, ":", name, ":"].concat();
        Self { entries: prefix("journal"), log: prefix("log"), works }
    }

    /// Adds rows of a client; `n` is the first one's number. Gives their key.
    pub(super) fn add(&self, client: &str, n: f64, rows: &JsValue) -> JsValue {
        let key = [self.entries.as_str(), client, "/", &digits(n)].concat();
        if let (true, Ok(text)) = (self.works, stringify(rows)) {
            // A full localStorage: the entries have no journal, only IndexedDB.
            let _ = LocalStorage::raw().set_item(&key, &String::from(text));
        }
        key.into()
    }

    /// The keys of these clients, or of all others, and their rows.
    pub(super) fn read(&self, clients: &Array, theirs: bool) -> (Array, Array) {
        let read = journal_of(&self.entries, clients, theirs);
        (read.get(0).unchecked_into(), read.get(1).unchecked_into())
    }

    /// Takes out entries.
    pub(super) fn remove_entries(&self, ids: &Array) {
        if self.works {
            unjournal(&self.entries, ids);
        }
    }

    pub(super) fn clear(&self) {
        remove_local(&local_keys(&self.entries));
        remove_local(&local_keys(&self.log));
    }

    /// The clients of these keys of entries, and those of the journal.
    pub(super) fn clients(&self, keys: &Array) -> Array {
        clients_of(keys, &self.entries)
    }

    /// Performs a change where localStorage is the home.
    pub(super) fn change(&self, change: &Change) -> Result<(), JsValue> {
        change_local(&self.entries, &self.log, change)
    }

    /// Everything that is stored where localStorage is the home.
    pub(super) fn stored(&self) -> Stored {
        stored_local(&self.entries, &self.log)
    }
}

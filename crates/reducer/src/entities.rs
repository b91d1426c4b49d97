//! Records by key that know what changed, so that an action costs what it changes, however many
//! there are.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A record that changed, with its JSON text; none: it is gone.
pub type Change = (String, Option<String>);

/// The records of a state.
pub trait Records {
    /// All of them, with their JSON text, in the order of their keys.
    ///
    /// # Errors
    /// A record has no JSON.
    fn all(&self) -> serde_json::Result<Vec<(String, String)>>;

    /// Those that differ from the last call, in the order of their keys.
    ///
    /// # Errors
    /// A record has no JSON.
    fn take_changes(&mut self) -> serde_json::Result<Vec<Change>>;
}

/// Records by key. As JSON it is an object.
#[derive(Clone, Debug)]
pub struct Entities<R> {
    records: BTreeMap<String, R>,
    /// What may differ, as it was when changes were last taken.
    before: BTreeMap<String, Option<R>>,
}

impl<R> Default for Entities<R> {
    fn default() -> Self {
        Self { records: BTreeMap::new(), before: BTreeMap::new() }
    }
}

impl<R: Clone> Entities<R> {
    /// Puts a record in place of the one with that key.
    pub fn insert(&mut self, key: String, record: R) {
        let before = self.records.insert(key.clone(), record);
        self.before.entry(key).or_insert(before);
    }

    /// A record, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut R> {
        let record = self.records.get_mut(key)?;
        if !self.before.contains_key(key) {
            self.before.insert(key.to_owned(), Some(record.clone()));
        }
        Some(record)
    }

    /// Takes a record out.
    pub fn remove(&mut self, key: &str) -> Option<R> {
        let removed = self.records.remove(key)?;
        if let Entry::Vacant(vacant) = self.before.entry(key.to_owned()) {
            vacant.insert(Some(removed.clone()));
        }
        Some(removed)
    }

    /// A record.
    #[must_use]
    pub fn get<K: Ord + ?Sized>(&self, key: &K) -> Option<&R>
    where
        String: Borrow<K>,
    {
        self.records.get(key)
    }

    /// All records, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &R)> {
        self.records.iter().map(|(key, record)| (key.as_str(), record))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl<R: Clone + Serialize> Records for Entities<R> {
    fn all(&self) -> serde_json::Result<Vec<(String, String)>> {
        let row = |(key, record): (&String, &R)| Ok((key.clone(), serde_json::to_string(record)?));
        self.records.iter().map(row).collect()
    }

    fn take_changes(&mut self) -> serde_json::Result<Vec<Change>> {
        let json = |record: Option<&R>| record.map(serde_json::to_string).transpose();
        let mut changes = Vec::new();
        for (key, before) in std::mem::take(&mut self.before) {
            let is = json(self.records.get(&key))?;
            if is != json(before.as_ref())? {
                changes.push((key, is));
            }
        }
        Ok(changes)
    }
}

impl<R: PartialEq> PartialEq for Entities<R> {
    fn eq(&self, other: &Self) -> bool {
        self.records == other.records
    }
}

impl<R: Serialize> Serialize for Entities<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.records.serialize(serializer)
    }
}

impl<'de, R: Deserialize<'de>> Deserialize<'de> for Entities<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { records: BTreeMap::deserialize(deserializer)?, before: BTreeMap::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, is: Option<&str>) -> Change {
        (key.to_owned(), is.map(str::to_owned))
    }

    #[test]
    fn tells_what_differs_since_it_was_last_asked() {
        let mut entities: Entities<u32> = serde_json::from_str(r#"{"b":1,"c":2,"d":3}"#).unwrap();
        assert_eq!(entities.take_changes().unwrap(), [], "what was read is known");
        *entities.get_mut("c").unwrap() = 7;
        entities.insert("a".to_owned(), 4);
        assert_eq!(entities.remove("b"), Some(1));
        assert_eq!(entities.remove("b"), None);
        let expect = [change("a", Some("4")), change("b", None), change("c", Some("7"))];
        assert_eq!(entities.take_changes().unwrap(), expect);
        assert_eq!(entities.take_changes().unwrap(), []);
    }

    #[test]
    fn there_and_back_is_no_change() {
        let mut entities: Entities<u32> = serde_json::from_str(r#"{"a":1}"#).unwrap();
        *entities.get_mut("a").unwrap() = 2;
        entities.remove("a");
        entities.insert("a".to_owned(), 1);
        entities.insert("b".to_owned(), 5);
        entities.remove("b");
        assert_eq!(entities.take_changes().unwrap(), []);
        assert_eq!(serde_json::to_string(&entities).unwrap(), r#"{"a":1}"#);
    }
}

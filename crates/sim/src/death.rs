//! What dies, and what must have outlived it.
//!
//! After each death every action is looked for: where nothing that was promised could have saved it, it is
//! excused; else it must be on a disk, in a journal or in a living tab, or have its verdict.

use std::collections::BTreeSet;

use twinstore_protocol::N;

use crate::coverage::Count;
use crate::env::Event;
use crate::rows::Key;
use crate::storage::Home;
use crate::tab::Tab;
use crate::world::World;

impl World {
    /// Puts away the tabs that died just now.
    pub(crate) fn bury(&mut self) {
        for number in 0..self.tabs.len() {
            if self.tabs[number].as_ref().is_some_and(|tab| tab.dead) {
                self.env.count(Count::TabKilled);
                self.end_tab(number, false);
                let on = self.env.dice.below(self.devices.len() as u64);
                let delay = self.env.dice.within(10, 3_000);
                self.env.after(delay, Event::Open(usize::try_from(on).unwrap_or(0)));
            }
        }
    }

    /// A tab ends. `gently`: its page was asked, and what it had begun is finished.
    pub(crate) fn end_tab(&mut self, number: usize, gently: bool) {
        let Some(mut tab) = self.tabs[number].take() else { return };
        let device = &mut self.devices[tab.on];
        if !gently {
            for _ in 0..device.disk.lose_tab(number, &mut self.env.dice) {
                self.env.count(Count::TransactionLost);
            }
        }
        self.env.living.remove(&tab.client);
        self.devices[tab.on].forget_tab(&mut self.env, number);
        if let Some(link) = tab.link.take() {
            self.env.close_client(link);
        }
        let mortal = mortal(&tab);
        self.audit("its tab's death", |key, _| mortal.contains(key));
    }

    /// Every action is where it must be, or may be lost as `allowed` says.
    pub(crate) fn audit(&mut self, after: &str, allowed: impl Fn(&Key, usize) -> bool) {
        let kept = self.kept();
        let missing = |key: &&Key| !kept.contains(*key) && !self.env.truth.is_done(key);
        let missing: Vec<_> = self.env.truth.actions.keys().filter(missing).cloned().collect();
        for key in missing {
            let record = self.env.truth.actions.get_mut(&key).expect("it was listed");
            let (client, n) = &key;
            let allowed = record.robbed || allowed(&key, record.device);
            assert!(allowed, "I4: {client}:{} is lost by {after}", n.0);
            record.excused = true;
            self.env.coverage.add(Count::Excused);
            if record.sent {
                self.env.coverage.add(Count::SentLost);
            }
            self.env.trace(|| format!("{client}:{} is lost, as is allowed, by {after}", n.0));
        }
    }

    /// Every action that lies somewhere.
    pub(crate) fn kept(&self) -> BTreeSet<Key> {
        let mut kept = BTreeSet::new();
        for device in &self.devices {
            kept.extend(device.stored());
        }
        for tab in self.tabs.iter().flatten() {
            kept.extend(tab.pending().map(|(key, _)| key));
        }
        kept
    }
}

/// What a tab's death may take: what nothing has but its page.
fn mortal(tab: &Tab) -> BTreeSet<Key> {
    let own = |n: &N| (tab.client.clone(), *n);
    match tab.store.home {
        Home::Memory => tab.pending().map(|(key, _)| key).collect(),
        Home::Opening | Home::IndexedDb | Home::LocalStorage => {
            tab.store.unprotected.iter().map(own).collect()
        }
    }
}

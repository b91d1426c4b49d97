//! After the faults: everything heals, and within a bounded time all must be well.

use crate::disk::Work;
use crate::env::Ailment;
use crate::rows::{Row, names};
use crate::storage::Home;
use crate::tab::TabEvent;
use crate::world::World;
use twinstore_engine::{Input, Progress};

/// How long it may take: several of the engine's longest waits, one after the other.
const HEALED_MS_MAX: u64 = 180_000;

/// How often the world is looked at meanwhile.
const LOOK_MS: u64 = 1_000;

/// How often somebody comes back to each tab.
const WAKE_MS: u64 = 15_000;

impl World {
    /// Heals the world and sees that it converges.
    pub(crate) fn converge(&mut self) {
        self.heal();
        let end = self.env.now + HEALED_MS_MAX;
        let mut looked = 0;
        while self.env.now < end {
            let until = self.env.now + LOOK_MS;
            self.run(until);
            self.env.now = until;
            looked += 1;
            if self.unfinished().is_none() {
                break;
            }
            self.tend();
            if looked % (WAKE_MS / LOOK_MS) == 0 {
                for tab in self.open_tabs() {
                    self.tell(tab, TabEvent::Wake);
                }
            }
        }
        if let Some(why) = self.unfinished() {
            for tab in self.tabs.iter().flatten() {
                let pending: Vec<_> = tab.pending().collect();
                let (status, home) = (tab.engine.status(), tab.store.home);
                self.env.trace(|| format!("tab {}: {home:?} {status:?} {pending:?}", tab.number));
            }
            panic!("liveness: {why}");
        }
        self.check_end();
    }

    fn heal(&mut self) {
        self.env.trace(|| "the world heals".to_owned());
        self.env.unsafe_phase = false;
        if self.env.server_schema == 1 && self.devices.iter().any(|device| device.schema == 2) {
            self.backend.deploy(&mut self.env);
        }
        self.backend.heal(&mut self.env);
        for number in 0..self.devices.len() {
            for ailment in [Ailment::DiskFull, Ailment::JournalFull, Ailment::DatabaseRefused] {
                self.recover(number, ailment);
            }
            self.devices[number].schema = self.env.server_schema;
        }
        for number in self.open_tabs() {
            self.thaw(number);
        }
        for number in self.open_tabs() {
            self.with(number, |tab, within| {
                tab.doom = None;
                tab.wants_link = true;
                tab.feed(within, Input::Connected);
            });
        }
        self.tend();
    }

    /// Each device has a tab. An outdated app is loaded anew by its user; so is one without its database, once it
    /// works again, and one that others took for dead.
    fn tend(&mut self) {
        for device in 0..self.devices.len() {
            if self.tabs_on(device).is_empty() {
                self.open_tab(device);
            }
        }
        for number in self.open_tabs() {
            let tab = self.tab(number);
            let aside = matches!(tab.store.home, Home::LocalStorage | Home::Memory);
            let on = tab.on;
            if tab.schema < self.env.server_schema || aside || tab.unlocked {
                self.end_tab(number, false);
                self.open_tab(on);
            }
        }
    }

    /// What keeps the world from being done; none: nothing does.
    fn unfinished(&self) -> Option<String> {
        let (head, state) = (self.env.truth.head(), self.env.truth.state());
        for (number, device) in self.devices.iter().enumerate() {
            if self.tabs_on(number).is_empty() {
                return Some(format!("device {number} has no tab"));
            }
            // A row that came back when its number was settled stands until its tab is gone, and so does a journal of
            // a write that failed.
            let truth = &self.env.truth;
            let open = |row: &Row| row.held.is_none() && !truth.is_done(&row.key());
            if let Some(row) = device.disk.tables.outbox.values().find(|row| open(row)) {
                return Some(format!("{}:{} is in a stored outbox", row.client, row.n.0));
            }
            let (_, journaled) = device.local.read(|_| true);
            let held = |row: &Row| truth.actions.get(&row.key()).is_some_and(|r| r.held.is_some());
            if journaled.iter().any(|row| open(row) && !held(row)) {
                return Some(format!("device {number} has a journal: {}", names(&journaled)));
            }
            if device.disk.queue.iter().any(|op| matches!(op.work, Work::Change(_))) {
                return Some(format!("device {number} is writing"));
            }
        }
        for tab in self.tabs.iter().flatten() {
            let status = tab.engine.status();
            let replica = &tab.replica;
            let lock = self.devices[tab.on].leader;
            if tab.tabs.as_ref().is_some_and(|tabs| tabs.leads) && lock != Some(tab.number) {
                return Some(format!("tab {} leads, and {lock:?} has the lock", tab.number));
            }
            let converged = replica.visible == state && replica.confirmed == state;
            if status.pending > 0 || status.cursor.0 != head || !converged {
                let pending: Vec<_> = tab.pending().collect();
                let visible = replica.visible;
                return Some(format!(
                    "tab {} shows {visible:?} of {state:?}: {status:?} {pending:?}",
                    tab.number
                ));
            }
        }
        None
    }

    /// Every action has its verdict or is held.
    fn check_end(&mut self) {
        for tab in self.tabs.iter().flatten() {
            for (_, progress) in tab.pending() {
                assert!(matches!(progress, Progress::Held(_)), "only what is held is left");
            }
        }
        self.audit("nothing", |_, _| false);
        for key in self.kept() {
            let (client, n) = (&key.0, key.1.0);
            let Some(record) = self.env.truth.actions.get(&key) else { continue };
            // A journal of what is done goes with its tab.
            let done = self.env.truth.is_done(&key);
            assert!(done || record.held.is_some(), "I6: {client}:{n} is left without a reason");
        }
    }
}

//! What strikes from time to time: by weight, whatever the world's settings allow.

use std::collections::BTreeSet;

use twinstore_engine::{Input, Progress};

use crate::coverage::Count;
use crate::disk::Disk;
use crate::env::{Ailment, Event};
use crate::rows::{Key, keys};
use crate::settings::Fault;
use crate::storage::Home;
use crate::tab::TabEvent;
use crate::world::World;

/// Devices that one world may come to have.
const DEVICES_MAX: usize = 5;

/// What strikes by weight; the others strike where they apply.
const STRIKES: &[Fault] = &[
    Fault::Cut,
    Fault::HalfOpen,
    Fault::Stall,
    Fault::Kill,
    Fault::Reload,
    Fault::Close,
    Fault::Open,
    Fault::Freeze,
    Fault::LockVanished,
    Fault::ClockForward,
    Fault::ClockBack,
    Fault::PowerCut,
    Fault::Quota,
    Fault::JournalFull,
    Fault::DatabaseRefused,
    Fault::DatabaseTaken,
    Fault::Evict,
    Fault::Clone,
    Fault::RestoreCopy,
    Fault::Offline,
    Fault::Drop,
    Fault::Retry,
    Fault::Wake,
    Fault::Crash,
    Fault::Stop,
    Fault::Deploy,
    Fault::NewApp,
    Fault::LogReset,
    Fault::LogRestored,
    Fault::Compact,
    Fault::Login,
];

impl World {
    /// Something strikes.
    pub(crate) fn strike(&mut self) {
        if !self.env.unsafe_phase {
            return;
        }
        let weight = |fault: &Fault| u64::from(self.env.settings.rate(*fault));
        let all = STRIKES.iter().map(weight).sum();
        let mut left = self.env.dice.below(all);
        for fault in STRIKES {
            let weight = u64::from(self.env.settings.rate(*fault));
            if left < weight {
                self.env.trace(|| format!("strikes: {fault:?}"));
                return self.strike_with(*fault);
            }
            left -= weight;
        }
    }

    fn strike_with(&mut self, fault: Fault) {
        match fault {
            Fault::Cut => self.cut_link(false),
            Fault::HalfOpen => self.cut_link(true),
            Fault::Stall => self.backend.stall(&mut self.env),
            Fault::Crash => {
                if self.backend.is_up() {
                    self.env.count(Count::ServerCrashed);
                    self.backend.crash(&mut self.env);
                }
            }
            Fault::Stop => {
                if self.backend.is_up() {
                    self.env.count(Count::ServerStopped);
                    self.backend.stop(&mut self.env);
                }
            }
            Fault::Deploy => {
                if self.backend.is_up() && self.backend.schema == 1 {
                    self.env.count(Count::ServerDeployed);
                    self.backend.deploy(&mut self.env);
                }
            }
            Fault::LogReset => {
                if self.env.truth.head() > 0 {
                    self.env.count(Count::LogReset);
                    self.replace_log(0);
                }
            }
            Fault::LogRestored => {
                let appends = self.backend.log.appends();
                if appends > 1 {
                    self.env.count(Count::LogRestored);
                    let kept = 1 + self.env.dice.place(appends - 1);
                    self.replace_log(kept);
                }
            }
            Fault::Compact => {
                if self.backend.is_up() && self.env.truth.head() > 0 {
                    self.backend.compact(&mut self.env);
                }
            }
            _ => self.strike_device(fault),
        }
    }

    fn strike_device(&mut self, fault: Fault) {
        let number = self.env.dice.place(self.devices.len());
        let spell_ms = self.env.dice.within(500, 15_000);
        let env = &mut self.env;
        let device = &mut self.devices[number];
        match fault {
            Fault::Open => self.open_tab(number),
            Fault::ClockForward => {
                env.count(Count::ClockForward);
                let jump_ms = env.dice.within(1_000, 7_200_000);
                device.ahead_ms += jump_ms;
                device.wall_ms += jump_ms.cast_signed();
                for tab in self.tabs_on(number) {
                    self.with(tab, |tab, within| tab.set_timer(within));
                }
            }
            Fault::ClockBack => {
                env.count(Count::ClockBack);
                let jump_ms = env.dice.within(1_000, 7_200_000).cast_signed();
                match env.dice.below(3) {
                    0 => env.server_wall_ms -= jump_ms,
                    _ => device.wall_ms -= jump_ms,
                }
            }
            Fault::Quota => {
                device.disk.full = true;
                env.after(spell_ms, Event::Recovered(number, Ailment::DiskFull));
            }
            Fault::JournalFull => {
                device.local.full = true;
                env.after(spell_ms, Event::Recovered(number, Ailment::JournalFull));
            }
            Fault::DatabaseRefused => {
                device.disk.refuses = true;
                env.after(spell_ms, Event::Recovered(number, Ailment::DatabaseRefused));
            }
            Fault::DatabaseTaken => {
                env.count(Count::DatabaseTaken);
                for tab in self.tabs_on(number) {
                    self.devices[number].disk.cut.insert(tab);
                    self.tell(tab, TabEvent::DatabaseLost);
                }
            }
            Fault::NewApp => {
                if device.schema == 1 {
                    device.schema = 2;
                    if env.server_schema == 1 {
                        env.count(Count::NewBeforeServer);
                    }
                }
                self.open_tab(number);
            }
            // Links that are there stay the other's.
            Fault::Login => {
                env.count(Count::Login);
                device.user = 1 - device.user;
            }
            Fault::PowerCut => self.cut_power(number),
            Fault::Evict => self.evict(number),
            Fault::Clone => self.clone_device(number),
            Fault::RestoreCopy => self.restore_copy(number),
            _ => self.strike_tab(fault),
        }
    }

    fn strike_tab(&mut self, fault: Fault) {
        let tabs = self.open_tabs();
        let Some(number) = self.env.dice.pick(&tabs) else { return };
        let (on, frozen) = (self.tab(number).on, self.tab(number).frozen.is_some());
        match fault {
            Fault::Kill => {
                let doom = self.env.dice.below(12);
                self.with(number, |tab, _| match doom {
                    0..4 => tab.dead = true,
                    later => tab.doom = Some(later - 4),
                });
            }
            Fault::Reload => {
                self.env.count(Count::TabReloaded);
                self.end_tab(number, false);
                self.open_tab(on);
            }
            Fault::Freeze if !frozen => {
                self.env.count(Count::TabFrozen);
                self.with(number, |tab, _| tab.frozen = Some(Default::default()));
                let delay = self.env.dice.within(500, 40_000);
                self.env.after(delay, Event::Thaw(number));
            }
            Fault::LockVanished => {
                let client = self.tab(number).client.clone();
                if self.devices[on].locks.contains_key(&client) {
                    self.env.count(Count::LockVanished);
                    self.with(number, |tab, _| tab.unlocked = true);
                    self.devices[on].free_lock(&mut self.env, &client);
                }
            }
            _ if frozen => {}
            Fault::Close => {
                self.env.count(Count::TabClosed);
                self.with(number, |tab, within| {
                    tab.feed(within, Input::Closed);
                    tab.close_storage();
                    tab.leave_tabs(within);
                });
                self.end_tab(number, true);
            }
            Fault::Offline => {
                self.env.count(Count::Offline);
                self.with(number, |tab, within| {
                    tab.wants_link = !tab.wants_link;
                    let wish = if tab.wants_link { Input::Connected } else { Input::Disconnected };
                    tab.feed(within, wish);
                });
            }
            Fault::Wake => self.tell(number, TabEvent::Wake),
            Fault::Drop => self.drop_some(number),
            Fault::Retry => self.retry_some(number),
            _ => {}
        }
    }

    fn cut_link(&mut self, half: bool) {
        let links = &self.env.network.links;
        let open: Vec<_> =
            (0..links.len()).filter(|n| links[*n].client_open && !links[*n].dead).collect();
        let Some(link) = self.env.dice.pick(&open) else { return };
        if half {
            self.env.count(Count::LinkHalfOpen);
            self.env.network.links[link].dead = true;
        } else {
            self.env.count(Count::LinkCut);
            self.env.cut(link);
        }
    }

    fn replace_log(&mut self, appends: usize) {
        let down_ms = self.env.dice.within(50, 3_000);
        self.backend.replace_log(&mut self.env, appends, down_ms);
    }

    fn drop_some(&mut self, number: usize) {
        let pending: Vec<_> = self.tab(number).pending().map(|(key, _)| key).collect();
        if pending.is_empty() {
            return;
        }
        let (client, n) = pending[self.env.dice.place(pending.len())].clone();
        self.with(number, |tab, within| tab.drop_action(within, &client, n));
    }

    /// A held action is dispatched anew, under a new number; then it is dropped.
    fn retry_some(&mut self, number: usize) {
        let held = self.tab(number).pending().find(|(_, p)| matches!(p, Progress::Held(_)));
        let Some(((client, n), _)) = held else { return };
        let (id, what, _) = self.new_action();
        let retried = self.with(number, |tab, within| {
            let taken = tab.dispatch(within, id, what, false);
            if taken {
                tab.drop_action(within, &client, n);
            }
            taken
        });
        if retried == Some(true) {
            self.env.count(Count::Retried);
        }
    }

    fn kill_all(&mut self, device: usize) {
        for tab in self.tabs_on(device) {
            let Some(tab) = self.tabs[tab].take() else { continue };
            self.env.living.remove(&tab.client);
            self.devices[device].forget_tab(&mut self.env, tab.number);
            if let Some(link) = tab.link {
                self.env.cut(link);
            }
        }
        self.devices[device].locks.clear();
        let delay = self.env.dice.within(200, 4_000);
        self.env.after(delay, Event::Open(device));
    }

    fn cut_power(&mut self, number: usize) {
        self.env.count(Count::PowerCut);
        let before = self.devices[number].stored();
        self.kill_all(number);
        let (env, device) = (&mut self.env, &mut self.devices[number]);
        let (lost, torn) = device.disk.lose_power(&mut env.dice);
        let back = device.local.lose_power(&mut env.dice);
        for (happened, count) in [
            (lost > 0, Count::WritesUnsynced),
            (torn, Count::RowTorn),
            (back, Count::JournalCameBack),
        ] {
            if happened {
                env.count(count);
            }
        }
        self.rob(number, &before);
        self.audit("a power cut", |_, device| device == number);
    }

    /// What a device had stored before and has no more.
    fn rob(&mut self, number: usize, before: &BTreeSet<Key>) {
        let after = self.devices[number].stored();
        self.env.truth.rob(before.difference(&after));
    }

    fn evict(&mut self, number: usize) {
        self.env.count(Count::Evicted);
        let before = self.devices[number].stored();
        self.devices[number].disk.erase();
        for tab in self.tabs_on(number) {
            if self.tab(tab).store.home == Home::Opening {
                self.with(tab, |tab, _| tab.dead = true);
            }
            self.devices[number].disk.cut.insert(tab);
            self.tell(tab, TabEvent::DatabaseLost);
            self.with(tab, |tab, within| tab.lose_local_storage(within));
        }
        self.env.truth.rob(before.iter());
        self.audit("the eviction of its storage", |_, device| device == number);
    }

    fn clone_device(&mut self, number: usize) {
        if self.devices.len() >= DEVICES_MAX {
            return;
        }
        self.env.count(Count::Cloned);
        if !self.tabs_on(number).is_empty() {
            self.env.count(Count::ClonedRunning);
        }
        let (tables, local) = self.devices[number].copied();
        let mut held: BTreeSet<_> = tables.outbox.keys().cloned().collect();
        held.extend(keys(&local.read(|_| true).1));
        self.env.truth.copied(number, &held);
        let (schema, user) = (self.devices[number].schema, self.devices[number].user);
        let copy = self.add_device(Disk::new(tables), local);
        // Page loads have random ids: a copy gives others.
        (self.devices[copy].schema, self.devices[copy].user) = (schema, user);
        let delay = self.env.dice.within(10, 2_000);
        self.env.after(delay, Event::Open(copy));
    }

    /// The first time a copy is made, the second time it takes the storage's place.
    fn restore_copy(&mut self, number: usize) {
        let Some((tables, local)) = self.devices[number].copy.take() else {
            self.devices[number].copy = Some(self.devices[number].copied());
            return;
        };
        self.env.count(Count::RestoredCopy);
        let before = self.devices[number].stored();
        self.kill_all(number);
        self.devices[number].disk = Disk::new(tables);
        self.devices[number].busy = false;
        self.devices[number].local = local;
        self.rob(number, &before);
        self.audit("its storage's older copy", |_, device| device == number);
    }
}

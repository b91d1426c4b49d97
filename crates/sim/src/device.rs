//! A device: one browser profile with its disk, its localStorage, its locks and its clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use twinstore_protocol::ClientId;

use crate::disk::{Disk, Tables, Work};
use crate::env::{Env, Event};
use crate::local_storage::LocalStorage;
use crate::rows::{Key, keys};
use crate::tab::TabEvent;

/// One device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) disk: Disk,
    pub(crate) local: LocalStorage,
    /// The tabs that are open.
    pub(crate) tabs: BTreeSet<usize>,
    /// The locks of clients that are held, and by which tab.
    pub(crate) locks: BTreeMap<ClientId, usize>,
    /// Who waits for one.
    pub(crate) wanted: Vec<(ClientId, usize)>,
    /// Who holds the lock of the leader, and who waits for it with which request.
    pub(crate) leader: Option<usize>,
    pub(crate) waiting: VecDeque<(usize, u64)>,
    /// When the last thing was said among tabs.
    pub(crate) said_at: u64,
    /// Page loads so far.
    pub(crate) loads: u64,
    /// What the tabs' own clock is ahead of the world's. It never shrinks.
    pub(crate) ahead_ms: u64,
    /// What the wall clock shows beside the truth.
    pub(crate) wall_ms: i64,
    /// An older copy of what is stored.
    pub(crate) copy: Option<(Tables, LocalStorage)>,
    /// The schema of the app that it loads.
    pub(crate) schema: u32,
    /// Who is logged in.
    pub(crate) user: u8,
    /// The disk is at work.
    pub(crate) busy: bool,
    /// When the last end of a transaction was told.
    pub(crate) told_at: u64,
    /// A tab of it could not use IndexedDB any more.
    pub(crate) fell: bool,
}

impl Device {
    pub(crate) fn new(disk: Disk, local: LocalStorage) -> Self {
        Self {
            disk,
            local,
            tabs: BTreeSet::new(),
            locks: BTreeMap::new(),
            wanted: Vec::new(),
            leader: None,
            waiting: VecDeque::new(),
            said_at: 0,
            loads: 0,
            ahead_ms: 0,
            wall_ms: 0,
            copy: None,
            schema: 1,
            user: 0,
            busy: false,
            told_at: 0,
            fell: false,
        }
    }

    /// The disk goes on with its first transaction, unless it does so already.
    pub(crate) fn wake_disk(&mut self, env: &mut Env, number: usize) {
        if !self.busy && !self.disk.queue.is_empty() {
            self.busy = true;
            let delay = env.dice.within(1, 25);
            env.after(delay, Event::Disk(number));
        }
    }

    /// Gives the lock of the leader to who waits for it.
    pub(crate) fn grant(&mut self, env: &mut Env) {
        if self.leader.is_none()
            && let Some((tab, request)) = self.waiting.pop_front()
        {
            self.leader = Some(tab);
            let delay = env.dice.within(1, 40);
            env.after(delay, Event::Tab(tab, TabEvent::Granted(request)));
        }
    }

    /// A lock of a client is free: who waits for it has it.
    pub(crate) fn free_lock(&mut self, env: &mut Env, client: &ClientId) {
        self.locks.remove(client);
        let waits = self.wanted.iter().position(|(wanted, _)| wanted == client);
        if let Some(at) = waits {
            let (client, tab) = self.wanted.remove(at);
            self.locks.insert(client.clone(), tab);
            env.after(1, Event::Tab(tab, TabEvent::Outlived(client)));
        }
    }

    /// A tab is gone, and with it all that it held or waited for.
    pub(crate) fn forget_tab(&mut self, env: &mut Env, tab: usize) {
        self.tabs.remove(&tab);
        self.wanted.retain(|(_, waits)| *waits != tab);
        let held: Vec<_> = self
            .locks
            .iter()
            .filter(|(_, holder)| **holder == tab)
            .map(|(c, _)| c.clone())
            .collect();
        held.iter().for_each(|client| self.free_lock(env, client));
        self.waiting.retain(|(waits, _)| *waits != tab);
        if self.leader == Some(tab) {
            self.leader = None;
            self.grant(env);
        }
    }

    /// Every action that lies here, or is about to.
    pub(crate) fn stored(&self) -> BTreeSet<Key> {
        let mut stored: BTreeSet<_> = self.disk.tables.outbox.keys().cloned().collect();
        for op in &self.disk.queue {
            if let Work::Change(work) = &op.work {
                stored.extend(keys(&work.change.rows));
            }
        }
        stored.extend(keys(&self.local.read(|_| true).1));
        stored
    }

    /// What is stored, as another machine would have it.
    pub(crate) fn copied(&self) -> (Tables, LocalStorage) {
        (self.disk.tables.clone(), self.local.copy())
    }
}

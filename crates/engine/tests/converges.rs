//! Goal: whatever the network and the disks do, once they are well each action has one verdict, nothing is
//! pending and every page shows the server's state (I1–I6).
//!
//! Method: seeded worlds of two devices and one server; links are cut at any frame, pages die and come back
//! from their disks, disks answer late, actions are dropped and held back, the server answers by snapshots.

mod common;

use common::{Dice, Disk, Page, Server};
use twinstore_engine::Input;
use twinstore_protocol::Seq;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// In WASM a debug build takes five times as long.
const SEEDS: u64 = if cfg!(target_arch = "wasm32") { 400 } else { 2_000 };

struct World {
    server: Server,
    pages: Vec<Page>,
    dice: Dice,
    now: u64,
    next_action: u64,
    loads: u64,
    /// What each page load dispatched and did not drop, in its own order.
    dispatched: Vec<(String, u64)>,
    /// How far each page has been told the log.
    told: Vec<Seq>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut server = Server::new();
        if dice.roll(3) == 0 {
            server.snapshot_beyond = dice.roll(4) as usize;
        }
        let mut world = Self {
            server,
            pages: Vec::new(),
            dice,
            now: 0,
            next_action: 1,
            loads: 0,
            dispatched: Vec::new(),
            told: vec![Seq(0); 2],
        };
        for device in 0..2 {
            let page = world.load(device, Disk::default());
            world.pages.push(page);
        }
        world
    }

    fn load(&mut self, device: usize, disk: Disk) -> Page {
        self.loads += 1;
        let mut page = Page::load(&format!("c{}", self.loads), disk, true);
        page.slow_disk = self.dice.roll(2) == 0;
        page.feed(self.now, Input::Connected);
        self.told[device] = Seq(0);
        page
    }

    fn step(&mut self) {
        self.now += 50;
        let device = self.dice.roll(2) as usize;
        match self.dice.roll(12) {
            0..4 => self.dispatch(device),
            4 => self.pages[device].disk_answers(self.now),
            5 if self.pages[device].linked => self.pages[device].cut(self.now),
            6 => self.pages[device].feed(self.now, Input::Woken),
            7 => {
                let disk = self.pages[device].disk.clone();
                self.pages[device] = self.load(device, disk);
            }
            8 => self.drop_newest(device),
            _ => self.carry(device),
        }
    }

    fn dispatch(&mut self, device: usize) {
        let action = self.next_action;
        self.next_action += 1;
        let page = &mut self.pages[device];
        let hidden = page.engine.is_online() && self.dice.roll(4) == 0;
        self.dispatched.push((page.id.0.clone(), action));
        page.dispatch_routed(self.now, action, hidden);
    }

    fn drop_newest(&mut self, device: usize) {
        let page = &mut self.pages[device];
        let Some((newest, _)) = page.engine.pending().last() else { return };
        let common::Value::Action(action) = newest.action.clone() else { return };
        let id = newest.id;
        if page.try_feed(self.now, Input::Dropped(id)).is_ok() {
            self.dispatched.retain(|(_, a)| *a != action);
        }
    }

    /// Opens the link if one is wanted, carries one frame, and brings what others did.
    fn carry(&mut self, device: usize) {
        let page = &mut self.pages[device];
        page.feed(self.now, Input::TimedOut);
        if !page.linked {
            return;
        }
        if !page.engine.is_online() && page.wire.is_empty() {
            page.open(self.now);
        }
        let Some(frame) = page.wire.pop_front() else {
            if page.engine.is_online() {
                for message in self.server.news(self.told[device]) {
                    page.receive(self.now, message);
                }
                self.told[device] = Seq(self.server.log.len() as u64);
            }
            return;
        };
        let before = Seq(self.server.log.len() as u64);
        let lost = self.dice.roll(8) == 0;
        for answer in self.server.receive(common::lower(frame)) {
            if !lost {
                page.receive(self.now, answer);
            }
        }
        if lost {
            page.cut(self.now); // the frame arrived, its answers did not
        } else if self.told[device] >= before {
            self.told[device] = Seq(self.server.log.len() as u64);
        }
    }

    fn heal(&mut self) {
        for _ in 0..400 {
            self.now += 1_000;
            for device in 0..2 {
                self.pages[device].disk_answers(self.now);
                self.carry(device);
            }
        }
    }

    #[track_caller]
    fn check(&self, seed: u64) {
        for page in &self.pages {
            assert_eq!(page.engine.status().pending, 0, "seed {seed}: {:?}", page.engine.status());
            assert_eq!(page.visible, self.server.state(), "seed {seed}");
            assert_eq!(page.engine.status().held, 0, "seed {seed}: {:?}", page.notices);
            assert!(page.disk.entries.is_empty(), "seed {seed}: {:?}", page.disk.entries);
        }
        let mut logged: Vec<_> = self.server.log.iter().map(|e| (e.0.0.clone(), e.3)).collect();
        let mut expected = self.dispatched.clone();
        // Each client's own order, whatever lies between.
        logged.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(logged, expected, "seed {seed}: each action once, in its client's order");
    }
}

#[test]
fn seeded_worlds_converge() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..120 {
            world.step();
        }
        world.heal();
        world.check(seed);
    }
}

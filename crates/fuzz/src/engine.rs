//! Target: any order of inputs, be they of a driver, a disk, other tabs or a server that lies.
//!
//! No input may panic (debug assertions are on), break I1, I2 or I4, pass a limit, lose what is pending, or leave a
//! timer that spins. The page here performs the orders and compares (`engine/page.rs`).

mod inputs;
mod page;

use twinstore_engine::{Client, Id, Input};
use twinstore_protocol::N;

use crate::chance::Chance;
use page::{Disk, Page, Value};

/// Feeds inputs until the bytes are used up.
pub fn engine(bytes: &[u8]) {
    let mut chance = Chance::new(bytes);
    let mut world = World { page: Page::load(0, Disk::default(), &mut chance), loads: 0, now: 0 };
    while !chance.is_over() {
        world.step(&mut chance);
    }
}

struct World {
    page: Page,
    loads: u32,
    now: u64,
}

impl World {
    fn step(&mut self, chance: &mut Chance<'_>) {
        self.pass_time(chance);
        match chance.roll(32) {
            0..=5 => self.page.dispatch(self.now, chance),
            6 | 7 => self.answer_disk(chance),
            8..=17 => {
                let message = inputs::message(&mut self.page, chance);
                self.page.feed(self.now, Input::Received(message));
            }
            18..=20 => self.link(chance),
            21 | 22 => self.page.feed(self.now, Input::Connected),
            23 => self.tabs(chance),
            24 => self.drop_or_edit(chance),
            25 => {
                if let Some(stored) = self.page.restorable() {
                    self.page.feed(self.now, Input::Restored(stored));
                }
            }
            26 => {
                let input = inputs::snapshot(&mut self.page, chance);
                self.page.feed(self.now, input);
            }
            27 if self.page.restored => {
                let stored = inputs::stored(&mut self.page, chance);
                self.page.feed(self.now, Input::Reread(stored));
            }
            27 | 28 => self.rare(chance),
            29 => self.page.feed(self.now, Input::Woken),
            30 => self.page.merge(self.now, chance),
            _ => self.reload(chance),
        }
    }

    /// Time passes; each timeout that comes due is told, and none comes again at once.
    fn pass_time(&mut self, chance: &mut Chance<'_>) {
        let until = self.now + [0, 0, 1, 50, 300, 2_000, 30_000][chance.roll(7)];
        let mut turns = 0;
        while let Some(due) = self.page.engine.poll_timeout().filter(|due| due.0 <= until) {
            let at = due.0.max(self.now);
            turns = if at > self.now { 0 } else { turns + 1 };
            assert!(turns < 4, "a timer spins at {at}: {:?}", self.page.engine.status());
            self.now = at;
            self.page.feed(at, Input::TimedOut);
        }
        self.now = until;
    }

    fn answer_disk(&mut self, chance: &mut Chance<'_>) {
        if let Some(n) = self.page.unanswered.pop_front() {
            self.page.persisted(self.now, n);
        } else if chance.one_in(8) {
            self.page.persisted(self.now, N(0));
        }
    }

    fn link(&mut self, chance: &mut Chance<'_>) {
        let input = match chance.roll(4) {
            0 | 1 => Input::LinkOpened,
            2 => Input::Received(inputs::welcome(&mut self.page, chance)),
            _ => Input::LinkClosed,
        };
        self.page.feed(self.now, input);
    }

    fn tabs(&mut self, chance: &mut Chance<'_>) {
        let input = match chance.roll(4) {
            0 => Input::Led(chance.roll(2) == 0),
            1 => Input::Relayed { online: chance.roll(2) == 0, schema: [0, 1, 2][chance.roll(3)] },
            2 => {
                let entries = inputs::entries(&mut self.page, chance);
                self.page.stored_by_others(&entries);
                Input::Arrived(entries)
            }
            _ => {
                let client = inputs::other(&mut self.page, chance);
                let mut entries = inputs::entries(&mut self.page, chance);
                entries.retain(|e| e.id.client == client);
                self.page.stored_by_others(&entries);
                let whole = entries.len().is_multiple_of(2);
                Input::Adopted { client, entries, whole }
            }
        };
        self.page.feed(self.now, input);
    }

    fn drop_or_edit(&mut self, chance: &mut Chance<'_>) {
        let ids: Vec<_> = self.page.engine.pending().map(|(e, _)| e.id).collect();
        let absent = Id { client: Client::OWN, n: N(chance.number(1)) };
        let id = chance.pick(&ids).unwrap_or(absent);
        if chance.roll(2) == 0 {
            self.page.drop_action(self.now, id);
        } else {
            let (action, bytes) = (Value::Action(9), chance.small());
            self.page.edit(self.now, id, action, bytes);
        }
    }

    fn rare(&mut self, chance: &mut Chance<'_>) {
        let input = match chance.roll(5) {
            0 => Input::Disconnected,
            4 => Input::StateAsked,
            1 => Input::SnapshotUnreadable,
            2 => Input::FoldFailed(twinstore_protocol::Seq(chance.number(3))),
            _ => Input::Closed,
        };
        self.page.feed(self.now, input);
    }

    /// The page dies, and another finds its disk.
    fn reload(&mut self, chance: &mut Chance<'_>) {
        self.loads += 1;
        let disk = std::mem::take(&mut self.page.disk);
        self.page = Page::load(self.loads, disk, chance);
    }
}

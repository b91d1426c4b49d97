//! What all parts of a world share: the time, chance, what is due, and what is counted.

use std::collections::{BTreeMap, BTreeSet};

use twinstore_engine::wire::Incoming;
use twinstore_protocol::ClientId;

use crate::coverage::{Count, Coverage};
use crate::dice::Dice;
use crate::network::Network;
use crate::settings::{Fault, Settings};
use crate::tab::TabEvent;
use crate::truth::Truth;
use crate::wire::Item;

/// Something that is due.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something for a tab.
    Tab(usize, TabEvent),
    /// The first transaction of a device's disk is done.
    Disk(usize),
    /// A device writes what it has cached.
    Sync(usize),
    /// A device is as it was before.
    Recovered(usize, Ailment),
    /// A tab is to be opened.
    Open(usize),
    /// A tab goes on.
    Thaw(usize),
    /// A link that was asked for is there, or not.
    Connect(usize),
    /// A frame arrives.
    ToServer(usize, String),
    /// A frame arrives.
    ToClient(usize, Box<Incoming<Item>>),
    /// An end learns that a link is closed.
    ServerHears(usize),
    ClientHears(usize),
    /// A socket's task reads its mailbox.
    Mail(usize),
    /// A socket takes frames again.
    Unstall(usize),
    /// A silent socket is closed.
    Idle(usize),
    /// The append that was ordered comes to its end; the number is the server's life.
    Append(u64),
    /// The server starts.
    Start,
    /// The app dispatches.
    Dispatch,
    /// Something strikes.
    Chaos,
}

/// What a device recovers from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ailment {
    DiskFull,
    JournalFull,
    DatabaseRefused,
}

/// What all share.
#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) now: u64,
    pub(crate) dice: Dice,
    pub(crate) settings: Settings,
    pub(crate) coverage: Coverage,
    pub(crate) truth: Truth,
    pub(crate) network: Network,
    /// Faults strike.
    pub(crate) unsafe_phase: bool,
    pub(crate) traced: bool,
    /// Time that passed while everything stood still.
    pub(crate) still_ms: u64,
    /// What the server's clock shows beside the truth.
    pub(crate) server_wall_ms: i64,
    /// The schema of the server's model.
    pub(crate) server_schema: u32,
    /// Clients whose tab is open.
    pub(crate) living: BTreeSet<ClientId>,
    agenda: BTreeMap<(u64, u64), Event>,
    tie: u64,
}

impl Env {
    pub(crate) fn new(seed: u64, settings: Settings, traced: bool) -> Self {
        Self {
            now: 1_000,
            dice: Dice::new(seed),
            settings,
            coverage: Coverage::default(),
            truth: Truth::default(),
            network: Network::default(),
            unsafe_phase: true,
            traced,
            still_ms: 0,
            server_wall_ms: 0,
            server_schema: 1,
            living: BTreeSet::new(),
            agenda: BTreeMap::new(),
            tie: 0,
        }
    }

    /// Puts something on the agenda.
    pub(crate) fn after(&mut self, delay_ms: u64, event: Event) {
        self.tie += 1;
        self.agenda.insert((self.now + delay_ms, self.tie), event);
    }

    /// The next thing that is due, if it is before `until`.
    pub(crate) fn next(&mut self, until: u64) -> Option<Event> {
        let first = self.agenda.first_entry()?;
        let (at, _) = *first.key();
        if at > until {
            return None;
        }
        self.now = at;
        Some(first.remove())
    }

    pub(crate) fn count(&mut self, count: Count) {
        self.coverage.add(count);
    }

    /// Whether a fault strikes here. It is not counted.
    pub(crate) fn strikes(&mut self, fault: Fault) -> bool {
        let rate = self.settings.rate(fault);
        self.unsafe_phase && rate > 0 && self.dice.chance(rate)
    }

    pub(crate) fn is_living(&self, client: &ClientId) -> bool {
        self.living.contains(client)
    }

    /// What a clock that is right shows.
    pub(crate) fn true_wall(&self) -> u64 {
        WALL_MS + self.still_ms + self.now
    }

    /// The server's clock, which jumps.
    pub(crate) fn wall(&self) -> u64 {
        self.true_wall().saturating_add_signed(self.server_wall_ms)
    }

    /// A line of the trace.
    pub(crate) fn trace(&self, line: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>7} {}", self.now, line());
        }
    }
}

/// When worlds begin, in milliseconds since 1970.
pub(crate) const WALL_MS: u64 = 1_800_000_000_000;

//! A device's disk: IndexedDB as transactions that run one after the other, are complete before they are
//! safe from a power cut, and may die unfinished with their tab.
//!
//! The transactions do what those of `src/storage/indexed_db.rs` do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use twinstore_engine::StoredEvent;
use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{ClientId, Seq};

use crate::dice::Dice;
use crate::model::State;
use crate::rows::{Base, Change, Key, LogRow, Row, Stored, log_after};
use crate::tab::Wanted;
use crate::wire::Item;

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tables {
    pub(crate) outbox: BTreeMap<Key, Row>,
    /// Rows that cannot be decoded: they stay, and are nobody's.
    pub(crate) torn: BTreeSet<Key>,
    events: BTreeMap<Seq, Vec<StoredEvent<Item>>>,
    state: Option<(State, Option<Base>)>,
    log: Option<LogRow>,
    /// The last term in which a tab led.
    term: u64,
}

/// A change as its transaction performs it.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) change: Change,
    /// What becomes of the log, as its tab knows it; none: what is stored is read in the transaction itself.
    pub(crate) log: Option<(bool, LogRow)>,
    /// The last term in which its tab led.
    pub(crate) term: u64,
}

/// A transaction, and who waits for it.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) tab: usize,
    /// Its connection was closed when it began.
    pub(crate) closed: bool,
    pub(crate) work: Work,
    pub(crate) wanted: Wanted,
}

#[derive(Debug)]
pub(crate) enum Work {
    Change(Prepared),
    /// Begins a term after all others.
    Claim,
    Read,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    /// Aborted by its own hand: another tab leads.
    Outranked,
    /// The disk is full.
    Full,
    /// It failed.
    Failed,
}

/// The disk.
#[derive(Debug)]
pub(crate) struct Disk {
    /// As every page sees it.
    pub(crate) tables: Tables,
    /// As a power cut would leave it at worst.
    safe: Tables,
    /// What leads from there to here.
    unsynced: Vec<Prepared>,
    pub(crate) queue: VecDeque<Op>,
    /// Tabs whose connection was closed, whether they know it or not.
    pub(crate) cut: BTreeSet<usize>,
    /// Nothing more can be written.
    pub(crate) full: bool,
    /// It does not open.
    pub(crate) refuses: bool,
}

impl Disk {
    pub(crate) fn new(tables: Tables) -> Self {
        let (queue, unsynced) = (VecDeque::new(), Vec::new());
        Self {
            safe: tables.clone(),
            tables,
            unsynced,
            queue,
            cut: BTreeSet::new(),
            full: false,
            refuses: false,
        }
    }

    /// Performs a change, whole or not at all.
    pub(crate) fn perform(&mut self, mut work: Prepared, strict: bool) -> End {
        if self.full {
            return End::Full;
        }
        let shared = work.log.is_none();
        if shared {
            work.log = Some(log_after(self.tables.log.as_ref(), &work.change));
        } else if work.change.is_log()
            && self.tables.term > work.term
            && !planted::is(Bug::WriteWithoutFence)
        {
            return End::Outranked;
        }
        if let (Some((_, after)), Some(before), true) =
            (&work.log, &self.tables.log, work.change.is_log() && !shared)
        {
            // What does not belong together is worth nothing.
            let known = self.tables.read().log.is_some();
            let back = known && after.is_behind(before) && !after.is_of_another(before);
            assert!(!back, "I2: what is stored went back from {before:?} to {after:?}");
        }
        self.tables.perform(&work);
        self.unsynced.push(work);
        if strict {
            self.sync();
        }
        End::Done
    }

    /// Begins a term after all others.
    pub(crate) fn claim(&mut self) -> u64 {
        self.tables.term += 1;
        // Were it lost with the power: all who knew it are gone.
        self.safe.term = self.tables.term;
        self.tables.term
    }

    /// What was written is safe from here on.
    pub(crate) fn sync(&mut self) {
        self.unsynced.clear();
        self.safe = self.tables.clone();
    }

    /// The power is gone: of what was not synced, a part from the front is there; its last may be torn.
    /// Gives how many transactions are lost, and whether a row is torn.
    pub(crate) fn lose_power(&mut self, dice: &mut Dice) -> (usize, bool) {
        self.queue.clear();
        let kept = dice.place(self.unsynced.len() + 1);
        let lost = self.unsynced.len() - kept;
        let mut torn = false;
        for (at, work) in self.unsynced.drain(..kept).enumerate() {
            self.safe.perform(&work);
            if at + 1 == kept
                && lost > 0
                && dice.below(4) == 0
                && let Some(row) = work.change.rows.last()
            {
                torn |= self.safe.outbox.remove(&row.key()).is_some();
                self.safe.torn.insert(row.key());
            }
        }
        self.unsynced.clear();
        self.tables = self.safe.clone();
        (lost, torn)
    }

    /// A tab is dead: what it had begun is done up to a point. Gives how many changes are lost.
    pub(crate) fn lose_tab(&mut self, tab: usize, dice: &mut Dice) -> usize {
        let changes = |op: &Op| op.tab == tab && matches!(op.work, Work::Change(_));
        let own = self.queue.iter().filter(|op| changes(op)).count();
        let kept = dice.place(own + 1);
        let mut left = kept;
        self.queue.retain(|op| {
            let stays = changes(op) && left > 0;
            left -= usize::from(stays);
            stays || op.tab != tab
        });
        own - kept
    }

    /// Everything is erased.
    pub(crate) fn erase(&mut self) {
        // What is under way is answered all the same: it was aborted.
        for op in &mut self.queue {
            op.closed = true;
        }
        self.unsynced.clear();
        self.tables = Tables::default();
        self.safe = Tables::default();
    }
}

impl Tables {
    pub(crate) fn read(&self) -> Stored {
        let mut stored = Stored {
            rows: Vec::new(),
            events: self.events.values().flatten().cloned().collect(),
            log: self.log.clone(),
            state: self.state.clone(),
        };
        stored.add(self.outbox.values().cloned().collect());
        stored
    }

    pub(crate) fn rows_of(&self, client: &ClientId) -> Vec<Row> {
        self.outbox.values().filter(|row| row.client == *client).cloned().collect()
    }

    pub(crate) fn clients(&self) -> BTreeSet<ClientId> {
        self.outbox.keys().map(|(client, _)| client.clone()).collect()
    }

    fn perform(&mut self, work: &Prepared) {
        let change = &work.change;
        if let Some((moved, log)) = work.log.clone().filter(|_| change.is_log()) {
            if planted::is(Bug::CursorBeforeEvents) && change.state.is_none() {
                // Two transactions where there should be one: the second never came.
                self.log = Some(log);
                return;
            }
            if moved {
                if let Some(state) = change.state {
                    self.events.clear();
                    self.state = Some((state, log.base()));
                }
                if let Some(first) = change.events.first() {
                    self.events.insert(first.seq, change.events.clone());
                }
            }
            self.log = Some(log);
        }
        for row in &change.rows {
            self.outbox.insert(row.key(), row.clone());
        }
        for key in &change.gone {
            self.outbox.remove(key);
        }
    }
}

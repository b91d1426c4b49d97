//! The outbox: pending actions in their order, and how far each has come.
//!
//! Keeps I6: what is held blocks nothing behind it. Keeps I7: bounded in actions and in bytes.
//! Not here: what of it may be sent (`exchange.rs`), writing it to disk (the driver).

use std::collections::VecDeque;

use twinstore_protocol::N;

use crate::{Client, Entry, HeldReason, Id, InputError, Limits};

/// How far a pending action has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not under way.
    Queued,
    /// In the push that is under way.
    Sent,
    /// The server has a verdict; its event is still to come.
    Decided,
    /// Kept, neither shown nor sent.
    Held(HeldReason),
}

/// One pending action.
#[derive(Clone, Debug)]
pub(crate) struct Pending<A> {
    pub(crate) entry: Entry<A>,
    pub(crate) progress: Progress,
    /// On disk, so that it may be sent (I4).
    pub(crate) stored: bool,
    /// It was on a socket once: the server may know it.
    pub(crate) ever_sent: bool,
    /// Held back from the store until its verdict.
    pub(crate) hidden: bool,
    /// The confirmed state has it already, if it was accepted: kept for its verdict alone.
    pub(crate) included: bool,
    /// Its verdict was told, though its event could not be folded here.
    pub(crate) told: bool,
}

impl<A> Pending<A> {
    /// An action as it comes back from storage: whether it was ever sent is not known any more.
    pub(crate) fn restored(entry: Entry<A>) -> Self {
        let progress = entry.held.map_or(Progress::Queued, Progress::Held);
        Self {
            entry,
            progress,
            stored: true,
            ever_sent: true,
            hidden: false,
            included: false,
            told: false,
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.entry.held.is_some()
    }

    /// Part of the visible state (I1).
    pub(crate) fn is_shown(&self) -> bool {
        !self.hidden && !self.included && !self.is_held()
    }
}

/// The pending actions.
#[derive(Clone, Debug)]
pub(crate) struct Outbox<A> {
    list: VecDeque<Pending<A>>,
    /// Wider than sizes are in WASM: what a disk says it holds may be anything.
    bytes: u64,
    held: usize,
    hidden: usize,
}

impl<A: Clone> Outbox<A> {
    pub(crate) fn new() -> Self {
        Self { list: VecDeque::new(), bytes: 0, held: 0, hidden: 0 }
    }

    /// Puts an action where its order says, which is the end as a rule.
    pub(crate) fn put(&mut self, pending: Pending<A>) {
        self.bytes += u64::from(pending.entry.bytes);
        self.held += usize::from(pending.is_held());
        self.hidden += usize::from(pending.hidden);
        let order = pending.entry.order;
        let mut at = self.list.len();
        while at > 0 && self.list.get(at - 1).is_some_and(|p| p.entry.order > order) {
            at -= 1;
        }
        self.list.insert(at, pending);
    }

    /// Entries were changed where they are.
    pub(crate) fn weigh(&mut self) {
        self.bytes = 0;
        for pending in &self.list {
            self.bytes += u64::from(pending.entry.bytes);
        }
    }

    /// Takes an action out. Its own actions come back in order, so the search ends at once as a rule.
    pub(crate) fn remove(&mut self, id: Id) -> Option<Pending<A>> {
        let at = self.list.iter().position(|p| p.entry.id == id)?;
        let pending = self.list.remove(at)?;
        self.bytes -= u64::from(pending.entry.bytes);
        self.held -= usize::from(pending.is_held());
        self.hidden -= usize::from(pending.hidden);
        Some(pending)
    }

    /// Stops showing and sending an action.
    pub(crate) fn hold(&mut self, id: Id, reason: HeldReason) -> Option<&Pending<A>> {
        let pending = self.list.iter_mut().find(|p| p.entry.id == id && !p.is_held())?;
        pending.entry.held = Some(reason);
        pending.progress = Progress::Held(reason);
        self.hidden -= usize::from(pending.hidden);
        pending.hidden = false;
        self.held += 1;
        Some(pending)
    }

    pub(crate) fn check_room(&self, bytes: u32, limits: &Limits) -> Result<(), InputError> {
        // I7: a full outbox refuses the dispatch.
        let full = self.list.len() >= limits.outbox_actions
            || self.bytes + u64::from(bytes) > limits.outbox_bytes as u64;
        if full { Err(InputError::OutboxFull) } else { Ok(()) }
    }

    /// What is to be stored after this, or sent, stands behind it.
    pub(crate) fn last(&self) -> Option<&Pending<A>> {
        self.list.back()
    }

    /// The entries whose numbers another one of their client settles, by its `from`: they were merged into it.
    pub(crate) fn merged(&self) -> Vec<Id> {
        let mut merged = Vec::new();
        // Of each client, from the newest to the oldest: from which number on what comes after settles, and its own.
        let mut by = Vec::new();
        for Pending { entry, .. } in self.list.iter().rev().filter(|p| !p.is_held()) {
            let Id { client, n } = entry.id;
            let at = client.0 as usize;
            if by.len() <= at {
                by.resize(at + 1, (N(u64::MAX), N(0)));
            }
            // An order that is not that of the numbers says nothing: no action is lost for it.
            let (from, own) = by[at];
            if (from..own).contains(&n) {
                merged.push(entry.id);
            }
            if entry.from < from {
                by[at] = (entry.from, n);
            }
        }
        merged
    }

    pub(crate) fn last_order(&self) -> u64 {
        self.list.back().map_or(0, |p| p.entry.order)
    }

    /// Whether an entry is there. `at` is where the last search ended: a list in order is walked once.
    pub(crate) fn has(&self, entry: &Entry<A>, at: &mut usize) -> bool {
        while self.list.get(*at).is_some_and(|p| p.entry.order < entry.order) {
            *at += 1;
        }
        let mut here = self.list.iter().skip(*at).take_while(|p| p.entry.order == entry.order);
        here.any(|p| p.entry.id == entry.id)
    }

    pub(crate) fn find(&self, id: Id) -> Option<&Pending<A>> {
        self.list.iter().find(|p| p.entry.id == id)
    }

    pub(crate) fn find_mut(&mut self, id: Id) -> Option<&mut Pending<A>> {
        self.list.iter_mut().find(|p| p.entry.id == id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pending<A>> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Pending<A>> {
        self.list.iter_mut()
    }

    pub(crate) fn shown(&self) -> impl Iterator<Item = &Pending<A>> {
        self.list.iter().filter(|p| p.is_shown())
    }

    /// The numbers of a client's actions up to `n`, without those held. What is kept for its verdict alone hears
    /// it as the answer to its own push: a snapshot may have been asked for before it was here.
    pub(crate) fn up_to(&self, client: Client, n: N) -> Vec<Id> {
        let mut ids = Vec::new();
        for pending in &self.list {
            let id = pending.entry.id;
            if id.client == client && id.n <= n && !pending.is_held() && !pending.included {
                ids.push(id);
            }
        }
        ids
    }

    /// A client's actions that would be sent next.
    pub(crate) fn queued_of(&self, client: Client) -> Vec<Id> {
        let queued = self.list.iter().filter(|p| p.stored && p.progress == Progress::Queued);
        queued.map(|p| p.entry.id).filter(|id| id.client == client).collect()
    }

    /// Whose verdicts are waited for, each with the first number.
    pub(crate) fn waiting_for(&self) -> Vec<Id> {
        let mut first: Vec<Id> = Vec::new();
        for id in self.list.iter().map(|p| p.entry.id) {
            match first.iter_mut().find(|known| known.client == id.client) {
                Some(known) => known.n = known.n.min(id.n),
                None => first.push(id),
            }
        }
        first
    }

    /// Shows what was held back, or that one of it; gives it, in order.
    pub(crate) fn reveal(&mut self, only: Option<Id>) -> Vec<A> {
        let mut revealed = Vec::new();
        if self.hidden > 0 {
            for pending in self.list.iter_mut().filter(|p| p.hidden) {
                if only.is_none_or(|id| id == pending.entry.id) {
                    self.hidden -= 1;
                    pending.hidden = false;
                    revealed.push(pending.entry.action.clone());
                }
            }
        }
        revealed
    }

    pub(crate) fn hides(&self) -> bool {
        self.hidden > 0
    }

    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Actions without a verdict that are not held.
    pub(crate) fn waiting(&self) -> usize {
        self.list.len() - self.held
    }
}

//! The outbox: pending actions in the order of their commits, and how far each has come.
//!
//! Keeps I6: what is held blocks nothing behind it. Keeps I7: bounded in actions and in bytes.
//! Not here: what of it may be sent (`engine.rs`), writing it to disk (the driver).

use std::collections::VecDeque;

use twinstore_protocol::{ClientId, N};

use crate::{InputError, Limits, StoredEntry};

/// Why an action is kept without being shown or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldReason {
    /// The server was reset, or restored from a backup, and may never have seen it.
    Reset,
    /// The server refused it: too many bytes.
    TooLarge,
    /// The server refused it: nested too deeply.
    TooDeep,
    /// The server refused it: not a plain action.
    NotPlain,
    /// The server has settled a later number without it.
    Skipped,
}

impl HeldReason {
    /// The reason as the app sees it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::TooLarge => "too-large",
            Self::TooDeep => "too-deep",
            Self::NotPlain => "not-plain",
            Self::Skipped => "skipped",
        }
    }

    /// The reason with this name, as storage gives it back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Reset, Self::TooLarge, Self::TooDeep, Self::NotPlain, Self::Skipped]
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }
}

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
    pub(crate) entry: StoredEntry<A>,
    pub(crate) progress: Progress,
    /// On disk, so that it may be sent (I4).
    pub(crate) stored: bool,
    /// It was on a socket once: the server may know it.
    pub(crate) ever_sent: bool,
    /// Held back from the store until its verdict.
    pub(crate) hidden: bool,
}

/// A pending action as the app may see it.
#[derive(Clone, Debug)]
pub struct PendingView<'a, A> {
    /// Whose.
    pub client: &'a ClientId,
    /// Which.
    pub n: N,
    /// The action.
    pub action: &'a A,
    /// How far it has come.
    pub progress: Progress,
}

impl<A> Pending<A> {
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.progress, Progress::Held(_))
    }

    /// Part of the visible state (I1).
    pub(crate) fn is_shown(&self) -> bool {
        !self.hidden && !self.is_held()
    }

    fn is(&self, client: &ClientId, n: N) -> bool {
        self.entry.n == n && self.entry.client == *client
    }
}

/// The pending actions.
#[derive(Clone, Debug)]
pub(crate) struct Outbox<A> {
    list: VecDeque<Pending<A>>,
    bytes: usize,
    held: usize,
    hidden: usize,
}

impl<A: Clone> Outbox<A> {
    pub(crate) fn new() -> Self {
        Self { list: VecDeque::new(), bytes: 0, held: 0, hidden: 0 }
    }

    /// Puts an action at the end.
    pub(crate) fn push(&mut self, pending: Pending<A>) {
        self.bytes += pending.entry.bytes as usize;
        self.held += usize::from(pending.is_held());
        self.hidden += usize::from(pending.hidden);
        self.list.push_back(pending);
    }

    /// Puts what storage held before what was dispatched since.
    pub(crate) fn restore(&mut self, entries: impl DoubleEndedIterator<Item = StoredEntry<A>>) {
        for entry in entries.rev() {
            self.bytes += entry.bytes as usize;
            self.held += usize::from(entry.held.is_some());
            self.list.push_front(Pending::restored(entry));
        }
    }

    /// Takes an action out. Its own actions come back in order, so the search ends at once as a rule.
    pub(crate) fn remove(&mut self, client: &ClientId, n: N) -> Option<Pending<A>> {
        let at = self.list.iter().position(|p| p.is(client, n))?;
        let pending = self.list.remove(at)?;
        self.bytes -= pending.entry.bytes as usize;
        self.held -= usize::from(pending.is_held());
        self.hidden -= usize::from(pending.hidden);
        Some(pending)
    }

    /// Stops showing and sending an action.
    pub(crate) fn hold(
        &mut self,
        client: &ClientId,
        n: N,
        reason: HeldReason,
    ) -> Option<StoredEntry<A>> {
        let pending = self.list.iter_mut().find(|p| p.is(client, n) && !p.is_held())?;
        pending.entry.held = Some(reason);
        pending.progress = Progress::Held(reason);
        self.hidden -= usize::from(pending.hidden);
        pending.hidden = false;
        self.held += 1;
        Some(pending.entry.clone())
    }

    pub(crate) fn check_room(&self, bytes: u32, limits: &Limits) -> Result<(), InputError> {
        // I7: a full outbox refuses the dispatch.
        let full = self.list.len() >= limits.outbox_actions
            || self.bytes + bytes as usize > limits.outbox_bytes;
        if full { Err(InputError::OutboxFull) } else { Ok(()) }
    }

    pub(crate) fn find(&self, client: &ClientId, n: N) -> Option<&Pending<A>> {
        self.list.iter().find(|p| p.is(client, n))
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

    pub(crate) fn shown_actions(&self) -> Vec<A> {
        self.shown().map(|p| p.entry.action.clone()).collect()
    }

    /// Shows what was held back; gives it, in order.
    pub(crate) fn reveal(&mut self) -> Vec<A> {
        if std::mem::take(&mut self.hidden) == 0 {
            return Vec::new();
        }
        let hidden = self.list.iter_mut().filter(|p| p.hidden);
        hidden
            .map(|p| {
                p.hidden = false;
                p.entry.action.clone()
            })
            .collect()
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

impl<A> Pending<A> {
    /// An action as it comes back from storage: whether it was ever sent is not known any more.
    pub(crate) fn restored(entry: StoredEntry<A>) -> Self {
        let progress = entry.held.map_or(Progress::Queued, Progress::Held);
        Self { entry, progress, stored: true, ever_sent: true, hidden: false }
    }
}

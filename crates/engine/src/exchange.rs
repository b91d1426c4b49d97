//! The link's life, and what is sent over it.
//!
//! Keeps I4 (nothing is sent that is not stored) and I5 (in the order of `n`, nothing skipped by accident).

use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{Cursor, N};

use crate::link::{Link, retry_delay_ms};
use crate::outbox::Pending;
use crate::snapshot::Wanted;
use crate::{Engine, Entry, Frame, Id, LinkLimits, Millis, Output, Progress, Standing};

impl<A: Clone> Engine<A> {
    pub(crate) fn connect(&mut self, now: Millis) {
        self.wanted = true;
        if self.leads && self.link == Link::Off {
            self.link = Link::Waiting { retry_at: now, attempt: 0 };
            self.try_to_open(now);
        }
        if self.relayed {
            self.read_anew();
        }
    }

    pub(crate) fn disconnect(&mut self) {
        self.wanted = false;
        self.close_link();
    }

    /// This tab has no link any more, and does not try to get one.
    pub(crate) fn close_link(&mut self) {
        if self.link.is_online() {
            self.outputs.push_back(Output::Transmit(Frame::Leave));
        }
        if !matches!(self.link, Link::Off | Link::Waiting { .. }) {
            self.outputs.push_back(Output::CloseLink);
        }
        self.link = Link::Off;
        self.forget_exchange();
    }

    /// Something changed for the better: no need to wait, and no harm in asking whether the link lives.
    pub(crate) fn wake(&mut self, now: Millis) {
        match self.link {
            Link::Waiting { .. } => {
                self.link = Link::Waiting { retry_at: now, attempt: 0 };
                self.try_to_open(now);
            }
            Link::Online { dead_at: None, .. } => self.ping(now),
            Link::Off | Link::Opening { .. } | Link::Greeting { .. } | Link::Online { .. } => {}
        }
    }

    pub(crate) fn greet(&mut self, now: Millis) {
        if let Link::Opening { attempt, .. } = self.link {
            let give_up_at = now.plus(self.config.limits.link.open_ms_max);
            self.link = Link::Greeting { give_up_at, attempt };
            let standing = self.standing(self.cursor.clone());
            self.outputs.push_back(Output::Transmit(Frame::Hello(standing)));
        }
    }

    pub(crate) fn link_lost(&mut self, now: Millis) {
        if matches!(self.link, Link::Off | Link::Waiting { .. }) {
            return;
        }
        // A network that fails after a welcome is no reason to hesitate.
        let attempt = if self.link.is_online() { 0 } else { self.link.attempt() };
        self.wait(now, attempt);
    }

    fn wait(&mut self, now: Millis, attempt: u32) {
        let wait_ms = retry_delay_ms(attempt, &self.config.limits.link, self.jitter.draw());
        self.link = Link::Waiting { retry_at: now.plus(wait_ms), attempt: attempt + 1 };
        self.forget_exchange();
    }

    /// The link is of no use: closes it and tries again later.
    pub(crate) fn give_up_link(&mut self, now: Millis) {
        self.outputs.push_back(Output::CloseLink);
        self.link_lost(now);
    }

    /// The server could not take what we sent: tries again ever later.
    pub(crate) fn back_off(&mut self, now: Millis) {
        self.outputs.push_back(Output::CloseLink);
        self.wait(now, self.link.attempt());
    }

    pub(crate) fn timed_out(&mut self, now: Millis) {
        match self.link {
            Link::Waiting { .. } => self.try_to_open(now),
            Link::Opening { give_up_at, .. } | Link::Greeting { give_up_at, .. } => {
                if now >= give_up_at {
                    self.give_up_link(now);
                }
            }
            Link::Online { ping_at, dead_at, .. } => {
                if dead_at.is_some_and(|dead_at| now >= dead_at) {
                    self.give_up_link(now);
                } else if dead_at.is_none() && now >= ping_at {
                    self.ping(now);
                }
            }
            Link::Off => {}
        }
        if matches!(self.snapshot_wanted, Wanted::From(at) if now >= at) {
            self.ask_for_snapshot(now);
        }
        if self.push_after.is_some_and(|due| now >= due) {
            self.push_after = None;
        }
    }

    /// A frame came: the link lives. A push that waits for its answer is asked about all the same.
    pub(crate) fn heard(&mut self, now: Millis) {
        if let Link::Online { ping_at, attempt, .. } = self.link {
            let ping_at = if self.in_flight > 0 { ping_at } else { now.plus(self.ping_ms) };
            self.link = Link::Online { ping_at, dead_at: None, attempt };
        }
    }

    pub(crate) fn pull(&mut self) {
        if !self.leads {
            // What the leader heard is on the disk, or on its way there.
            self.read_anew();
        } else if !self.pulling {
            self.pulling = true;
            self.transmit_pull(self.cursor.clone());
        }
    }

    /// There is something on the disk that is not known here.
    pub(crate) fn read_anew(&mut self) {
        if self.reads > 0 || !self.ready {
            self.missed = true;
        } else {
            self.read_again();
        }
    }

    /// Asks for the state, but not too often: a model that never folds here must not become a storm.
    pub(crate) fn ask_for_snapshot(&mut self, now: Millis) {
        if !self.is_online() || now < self.snapshot_after {
            self.snapshot_wanted = Wanted::From(self.snapshot_after);
            return;
        }
        let LinkLimits { snapshot_ms_min, snapshot_ms_max, .. } = self.config.limits.link;
        let calm = now >= self.snapshot_after.plus(snapshot_ms_max);
        let wait_ms = if calm { snapshot_ms_min } else { self.snapshot_wait_ms * 2 };
        self.snapshot_wait_ms = wait_ms.clamp(snapshot_ms_min, snapshot_ms_max);
        self.snapshot_wanted = Wanted::Asked;
        self.snapshot_after = now.plus(self.snapshot_wait_ms);
        if self.leads {
            self.transmit_pull(None);
        } else {
            self.outputs.push_back(Output::AskLeader);
        }
    }

    /// Sends the next push: at once when none is under way, else what was gathered until its answer.
    pub(crate) fn send_pending(&mut self, now: Millis) {
        let free = self.link.is_online() && self.in_flight == 0;
        if !free || !self.ready || self.push_after.is_some_and(|after| now < after) {
            return;
        }
        let entries = self.next_batch();
        if !entries.is_empty() {
            self.in_flight = entries.len();
            self.pinged_behind = false;
            self.outputs.push_back(Output::Transmit(Frame::Push(entries)));
        }
    }

    /// The next entries in the outbox's order, as many as one push may hold.
    fn next_batch(&mut self) -> Vec<Entry<A>> {
        let mut entries: Vec<Entry<A>> = Vec::new();
        let mut bytes = 0;
        let newer = |p: &Pending<A>| !p.ever_sent && p.stored && !p.is_held();
        let late = planted::is(Bug::ResendOutOfOrder) && self.outbox.iter().any(newer);
        for pending in self.outbox.iter().filter(|p| p.progress == Progress::Queued) {
            if late && pending.ever_sent {
                continue;
            }
            let with = pending.entry.bytes.saturating_add(bytes);
            let full = entries.len() >= self.wire.batch_actions as usize
                || (with > self.wire.batch_bytes && !entries.is_empty());
            // One that is not stored yet holds back those behind it: the outbox has one order.
            if full || !pending.stored {
                break;
            }
            let mut entry = pending.entry.clone();
            let client = entry.id.client;
            let sent = entries.iter().rev().find(|e| e.id.client == client).map(|e| e.id.n);
            let next = sent.unwrap_or_else(|| self.clients.settled(client)).next();
            if self.misses(&entry, next) {
                // With its own numbers alone it is no skip: the server has them, or names the gap.
                if entries.is_empty() && std::mem::take(&mut self.probes) {
                    entry.from = entry.from.min(entry.id.n);
                    entries.push(entry);
                    break;
                }
                // Where nobody may be about to store it, nothing waits for it.
                if self.clients.is_ours(client) {
                    continue;
                }
                break;
            }
            bytes = with;
            // I5: numbers that were dropped, held or merged are settled by the next entry.
            if !planted::is(Bug::SkippedNumbersBlock) {
                entry.from = next.min(entry.id.n);
            }
            entries.push(entry);
        }
        self.probes = false;
        let mut sent = entries.iter().map(|e| e.id);
        let mut next = sent.next();
        for pending in self.outbox.iter_mut() {
            if Some(pending.entry.id) == next {
                pending.progress = Progress::Sent;
                pending.ever_sent = true;
                next = sent.next();
            }
        }
        entries
    }

    /// Whether something is missing before this entry that a living tab may be about to store: then it is neither
    /// skipped nor overtaken. Or something that lies where this page cannot read: then it is not skipped either.
    fn misses(&self, entry: &Entry<A>, next: N) -> bool {
        let next = next.max(self.clients.passed(entry.id.client).next());
        if next >= entry.from || self.clients.is_whole(entry.id.client) {
            return false;
        }
        let between = |p: &&Pending<A>| {
            let Id { client, n } = p.entry.id;
            p.is_held() && client == entry.id.client && n >= next && n < entry.from
        };
        let settles = |p: &Pending<A>| p.entry.id.n.0 + 1 - p.entry.from.max(next).0;
        self.outbox.iter().filter(between).map(settles).sum::<u64>() < entry.from.0 - next.0
    }

    pub(crate) fn try_to_open(&mut self, now: Millis) {
        let Link::Waiting { retry_at, attempt } = self.link else {
            return;
        };
        // Before storage was read there is no cursor to say hello with.
        if self.ready && now >= retry_at {
            let give_up_at = now.plus(self.config.limits.link.open_ms_max);
            self.link = Link::Opening { give_up_at, attempt };
            self.outputs.push_back(Output::OpenLink);
        }
    }

    fn ping(&mut self, now: Millis) {
        let dead_at = Some(now.plus(self.config.limits.link.answer_ms_max));
        self.link = Link::Online { ping_at: now.plus(self.ping_ms), dead_at, attempt: 0 };
        self.pinged_behind = self.in_flight > 0;
        self.probes = true;
        self.outputs.push_back(Output::Transmit(Frame::Ping));
    }

    fn transmit_pull(&mut self, cursor: Option<Cursor>) {
        let standing = self.standing(cursor);
        self.outputs.push_back(Output::Transmit(Frame::Pull(standing)));
    }

    fn standing(&self, cursor: Option<Cursor>) -> Standing {
        Standing { cursor, waiting: self.outbox.waiting_for() }
    }

    /// The server answers in order: what was asked before an answered ping has its answer, or was lost.
    pub(crate) fn ask_again(&mut self) {
        if planted::is(Bug::LostIsNotAskedAgain) {
            return;
        }
        if std::mem::take(&mut self.pinged_behind) && self.in_flight > 0 {
            self.in_flight = 0;
            for pending in self.outbox.iter_mut().filter(|p| p.progress == Progress::Sent) {
                pending.progress = Progress::Queued;
            }
        }
        if self.snapshot_wanted == Wanted::Asked && self.reading.is_none() {
            self.snapshot_wanted = Wanted::From(self.snapshot_after);
        }
    }

    /// The link is gone: what was under way is to be sent again, what was held back is shown from now on.
    pub(crate) fn forget_exchange(&mut self) {
        self.in_flight = 0;
        self.gathering = None;
        self.reading = None;
        self.pulling = false;
        if self.snapshot_wanted == Wanted::Asked {
            self.snapshot_wanted = Wanted::From(self.snapshot_after);
        }
        for pending in self.outbox.iter_mut() {
            if matches!(pending.progress, Progress::Sent | Progress::Decided) {
                pending.progress = Progress::Queued;
            }
        }
        let revealed = self.outbox.reveal(None);
        if !revealed.is_empty() {
            self.rebase(None, Vec::new(), revealed);
        }
    }
}

//! What storage holds, what other tabs put there, and which tab leads.
//!
//! One tab of a stream leads: it holds the link, sends what all tabs stored, in the outbox's order, and writes
//! what the server says. The others follow: they store what they dispatch by themselves, and hear from the leader
//! what it hears from the server. Where tabs cannot agree on a leader each of them leads; the server knows an
//! action that comes twice.

use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{Cursor, N, Seq};

use crate::clients::GAPS_MAX;
use crate::link::Link;
use crate::outbox::Pending;
use crate::{Client, Engine, Entry, HeldReason, Millis, Output, Progress, StoredState, Write};

impl<A: Clone> Engine<A> {
    pub(crate) fn restore(&mut self, stored: StoredState<A>) {
        self.learn_stored(&stored);
        self.take_in(stored.entries);
        self.cursor = stored.cursor;
        self.epoch = stored.epoch;
        self.head = self.place();
        self.uncompacted = stored.events.len();
        self.ready = true;
        self.rebase(stored.base, stored.events, Vec::new());
        self.read_what_was_missed();
    }

    pub(crate) fn read_again(&mut self) {
        self.reads += 1;
        self.outputs.push_back(Output::Reread);
    }

    fn read_what_was_missed(&mut self) {
        if std::mem::take(&mut self.missed) {
            self.read_again();
        }
    }

    /// Storage as it is now, for a tab that missed something or leads from now on.
    /// None: there is nothing to read any more.
    pub(crate) fn reread(&mut self, now: Millis, stored: Option<StoredState<A>>) {
        self.reads = self.reads.saturating_sub(1);
        let last = self.reads == 0;
        // Who begins to lead waits for what was asked for since it does.
        let ready = self.ready || last;
        self.ready = true;
        self.unread = stored.is_none();
        if let Some(stored) = stored {
            let before = self.cursor.clone();
            self.catch_up(stored);
            // What is answered to a hello is about the cursor that it had.
            if self.has_greeted() && self.cursor != before {
                self.give_up_link(now);
            }
        }
        self.ready = ready;
        if last {
            self.read_what_was_missed();
        }
        self.try_to_open(now);
    }

    fn catch_up(&mut self, stored: StoredState<A>) {
        // I2: another tab met a server that was reset, and this one did not; or the other way round.
        let same = stored.epoch == self.epoch;
        // Whoever has said hello hears from the server itself where it stands. Of a server that was restored it is
        // behind what is stored: asked about that, it says so.
        let beyond = self.link.is_online()
            && stored.cursor.as_ref().is_some_and(|stored| stored.seq > self.head);
        let greeted = self.has_greeted() && !beyond;
        let anew = if same {
            !self.leads && self.is_of_another(stored.cursor.as_ref())
        } else {
            !(self.leads && self.link.is_online()) && stored.base.is_some()
        };
        if anew {
            self.epoch = stored.epoch;
            self.clients.forget_settled();
            self.cursor = None;
            self.head = Seq(0);
        }
        self.learn_stored(&stored);
        self.can_read(&stored.entries);
        // What is written below is written as it stands on disk.
        self.refresh(&stored.entries);
        self.let_go(&stored.entries, anew);
        self.take_in(stored.entries);
        if anew {
            self.settle_what_was_before();
        }
        if anew || (same && !greeted && self.is_behind(stored.cursor.as_ref())) {
            self.cursor = stored.cursor;
            self.head = self.head.max(self.place());
            self.uncompacted = stored.events.len();
            self.rebase_on_stored(stored.base, stored.events);
        } else {
            // I2: what was seen here stays seen; a tab that leads stores what no tab had stored.
            if stored.cursor != self.cursor
                && let Some(cursor) = self.cursor.clone().filter(|_| self.leads && self.has_state())
            {
                self.outputs.push_back(Output::Compact(cursor));
            }
            self.replay();
        }
    }

    /// I5: what this page has no more of its own was settled by a server that is gone. Who sends the rest may not know.
    fn settle_what_was_before(&mut self) {
        let own = self.outbox.iter_mut().find(|p| p.entry.id.client == Client::OWN);
        let Some(first) = own.filter(|p| p.stored && p.entry.from > N(1)) else { return };
        first.entry.from = N(1);
        let write = Write { entries: vec![first.entry.clone()], ..Write::default() };
        self.outputs.push_back(Output::Persist(write));
    }

    fn has_greeted(&self) -> bool {
        matches!(self.link, Link::Greeting { .. } | Link::Online { .. })
    }

    fn learn_stored(&mut self, stored: &StoredState<A>) {
        self.learn(&stored.settled);
        for id in &stored.passed {
            self.clients.pass(*id);
        }
    }

    /// The first log that was met here is not the first that another tab met.
    fn is_of_another(&self, stored: Option<&Cursor>) -> bool {
        self.cursor.as_ref().zip(stored).is_some_and(|(own, stored)| own.log != stored.log)
    }

    fn is_behind(&self, stored: Option<&Cursor>) -> bool {
        match (&self.cursor, stored) {
            (Some(own), Some(stored)) => {
                // The same place in another history: of a server that was restored.
                let other = own.seq == stored.seq && own.chain != stored.chain && !self.leads;
                own.log == stored.log && own.seq < stored.seq || other
            }
            (None, stored) => stored.is_some(),
            (Some(_), None) => false,
        }
    }

    /// What storage no longer holds is done, as its own tab was told. An own action without a verdict is stored
    /// anew: whoever sends it gets the verdict that it has, and it is not shown beside what it led to; but held, where
    /// that was a verdict of a server that was reset. What was held another tab has dropped.
    fn let_go(&mut self, stored: &[Entry<A>], reset: bool) {
        let mut gone = Vec::new();
        let mut at = 0;
        for Pending { entry, .. } in self.outbox.iter().filter(|p| p.stored) {
            // Both lists have the same order: each is walked once.
            while stored.get(at).is_some_and(|e| e.order < entry.order) {
                at += 1;
            }
            let mut here = stored.iter().skip(at).take_while(|e| e.order == entry.order);
            if !here.any(|e| e.id == entry.id) {
                gone.push(entry.id);
            }
        }
        let settled = self.clients.settled(Client::OWN);
        let mut entries = Vec::new();
        for id in gone {
            let unknown = reset && id.client == Client::OWN && id.n > settled;
            if unknown && self.hold(id, HeldReason::Reset) {
                entries.extend(self.outbox.find(id).map(|own| own.entry.clone()));
                continue;
            }
            match self.outbox.find_mut(id) {
                Some(own) if id.client == Client::OWN && !own.is_held() => {
                    own.included = id.n <= settled;
                    entries.push(own.entry.clone());
                    self.set_progress(id, Progress::Queued);
                }
                // Another tab has dropped it.
                Some(own) if id.client == Client::OWN && own.is_held() => {
                    self.pass_over(id, &mut entries);
                }
                Some(_) | None => drop(self.take_out(id)),
            }
        }
        if !entries.is_empty() {
            self.outputs.push_back(Output::Persist(Write { entries, ..Write::default() }));
        }
    }

    /// What another tab made of entries: it edited its own, dropped one before them, or the leader holds one. What
    /// the leader holds and another tab has written as it was before is written once more.
    fn refresh(&mut self, stored: &[Entry<A>]) {
        let mut held = Vec::new();
        let mut entries = Vec::new();
        let mut at = 0;
        for pending in self.outbox.iter_mut().filter(|p| p.stored) {
            let queued = pending.progress == Progress::Queued;
            let entry = &mut pending.entry;
            // Another tab's may be on its way to be asked about.
            let asked =
                pending.progress == Progress::Sent && !self.clients.is_ours(entry.id.client);
            while stored.get(at).is_some_and(|e| e.order < entry.order) {
                at += 1;
            }
            let mut here = stored.iter().skip(at).take_while(|e| e.order == entry.order);
            let Some(news) = here.find(|e| e.id == entry.id) else { continue };
            if let Some(reason) = news.held.filter(|_| queued || asked) {
                held.push((entry.id, reason));
            }
            if entry.held.is_some() && news.held.is_none() {
                entries.push(entry.clone());
            }
            // A held one's numbers too: what is behind it waits for those that are missing.
            if entry.id.client != Client::OWN {
                entry.from = news.from;
                if queued && news.held.is_none() {
                    entry.bytes = news.bytes;
                    entry.action = news.action.clone();
                }
            }
        }
        self.outbox.weigh();
        for (id, reason) in held {
            self.hold(id, reason);
        }
        if !entries.is_empty() {
            self.persist(Write { entries, ..Write::default() });
        }
    }

    pub(crate) fn arrive(&mut self, entries: Vec<Entry<A>>) {
        // Who goes on storing lives, though it was taken for dead: more may be on its way.
        for entry in entries.iter().filter(|e| e.id.client != Client::OWN) {
            if let Some(row) = self.clients.get_mut(entry.id.client) {
                row.patience = GAPS_MAX;
            }
        }
        self.can_read(&entries);
        self.take_in_and_show(entries);
    }

    /// Where others store, this page can read: what is missing there is not to be found.
    fn can_read(&mut self, entries: &[Entry<A>]) {
        for entry in entries {
            // What this page took over it may have read but in part.
            if let Some(row) = self.clients.get_mut(entry.id.client).filter(|row| !row.ours) {
                row.whole = true;
            }
        }
    }

    fn take_in_and_show(&mut self, entries: Vec<Entry<A>>) {
        if self.take_in(entries) {
            self.replay();
        }
    }

    pub(crate) fn adopt(&mut self, client: Client, entries: Vec<Entry<A>>, whole: bool) {
        if let Some(row) = self.clients.get_mut(client) {
            row.whole = whole || (row.ours && row.whole);
            row.ours = true;
            if whole {
                row.patience = 0;
            }
        }
        self.take_in_and_show(entries);
    }

    /// Takes in what is news. What is done already goes, whatever a backup or a journal brings back; but what
    /// another tab has stored anew gets the verdict that it has. Gives whether the outbox is another one now.
    fn take_in(&mut self, entries: Vec<Entry<A>>) -> bool {
        let mut news = Vec::new();
        let mut write = Write::default();
        let mut done = Vec::new();
        let mut at = 0;
        for mut entry in entries {
            let id = entry.id;
            if self.outbox.has(&entry, &mut at) {
                continue;
            }
            // What this page has no more of its own was decided or dropped, whoever stored it anew. Where another tab
            // leads, that one asks the server about it.
            if id.client == Client::OWN && self.ready {
                if self.leads {
                    write.removed.push(id);
                }
                continue;
            }
            if let Some((_, held)) = self.dropped.iter().find(|(dropped, _)| *dropped == id) {
                // Its own tab slept, and has stored it as it was before.
                let gone = self.clients.is_ours(id.client) && self.clients.is_whole(id.client);
                let anew = !gone && entry.held.is_none();
                let Some(reason) = held.filter(|_| anew) else { continue };
                entry.held = Some(reason);
                write.entries.push(entry.clone());
            }
            // What is held is kept whatever its number.
            let included = id.n <= self.clients.settled(id.client) && entry.held.is_none();
            let asked_for = self.ready && self.leads && !self.clients.is_ours(id.client);
            if included && !asked_for {
                done.push(id);
            } else {
                news.push(Pending { included, ..Pending::restored(entry) });
            }
        }
        let mut changed = !news.is_empty();
        for pending in news {
            // Numbers behind it may be settled before it is read again: by then it must be known as held.
            if pending.entry.held == Some(HeldReason::Schema)
                && pending.entry.schema < self.config.schema
            {
                write.entries.push(pending.entry.clone());
            }
            self.put(pending);
        }
        // A page that died while one action took the place of two may have left both.
        for id in self.outbox.merged() {
            changed = true;
            self.take_out(id);
        }
        if !write.entries.is_empty() || !write.removed.is_empty() {
            self.outputs.push_back(Output::Persist(write));
        }
        if !done.is_empty() && !planted::is(Bug::SettledStaysStored) {
            self.persist(Write { settled: done, ..Write::default() });
        }
        changed
    }

    pub(crate) fn lead(&mut self, now: Millis, leads: bool) {
        if leads == self.leads {
            return;
        }
        if !leads {
            self.close_link();
        } else if !planted::is(Bug::LeaderHidesOn) {
            // The link of the tab that led is gone, and what was held back for its answer is shown.
            self.forget_exchange();
        }
        self.leads = leads;
        self.relayed = false;
        // Who led before may have sent what it could read.
        self.may_be_sent();
        if leads && self.wanted {
            self.link = Link::Waiting { retry_at: now, attempt: 0 };
        }
        if self.ready {
            // Who leads does not take a step before it is known what the others left.
            self.ready = !leads;
            self.read_again();
        }
    }

    /// Another tab can send what is stored: none of it can be taken back any more.
    fn may_be_sent(&mut self) {
        for pending in self.outbox.iter_mut() {
            pending.ever_sent |= self.ready;
        }
    }

    pub(crate) fn relay(&mut self, online: bool, schema: u32) {
        if !self.leads {
            let news = online && !self.relayed;
            self.relayed = online;
            self.schema = schema;
            if online {
                self.may_be_sent();
            }
            if !online {
                self.forget_exchange();
            } else if news {
                self.read_anew();
            }
        }
    }
}

//! What the server says, and what follows from it.
//!
//! Keeps I1 (the visible state is the fold of the confirmed and the shown), I2 (a cursor never goes back)
//! and I3 (every verdict is told, once).

use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{Check, Cursor, N, Rejection, Seq, code};

use crate::link::Link;
use crate::outbox::Pending;
use crate::snapshot::{Wanted, gather};
use crate::{
    Engine, Event, Events, Fate, HeldReason, Id, Merge, Message, Millis, Notice, Output, Progress,
    Refusal, SnapshotPart, StoredEvent, Verdict, Welcome, Write, merge,
};

/// So many stored events are replaced by the state they led to.
const COMPACT_EVENTS: usize = 1_000;

/// An event with what it meant for the outbox.
struct Told<A> {
    event: Event<A>,
    /// The pending action that it settled.
    pending: Option<Pending<A>>,
    /// It settled shown actions that it did not name: those are held now.
    passed_over: bool,
}

impl<A: Clone> Engine<A> {
    pub(crate) fn receive(&mut self, now: Millis, message: Message<A>) {
        let greeting = matches!(self.link, Link::Greeting { .. });
        let expected = match &message {
            Message::Welcome(_) => greeting,
            Message::Failed => greeting || self.link.is_online(),
            // To a tab that follows its leader passes these on.
            Message::Events(_) | Message::Verdicts(_) => self.is_online(),
            Message::Snapshot(_) => self.is_online(),
            Message::Refused { .. } | Message::Pong(_) => self.link.is_online(),
        };
        // A frame that was read before its socket was closed says nothing any more.
        if !expected || !self.ready {
            // What the leader passes on before this tab can take it in is read from the disk then.
            self.missed |= !self.leads && !self.ready;
            return;
        }
        self.heard(now);
        match message {
            Message::Welcome(welcome) => self.welcome(now, &welcome),
            Message::Events(events) => self.events(now, events),
            // What brought the leader up to date may be another log of the same name: this tab reads what became of it
            // before it folds anything into its own.
            Message::Snapshot(_) if !self.leads && self.snapshot_wanted == Wanted::No => {
                self.pull()
            }
            Message::Snapshot(part) => self.snapshot_part(part),
            Message::Verdicts(verdicts) => self.verdicts(verdicts),
            Message::Refused { id, refusal, last } => self.refused(now, id, refusal, last),
            Message::Pong(head) => self.pong(head),
            // The server has left the stream, or will close the socket: begin anew, later.
            Message::Failed => self.back_off(now),
        }
    }

    fn welcome(&mut self, now: Millis, welcome: &Welcome) {
        self.wire = welcome.limits;
        self.ping_ms = u64::from(welcome.ping_ms).max(1_000);
        self.schema = welcome.schema;
        let attempt = self.link.attempt();
        self.link = Link::Online { ping_at: now.plus(self.ping_ms), dead_at: None, attempt };
        // I2: knowing less of a client than was confirmed is a reset too, even where the chain fits.
        let forgotten = welcome.settled.iter().any(|id| id.n < self.clients.settled(id.client));
        if welcome.reset || forgotten {
            self.reset(now, welcome, forgotten && !welcome.reset);
        } else {
            self.head = self.head.max(welcome.head);
            self.learn(&welcome.settled);
        }
    }

    /// The server is not the one we knew: everything pending is kept, held and told.
    fn reset(&mut self, now: Millis, welcome: &Welcome, ask: bool) {
        let mut all = Vec::new();
        for pending in self.outbox.iter() {
            all.push(pending.entry.id);
        }
        let mut held = 0;
        for id in all {
            held += usize::from(self.hold(id, HeldReason::Reset));
        }
        // Nor are the numbers of those that have nothing pending worth anything: what they dispatch next
        // must not look like a reset again.
        self.clients.forget_settled();
        self.epoch = self.jitter.draw() >> 32 | 1;
        self.learn(&welcome.settled);
        self.cursor = None;
        self.snapshot_wanted = Wanted::Asked;
        self.head = welcome.head;
        self.replay();
        self.outputs.push_back(Output::Notify(Notice::Reset(held)));
        if ask {
            self.ask_for_snapshot(now);
        }
    }

    /// How far the server is with our clients. What it has settled already is sent all the same: the answer
    /// is the verdict, and says whether its event is still to come.
    pub(crate) fn learn(&mut self, settled: &[Id]) {
        for id in settled {
            self.clients.settle(*id);
        }
    }

    fn events(&mut self, now: Millis, frame: Events<A>) {
        // After a reset the state is that of a log that is gone: nothing can be folded into it.
        let astray = self.cursor.is_none()
            && self.snapshot_wanted != Wanted::No
            && !planted::is(Bug::EventsIntoOldLog);
        let same_log = self.cursor.as_ref().is_none_or(|cursor| cursor.log == frame.log);
        let place = self.place();
        // What storage is being read for is in it; what a leader waits for after a reset comes as a whole.
        let reads = !self.leads && (self.reads > 0 || self.unread || astray);
        if astray && self.leads {
            return;
        }
        if !same_log || frame.after > place || reads {
            return self.pull();
        }
        let end = Seq(frame.after.0.saturating_add(frame.events.len() as u64));
        // I2: our place in another history, of a server that was restored: nothing follows on it.
        let own = self.cursor.as_ref();
        let here = |e: &Event<A>| own.is_some_and(|own| own.seq == e.seq && own.chain != e.chain);
        if frame.events.iter().any(here) {
            self.cursor = None;
            self.ask_for_snapshot(now);
            if !self.leads {
                self.pull();
            }
            return;
        }
        let twice = planted::is(Bug::EventsTwice) && frame.after < place;
        let fresh: Vec<_> = frame.events.into_iter().filter(|e| e.seq > place || twice).collect();
        let Some(last) = fresh.last() else {
            if end == place {
                self.compare(frame.check);
            }
            return;
        };
        let in_order = |(event, step): (&Event<A>, u64)| event.seq.0 - place.0 == step;
        let gap_free = twice || fresh.iter().zip(1..).all(in_order);
        // An event that came short is one of ours; should we not have it, the pull brings it whole.
        if !gap_free || fresh.iter().any(|e| is_short(e) && self.pending_for(e).is_none()) {
            return self.pull();
        }
        if self.is_outdated() {
            return self.set_aside(fresh);
        }
        // What an older app folded is still in the state.
        let schema = self.cursor.as_ref().and_then(|cursor| cursor.schema);
        let cursor = Cursor { log: frame.log, seq: last.seq, chain: last.chain.clone(), schema };
        self.pulling = false;
        self.apply_events(fresh, cursor);
        self.compare(frame.check);
    }

    /// I9: the confirmed state stands where the server's does. Only like is compared with like; what is known to
    /// be wrong is not looked at again.
    fn compare(&mut self, check: Option<Check>) {
        let Some(Check { schema, sum }) = check else { return };
        if schema == self.config.schema && self.snapshot_wanted == Wanted::No {
            self.outputs.push_back(Output::Compare { seq: self.place(), sum });
        }
    }

    /// A newer app's events are not folded here. What they accept stays shown until the app is reloaded.
    fn set_aside(&mut self, events: Vec<Event<A>>) {
        let mut write = Write::default();
        let (mut told, mut entering) = (Vec::new(), Vec::new());
        for event in events {
            let Some(id) = event.id else { continue };
            if event.error.is_some() {
                self.clients.settle(id);
                if let Some(pending) = self.take_out(id) {
                    write.settled.push(id);
                    told.push((pending, event));
                }
            } else if let Some(pending) = self.outbox.find_mut(id) {
                told.push((pending.clone(), event));
                // The same events come with each new link.
                pending.told = !planted::is(Bug::ToldWithEachLink);
                entering.extend(self.outbox.reveal(Some(id)));
                self.set_progress(id, Progress::Decided);
            }
        }
        if !write.settled.is_empty() || !entering.is_empty() {
            self.rebase(None, Vec::new(), entering);
        }
        if !write.settled.is_empty() {
            self.persist(write);
        }
        for (pending, event) in told {
            self.tell(pending, event.seq, event.error);
        }
    }

    fn apply_events(&mut self, fresh: Vec<Event<A>>, cursor: Cursor) {
        let shown = self.outbox.shown().map(|p| p.entry.id);
        let mut decision = merge(shown, fresh.iter().map(|event| self.fate(event)));
        let mut told = Vec::new();
        for event in fresh {
            told.push(self.settle_event(event));
        }
        if told.iter().any(|t| t.passed_over) {
            decision = Merge::Rebase { count: 0, at: 0 };
        }
        let behind = self.cursor.clone();
        let mut write = Write { behind, cursor: Some(cursor.clone()), ..Write::default() };
        for Told { event, pending, .. } in &told {
            write.events.extend(stored_event(event, pending.as_ref()));
            write.settled.extend(pending.as_ref().map(|p| p.entry.id));
        }

        // I1 before anything else: the store shows the new state when the notices come.
        match decision {
            Merge::Ignore => {}
            Merge::Advance { count } => self.advance(count),
            Merge::Rebase { count, at } => {
                self.advance(count);
                let after = told.get(at).map_or(Seq(0), |t| t.event.seq);
                let mut news = Vec::new();
                for event in write.events.iter().filter(|e| e.seq >= after) {
                    news.push(event.clone());
                }
                let mut entering = Vec::new();
                for Told { event, pending, .. } in &told {
                    if let Some(p) = pending.as_ref().filter(|p| p.hidden && event.error.is_none())
                    {
                        entering.push(p.entry.action.clone());
                    }
                }
                self.rebase(None, news, entering);
            }
        }

        // One transaction: events, cursor and what they settled (I2: never a cursor without its events).
        self.uncompacted += write.events.len();
        self.persist(write);
        debug_assert!(cursor.seq > self.place(), "I2: a cursor never goes back");
        self.head = self.head.max(cursor.seq);
        if self.leads && self.uncompacted >= COMPACT_EVENTS && self.has_state() {
            self.uncompacted = 0;
            self.outputs.push_back(Output::Compact(cursor.clone()));
        }
        self.cursor = Some(cursor);
        // Without a name it may be ours: the server named its events after what an older hello asked for.
        if told.iter().any(|t| t.event.id.is_none()) {
            self.ask_for_verdicts();
        }
        for Told { event, pending, .. } in told {
            if let Some(pending) = pending {
                self.tell(pending, event.seq, event.error);
            }
        }
    }

    fn fate(&self, event: &Event<A>) -> Fate {
        match event.id {
            // The server may have brought an older app's action up to date: not the one that is shown.
            Some(_) if event.error.is_none() && self.is_older(event) => Fate::Reject,
            Some(id) if event.error.is_none() => Fate::Fold(id),
            Some(_)
                if self.pending_for(event).is_some_and(Pending::is_shown)
                    && !planted::is(Bug::RejectedStaysVisible) =>
            {
                Fate::Reject
            }
            Some(_) | None => Fate::Skip,
        }
    }

    /// Takes out of the outbox what an event settles.
    fn settle_event(&mut self, event: Event<A>) -> Told<A> {
        let Some(id) = event.id else {
            return Told { event, pending: None, passed_over: false };
        };
        let pending = self.take_out(id);
        let before = self.clients.settled(id.client);
        self.clients.settle(id);
        let mut passed_over = false;
        // Numbers between that are still here will never be taken: not shown as if they could be.
        if before.next() < id.n {
            for passed in self.pending_up_to(id) {
                passed_over |= passed.n > before && self.hold(passed, HeldReason::Skipped);
            }
        }
        Told { event, pending, passed_over }
    }

    fn advance(&mut self, count: usize) {
        if count > 0 {
            self.outputs.push_back(Output::Advance(count));
        }
    }

    fn snapshot_part(&mut self, part: SnapshotPart<A>) {
        let bytes_max = self.config.limits.link.snapshot_bytes_max;
        if let Some((mark, pieces)) = gather(&mut self.gathering, part, bytes_max) {
            self.reading = Some(mark);
            self.outputs.push_back(Output::ReadSnapshot(pieces));
        }
    }

    pub(crate) fn take_snapshot(
        &mut self,
        now: Millis,
        state: A,
        settled: &[Id],
        rejections: &[Verdict],
    ) {
        let Some(mark) = self.reading.take() else {
            return;
        };
        // I2: a state older than ours is of no use. Events may have come while its text was read.
        let older = self.cursor.as_ref().is_some_and(|cursor| mark.is_before(cursor));
        if older && !planted::is(Bug::SnapshotOverNewer) {
            if self.snapshot_wanted != Wanted::No {
                self.ask_for_snapshot(now);
            }
            return;
        }
        self.cursor = mark.cursor();
        self.head = self.head.max(mark.seq);
        self.uncompacted = 0;
        self.pulling = false;
        self.snapshot_wanted = Wanted::No;
        // What it includes leaves the outbox.
        let (mut gone, mut done, mut entering) = (Vec::new(), Vec::new(), Vec::new());
        let mut included: Vec<_> =
            settled.iter().flat_map(|row| self.pending_up_to(*row)).collect();
        if planted::is(Bug::SnapshotLeavesEntry) {
            included.pop();
        }
        for id in included {
            let Some(pending) = self.take_out(id) else { continue };
            let rejection = rejections.iter().find(|r| r.id == id);
            if pending.hidden && rejection.is_none() {
                entering.push(pending.entry.action.clone());
            }
            done.push(id);
            gone.push((pending, rejection));
        }
        self.learn(settled);
        self.persist(Write {
            state: Some(state.clone()),
            cursor: self.cursor.clone(),
            settled: done,
            ..Write::default()
        });
        // What is kept for its verdict alone has no event to come any more; nor has, it may be, what this state has
        // though its rows do not name the client: they answer an older question.
        self.ask_for_verdicts();
        // I1: the state first, then what became of the actions.
        self.rebase(Some(state), Vec::new(), entering);
        for (pending, rejection) in gone {
            let seq = rejection.map_or(mark.seq, |r| r.seq);
            self.tell(pending, seq, rejection.and_then(|r| r.error.clone()));
        }
    }

    /// The events that decided actions wait for may never come under their names: sent again they get their verdicts.
    fn ask_for_verdicts(&mut self) {
        let asks = |p: &&mut Pending<A>| p.included || !planted::is(Bug::SnapshotLeavesEntry);
        for pending in self.outbox.iter_mut().filter(|p| !p.told).filter(asks) {
            if pending.progress == Progress::Decided {
                pending.progress = Progress::Queued;
            }
        }
    }

    pub(crate) fn fold_failed(&mut self, now: Millis, seq: Seq) {
        if self.snapshot_wanted == Wanted::No {
            self.outputs.push_back(Output::Notify(Notice::Diverged(seq)));
        }
        self.ask_for_snapshot(now);
    }

    fn verdicts(&mut self, verdicts: Vec<Verdict>) {
        let place = self.place();
        let mut write = Write::default();
        let mut visible = false;
        for Verdict { id, seq, error } in verdicts {
            self.clients.settle(id);
            // What was skipped has no event of its own.
            let skipped = error.as_ref().is_some_and(|e| e.code == code::DROPPED);
            if seq > place && !skipped {
                // Its event is still to come, and with it the change of state.
                self.set_progress(id, Progress::Decided);
            } else if let Some(pending) = self.take_out(id) {
                visible |= pending.is_shown();
                write.settled.push(id);
                self.tell(pending, seq, error);
            }
        }
        if !write.settled.is_empty() {
            self.persist(write);
        }
        if visible {
            self.replay();
        }
    }

    /// The entry, and those of its push behind it, did not reach the model.
    fn refused(&mut self, now: Millis, id: Id, refusal: Refusal, last: N) {
        let mut behind = false;
        for pending in self.outbox.iter_mut().filter(|p| p.progress == Progress::Sent) {
            behind |= pending.entry.id == id;
            if behind {
                pending.progress = Progress::Queued;
                self.in_flight -= 1;
            }
        }
        match refusal {
            Refusal::Hold(reason) => {
                let mut held = self.hold(id, reason);
                // Who may not send one action of a client may send none of them.
                if reason == HeldReason::OtherSubject {
                    for other in self.outbox.queued_of(id.client) {
                        held |= self.hold(other, reason);
                    }
                }
                if held {
                    self.replay();
                }
            }
            // The server names its last number of that client: the next entry goes on from there. Where it
            // names what we had sent, to send the same again at once would be a loop.
            Refusal::Correct if self.clients.settled(id.client) != last => {
                if let Some(row) = self.clients.get_mut(id.client) {
                    // What it does not know any more was settled by a server that is gone.
                    if row.settled > last {
                        row.passed = row.passed.max(row.settled);
                    }
                    row.settled = last;
                }
            }
            Refusal::Correct | Refusal::Later => {
                // Nobody may be left to store what is missing: who took a client over may not lead any more, and a tab
                // that lived without its lock dies unnoticed.
                if refusal == Refusal::Correct
                    && let Some(row) = self.clients.get_mut(id.client)
                {
                    row.patience = row.patience.saturating_sub(1);
                }
                self.push_after = Some(now.plus(self.config.limits.link.retry_ms_min * 4));
            }
        }
    }

    fn pong(&mut self, head: Seq) {
        self.ask_again();
        self.head = self.head.max(head);
        if head > self.place() && !self.is_outdated() {
            // Whatever became of the last pull, there is something to ask for.
            self.pulling = false;
            self.pull();
        }
    }

    /// Another tab's action is told by that tab.
    fn tell(&mut self, pending: Pending<A>, seq: Seq, error: Option<Rejection>) {
        let (id, action) = (pending.entry.id, pending.entry.action);
        // I3: once.
        if self.clients.is_ours(id.client) && !pending.told {
            self.outputs.push_back(Output::Notify(Notice::Verdict { id, seq, error, action }));
        }
    }

    pub(crate) fn hold(&mut self, id: Id, reason: HeldReason) -> bool {
        if self.outbox.find(id).is_some_and(|p| p.progress == Progress::Sent) {
            self.in_flight -= 1;
        }
        let Some(pending) = self.outbox.hold(id, reason) else { return false };
        let (entry, action) = (pending.entry.clone(), pending.entry.action.clone());
        self.persist(Write { entries: vec![entry], ..Write::default() });
        if self.clients.is_ours(id.client) {
            self.outputs.push_back(Output::Notify(Notice::Held { id, reason, action }));
        }
        true
    }

    fn is_older(&self, event: &Event<A>) -> bool {
        event.action.is_some()
            && self.pending_for(event).is_some_and(|p| p.entry.schema < self.config.schema)
    }

    fn pending_for(&self, event: &Event<A>) -> Option<&Pending<A>> {
        let id = event.id?;
        self.clients.get(id.client).filter(|c| c.pending > 0)?;
        self.outbox.find(id)
    }

    /// The pending actions of a client up to that number, without those held.
    fn pending_up_to(&self, id: Id) -> Vec<Id> {
        if self.clients.get(id.client).is_none_or(|c| c.pending == 0) {
            return Vec::new();
        }
        self.outbox.up_to(id.client, id.n)
    }

    pub(crate) fn set_progress(&mut self, id: Id, progress: Progress) {
        if let Some(pending) = self.outbox.find_mut(id).filter(|p| !p.is_held()) {
            self.in_flight -= usize::from(pending.progress == Progress::Sent);
            pending.progress = progress;
        }
    }
}

fn is_short<A>(event: &Event<A>) -> bool {
    event.id.is_some() && event.action.is_none() && event.error.is_none()
}

/// The event as it is kept: with its action, which a short one takes from the outbox.
fn stored_event<A: Clone>(
    event: &Event<A>,
    pending: Option<&Pending<A>>,
) -> Option<StoredEvent<A>> {
    // Without a name it is another's rejection, whatever else it says: it was not folded either.
    if event.error.is_some() || event.id.is_none() {
        return None;
    }
    let own = pending.map(|p| &p.entry.action);
    let action = event.action.as_ref().or(own)?.clone();
    Some(StoredEvent { seq: event.seq, action })
}

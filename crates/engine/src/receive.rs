//! What the server says, and what follows from it.
//!
//! Keeps I1 (the visible state is the fold of the confirmed and the shown), I2 (a cursor never goes back)
//! and I3 (every verdict is told, once).

use twinstore_protocol::{
    ClientId, ClientRow, Cursor, ErrorFrame, Event, Events, N, Pong, Refused, Rejection, Seq,
    SnapshotPart, VerdictRow, Welcome, code,
};

use crate::link::Link;
use crate::outbox::Pending;
use crate::snapshot::{Wanted, gather};
use crate::{
    Apply, Engine, Fate, HeldReason, Merge, Message, Millis, Notice, Output, Progress, StoredEvent,
    Write, merge,
};

/// What a snapshot settled.
struct Settled<A> {
    entries: Vec<(ClientId, N)>,
    /// Accepted ones that were held back.
    entering: Vec<A>,
    notices: Vec<Output<A>>,
}

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
        let expected = match &message {
            Message::Welcome(_) => matches!(self.link, Link::Greeting { .. }),
            Message::Error(_) => matches!(self.link, Link::Greeting { .. } | Link::Online { .. }),
            Message::Events(_)
            | Message::Snapshot(_)
            | Message::Verdicts(_)
            | Message::Refused(_)
            | Message::Pong(_) => self.link.is_online(),
        };
        // A frame that was read before its socket was closed says nothing any more.
        if !expected {
            return;
        }
        self.heard(now);
        match message {
            Message::Welcome(welcome) => self.welcome(now, &welcome),
            Message::Events(events) => self.events(events),
            Message::Snapshot(part) => self.snapshot_part(part),
            Message::Verdicts(verdicts) => self.verdicts(&verdicts.verdicts),
            Message::Refused(refused) => self.refused(now, &refused),
            Message::Pong(pong) => self.pong(&pong),
            Message::Error(error) => self.error(now, error),
        }
    }

    fn welcome(&mut self, now: Millis, welcome: &Welcome) {
        self.wire = welcome.limits;
        self.ping_ms = u64::from(welcome.ping_ms).max(1_000);
        self.outdated = welcome.schema > self.config.schema;
        let attempt = self.link.attempt();
        self.link = Link::Online { ping_at: now.plus(self.ping_ms), dead_at: None, attempt };
        // I2: knowing less of a client than was confirmed is a reset too, even where the chain fits.
        let forgotten = welcome.clients.iter().any(|row| row.last < self.settled(&row.client));
        if welcome.reset || forgotten {
            self.reset(now, welcome, forgotten && !welcome.reset);
        } else {
            self.head = self.head.max(welcome.head);
            self.learn_rows(&welcome.clients);
        }
    }

    /// The server is not the one we knew: everything pending is kept, held and told.
    fn reset(&mut self, now: Millis, welcome: &Welcome, ask: bool) {
        let all: Vec<_> = self.outbox.iter().map(|p| (p.entry.client.clone(), p.entry.n)).collect();
        let mut held = 0;
        for (client, n) in all {
            held += usize::from(self.hold(&client, n, HeldReason::Reset));
        }
        // Nor are the numbers of those that have nothing pending worth anything: what they dispatch next
        // must not look like a reset again.
        self.clients.forget_settled();
        self.outputs.push_back(Output::Persist(Write::Reset));
        self.learn_rows(&welcome.clients);
        self.cursor = None;
        self.snapshot_wanted = Wanted::Asked;
        self.head = welcome.head;
        self.rebase(None, Vec::new(), Vec::new());
        self.outputs.push_back(Output::Notify(Notice::Reset { held }));
        if ask {
            self.ask_for_snapshot(now);
        }
    }

    /// How far the server is with our clients. What it has settled already is sent all the same: the answer
    /// is the verdict, and says whether its event is still to come.
    fn learn_rows(&mut self, rows: &[ClientRow]) {
        for row in rows {
            let known = self.clients.row(&row.client);
            known.settled = known.settled.max(row.last);
        }
    }

    /// Settles by rows what a snapshot includes.
    fn settle_rows(&mut self, rows: &[ClientRow], seq: Seq) -> Settled<A> {
        let mut settled =
            Settled { entries: Vec::new(), entering: Vec::new(), notices: Vec::new() };
        for row in rows {
            for n in self.pending_of(&row.client, row.last) {
                let Some(pending) = self.take_out(&row.client, n) else {
                    continue;
                };
                let rejection = row.rejections.iter().find(|r| r.n == n);
                let error = rejection.map(|r| r.error.clone());
                if pending.hidden && error.is_none() {
                    settled.entering.push(pending.entry.action.clone());
                }
                let at = rejection.map_or(seq, |r| r.seq);
                settled.notices.extend(self.notice(pending, at, error));
                settled.entries.push((row.client.clone(), n));
            }
        }
        settled
    }

    fn events(&mut self, frame: Events<A>) {
        let same_log = self.cursor.as_ref().is_none_or(|cursor| cursor.log == frame.log);
        let place = self.place();
        if !same_log || frame.after > place {
            return self.pull();
        }
        let fresh: Vec<_> = frame.events.into_iter().filter(|e| e.seq > place).collect();
        let Some(last) = fresh.last() else { return };
        let gap_free = fresh.iter().zip(place.0 + 1..).all(|(event, seq)| event.seq.0 == seq);
        // An event that came short is one of ours; should we not have it, the pull brings it whole.
        if !gap_free
            || fresh.iter().any(|event| self.is_short(event) && self.pending_for(event).is_none())
        {
            return self.pull();
        }
        let cursor = Cursor { log: frame.log, seq: last.seq, chain: last.chain.clone() };
        self.pulling = false;
        self.apply_events(fresh, cursor);
    }

    fn apply_events(&mut self, fresh: Vec<Event<A>>, cursor: Cursor) {
        let decision = {
            let shown = self.outbox.shown().map(|p| (&p.entry.client, p.entry.n));
            merge(shown, fresh.iter().map(|event| self.fate(event)))
        };
        let told: Vec<_> = fresh.into_iter().map(|event| self.settle_event(event)).collect();
        let decision = match decision {
            _ if told.iter().any(|t| t.passed_over) => Merge::Rebase { count: 0, at: 0 },
            decision => decision,
        };
        let folded: Vec<_> = told.iter().filter_map(|t| Some((t, stored_event(t)?))).collect();

        // I1 before anything else: the store shows the new state when the notices come.
        match decision {
            Merge::Ignore => {}
            Merge::Advance { count } => self.advance(count),
            Merge::Rebase { count, at } => {
                self.advance(count);
                let after = told.get(at).map_or(Seq(0), |t| t.event.seq);
                let news = folded.iter().map(|(_, e)| e).filter(|e| e.seq >= after);
                let hidden =
                    folded.iter().filter_map(|(t, _)| t.pending.as_ref()).filter(|p| p.hidden);
                let entering = hidden.map(|p| p.entry.action.clone()).collect();
                let news = news.cloned().collect();
                self.rebase(None, news, entering);
            }
        }

        // One transaction: events, cursor and what they settled (I2: never a cursor without its events).
        let settled = told.iter().filter_map(|t| t.pending.as_ref());
        let write = Write::Confirm {
            settled: settled.map(|p| (p.entry.client.clone(), p.entry.n)).collect(),
            events: folded.into_iter().map(|(_, event)| event).collect(),
            cursor: Some(cursor.clone()),
        };
        self.outputs.push_back(Output::Persist(write));
        debug_assert!(cursor.seq > self.place(), "I2: a cursor never goes back");
        self.head = self.head.max(cursor.seq);
        self.cursor = Some(cursor);
        for Told { event, pending, .. } in told {
            if let Some(pending) = pending {
                self.tell(pending, event.seq, event.error);
            }
        }
    }

    fn fate<'a>(&self, event: &'a Event<A>) -> Fate<'a> {
        match (&event.client, event.n) {
            (Some(client), Some(n)) if event.error.is_none() => Fate::Fold(client, n),
            (Some(_), Some(_)) if self.pending_for(event).is_some_and(Pending::is_shown) => {
                Fate::Reject
            }
            _ => Fate::Skip,
        }
    }

    /// Takes out of the outbox what an event settles.
    fn settle_event(&mut self, event: Event<A>) -> Told<A> {
        let (Some(client), Some(n)) = (&event.client, event.n) else {
            return Told { event, pending: None, passed_over: false };
        };
        let pending = self.take_out(client, n);
        let mut passed_over = false;
        if let Some(row) = self.clients.get_mut(client) {
            let before = row.settled;
            row.settled = before.max(n);
            // Numbers between that are still here will never be taken: not shown as if they could be.
            if before.next() < n {
                for passed in self.pending_of(client, n) {
                    passed_over |= self.hold(client, passed, HeldReason::Skipped);
                }
            }
        }
        Told { event, pending, passed_over }
    }

    fn advance(&mut self, count: usize) {
        if count > 0 {
            self.outputs.push_back(Output::Apply(Apply::Advance { count }));
        }
    }

    fn snapshot_part(&mut self, part: SnapshotPart) {
        if let Some((mark, text)) =
            gather(&mut self.gathering, part, self.config.limits.link.snapshot_bytes_max)
        {
            self.reading = Some(mark);
            self.outputs.push_back(Output::ReadSnapshot(text));
        }
    }

    pub(crate) fn take_snapshot(&mut self, now: Millis, state: A, rows: &[ClientRow]) {
        let Some(mark) = self.reading.take() else {
            return;
        };
        // I2: a state older than ours is of no use. Events may have come while its text was read.
        if self.cursor.as_ref().is_some_and(|cursor| mark.is_before(cursor)) {
            if self.snapshot_wanted != Wanted::No {
                self.ask_for_snapshot(now);
            }
            return;
        }
        self.cursor = mark.cursor();
        self.head = self.head.max(mark.seq);
        self.pulling = false;
        self.snapshot_wanted = Wanted::No;
        let settled = self.settle_rows(rows, mark.seq);
        self.learn_rows(rows);
        self.outputs.push_back(Output::Persist(Write::Snapshot {
            state: state.clone(),
            cursor: self.cursor.clone(),
            settled: settled.entries,
        }));
        // I1: the state first, then what became of the actions.
        self.rebase(Some(state), Vec::new(), settled.entering);
        self.outputs.extend(settled.notices);
    }

    pub(crate) fn fold_failed(&mut self, now: Millis, seq: Seq) {
        self.outputs.push_back(Output::Notify(Notice::Diverged { seq }));
        self.ask_for_snapshot(now);
    }

    fn verdicts(&mut self, rows: &[VerdictRow]) {
        let place = self.place();
        let mut gone = Vec::new();
        let mut visible = false;
        for row in rows {
            if let Some(known) = self.clients.get_mut(&row.client) {
                known.settled = known.settled.max(row.n);
            }
            if row.seq > place {
                // Its event is still to come, and with it the change of state.
                self.set_progress(&row.client, row.n, Progress::Decided);
            } else if let Some(pending) = self.take_out(&row.client, row.n) {
                visible |= pending.is_shown();
                gone.push((row.client.clone(), row.n));
                self.tell(pending, row.seq, row.error.clone());
            }
        }
        if !gone.is_empty() {
            let write = Write::Confirm { events: Vec::new(), cursor: None, settled: gone };
            self.outputs.push_back(Output::Persist(write));
        }
        if visible {
            self.rebase(None, Vec::new(), Vec::new());
        }
    }

    /// The entry, and those of its push behind it, did not reach the model.
    fn refused(&mut self, now: Millis, refused: &Refused) {
        let mut behind = false;
        for pending in self.outbox.iter_mut().filter(|p| p.progress == Progress::Sent) {
            behind |= pending.entry.n == refused.n && pending.entry.client == refused.client;
            if behind {
                pending.progress = Progress::Queued;
                self.in_flight -= 1;
            }
        }
        let reason = match refused.code.as_str() {
            code::TOO_LARGE => HeldReason::TooLarge,
            code::TOO_DEEP => HeldReason::TooDeep,
            code::NOT_PLAIN => HeldReason::NotPlain,
            code::GAP | code::OVERLAP => return self.correct(now, refused),
            // Busy, halted, or a code of a later version: the stream waits.
            _ => return self.push_later(now),
        };
        if self.hold(&refused.client, refused.n, reason) {
            self.rebase(None, Vec::new(), Vec::new());
        }
    }

    /// The server names its last number of that client: the next entry goes on from there.
    fn correct(&mut self, now: Millis, refused: &Refused) {
        let row = self.clients.row(&refused.client);
        if row.settled == refused.last {
            // It named what we had sent: to send the same again at once would be a loop.
            return self.push_later(now);
        }
        row.settled = refused.last;
    }

    fn push_later(&mut self, now: Millis) {
        self.push_after = Some(now.plus(self.config.limits.link.retry_ms_min * 4));
    }

    fn pong(&mut self, pong: &Pong) {
        self.head = self.head.max(pong.head);
        if pong.head > self.place() {
            // Whatever became of the last pull, there is something to ask for.
            self.pulling = false;
            self.pull();
        }
    }

    fn error(&mut self, now: Millis, error: ErrorFrame) {
        let here = error.stream.as_deref().is_none_or(|s| s == self.config.stream.as_str());
        if here {
            let (code, message) = (error.code, error.message);
            self.outputs.push_back(Output::Notify(Notice::Failed { code, message }));
            // The server has left the stream, or will close the socket: begin anew, later.
            self.back_off(now);
        }
    }

    fn tell(&mut self, pending: Pending<A>, seq: Seq, error: Option<Rejection>) {
        let notice = self.notice(pending, seq, error);
        self.outputs.extend(notice);
    }

    fn notice(&self, pending: Pending<A>, seq: Seq, error: Option<Rejection>) -> Option<Output<A>> {
        let entry = pending.entry;
        // Another tab's action is told by that tab.
        self.clients.get(&entry.client).filter(|c| c.ours)?;
        let (client, n, action) = (entry.client, entry.n, entry.action);
        Some(Output::Notify(match error {
            None => Notice::Confirmed { client, n, seq, action },
            Some(error) => Notice::Rejected { client, n, seq, error, action },
        }))
    }

    fn hold(&mut self, client: &ClientId, n: N, reason: HeldReason) -> bool {
        if self.outbox.find(client, n).is_some_and(|p| p.progress == Progress::Sent) {
            self.in_flight -= 1;
        }
        let Some(entry) = self.outbox.hold(client, n, reason) else { return false };
        let (client, action) = (client.clone(), entry.action.clone());
        self.outputs.push_back(Output::Persist(Write::Hold(entry)));
        self.outputs.push_back(Output::Notify(Notice::Held { client, n, reason, action }));
        true
    }

    fn settled(&self, client: &ClientId) -> N {
        self.clients.get(client).map_or(N(0), |c| c.settled)
    }

    fn is_short(&self, event: &Event<A>) -> bool {
        event.client.is_some() && event.action.is_none() && event.error.is_none()
    }

    fn pending_for(&self, event: &Event<A>) -> Option<&Pending<A>> {
        let (client, n) = (event.client.as_ref()?, event.n?);
        self.clients.get(client).filter(|c| c.pending > 0)?;
        self.outbox.find(client, n)
    }

    /// The numbers of a client's pending actions up to `last`, without those held.
    fn pending_of(&self, client: &ClientId, last: N) -> Vec<N> {
        if self.clients.get(client).is_none_or(|c| c.pending == 0) {
            return Vec::new();
        }
        let of = |p: &&Pending<A>| p.entry.client == *client && p.entry.n <= last && !p.is_held();
        self.outbox.iter().filter(of).map(|p| p.entry.n).collect()
    }

    fn set_progress(&mut self, client: &ClientId, n: N, progress: Progress) {
        let is = |p: &&mut Pending<A>| p.entry.n == n && p.entry.client == *client && !p.is_held();
        if let Some(pending) = self.outbox.iter_mut().find(is) {
            self.in_flight -= usize::from(pending.progress == Progress::Sent);
            pending.progress = progress;
        }
    }
}

/// The event as it is kept: with its action, which a short one takes from the outbox.
fn stored_event<A: Clone>(told: &Told<A>) -> Option<StoredEvent<A>> {
    let Event { seq, error: None, .. } = told.event else {
        return None;
    };
    let own = || told.pending.as_ref().map(|p| p.entry.action.clone());
    let action = told.event.action.clone().or_else(own)?;
    Some(StoredEvent { seq, action })
}

//! What must hold after each input, whoever lies.

use std::collections::BTreeSet;

use twinstore_engine::*;

use super::{Page, Value, action};

impl Page {
    pub(super) fn check_fold(&self) {
        let fold: Vec<_> = self.confirmed.iter().chain(&self.shown).copied().collect();
        assert_eq!(self.visible, fold, "I1: visible is the fold of confirmed and shown");
    }

    pub(super) fn check_cursor(&mut self, reset: bool) {
        let cursor = self.engine.cursor();
        if let (Some(before), Some(cursor)) = (&self.cursor, cursor)
            && before.log == cursor.log
            && !reset
        {
            assert!(before.seq <= cursor.seq, "I2: {before:?} went back to {cursor:?}");
        }
        self.cursor = cursor.cloned();
    }

    pub(super) fn check(&self) {
        if self.closed {
            return;
        }
        let pending: Vec<_> = self.engine.pending().map(|(e, _)| e).collect();
        let status = self.engine.status();
        assert_eq!(status.pending + status.held, pending.len());
        let own: BTreeSet<_> =
            pending.iter().filter(|e| e.id.client == Client::OWN).map(|e| e.id.n).collect();
        assert!(own.is_superset(&self.owed), "lost: {:?} of {:?}", self.owed, own);
        let name = self.engine.client_name(Client::OWN);
        for n in own {
            let stored = self.disk.entries.iter().any(|(of, e)| of == name && e.id.n == n);
            assert!(stored, "{n:?} is pending and not on disk");
        }
        let foreseen: Vec<_> = self.engine.foreseen().iter().map(action).collect();
        if !self.engine.hides() && self.restored {
            assert_eq!(self.shown, foreseen, "I1: what is pending and not held is shown");
        }
        // Without a cursor nothing tells the disk's state from one that was taken while another tab led.
        let placed = self.cursor.is_some() || self.disk.cursor.is_some();
        // Nor is a state stored anew in which an event did not fold, or that is of a history which is gone.
        let right = self.engine.has_state();
        if self.engine.leads() && self.restored && placed && right && !self.rereading {
            assert_eq!(self.disk.fold(), self.confirmed, "what is stored is what is confirmed");
        }
        assert!(self.limits.outbox_actions >= self.owed.len(), "I7: a full outbox refuses");
    }
}

/// How many things an input is about.
pub(super) fn weight(input: &Input<Value>) -> usize {
    match input {
        Input::Restored(stored) | Input::Reread(Some(stored)) => stored.entries.len(),
        Input::Arrived(entries) | Input::Adopted { entries, .. } => entries.len(),
        Input::Received(Message::Events(frame)) => frame.events.len(),
        Input::Received(Message::Verdicts(verdicts)) => verdicts.len(),
        _ => 0,
    }
}

/// What an input says is done.
pub(super) fn said_done(input: &Input<Value>) -> Vec<Id> {
    match input {
        Input::Restored(stored) | Input::Reread(Some(stored)) => stored.settled.clone(),
        Input::SnapshotRead { settled, .. } => settled.clone(),
        Input::Received(Message::Welcome(welcome)) => welcome.settled.clone(),
        Input::Received(Message::Events(frame)) => {
            frame.events.iter().filter_map(|e| e.id).collect()
        }
        Input::Received(Message::Verdicts(verdicts)) => verdicts.iter().map(|v| v.id).collect(),
        Input::Received(Message::Refused { id, last, .. }) => vec![Id { n: *last, ..*id }],
        _ => Vec::new(),
    }
}

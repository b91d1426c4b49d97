//! What is true, told by nobody: every action that was dispatched, and every event that became durable.
//!
//! The checkers of I3, I5, I8 and I9 are here: they look at the log as it grows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use twinstore_engine::HeldReason;
use twinstore_protocol::{Chain, ClientId, N};
use twinstore_server::event::StoredEvent;

use crate::coverage::{Count, Coverage};
use crate::model::{Action, State};
use crate::rows::Key;

/// What is known of an action.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) device: usize,
    /// It was on a socket.
    pub(crate) sent: bool,
    /// The app dropped it.
    pub(crate) dropped: bool,
    /// It was held.
    pub(crate) held: Option<HeldReason>,
    /// A device that had stored it has it no more, by no fault of ours.
    pub(crate) robbed: bool,
    /// A copy of its device was made while it was on its way to the disk: it is missing between others there.
    pub(crate) uncopied: bool,
    /// It may be lost: nothing that was promised could have saved it.
    pub(crate) excused: bool,
}

/// An event of the log as it is now.
#[derive(Clone, Debug)]
struct Event {
    client: ClientId,
    n: N,
    id: Option<u64>,
    state: State,
    chain: Chain,
}

/// A verdict that was durable at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) seq: u64,
    pub(crate) accepted: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) actions: BTreeMap<Key, Record>,
    log: Vec<Event>,
    last: BTreeMap<ClientId, N>,
    accepted: BTreeSet<u64>,
    /// The state at every chain that ever was.
    states: HashMap<Chain, (u64, State)>,
    /// Every verdict that ever was, of whatever log.
    verdicts: BTreeMap<Key, Vec<Verdict>>,
    /// Numbers that a later entry settled.
    skipped: BTreeSet<Key>,
}

impl Truth {
    pub(crate) fn dispatched(&mut self, action: &Action, device: usize) {
        let record = Record {
            id: action.id,
            device,
            sent: false,
            dropped: false,
            held: None,
            robbed: false,
            uncopied: false,
            excused: false,
        };
        let before = self.actions.insert((action.client.clone(), action.n), record);
        assert!(before.is_none(), "I5: {}:{} was given anew", action.client, action.n.0);
    }

    /// A device has these no more.
    pub(crate) fn rob<'a>(&mut self, keys: impl Iterator<Item = &'a Key>) {
        for key in keys {
            if let Some(record) = self.actions.get_mut(key) {
                record.robbed = true;
            }
        }
    }

    /// A copy of a device was made, which holds these.
    pub(crate) fn copied(&mut self, device: usize, copied: &BTreeSet<Key>) {
        let open = self.actions.iter().filter(|(_, record)| record.device == device);
        let missing = open.filter(|(key, _)| !copied.contains(*key) && !self.is_done(key));
        let missing: Vec<_> = missing.map(|(key, _)| key.clone()).collect();
        for key in missing {
            if let Some(record) = self.actions.get_mut(&key) {
                record.uncopied = true;
            }
        }
    }

    pub(crate) fn record(&mut self, client: &ClientId, n: N) -> Option<&mut Record> {
        self.actions.get_mut(&(client.clone(), n))
    }

    /// Events became durable.
    pub(crate) fn append(&mut self, events: &[StoredEvent], coverage: &mut Coverage) {
        for event in events {
            self.check_number(event, coverage);
            let state = self.check_verdict(event);
            coverage.add(if event.error.is_none() { Count::Accepted } else { Count::Rejected });
            self.states.insert(event.chain.clone(), (event.seq.0, state));
            let verdict = Verdict { seq: event.seq.0, accepted: event.error.is_none() };
            let key = (event.client.clone(), event.n);
            self.verdicts.entry(key).or_default().push(verdict);
        }
    }

    /// I5: each number is settled once, in order, and none is skipped by accident.
    fn check_number(&mut self, event: &StoredEvent, coverage: &mut Coverage) {
        let StoredEvent { client, n, .. } = event;
        let last = self.last.insert(client.clone(), *n).unwrap_or_default();
        let from = event.first_n();
        assert_eq!(from, last.next(), "I5: {client} goes on from {} at {}", last.0, n.0);
        for skipped in from.0..n.0 {
            coverage.add(Count::NumbersSkipped);
            let key = (client.clone(), N(skipped));
            let record = self.actions.get(&key).expect("I5: a number is skipped that was given");
            // A log that was reset, or restored, does not know the verdicts that it gave.
            let before = self.verdicts.contains_key(&key);
            let lost = record.excused || record.robbed || record.uncopied;
            let allowed = before || lost || record.dropped || record.held.is_some();
            assert!(allowed, "I5: {client}:{skipped} is skipped by accident");
            self.skipped.insert(key);
        }
    }

    /// I3 and I9: the verdict is the model's, of the action that has this number. Gives the state.
    fn check_verdict(&mut self, event: &StoredEvent) -> State {
        let StoredEvent { client, n, seq, .. } = event;
        let text = event.action().or(event.aside.as_deref()).expect("an event has its action");
        let action: Action = serde_json::from_str(text).expect("an action of this world");
        let at = seq.0;
        assert_eq!(at, self.log.len() as u64 + 1, "I3: the log has no gap");
        assert_eq!((&action.client, action.n), (client, *n), "I5: event {at} names its action");
        if let Some(record) = self.actions.get(&(client.clone(), *n)) {
            assert_eq!(record.id, action.id, "I5: {client}:{} is another action", n.0);
        }
        let before = self.state();
        let state = match before.decide(event.schema, &action) {
            Ok(next) => {
                assert!(event.error.is_none(), "I3: event {at} is accepted by the model");
                assert!(self.accepted.insert(action.id), "I3: action {} twice", action.id);
                next
            }
            Err(no) => {
                assert!(event.error.is_some(), "I3: event {at} is rejected by the model: {no:?}");
                before
            }
        };
        let (client, n, chain) = (client.clone(), *n, event.chain.clone());
        let id = event.error.is_none().then_some(action.id);
        self.log.push(Event { client, n, id, state, chain });
        state
    }

    /// The log is cut back to its first events: 0, a new one begins.
    pub(crate) fn cut(&mut self, len: usize) {
        self.log.truncate(len);
        self.last.clear();
        self.accepted.clear();
        for event in &self.log {
            self.last.insert(event.client.clone(), event.n);
            self.accepted.extend(event.id);
        }
    }

    /// The fold of the log.
    pub(crate) fn state(&self) -> State {
        self.log.last().map_or_else(State::default, |event| event.state)
    }

    pub(crate) fn head(&self) -> u64 {
        self.log.len() as u64
    }

    /// The last number of a client that has its verdict.
    pub(crate) fn last_n(&self, client: &ClientId) -> N {
        self.last.get(client).copied().unwrap_or_default()
    }

    /// The state at a place that was durable once.
    pub(crate) fn state_at(&self, chain: &Chain) -> Option<(u64, State)> {
        self.states.get(chain).copied()
    }

    /// Whether the log as it is now has that chain at that place.
    pub(crate) fn holds(&self, seq: u64, chain: &Chain) -> bool {
        let place = usize::try_from(seq).unwrap_or(usize::MAX);
        place.checked_sub(1).and_then(|at| self.log.get(at)).is_some_and(|e| e.chain == *chain)
    }

    pub(crate) fn verdicts_of(&self, client: &ClientId, n: N) -> &[Verdict] {
        self.verdicts.get(&(client.clone(), n)).map_or(&[], Vec::as_slice)
    }

    /// The action needs no home any more: it has its verdict, or was given up on purpose.
    pub(crate) fn is_done(&self, key: &Key) -> bool {
        let record = &self.actions[key];
        record.dropped
            || record.excused
            || self.verdicts.contains_key(key)
            || self.skipped.contains(key)
    }

    pub(crate) fn was_skipped(&self, client: &ClientId, n: N) -> bool {
        self.skipped.contains(&(client.clone(), n))
    }
}

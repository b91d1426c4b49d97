//! A small server: a log, its clients' last numbers, and ways to make it behave badly.

use std::collections::{BTreeMap, BTreeSet};

use twinstore_engine::wire::{Incoming, Outgoing};
use twinstore_protocol::*;

use super::{Action, PING_MS, rejected, rejection, stream, sum};

/// The server: a log, and what it knows of each client.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) log: Vec<(ClientId, N, Option<N>, Action, bool)>,
    pub(crate) last: BTreeMap<ClientId, N>,
    pub(crate) name: String,
    pub(crate) snapshot_beyond: usize,
    pub(crate) refuse: BTreeMap<Action, &'static str>,
    /// Clients that it knew once, and whose entries it cannot tell from new ones any more.
    pub(crate) forgotten: BTreeSet<ClientId>,
    pub(crate) limits: WireLimits,
    /// Of its model.
    pub(crate) schema: u32,
    /// Rejections are told to everyone as to those who did not name their client.
    pub(crate) anonymous_rejections: bool,
}

impl Server {
    pub(crate) fn new() -> Self {
        let limits = WireLimits { batch_actions: 3, ..WireLimits::DEFAULT };
        Self {
            name: "log1".into(),
            snapshot_beyond: usize::MAX,
            limits,
            schema: 1,
            ..Self::default()
        }
    }

    pub(crate) fn state(&self) -> Vec<Action> {
        self.log.iter().filter(|e| e.4).map(|e| e.3).collect()
    }

    fn head(&self) -> Seq {
        Seq(self.log.len() as u64)
    }

    fn chain(&self, seq: Seq) -> Chain {
        Chain(format!("{}:{}", self.name, seq.0))
    }

    fn log_id(&self) -> Option<LogId> {
        (!self.log.is_empty()).then(|| LogId(self.name.clone()))
    }

    fn rows(&self, clients: &[ClientFrom]) -> Vec<ClientRow> {
        let row = |c: &ClientFrom| ClientRow {
            client: c.client.clone(),
            last: self.last.get(&c.client).copied().unwrap_or_default(),
            rejections: self
                .log
                .iter()
                .enumerate()
                .filter(|(_, e)| e.0 == c.client && !e.4 && e.1 >= c.from)
                .map(|(i, e)| RejectionRow { n: e.1, seq: Seq(i as u64 + 1), error: rejection() })
                .collect(),
        };
        clients.iter().filter(|c| !self.forgotten.contains(&c.client)).map(row).collect()
    }

    fn event(&self, i: usize, whole: bool) -> Event<Action> {
        let (client, n, from, action, accepted) = &self.log[i];
        let seq = Seq(i as u64 + 1);
        let named = *accepted || !self.anonymous_rejections;
        Event {
            seq,
            client: named.then(|| client.clone()),
            n: named.then_some(*n),
            from: *from,
            at: None,
            model: None,
            schema: None,
            action: (*accepted && whole).then_some(*action),
            error: (!accepted && named).then(rejection),
            chain: self.chain(seq),
        }
    }

    fn events(&self, after: Seq, short: Option<&ClientId>) -> Vec<Incoming<Action>> {
        let range = index(after)..self.log.len();
        if range.is_empty() {
            return Vec::new();
        }
        let events = range.map(|i| self.event(i, short != Some(&self.log[i].0))).collect();
        let log = LogId(self.name.clone());
        let check = Some(Check { schema: self.schema, sum: sum(&self.state()) });
        vec![Incoming::Events(Events { stream: stream(), log, after, events, check })]
    }

    fn snapshot(&self, clients: &[ClientFrom]) -> Vec<Incoming<Action>> {
        // The text is not JSON here: the state's numbers and the rows, as `read_snapshot` takes them.
        let rows: Vec<String> = self
            .rows(clients)
            .iter()
            .map(|r| {
                let rejected: Vec<_> =
                    r.rejections.iter().map(|x| format!("{}@{}", x.n.0, x.seq.0)).collect();
                format!("{}={}={}", r.client, r.last.0, rejected.join(","))
            })
            .collect();
        let state: Vec<_> = self.state().iter().map(u64::to_string).collect();
        let text = format!("{}|{}", state.join(","), rows.join(";"));
        let half = text.len() / 2;
        let parts = [text[..half].to_owned(), text[half..].to_owned()];
        let seq = self.head();
        let part = |(part, data)| {
            Incoming::Snapshot(SnapshotPart {
                stream: stream(),
                log: self.log_id(),
                seq,
                chain: self.chain(seq),
                schema: self.schema,
                part,
                parts: 2,
                data,
            })
        };
        (1..).zip(parts).map(part).collect()
    }

    /// Takes a frame; answers to the sender. Whether the log grew is for the caller to see.
    pub(crate) fn receive(&mut self, frame: Outgoing<Action>) -> Vec<Incoming<Action>> {
        match frame {
            Outgoing::Hello(hello) => self.hello(&hello),
            Outgoing::Push(push) => self.push(push),
            Outgoing::Pull(pull) => match &pull.cursor {
                Some(cursor) if self.holds(cursor) => self.events(cursor.seq, None),
                Some(_) | None => self.snapshot(&pull.clients),
            },
            Outgoing::Ping(_) => vec![Incoming::Pong(Pong { stream: stream(), head: self.head() })],
            Outgoing::Leave(_) => Vec::new(),
        }
    }

    fn holds(&self, cursor: &Cursor) -> bool {
        cursor.log.0 == self.name
            && cursor.seq <= self.head()
            && cursor.chain == self.chain(cursor.seq)
    }

    fn hello(&self, hello: &Hello) -> Vec<Incoming<Action>> {
        let known = hello.cursor.as_ref().map(|cursor| self.holds(cursor));
        let welcome = Incoming::Welcome(Welcome {
            v: 1,
            stream: stream(),
            log: self.log_id(),
            head: self.head(),
            reset: known == Some(false),
            clients: self.rows(&hello.clients),
            schema: self.schema,
            model: "m".into(),
            limits: self.limits,
            ping_ms: PING_MS,
            subject: None,
        });
        let after = hello.cursor.as_ref().map_or(Seq(0), |c| c.seq);
        let behind = self.log.len().saturating_sub(index(after));
        let follow = if known == Some(false) || behind > self.snapshot_beyond {
            self.snapshot(&hello.clients)
        } else {
            self.events(after, None)
        };
        [welcome].into_iter().chain(follow).collect()
    }

    fn push(&mut self, push: Push<Action>) -> Vec<Incoming<Action>> {
        let mut verdicts = Vec::new();
        let mut refused = None;
        let after = self.head();
        let sender = push.entries[0].client.clone();
        for entry in push.entries {
            let last = self.last.get(&entry.client).copied().unwrap_or_default();
            let from = entry.from.unwrap_or(entry.n);
            if entry.n <= last {
                // Its own event, or the later one that settled it.
                let at = self.log.iter().position(|e| e.0 == entry.client && e.1 >= entry.n);
                let at = at.expect("what was decided is in the log");
                let error = if self.log[at].1 > entry.n {
                    Some(Rejection { code: code::DROPPED.into(), reason: "dropped".into() })
                } else {
                    (!self.log[at].4).then(rejection)
                };
                let seq = Seq(at as u64 + 1);
                verdicts.push(VerdictRow { client: entry.client, n: entry.n, seq, error });
                continue;
            }
            let code = match self.refuse.get(&entry.action) {
                Some(code) => Some(*code),
                None if self.forgotten.contains(&entry.client) => Some(code::TOO_OLD),
                None if from > last.next() => Some(code::GAP),
                None if from <= last => Some(code::OVERLAP),
                None => None,
            };
            if let Some(code) = code {
                refused = Some(Incoming::Refused(Refused {
                    stream: stream(),
                    client: entry.client,
                    n: entry.n,
                    code: code.into(),
                    reason: String::new(),
                    last,
                }));
                break;
            }
            self.last.insert(entry.client.clone(), entry.n);
            let accepted = !rejected(entry.action);
            self.log.push((entry.client, entry.n, entry.from, entry.action, accepted));
        }
        let mut answers = self.events(after, Some(&sender));
        if !verdicts.is_empty() {
            answers.push(Incoming::Verdicts(Verdicts { stream: stream(), verdicts }));
        }
        answers.extend(refused);
        answers
    }

    /// What another socket is sent after the log grew.
    pub(crate) fn news(&self, after: Seq) -> Vec<Incoming<Action>> {
        self.events(after, None)
    }

    /// What the socket of this client is sent after the log grew.
    pub(crate) fn echo(&self, after: Seq, client: &ClientId) -> Vec<Incoming<Action>> {
        self.events(after, Some(client))
    }

    /// What a client is sent that lacks no event.
    pub(crate) fn nothing_new(&self) -> Incoming<Action> {
        let check = Some(Check { schema: self.schema, sum: sum(&self.state()) });
        let log = LogId(self.name.clone());
        Incoming::Events(Events {
            stream: stream(),
            log,
            after: self.head(),
            events: vec![],
            check,
        })
    }

    /// The same, an event a frame.
    pub(crate) fn one_by_one(&self, after: Seq) -> Vec<Incoming<Action>> {
        let log = || LogId(self.name.clone());
        let frame = |i| Events {
            stream: stream(),
            log: log(),
            after: Seq(i as u64),
            events: vec![self.event(i, true)],
            check: None,
        };
        (index(after)..self.log.len()).map(frame).map(Incoming::Events).collect()
    }

    /// The parts of a state for a client that waits for its own verdicts from the first on.
    pub(crate) fn parts(&self, client: &ClientId) -> Vec<Incoming<Action>> {
        self.snapshot(&[ClientFrom { client: client.clone(), from: N(1) }])
    }

    /// Its events are compacted, and its numbers gone.
    pub(crate) fn forget(&mut self, client: &str) {
        let client = ClientId(client.to_owned());
        self.last.remove(&client);
        self.forgotten.insert(client);
    }

    /// Something another client did.
    pub(crate) fn append(&mut self, client: &str, action: Action) {
        let client = ClientId(client.to_owned());
        let n = self.last.get(&client).copied().unwrap_or_default().next();
        self.push(Push {
            stream: stream(),
            entries: vec![Entry { client, n, from: None, schema: None, action }],
        });
    }
}

fn index(seq: Seq) -> usize {
    usize::try_from(seq.0).expect("the logs of tests are short")
}

//! What is known of each client: its last settled number, and whether it is gone.
//!
//! A handful of rows: this page load, other tabs, and those that left something in the outbox. Inside the
//! engine a client is its place in this list; names are for storage and the wire.

use twinstore_protocol::{ClientId, N};

/// So often the server names a gap before it is skipped. A ping lies between two of them: whoever lives has stored by
/// then what it held.
pub(crate) const GAPS_MAX: u8 = 2;

/// A client, as the engine that gave it knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(pub(crate) u32);

impl Client {
    /// This page load, or program start.
    pub const OWN: Self = Self(0);
    /// One that has nothing in the outbox, and whose name nobody will ask for.
    pub const STRANGER: Self = Self(u32::MAX);
}

/// Names an action of a stream for ever; or a client with one of its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Whose.
    pub client: Client,
    /// Which.
    pub n: N,
}

/// One client.
#[derive(Clone, Debug)]
pub(crate) struct ClientState {
    pub(crate) name: ClientId,
    /// Its last number with a verdict, as far as was heard here.
    pub(crate) settled: N,
    /// The same of servers that were reset: neither these numbers nor those before will come again.
    pub(crate) passed: N,
    /// This page load, or one that is gone: its verdicts are told here.
    pub(crate) ours: bool,
    /// All that it stored can be read here.
    pub(crate) whole: bool,
    /// It may live: for so many refused gaps more its missing numbers may yet come.
    pub(crate) patience: u8,
    /// How many of its actions lie in the outbox.
    pub(crate) pending: usize,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Clients(Vec<ClientState>);

impl Clients {
    pub(crate) fn new(own: ClientId) -> Self {
        let mut clients = Self(Vec::new());
        clients.push(own, true);
        clients
    }

    /// The client of that name; a stranger where it is not in the list.
    pub(crate) fn find(&self, name: &str) -> Client {
        let at = self.0.iter().position(|c| c.name.as_str() == name);
        at.map_or(Client::STRANGER, place)
    }

    /// The client of that name, put into the list where it is new.
    pub(crate) fn add(&mut self, name: &str) -> Client {
        let known = self.find(name);
        if known != Client::STRANGER {
            return known;
        }
        self.push(ClientId(name.to_owned()), false);
        place(self.0.len() - 1)
    }

    fn push(&mut self, name: ClientId, ours: bool) {
        let (settled, passed, pending) = (N(0), N(0), 0);
        let (whole, patience) = (ours, if ours { 0 } else { GAPS_MAX });
        self.0.push(ClientState { name, settled, passed, ours, whole, patience, pending });
    }

    pub(crate) fn get(&self, client: Client) -> Option<&ClientState> {
        self.0.get(client.0 as usize)
    }

    pub(crate) fn get_mut(&mut self, client: Client) -> Option<&mut ClientState> {
        self.0.get_mut(client.0 as usize)
    }

    pub(crate) fn settled(&self, client: Client) -> N {
        self.get(client).map_or(N(0), |c| c.settled)
    }

    pub(crate) fn is_ours(&self, client: Client) -> bool {
        self.get(client).is_some_and(|c| c.ours)
    }

    /// Its missing numbers will never come.
    pub(crate) fn is_whole(&self, client: Client) -> bool {
        self.get(client).is_some_and(|c| c.whole && c.patience == 0)
    }

    /// This number has its verdict, and so have those before it.
    pub(crate) fn settle(&mut self, id: Id) {
        if let Some(row) = self.get_mut(id.client) {
            row.settled = row.settled.max(id.n);
        }
    }

    /// The server that settled these numbers is no more.
    pub(crate) fn forget_settled(&mut self) {
        for client in &mut self.0 {
            client.passed = client.passed.max(client.settled);
            client.settled = N(0);
        }
    }

    /// This number was settled by a server that was reset.
    pub(crate) fn pass(&mut self, id: Id) {
        if let Some(row) = self.get_mut(id.client) {
            row.passed = row.passed.max(id.n);
        }
    }

    pub(crate) fn passed(&self, client: Client) -> N {
        self.get(client).map_or(N(0), |c| c.passed)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "clients are few")]
fn place(at: usize) -> Client {
    Client(at as u32)
}

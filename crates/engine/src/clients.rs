//! What is known of each client: its last settled number, and whether its entries are ours to send.
//!
//! A handful of rows: this page load, and those that left something in the outbox.

use twinstore_protocol::{ClientFrom, ClientId, N};

/// One client.
#[derive(Clone, Debug)]
pub(crate) struct ClientState {
    pub(crate) id: ClientId,
    /// Its last number with a verdict, as far as was heard here.
    pub(crate) settled: N,
    /// This page load, or one whose lock this page holds.
    pub(crate) ours: bool,
    /// How many of its actions lie in the outbox.
    pub(crate) pending: usize,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Clients(Vec<ClientState>);

impl Clients {
    pub(crate) fn new(own: ClientId) -> Self {
        Self(vec![ClientState { id: own, settled: N(0), ours: true, pending: 0 }])
    }

    pub(crate) fn get(&self, id: &ClientId) -> Option<&ClientState> {
        self.0.iter().find(|c| c.id == *id)
    }

    pub(crate) fn get_mut(&mut self, id: &ClientId) -> Option<&mut ClientState> {
        self.0.iter_mut().find(|c| c.id == *id)
    }

    /// The row of a client, made where it is new.
    pub(crate) fn row(&mut self, id: &ClientId) -> &mut ClientState {
        let at = match self.0.iter().position(|c| c.id == *id) {
            Some(at) => at,
            None => {
                self.0.push(ClientState { id: id.clone(), settled: N(0), ours: false, pending: 0 });
                self.0.len() - 1
            }
        };
        self.0.get_mut(at).expect("found or just added")
    }

    /// The server that settled these numbers is no more.
    pub(crate) fn forget_settled(&mut self) {
        for client in &mut self.0 {
            client.settled = N(0);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ClientState> {
        self.0.iter()
    }

    /// Whose verdicts we wait for, from which number on.
    pub(crate) fn waiting(&self) -> Vec<ClientFrom> {
        self.0
            .iter()
            .filter(|c| c.pending > 0)
            .map(|c| ClientFrom { client: c.id.clone(), from: c.settled.next() })
            .collect()
    }
}

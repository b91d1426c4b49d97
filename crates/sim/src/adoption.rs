//! What others left: whoever leads takes over the entries of clients that are gone, before the hello.
//!
//! What `js/twin.ts` and `js/locks.ts` do in the browser.

use std::collections::BTreeSet;

use twinstore_engine::Input;
use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{ClientId, N};

use crate::coverage::Count;
use crate::disk::Work;
use crate::env::Event;
use crate::rows::{Row, to_entries};
use crate::storage::{Home, Left};
use crate::tab::{Tab, TabEvent, Wanted, Within};

/// How long a hello waits for what others left.
const ADOPTION_MS_MAX: u64 = 2_000;

impl Tab {
    /// The socket is open: says hello, once what others left is here.
    pub(crate) fn answer(&mut self, w: &mut Within<'_>, link: usize) {
        self.greeting = Some(link);
        w.env.after(ADOPTION_MS_MAX, Event::Tab(self.number, TabEvent::HelloNow(link)));
        self.adopt(w, Some(link));
    }

    /// Looks for entries of clients that are gone, then says hello on the link that waits for it.
    pub(crate) fn adopt(&mut self, w: &mut Within<'_>, link: Option<usize>) {
        // While the home is being opened a journal may be the end of an outbox whose beginning is not known.
        let opening = !self.ready || self.store.home == Home::Opening;
        if !self.is_leader() || (opening && !planted::is(Bug::UnreadIsEmpty)) {
            return self.adopted(w, link);
        }
        match self.store.home {
            Home::IndexedDb => self.submit(w, Work::Read, Wanted::Clients { link }),
            _ => {
                let clients = w.device.local.clients();
                self.clients_read(w, Some(clients), link);
            }
        }
    }

    pub(crate) fn clients_read(
        &mut self,
        w: &mut Within<'_>,
        clients: Option<BTreeSet<ClientId>>,
        link: Option<usize>,
    ) {
        let journals = || w.device.local.clients();
        let clients: BTreeSet<_> =
            clients.map(|read| read.union(&journals()).cloned().collect()).unwrap_or_default();
        let strangers: Vec<_> = clients.difference(&self.ours).cloned().collect();
        let gone: Vec<_> =
            strangers.into_iter().filter(|client| self.take_lock(w, client)).collect();
        self.ours.extend(gone.iter().cloned());
        let mut wanted = std::mem::take(&mut self.unread);
        wanted.extend(gone);
        let last = wanted.len();
        for (at, client) in wanted.into_iter().enumerate() {
            let link = link.filter(|_| at + 1 == last);
            self.inherit(w, client, link);
        }
        if last == 0 {
            self.adopted(w, link);
        }
    }

    /// Waits until another tab is gone, to take over what it left without a moment's delay.
    pub(crate) fn outlive(&self, w: &mut Within<'_>, client: ClientId) {
        let waits = (client, self.number);
        if w.device.wanted.contains(&waits) || self.dead {
            return;
        }
        w.device.wanted.push(waits.clone());
        if !w.device.locks.contains_key(&waits.0) {
            w.device.free_lock(w.env, &waits.0);
        }
    }

    pub(crate) fn outlived(&mut self, w: &mut Within<'_>, client: ClientId) {
        if self.is_leader() {
            w.env.count(Count::Outlived);
            self.count_living(w, &client);
            self.ours.insert(client.clone());
            self.inherit(w, client, None);
        } else {
            w.device.free_lock(w.env, &client);
        }
    }

    /// Takes in what another tab has stored since the last look.
    pub(crate) fn look(&mut self, w: &mut Within<'_>, client: ClientId, n: N) {
        if !self.ready {
            return self.looks.push((client, n));
        }
        let seen = self.seen.entry(client.clone()).or_default();
        if n <= *seen {
            return;
        }
        let from = seen.next();
        *seen = n;
        self.read_client(w, client, from, false, None);
    }

    /// What a client left that is gone is this page's from now on.
    fn inherit(&mut self, w: &mut Within<'_>, client: ClientId, link: Option<usize>) {
        self.read_client(w, client, N(0), true, link);
    }

    fn read_client(
        &mut self,
        w: &mut Within<'_>,
        client: ClientId,
        from: N,
        gone: bool,
        link: Option<usize>,
    ) {
        let losses = self.store.losses;
        if self.store.home == Home::Opening {
            self.client_read(w, None, client, gone, link, false);
        } else if self.store.home == Home::IndexedDb {
            let wanted = Wanted::Client { client, from, gone, link, losses };
            self.submit(w, Work::Read, wanted);
        } else {
            // The journal alone can be read: what was dispatched before may lie in the database.
            self.client_read(w, Some(Vec::new()), client, gone, link, false);
        }
    }

    pub(crate) fn client_read(
        &mut self,
        w: &mut Within<'_>,
        rows: Option<Vec<Row>>,
        client: ClientId,
        gone: bool,
        link: Option<usize>,
        whole: bool,
    ) {
        let unread_is_empty = || planted::is(Bug::UnreadIsEmpty).then(Vec::new);
        match rows.or_else(unread_is_empty) {
            Some(rows) => {
                let (rows, left) =
                    if gone { self.add_journal(w, &client, rows) } else { (rows, Left::default()) };
                let known = self.engine.add_client(client.as_str());
                let entries = to_entries(&rows, &mut self.engine);
                if gone {
                    w.env.count(Count::Adopted);
                    if !rows.is_empty() {
                        w.env.count(Count::AdoptedWithEntries);
                    }
                    let names = crate::rows::names(&rows);
                    w.env.trace(|| format!("tab {}: adopts {client}: {names}", self.number));
                    if !whole && left.is_any() {
                        w.env.count(Count::AdoptedInPart);
                    }
                    let whole = whole || planted::is(Bug::PartIsWhole);
                    self.feed(w, Input::Adopted { client: known, entries, whole });
                    self.keep(w, known, left);
                } else {
                    if rows.iter().any(|row| row.schema > self.schema) {
                        w.env.count(Count::HeldSchema);
                    }
                    self.feed(w, Input::Arrived(entries));
                }
            }
            // What could not be read may not be taken for all there is.
            None if gone => self.unread.push(client),
            None => {}
        }
        self.adopted(w, link);
    }

    pub(crate) fn hello(&mut self, w: &mut Within<'_>, link: usize) {
        if self.greeting == Some(link) {
            self.greeting = None;
            self.feed(w, Input::LinkOpened);
        }
    }

    fn adopted(&mut self, w: &mut Within<'_>, link: Option<usize>) {
        if let Some(link) = link {
            self.hello(w, link);
        }
    }

    /// Asks once for the lock of a client. Without Web Locks there are none to respect.
    fn take_lock(&self, w: &mut Within<'_>, client: &ClientId) -> bool {
        let held = w.device.locks.contains_key(client);
        if w.env.settings.locks && held && !planted::is(Bug::LocksIgnored) {
            return false;
        }
        if !w.env.settings.locks {
            w.env.count(Count::NoLocks);
        }
        self.count_living(w, client);
        // Who cannot read the database does not keep those from it who can.
        if self.store.home == Home::IndexedDb {
            w.device.locks.insert(client.clone(), self.number);
        }
        true
    }

    fn count_living(&self, w: &mut Within<'_>, client: &ClientId) {
        if w.env.is_living(client) {
            w.env.count(Count::AdoptedLiving);
        }
    }
}

//! The network: links that lose, double, delay and reorder frames, are cut, or are dead at both ends.

use twinstore_engine::wire::Incoming;

use crate::coverage::Count;
use crate::env::{Env, Event};
use crate::settings::Fault;
use crate::wire::Item;

/// A link between a tab and the server. Its number is its place in the list.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) tab: usize,
    /// As each end knows it.
    pub(crate) client_open: bool,
    pub(crate) server_open: bool,
    /// It carries nothing any more, and nobody is told.
    pub(crate) dead: bool,
    /// When the last frame each way arrives: they come in order.
    to_server_at: u64,
    to_client_at: u64,
}

/// All links that ever were.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) links: Vec<Link>,
}

impl Env {
    /// A tab asks for a link; `Event::Connect` answers.
    pub(crate) fn open_link(&mut self, tab: usize) -> usize {
        let (to_server_at, to_client_at) = (self.now, self.now);
        let link = Link {
            tab,
            client_open: true,
            server_open: false,
            dead: false,
            to_server_at,
            to_client_at,
        };
        self.network.links.push(link);
        let number = self.network.links.len() - 1;
        let delay = self.dice.within(5, 200);
        self.after(delay, Event::Connect(number));
        number
    }

    pub(crate) fn send_up(&mut self, link: usize, text: String) {
        for (at, text) in self.carried(link, true).into_iter().zip(std::iter::repeat(text)) {
            let delay = at - self.now;
            self.after(delay, Event::ToServer(link, text));
        }
    }

    pub(crate) fn send_down(&mut self, link: usize, message: Incoming<Item>) {
        for (at, message) in self.carried(link, false).into_iter().zip(std::iter::repeat(message)) {
            let delay = at - self.now;
            self.after(delay, Event::ToClient(link, Box::new(message)));
        }
    }

    /// The client closes its end; the server hears it, if the link still carries anything.
    pub(crate) fn close_client(&mut self, link: usize) {
        if std::mem::replace(&mut self.network.links[link].client_open, false) {
            let delay = self.dice.within(1, 300);
            self.after(delay, Event::ServerHears(link));
        }
    }

    /// The server closes its end, after the frames that are under way.
    pub(crate) fn close_server(&mut self, link: usize) {
        let state = &mut self.network.links[link];
        if std::mem::replace(&mut state.server_open, false) {
            let delay = (state.to_client_at + 1).saturating_sub(self.now);
            self.after(delay, Event::ClientHears(link));
        }
    }

    /// The link is cut: frames under way are lost, both ends hear of it sooner or later.
    pub(crate) fn cut(&mut self, link: usize) {
        self.network.links[link].dead = true;
        let delays = [self.dice.within(1, 500), self.dice.within(1, 500)];
        self.after(delays[0], Event::ClientHears(link));
        self.after(delays[1], Event::ServerHears(link));
    }

    /// When a frame arrives: never, once or twice.
    fn carried(&mut self, link: usize, to_server: bool) -> Vec<u64> {
        if self.network.links[link].dead {
            return Vec::new();
        }
        if self.strikes(Fault::FrameDropped) {
            self.count(Count::FrameDropped);
            self.trace(|| format!("link {link}: a frame is lost"));
            return Vec::new();
        }
        let mut delay = self.dice.within(1, 60);
        if self.strikes(Fault::FrameDelayed) {
            self.count(Count::FrameDelayed);
            delay += self.dice.within(500, 8_000);
        }
        let overtakes = self.strikes(Fault::FrameReordered);
        let state = &mut self.network.links[link];
        let last = if to_server { &mut state.to_server_at } else { &mut state.to_client_at };
        let at = if overtakes {
            let at = self.now + 1;
            if at < *last {
                self.coverage.add(Count::FrameReordered);
            }
            at
        } else {
            (self.now + delay).max(*last + 1)
        };
        *last = at.max(*last);
        if self.strikes(Fault::FrameDuplicated) {
            self.count(Count::FrameDuplicated);
            return vec![at, at + self.dice.within(1, 2_000)];
        }
        vec![at]
    }
}

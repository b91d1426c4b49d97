//! How much one socket may send. Frames and bytes beyond it are not read for a while, which the
//! peer's own system makes it feel; actions beyond it are refused.

use std::sync::Arc;

use axum::extract::ws::Message;

use crate::Server;
use crate::addresses::{Addresses, Place};
use crate::random;
use crate::rate::Bucket;

pub(super) struct Throttle {
    frames: Bucket,
    bytes: Bucket,
    actions: Bucket,
    addresses: Arc<Addresses>,
    place: Place,
    /// What the session was told last.
    told: u64,
}

impl Throttle {
    pub(super) fn new(server: &Server, place: Place) -> Self {
        let (now, limits) = (random::now(), server.limits());
        Self {
            frames: Bucket::new(limits.socket_frames, now),
            bytes: Bucket::new(limits.socket_bytes, now),
            actions: Bucket::new(limits.socket_actions, now),
            addresses: Arc::clone(server.addresses()),
            place,
            told: 0,
        }
    }

    /// Milliseconds for which nothing more is read; 0: go on.
    pub(super) fn pause(&mut self) -> u64 {
        let now = random::now();
        self.frames.wait(now).max(self.bytes.wait(now))
    }

    pub(super) fn read(&mut self, message: &Message) {
        let now = random::now();
        let bytes = match message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
            Message::Close(_) => 0,
        };
        self.frames.take(now, 1);
        self.bytes.take(now, bytes as u64);
    }

    pub(super) fn submitted(&mut self, actions: usize) {
        let now = random::now();
        self.actions.take(now, actions as u64);
        self.addresses.take(self.place.address(), now, actions as u64);
    }

    /// How long actions must wait, where that is another time than was told.
    pub(super) fn news(&mut self) -> Option<u64> {
        let now = random::now();
        let wait = self.actions.wait(now).max(self.addresses.wait(self.place.address(), now));
        let news = (wait != self.told).then_some(wait);
        self.told = wait;
        news
    }
}

//! A world for the engine: clients with disks, a small server, and a network that is told what to do.
//!
//! An action is a number; the state is the list of the accepted ones. The server rejects multiples of 7.
//! The real server has tests of its own and meets the engine in the end-to-end tests.
#![allow(dead_code, unused_imports, reason = "each behaviour uses its part of the world")]

mod page;
mod server;
mod text;
mod wire;

use twinstore_engine::{Config, Limits};
use twinstore_protocol::{ClientId, Pong, Rejection, Seq, StreamId};

pub(crate) use page::{Disk, Page};
pub(crate) use server::Server;
pub(crate) use wire::lower;

pub(crate) type Action = u64;

/// The engine's `A`: an action, or a state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Action(Action),
    State(Vec<Action>),
    /// A piece of a snapshot.
    Text(String),
}

fn action(value: &Value) -> Action {
    match value {
        Value::Action(action) => *action,
        Value::State(_) | Value::Text(_) => panic!("not an action: {value:?}"),
    }
}

/// The size of an action where a test does not say.
pub(crate) const ACTION_BYTES: u32 = 10;

/// How often the server wants pings.
pub(crate) const PING_MS: u32 = 20_000;

/// The checksum of a state; that its order counts is all that matters here.
pub(crate) fn sum(state: &[Action]) -> u64 {
    state.iter().fold(0, |sum, action| (sum * 31 + action + 1) % (1 << 52))
}

pub(crate) fn rejected(action: Action) -> bool {
    action.is_multiple_of(7)
}

pub(crate) fn pong(head: u64) -> Pong {
    Pong { stream: stream(), head: Seq(head) }
}

pub(crate) fn config(id: &str, limits: Limits) -> Config {
    Config {
        client: ClientId(id.to_owned()),
        schema: 1,
        seed: id.bytes().map(u64::from).sum(),
        leads: true,
        limits,
    }
}

pub(crate) fn stream() -> StreamId {
    StreamId::parse("list/test").expect("it is a stream's name")
}

pub(crate) fn rejection() -> Rejection {
    Rejection { code: "invalid".into(), reason: "a multiple of 7".into() }
}

/// Chance, the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(sides)).expect("less than the sides")
    }
}

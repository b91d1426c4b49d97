//! Goal: 10,000 actions that were made offline cost less than $0.009 when they are sent at last, by
//! either topology: sent by the client's own engine, and counted call by call.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use common::dynamodb::dice::Dice;
use common::metered::Metered;
use common::orders::{order, stamped};
use common::twin::Twin;
use twinstore_cost::{Assumed, Counts, Prices, Run, Topology, dollars};

const STREAM: &str = "salesOrder/demo";
const CLIENT: &str = "20261124-k3v9q0xw7m2d";
const ACTIONS: u64 = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn coupled() {
    a_replay_of_10_000_actions_is_under_a_cent(Topology::Coupled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipeline() {
    a_replay_of_10_000_actions_is_under_a_cent(Topology::Pipeline).await;
}

/// What docs/AWS.md says is printed here: `--nocapture`.
async fn a_replay_of_10_000_actions_is_under_a_cent(topology: Topology) {
    let (mut twin, bytes) = offline();
    let mut metered = Metered::new(topology).await;
    metered.connect("c").await;
    twin.opened();
    while let Some(frame) = twin.says() {
        for frame in metered.send("c", &frame).await {
            twin.hears(&frame);
        }
    }
    assert_eq!(twin.settled, ACTIONS, "{topology:?}: all have their verdict");
    assert_eq!(metered.events(STREAM) as u64, ACTIONS);
    let counts = Counts { memory_mb: Assumed::default().memory_mb, ..metered.counts };
    let counts = Counts { billed_ms: billed_ms(topology, bytes), ..counts };
    let dollars = dollars(&counts, &Prices::of_this_version()).total();
    println!("{topology:?}, {bytes} bytes an action: ${dollars:.5}, {counts:?}");
    assert!(dollars < 0.009, "{topology:?}: ${dollars}");
}

/// How long functions run is not to be seen here: it is assumed.
fn billed_ms(topology: Topology, bytes: u64) -> u64 {
    let run = Run { actions: ACTIONS, batch: 100, bytes, ..Run::default() };
    run.counts(topology, &Assumed::default()).unwrap().billed_ms
}

/// A page that made its actions offline, and how many bytes one has.
fn offline() -> (Twin, u64) {
    let mut twin = Twin::new(STREAM, CLIENT);
    let (mut dice, mut bytes) = (Dice(1), 0);
    while twin.next_n().0 <= ACTIONS {
        for action in order(&mut dice) {
            let stamped = stamped(action, CLIENT, twin.next_n().0, &mut dice);
            bytes += stamped.to_string().len() as u64;
            twin.dispatch(stamped);
        }
    }
    (twin, bytes / ACTIONS)
}

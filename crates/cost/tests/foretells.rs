//! Goal: the formulas say what the topologies do, batch by batch, and never something odd.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::LazyLock;

use twinstore_cost::{Assumed, Counts, Machine, Prices, Run, Topology};

static PRICES: LazyLock<Prices> = LazyLock::new(Prices::of_this_version);

const CLOUD: [Topology; 2] = [Topology::Coupled, Topology::Pipeline];

fn counts(run: &Run, topology: Topology) -> Counts {
    run.counts(topology, &Assumed::default()).unwrap()
}

fn dollars(run: &Run, topology: Topology) -> f64 {
    let (assumed, machine) = (Assumed::default(), Machine::default());
    run.bill(topology, &assumed, &machine, &PRICES).unwrap().total()
}

/// One action, one receiver: in and out; a pack, the client, the head and a record, 2 units each;
/// connection, listener, head and listeners are read.
#[test]
fn one_action_coupled() {
    let run = Run { actions: 1, ..Run::default() };
    let counts = counts(&run, Topology::Coupled);
    assert_eq!((counts.messages_in, counts.messages_out, counts.invocations), (1, 1, 1));
    assert_eq!((counts.write_units, counts.read_units, counts.stream_reads), (8, 4, 0));
}

/// The same: an inbox item before it, three functions, and the push reads events and listeners.
#[test]
fn one_action_through_the_pipeline() {
    let run = Run { actions: 1, receivers: 10, ..Run::default() };
    let counts = counts(&run, Topology::Pipeline);
    assert_eq!((counts.messages_in, counts.messages_out, counts.invocations), (1, 10, 3));
    assert_eq!((counts.write_units, counts.read_units, counts.stream_reads), (1 + 8, 2 + 3, 2));
}

/// 50 actions of 200 bytes: 12.8 kB in, 7.3 kB out, 17.7 kB to others, one message each. A pack's text of
/// 18,000 bytes becomes 2,780, in an item of 2,940: 3 KB, 6 units; 5 records, the client and the head: 14.
#[test]
fn fifty_actions_in_a_message() {
    let run = Run { actions: 500, batch: 50, receivers: 3, ..Run::default() };
    let counts = counts(&run, Topology::Coupled);
    assert_eq!((counts.messages_in, counts.messages_out, counts.invocations), (10, 30, 10));
    // Two states of 20,000 bytes as well, which become 3,060.
    assert_eq!(counts.write_units, 10 * (6 + 14) + 2 * 3);
}

/// While a message is under way the rest gathers: 100 messages with 100 actions each, which is what
/// functions take in one. The demo's actions have some 150 bytes.
#[test]
fn an_offline_replay_of_10_000_is_under_a_cent() {
    let run = Run { actions: 10_000, batch: 500, bytes: 150, ..Run::default() };
    assert_eq!(counts(&run, Topology::Coupled).messages_in, 100);
    for topology in CLOUD {
        let dollars = dollars(&run, topology);
        println!("{topology:?}: ${dollars:.5}");
        assert!(dollars < 0.009, "{topology:?}: {dollars}");
        let longer = Run { bytes: 200, ..run };
        println!("{topology:?}, 200 bytes: ${:.5}", self::dollars(&longer, topology));
    }
}

#[test]
fn what_gathers_is_stored_and_told_together() {
    let alone = Run { actions: 10_000, receivers: 10, ..Run::default() };
    let gathered = Run { gather: 10, ..alone };
    let (alone_counts, gathered_counts) =
        (counts(&alone, Topology::Pipeline), counts(&gathered, Topology::Pipeline));
    assert_eq!(alone_counts.messages_out, 10 * gathered_counts.messages_out);
    assert_eq!(gathered_counts.invocations, 10_000 + 2 * 1_000);
    // Ten messages in the inbox; a pack whose 3,600 bytes become 764, the client, the head and 10 records.
    let written = 1_000 * (10 + 2 + 4 + 20);
    assert_eq!(gathered_counts.write_units, written + (50 + 48) * 3);
    assert!(dollars(&gathered, Topology::Pipeline) < dollars(&alone, Topology::Pipeline) / 3.0);
}

/// 8 hours: 480 minutes, a ping every four minutes, and four sockets.
#[test]
fn who_only_looks_on_costs_its_pings() {
    let run = Run { actions: 1, receivers: 1, hours: 8.0, ..Run::default() };
    let here = counts(&run, Topology::Coupled);
    assert!((here.connection_minutes - 480.0).abs() < 1e-9);
    assert_eq!((here.messages_in, here.messages_out), (1 + 120 + 4, 1 + 120 + 8));
}

#[test]
fn a_machine_costs_the_same_whatever_happens_on_it() {
    let few = Run { actions: 1, ..Run::default() };
    let many = Run { actions: 1_000_000, receivers: 100, ..Run::default() };
    assert_eq!(dollars(&few, Topology::Sqlite), dollars(&many, Topology::Sqlite));
    assert_eq!(counts(&many, Topology::Sqlite).messages_out, 100_000_000);
}

/// More actions, receivers or hours are never fewer dollars. (More bytes may be: an item that has
/// grown too large for a transaction is written alone, for half the price; and so are records where
/// one append changes more of them than a transaction holds.)
#[test]
fn more_is_never_cheaper() {
    let mut dice = Dice(7);
    for _ in 0..20_000 {
        let run = dice.run();
        let topology = if dice.below(2) == 0 { CLOUD[0] } else { CLOUD[1] };
        let more = match dice.below(3) {
            0 => Run { actions: run.actions + 1 + dice.below(100), ..run },
            1 => Run { receivers: run.receivers + 1 + dice.below(10), ..run },
            _ => Run { hours: run.hours + 0.5, ..run },
        };
        let (less_dollars, more_dollars) = (dollars(&run, topology), dollars(&more, topology));
        assert!(
            more_dollars >= less_dollars - 1e-12,
            "{topology:?}: {run:?} {less_dollars}, {more:?} {more_dollars}"
        );
    }
}

#[test]
fn batches_are_never_dearer_than_single_actions() {
    let mut dice = Dice(8);
    for _ in 0..20_000 {
        let run = dice.run();
        let single = Run { batch: 1, ..run };
        for topology in CLOUD {
            let (batched, single) = (dollars(&run, topology), dollars(&single, topology));
            assert!(batched <= single + 1e-12, "{topology:?}: {run:?} {batched} > {single}");
        }
    }
}

#[test]
fn numbers_beyond_all_bounds_are_refused() {
    let good = Run::default();
    good.check().unwrap();
    for (bad, why) in [
        (Run { actions: 0, ..good }, "the number of actions is from 1"),
        (Run { batch: 0, ..good }, "in a message"),
        (Run { batch: 501, ..good }, "in a message is from 1 to 500"),
        (Run { receivers: 0, ..good }, "receivers"),
        (Run { bytes: 1 << 20, ..good }, "an action's size"),
        (Run { hours: f64::NAN, ..good }, "hours"),
        (Run { gather: 0, ..good }, "gathered"),
    ] {
        let error = bad.counts(Topology::Coupled, &Assumed::default()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let most = Run {
        actions: 1_000_000_000_000,
        receivers: 100_000,
        bytes: 20 << 10,
        records: 500,
        record_bytes: 1 << 20,
        state_bytes: 256 << 20,
        hours: 1_000_000.0,
        ..good
    };
    for topology in CLOUD {
        assert!(dollars(&most, topology).is_finite());
    }
}

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end
    }

    fn run(&mut self) -> Run {
        Run {
            actions: 1 + self.below(5_000),
            batch: 1 + self.below(200),
            receivers: 1 + self.below(200),
            bytes: 1 + self.below(5_000),
            records: self.below(30),
            record_bytes: 1 + self.below(3_000),
            state_bytes: 1 + self.below(1_000_000),
            gather: 1 + self.below(3),
            hours: self.below(100) as f64 / 4.0,
        }
    }
}

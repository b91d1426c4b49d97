//! Shrinking: smaller settings in which the same thing still goes wrong.

use crate::settings::Settings;
use crate::trial::{Failure, run};

/// Worlds that are tried before what was found is good enough.
const TRIALS_MAX: usize = 4_000;

/// Seeds that are tried for each smaller setting: with it, another world follows from the same seed.
const SEEDS: u64 = 12;

/// Makes the settings of a failure smaller for as long as its kind of failure is found.
#[must_use]
pub fn shrink(failure: &Failure, settings: &Settings) -> (Failure, Settings) {
    let (mut failure, mut settings) = (failure.clone(), settings.clone());
    let mut trials = 0;
    while let Some(found) = smaller(&failure, &settings, &mut trials) {
        (failure, settings) = found;
    }
    (failure, settings)
}

fn smaller(
    failure: &Failure,
    settings: &Settings,
    trials: &mut usize,
) -> Option<(Failure, Settings)> {
    for candidate in candidates(settings) {
        for seed in failure.seed..failure.seed.saturating_add(SEEDS) {
            *trials += 1;
            if *trials > TRIALS_MAX {
                return None;
            }
            match run(seed, &candidate, false) {
                Err(found) if found.kind() == failure.kind() => return Some((found, candidate)),
                Ok(_) | Err(_) => {}
            }
        }
    }
    None
}

/// Settings that are smaller in one respect, the boldest first.
fn candidates(settings: &Settings) -> Vec<Settings> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Settings)| {
        let mut smaller = settings.clone();
        change(&mut smaller);
        if smaller != *settings {
            all.push(smaller);
        }
    };
    for fault in settings.faults.keys() {
        add(&|s| {
            s.faults.remove(fault);
        });
    }
    add(&|s| s.actions /= 2);
    add(&|s| s.safety_ms = (s.safety_ms / 2).max(1_000));
    add(&|s| s.devices = (s.devices - 1).max(1));
    add(&|s| s.tabs = (s.tabs - 1).max(1));
    add(&|s| s.actions = (s.actions - 1).max(1));
    add(&|s| s.safety_ms = (s.safety_ms * 9 / 10).max(1_000));
    let plain = Settings::plain();
    add(&|s| s.locks = plain.locks);
    add(&|s| s.channel = plain.channel);
    add(&|s| s.strict = plain.strict);
    add(&|s| s.outbox = plain.outbox);
    add(&|s| s.batch = plain.batch);
    add(&|s| s.page = plain.page);
    add(&|s| s.catch_up = plain.catch_up);
    add(&|s| s.snapshot = plain.snapshot);
    add(&|s| s.part = plain.part);
    add(&|s| s.commit = plain.commit);
    add(&|s| s.queue = plain.queue);
    add(&|s| s.socket_queue = plain.socket_queue);
    add(&|s| s.burst = plain.burst);
    all
}

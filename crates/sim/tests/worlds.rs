//! Goal: in a thousand worlds everything holds, in those where it once did not as well, and every fault that is
//! spoken of did strike. With the feature `planted`: every bug that is planted is found.

use sim::{Settings, run, run_many};

/// Worlds in one run of the tests.
const WORLDS: u64 = 1_000;

/// What may be missing in them: one world in some thousand has it. For the first `crates/engine/tests/diverged_folds.rs`
/// has more; the second comes in few worlds, where it comes often, and its planted bug is found.
const RARE: &[&str] = &["diverged told", "write outranked by a newer leader"];

fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[test]
fn a_thousand_worlds_hold() {
    let summary = run_many(0, WORLDS, jobs(), 10, None);
    let failures: Vec<_> = summary.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(summary.seeds, WORLDS);
    let mut missing = summary.coverage.missing();
    missing.retain(|what| !RARE.contains(what));
    assert!(missing.is_empty(), "never happened in {WORLDS} worlds: {missing:?}");
}

#[test]
fn worlds_that_once_failed_hold() {
    let kept = include_str!("../seeds.txt").lines().filter(|line| !line.starts_with('#'));
    for line in kept {
        let mut words = line.splitn(3, ' ');
        let seed: u64 = words.next().and_then(|w| w.parse().ok()).expect("a seed comes first");
        let settings = match words.next().expect("settings come second") {
            "-" => Settings::of_kept(seed),
            "=" => Settings::of(seed),
            json => serde_json::from_str(json).expect("settings as JSON, without blanks"),
        };
        let what = words.next().expect("what it was comes last");
        if let Err(failure) = run(seed, &settings, false) {
            panic!("{failure}; it once was: {what}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..20 {
        let settings = Settings::of(seed);
        let runs = [0, 1].map(|_| run(seed, &settings, false).expect("it holds").to_string());
        assert_eq!(runs[0], runs[1], "seed {seed}");
    }
}

#[cfg(feature = "planted")]
mod planted {
    use sim::{Bug, Settings, Summary, run, run_many};

    use super::jobs;

    /// The most worlds that it may take to find a bug. Most take less than a hundred.
    const SEEDS_MAX: u64 = 4_000;

    /// The search for this one begins here: one world in some six thousand shows it.
    const RARE: (Bug, u64) = (Bug::SettledStaysStored, 7_000);

    #[test]
    fn every_planted_bug_is_found() {
        let found = |bug: Bug| {
            let mut from = if bug == RARE.0 { RARE.1 } else { 0 };
            let end = from + SEEDS_MAX;
            while from < end {
                let Summary { failures, .. } = run_many(from, end - from, jobs(), 1, Some(bug));
                let Some(failure) = failures.first() else { break };
                // It is the bug only where the same world holds without it.
                if run(failure.seed, &Settings::of(failure.seed), false).is_ok() {
                    println!("{bug:?}: {failure}");
                    return true;
                }
                from = failure.seed + 1;
            }
            println!("{bug:?}: not found");
            false
        };
        let hidden: Vec<_> = Bug::ALL.iter().filter(|bug| !found(**bug)).collect();
        assert!(hidden.is_empty(), "not found in {SEEDS_MAX} worlds: {hidden:?}");
    }
}

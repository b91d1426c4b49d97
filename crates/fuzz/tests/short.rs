//! Each target on all that was kept for it, and on seeded chance: the short run that is part of every test run.
//! `TWINSTORE_FUZZ_SECONDS` makes it longer; a run like that goes on from another seed each time.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::time::{Duration, Instant};

use twinstore_fuzz::{TARGETS, Target};

/// So many inputs of chance in a short run: seconds each, in a build without optimisation.
const INPUTS: [(&str, u64); 3] = [("engine", 2_000), ("frames", 200), ("session", 200)];

#[test]
fn engine() {
    run("engine");
}

#[test]
fn frames() {
    run("frames");
}

#[test]
fn session() {
    run("session");
}

fn run(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    for folder in ["corpus", "crashers"] {
        for (file, bytes) in kept(&format!("{folder}/{name}")) {
            attempt(*target, &bytes, &file);
        }
    }
    let seconds = std::env::var("TWINSTORE_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let first = if until.is_some() { RandomState::new().hash_one(name) >> 16 } else { 0 };
    let inputs = INPUTS.iter().find(|(known, _)| *known == name).map_or(0, |(_, inputs)| *inputs);
    let mut count = 0;
    while until.map_or(count < inputs, |until| Instant::now() < until) {
        let seed = first.wrapping_add(count);
        attempt(*target, &random(seed), &format!("seed {seed}"));
        count += 1;
    }
    println!("{name}: {count} inputs");
}

/// Runs a target; where it panics the input is made shorter and written down, for `crashers/`.
fn attempt(target: Target, bytes: &[u8], what: &str) {
    if catch_unwind(|| target(bytes)).is_err() {
        let path = std::env::temp_dir().join("twinstore-crasher");
        std::fs::write(&path, shortest(target, bytes)).expect("a folder for temporary files");
        panic!("{what} fails; the bytes that do are in {}", path.display());
    }
}

/// Leaves out what can be left out, in ever smaller pieces, as long as the target panics.
fn shortest(target: Target, bytes: &[u8]) -> Vec<u8> {
    let (mut bytes, mut piece) = (bytes.to_vec(), bytes.len() / 2);
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    while piece > 0 {
        let mut at = 0;
        while at < bytes.len() {
            let mut fewer = bytes.clone();
            fewer.drain(at..(at + piece).min(bytes.len()));
            if catch_unwind(|| target(&fewer)).is_err() {
                bytes = fewer;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    set_hook(hook);
    bytes
}

fn kept(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(&folder).expect("there is a folder for each target");
    let files = files.map(|file| file.expect("it can be listed").path());
    let read = |path: std::path::PathBuf| {
        (path.display().to_string(), std::fs::read(&path).expect("it can be read"))
    };
    files.map(read).collect()
}

/// Bytes by splitmix64, up to 2 KiB.
fn random(mut seed: u64) -> Vec<u8> {
    let mut draw = || {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let words = 8 + draw() % 248;
    (0..words).flat_map(|_| draw().to_le_bytes()).collect()
}

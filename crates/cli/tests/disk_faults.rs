//! A disk that fails under the real process: no verdict that is not kept, none twice, and the store
//! stays whole. Writes that fail, are short or find no room; syncs that fail end the process.
#![cfg(target_os = "linux")]

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use common::client::{Client, Dice, check};
use common::{Place, Server};

/// Compiles the disk. The C compiler is the one that SQLite was compiled with.
fn disk(place: &Place) -> PathBuf {
    let library = place.path().join("disk.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/disk.c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let compiled = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .args([source, "-ldl"])
        .status();
    assert!(compiled.expect("a C compiler").success());
    library
}

/// The file that begins the faults, and counts them: one byte each.
const FAULTS: &str = "faults";

const FAULTS_WANTED: u64 = 10;
const ROUNDS_MAX: u64 = 200;

/// A server whose disk is well until it listens.
fn serve(place: &Place, disk: &str, faults: &str) -> Server {
    let begin = place.path().join(FAULTS);
    // The first one finds none.
    let _ = std::fs::remove_file(&begin);
    let faults = format!("{faults} {}", begin.display());
    let env =
        [("LD_PRELOAD", disk), ("TWINSTORE_DISK_FAULTS", &faults), ("TWINSTORE_BATCH_MAX", "10")];
    let server = place.serve_with(&[], &env);
    std::fs::write(begin, "").expect("it writes");
    server
}

/// Serves on that disk again and again, each time for a while; gives how often the process ended by
/// itself. `chances`, of 10,000: of a write that fails, is short, finds no room, and of a sync.
async fn under_faults(chances: &str) -> u64 {
    let place = Place::new();
    let library = disk(&place).display().to_string();
    let mut dice = Dice(20_261_124);
    // The tables are made on a disk that is well.
    assert_eq!(place.serve().terminate().0, Some(0));
    let mut clients: Vec<_> =
        [("a", 7), ("b", 50), ("c", 1)].map(|(id, batch)| Client::new(id, u64::MAX, batch)).into();
    let (mut ended, mut faults) = (0, 0);
    let mut rounds = 0;
    while faults < FAULTS_WANTED {
        rounds += 1;
        assert!(rounds <= ROUNDS_MAX, "{faults} faults: the disk does not fail");
        let mut server = serve(&place, &library, &format!("{} {chances}", dice.below(1 << 30)));
        let port = server.port;
        let runs = futures_util::future::join_all(clients.iter_mut().map(|c| c.run(port)));
        // A client that was refused gives up for this round.
        let _ = tokio::time::timeout(Duration::from_millis(300), runs).await;
        ended += u64::from(server.child.try_wait().expect("it is asked").is_some());
        server.kill();
        faults += std::fs::metadata(place.path().join(FAULTS)).expect("it was made").len();
        check(&place, &clients);
    }
    let heard: usize = clients.iter().map(|client| client.seqs.len()).sum();
    assert!(heard > 0, "something was done between the faults");
    let server = place.serve();
    for client in &mut clients {
        client.total = client.seqs.last_key_value().map_or(0, |(n, _)| *n) + 100;
        client.run(server.port).await;
        assert!(client.is_done());
    }
    let total: u64 = clients.iter().map(|client| client.total).sum();
    assert_eq!(check(&place, &clients) as u64, total);
    println!(
        "{chances}: {faults} faults, {ended} of {rounds} servers ended, {total} actions, 0 lost"
    );
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_fail_give_no_false_verdict() {
    assert_eq!(under_faults("300 0 0 0").await, 0, "the process bears it");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_are_short_give_no_false_verdict() {
    assert_eq!(under_faults("0 300 0 0").await, 0, "the process bears it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_gives_no_false_verdict() {
    assert_eq!(under_faults("0 0 300 0").await, 0, "the process bears it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_ends_the_process_and_gives_no_false_verdict() {
    assert!(under_faults("0 0 0 500").await > 0, "it ends where it cannot trust the disk");
}

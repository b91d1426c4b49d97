//! The suite, group commit, the lock, readers beside a writer and a full disk.

use std::sync::mpsc::channel;

use super::*;
use crate::log::AppendError;
use crate::log::conformance::{self, Sample};

fn store() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("t.db");
    (dir, path)
}

#[test]
fn conforms() {
    let dirs = Mutex::new(Vec::new());
    conformance::check(&|| {
        let (dir, path) = store();
        dirs.lock().unwrap().push(dir);
        Box::new(SqliteLog::open(&path).unwrap())
    });
}

#[test]
fn what_waits_is_one_transaction() {
    let (_dir, path) = store();
    let log = SqliteLog::open(&path).unwrap();
    // The first append, of a stream whose answer blocks the writer, lets the others gather.
    let (gate, open) = channel::<()>();
    let first = Sample::new("m/first");
    log.append(first.append(1), Box::new(move |_| open.recv().unwrap()));
    while log.commits() == 0 {
        std::thread::yield_now();
    }
    let (done, outcomes) = channel();
    for stream in 0..100 {
        let done = done.clone();
        let sample = Sample::new(&format!("m/{stream}"));
        log.append(sample.append(3), Box::new(move |outcome| done.send(outcome).unwrap()));
    }
    gate.send(()).unwrap();
    for _ in 0..100 {
        outcomes.recv().unwrap().expect("it is written");
    }
    assert_eq!(log.commits(), 2);
}

#[test]
fn one_process_writes_and_others_read() {
    let (_dir, path) = store();
    assert!(matches!(SqliteLog::open_read_only(&path), Err(OpenError::Missing { .. })));
    let log = SqliteLog::open(&path).unwrap();
    assert!(matches!(SqliteLog::open(&path), Err(OpenError::Locked { .. })));
    let sample = Sample::new("m/x");
    conformance::append(&log, sample.append(2)).unwrap();
    let reader = SqliteLog::open_read_only(&path).unwrap();
    let page = Page { events: 10, bytes: 1 << 20 };
    assert_eq!(reader.read(&sample.stream, Seq(0), page).unwrap().len(), 2);
    assert!(conformance::append(&reader, sample.append(1)).is_err());
    drop(log);
    assert_eq!(reader.head(&sample.stream).unwrap().unwrap().seq, Seq(2));
}

#[test]
fn a_store_that_is_closed_is_one_file_with_all_in_it() {
    let (dir, path) = store();
    let log = SqliteLog::open(&path).unwrap();
    let sample = Sample::new("m/x");
    conformance::append(&log, sample.append(2)).unwrap();
    assert_eq!(log.head(&sample.stream).unwrap().unwrap().seq, Seq(2));
    log.close();
    assert!(!path.with_extension("db-wal").exists());
    let copy = dir.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let copy = SqliteLog::open_read_only(&copy).unwrap();
    assert_eq!(copy.head(&sample.stream).unwrap().unwrap().seq, Seq(2));
}

#[test]
fn a_full_disk_writes_nothing_and_is_over_once_it_is_over() {
    let (_dir, path) = store();
    let log = SqliteLog::open(&path).unwrap();
    let sample = Sample::new("m/x");
    conformance::append(&log, sample.append(1)).unwrap();
    log.limit_pages(1);
    let many = sample.append_after(1, 500);
    let outcome = conformance::append(&log, many.clone());
    assert!(matches!(outcome, Err(AppendError::Failed(_))), "{outcome:?}");
    assert_eq!(log.head(&sample.stream).unwrap().unwrap().seq, Seq(1));
    log.limit_pages(0);
    assert_eq!(conformance::append(&log, many).unwrap().seq, Seq(501));
}

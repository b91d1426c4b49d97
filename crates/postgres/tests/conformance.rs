//! The log in PostgreSQL does what every log does.

use std::cell::Cell;

use twinstore_postgres::testing::Database;
use twinstore_postgres::{OpenError, PostgresLog, Settings, Url};
use twinstore_protocol::{ClientId, N, Seq};
use twinstore_server::log::conformance::{self, Sample, append};
use twinstore_server::log::{Log, Page};

const ALL: Page = Page { events: 1_000, bytes: usize::MAX };

#[test]
fn conforms() {
    let database = Database::start();
    let made = Cell::new(0);
    let new = |settings: Settings| {
        made.set(made.get() + 1);
        let url = database.store(&format!("s{}", made.get()));
        Box::new(PostgresLog::open(&url, &settings).unwrap()) as Box<dyn Log>
    };
    conformance::check(&|| new(Settings::default()));
    conformance::check(&|| new(Settings { writers: 1, ..Settings::default() }));
    conformance::check(&|| new(Settings { writers: 4, group: 1, ..Settings::default() }));
}

/// What clients send is theirs to choose: none of it may spoil the others' appends.
#[test]
fn hostile_text_is_kept_as_it_is() {
    let database = Database::start();
    let log = PostgresLog::open(&database.store("s"), &Settings::default()).unwrap();
    let mut sample = Sample::new("m/x");
    sample.client = ClientId("a\0b\u{10FFFF}".to_owned());
    let mut first = sample.append(3);
    first.events[0].kind = "\0".to_owned();
    let long = "k".repeat(60_000);
    let keys = ["\0", "", long.as_str(), "ü"];
    first.records = keys.map(|key| (key.to_owned(), Some("1".to_owned()))).into();
    append(&log, first.clone()).unwrap();
    assert_eq!(log.read(&sample.stream, Seq(0), ALL).unwrap(), first.events);
    assert_eq!(log.last_n(&sample.stream, &sample.client).unwrap(), N(6));
    assert_eq!(log.rejections(&sample.stream, &sample.client, N(0), 9).unwrap().len(), 1);
    let mut sorted = first.records.clone();
    sorted.sort();
    let records = log.records(&sample.stream).unwrap();
    assert_eq!(
        records.iter().map(|(key, _)| key).collect::<Vec<_>>(),
        sorted.iter().map(|(key, _)| key).collect::<Vec<_>>()
    );
    let mut second = sample.append_after(3, 1);
    second.records = keys.map(|key| (key.to_owned(), None)).into();
    append(&log, second).unwrap();
    assert_eq!(log.records(&sample.stream).unwrap(), []);
}

/// A fault of one append is not the others'.
#[test]
fn an_append_that_cannot_be_stored_spoils_no_other() {
    let database = Database::start();
    let settings = Settings { writers: 1, ..Settings::default() };
    let log = PostgresLog::open(&database.store("s"), &settings).unwrap();
    let good: Vec<_> = (0..20).map(|i| Sample::new(&format!("m/good{i}"))).collect();
    let mut bad = Sample::new("m/bad").append(2);
    bad.events[1].n = bad.events[0].n;
    let (done, outcomes) = std::sync::mpsc::channel();
    let hand_over = |name: String, append| {
        let done = done.clone();
        log.append(append, Box::new(move |outcome| done.send((name, outcome.is_ok())).unwrap()));
    };
    for sample in &good {
        hand_over(sample.stream.to_string(), sample.append(1));
        hand_over("bad".to_owned(), bad.clone());
    }
    for (name, is_ok) in outcomes.iter().take(2 * good.len()) {
        assert_eq!(is_ok, name != "bad", "{name}");
    }
    assert_eq!(log.head(&bad.stream).unwrap(), None);
}

#[test]
fn a_database_that_may_lose_commits_is_refused() {
    let mut database = Database::start();
    let url = database.store("s");
    let refused = |url: &Url, part: &str| match PostgresLog::open(url, &Settings::default()) {
        Err(OpenError::Unfit { rule }) => assert!(rule.contains(part), "{rule}"),
        other => panic!("{other:?}"),
    };
    let lax: Url = format!("{url}%20-c%20synchronous_commit%3Doff").parse().unwrap();
    refused(&lax, "synchronous_commit");
    let read_only = PostgresLog::open_read_only(&url, &Settings::default());
    assert!(matches!(read_only, Err(OpenError::Missing)));
    database.kill();
    database.start_again(&["fsync=off"]);
    refused(&url, "fsync");
    database.kill();
    database.start_again(&[]);
    PostgresLog::open(&url, &Settings::default()).unwrap();
    database.execute("INSERT INTO s.twin_form VALUES (9)");
    let newer = PostgresLog::open(&url, &Settings::default());
    assert!(matches!(newer, Err(OpenError::Newer { found: 9 })));
}

//! Goal: of what a client left that is gone, a page that cannot read the database has but the end. It sends what
//! follows on what the server has, skips nothing of the rest, and waits for nothing (I5, I6).

mod common;

use common::{Disk, Page, Server};
use twinstore_engine::Input;
use twinstore_protocol::{ClientId, N};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What a client left that dispatched 1, 2 and 3.
fn left() -> Disk {
    let mut gone = Page::new("gone");
    gone.dispatch_all(0, [1, 2, 3]);
    gone.disk
}

/// The page finds all of it but the first.
fn adopt_the_end(page: &mut Page, now: u64) {
    let mut disk = left();
    page.disk.entries.extend(disk.entries.drain(1..));
    let entries = page.entries_of(|name| name == "gone");
    let client = page.engine.client("gone");
    page.feed(now, Input::Adopted { client, entries, whole: false });
}

#[test]
fn nothing_is_skipped_and_nothing_waits_for_it() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    adopt_the_end(&mut page, 0);
    page.dispatch(10, 9);
    page.connect(20, &mut server);
    assert_eq!(server.state(), [9]);
    assert_eq!(page.visible, [9, 2, 3]);
    // A page that can read the database.
    Page::load("b", left(), true).connect(30, &mut server);
    page.hear(30, &server);
    assert_eq!(server.state(), [9, 1, 2, 3]);
    assert_eq!(page.visible, [9, 1, 2, 3]);
    assert_eq!(page.engine.status().pending, 0);
}

#[test]
fn what_follows_on_what_the_server_has_is_sent() {
    let mut server = Server::new();
    server.last.insert(ClientId("gone".to_owned()), N(1));
    let mut page = Page::new("a");
    adopt_the_end(&mut page, 0);
    page.dispatch(10, 9);
    page.connect(20, &mut server);
    assert_eq!(server.state(), [2, 3, 9]);
    assert_eq!(page.engine.status().pending, 0);
}

#[test]
fn the_server_is_asked_what_it_has_where_no_welcome_said_it() {
    let mut server = Server::new();
    server.last.insert(ClientId("gone".to_owned()), N(1));
    let mut page = Page::online("a", &mut server);
    adopt_the_end(&mut page, 10);
    page.exchange(10, &mut server);
    assert!(server.state().is_empty(), "the first may lie where it cannot be read");
    page.pass_time(u64::from(common::PING_MS) + 20);
    page.exchange(30_000, &mut server);
    assert_eq!(server.state(), [2, 3]);
}

#[test]
fn what_is_known_as_all_there_is_is_sent_and_settles_the_rest() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    adopt_the_end(&mut page, 0);
    let entries = page.entries_of(|name| name == "gone");
    let client = page.engine.client("gone");
    page.feed(0, Input::Adopted { client, entries, whole: true });
    page.connect(20, &mut server);
    assert_eq!(server.state(), [2, 3]);
}

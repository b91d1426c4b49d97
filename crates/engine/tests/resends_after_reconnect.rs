//! Goal: where answers were lost, what was sent is sent again, and answered by the verdicts it has: nothing
//! is lost, nothing is applied twice (I3, I5).

mod common;

use common::{Page, Server};
use twinstore_engine::{Input, Progress};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The push arrives, its answer does not.
fn lose_answer(page: &mut Page, server: &mut Server) {
    let push = page.wire.pop_front().expect("a push is on its way");
    server.receive(common::lower(push));
    page.cut(0);
}

#[test]
fn answers_that_were_lost() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 7, 2]);
    page.connect(0, &mut server);
    page.dispatch_all(0, [3, 14]);
    lose_answer(&mut page, &mut server);
    assert_eq!(page.progress(), [Progress::Queued; 2]);
    page.reconnect(0, &mut server);
    assert_eq!(server.state(), [1, 2, 3]);
    assert_eq!(page.visible, [1, 2, 3]);
    assert_eq!(page.engine.status().pending, 0);
    assert_eq!(page.notices[3..], ["confirmed 3 n4 seq4", "rejected 14 n5 seq5: a multiple of 7"]);
}

#[test]
fn a_push_that_was_lost() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(0, 1);
    page.cut(0);
    page.reconnect(0, &mut server);
    assert_eq!(server.state(), [1]);
    assert_eq!(page.notices, ["confirmed 1 n1 seq1"]);
}

#[test]
fn verdicts_alone_settle_what_the_cursor_has_passed() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(0, 7);
    lose_answer(&mut page, &mut server);
    // The event came without its names: the rejection of someone not named.
    server.anonymous_rejections = true;
    page.reconnect(0, &mut server);
    assert_eq!(page.notices, ["rejected 7 n1 seq1: a multiple of 7"]);
    assert!(page.visible.is_empty());
    assert!(page.disk.entries.is_empty());
}

#[test]
fn a_verdict_ahead_of_its_event_waits_for_it() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(0, 1);
    let push = page.wire.front().cloned().expect("it is on its way");
    server.receive(common::lower(push));
    for verdict in server.receive(common::lower(page.wire.pop_front().expect("again"))) {
        page.receive(0, verdict);
    }
    assert_eq!(page.progress(), [Progress::Decided]);
    assert!(page.notices.is_empty());
    page.hear(0, &server);
    assert_eq!(page.notices, ["confirmed 1 n1 seq1"]);
    assert_eq!((page.advances, page.rebases), (1, 0));
}

#[test]
fn a_reload_sends_what_its_disk_holds() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 2]);
    lose_answer(&mut page, &mut server);
    let mut page = Page::load("b", page.disk, true);
    assert_eq!(page.visible, [1, 2], "the last visible state, before the network is asked");
    page.connect(0, &mut server);
    assert_eq!(server.state(), [1, 2]);
    assert_eq!(page.visible, [1, 2]);
    assert!(page.disk.entries.is_empty());
}

#[test]
fn who_leads_sends_what_other_tabs_stored() {
    let mut server = Server::new();
    let mut other = Page::new("a");
    other.dispatch(0, 1);
    let mut page = Page::load("b", other.disk, false);
    page.connect(0, &mut server);
    assert_eq!(page.visible, [1]);
    assert_eq!(server.state(), [1]);
    assert!(page.notices.is_empty(), "its own tab tells it");
}

#[test]
fn another_tabs_verdicts_are_told_by_that_tab() {
    let mut server = Server::new();
    let mut other = Page::new("a");
    other.dispatch_all(0, [1, 7]);
    let mut page = Page::load("b", other.disk.clone(), false);
    other.connect(0, &mut server);
    page.connect(0, &mut server);
    assert_eq!(other.notices.len(), 2);
    assert!(page.notices.is_empty());
    assert_eq!(page.visible, [1]);
    assert!(page.disk.entries.is_empty());
}

#[test]
fn what_another_tab_left_since_is_shown_and_sent() {
    let mut server = Server::new();
    let mut other = Page::new("a");
    other.dispatch(0, 1);
    let mut page = Page::load("b", other.disk.clone(), false);
    other.dispatch(0, 2);
    page.disk.entries = other.disk.entries;
    let entries = page.entries_of(|name| name == "a");
    let client = page.engine.client("a");
    page.feed(0, Input::Adopted { client, entries, whole: true });
    assert_eq!(page.visible, [1, 2]);
    page.connect(0, &mut server);
    assert_eq!(server.state(), [1, 2]);
}

#[test]
fn what_a_settled_number_names_is_done_whatever_brings_it_back() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 2]);
    let backup = page.disk.entries.clone();
    page.connect(0, &mut server);
    let mut disk = page.disk;
    disk.entries = backup;
    let page = Page::load("b", disk, true);
    assert_eq!(page.visible, [1, 2]);
    assert_eq!(page.engine.status().pending, 0);
    assert!(page.disk.entries.is_empty());
}

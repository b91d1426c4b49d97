//! Goal: a number that is never sent blocks nothing: the next entry's `from` covers it. Where the server
//! knows another last number, it names it and the client goes on from there, without an endless loop (I5).

mod common;

use common::{Page, Server};
use twinstore_engine::{Input, InputError, Progress};
use twinstore_protocol::{N, code};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn dropped_numbers_are_covered() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 2, 3, 4]);
    for n in [1, 3] {
        page.drop_own(0, n).expect("it was never sent");
    }
    assert_eq!(page.visible, [2, 4]);
    page.connect_only(0, &mut server);
    assert_eq!(page.sent(), ["n2 from 1, n4 from 3"]);
    page.exchange(0, &mut server);
    assert_eq!(server.state(), [2, 4]);
    page.dispatch(0, 5);
    assert_eq!(page.sent(), ["n5"]);
}

#[test]
fn a_dropped_number_is_not_given_again() {
    let mut page = Page::new("a");
    page.dispatch(0, 1);
    page.drop_own(0, 1).expect("it was never sent");
    assert_eq!(page.drop_own(0, 1), Err(InputError::NotPending));
    assert_eq!(page.engine.next_n(), N(2));
    assert!(page.disk.entries.is_empty());
}

#[test]
fn a_gap_is_corrected() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 2]);
    page.exchange(0, &mut server);
    // The server has lost the client's row while the link was up.
    server.last.clear();
    page.dispatch(0, 3);
    page.exchange_one(0, &mut server);
    assert_eq!(page.sent(), ["n3 from 1"]);
    page.exchange(0, &mut server);
    assert_eq!(server.state(), [1, 2, 3]);
    assert_eq!(page.visible, [1, 2, 3]);
}

#[test]
fn numbers_that_a_server_does_not_know_any_more_were_settled_by_another() {
    // Storage says that a living tab's first is settled; this server never had it.
    let mut server = Server::new();
    let mut tab = Page::new("b");
    tab.dispatch_all(0, [1, 2]);
    let mut page = Page::online("a", &mut server);
    tab.disk.entries.remove(0);
    tab.disk.settled.insert(tab.id.clone(), N(1));
    page.disk = tab.disk;
    let stored = page.stored();
    page.feed(10, Input::Reread(Some(stored)));
    page.exchange(10, &mut server);
    assert_eq!(server.state(), [2]);
}

#[test]
fn an_overlap_is_corrected() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 2]);
    page.drop_own(0, 1).expect("it was never sent");
    page.connect_only(0, &mut server);
    assert_eq!(page.sent(), ["n2 from 1"]);
    server.last.insert(page.id.clone(), N(1));
    page.exchange_one(0, &mut server);
    assert_eq!(page.sent(), ["n2"]);
    page.exchange(0, &mut server);
    assert_eq!(server.state(), [2]);
}

#[test]
fn a_number_that_a_later_one_settled_is_told_as_dropped() {
    let mut server = Server::new();
    // A copy of this outbox, in another tab, had dropped the first and sent the second.
    let mut copy = Page::new("a");
    copy.dispatch_all(0, [1, 2]);
    let mut page = Page::load("b", copy.disk.clone(), true);
    copy.drop_own(0, 1).expect("it was never sent");
    copy.connect(0, &mut server);
    page.connect(0, &mut server);
    assert_eq!(page.notices, ["confirmed 2 n2 seq1", "rejected 1 n1 seq1: dropped"]);
    assert_eq!(page.visible, [2]);
}

#[test]
fn a_correction_that_corrects_nothing_is_no_loop() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    server.refuse.insert(1, code::GAP);
    page.dispatch(0, 1);
    page.exchange(0, &mut server);
    assert!(page.sent().is_empty(), "the same again at once would be refused again");
    assert_eq!(page.progress(), [Progress::Queued]);
    server.refuse.clear();
    assert_eq!(page.pass_time(2_000).len(), 1);
    page.exchange(2_000, &mut server);
    assert_eq!(server.state(), [1]);
}

#[test]
fn a_busy_server_is_asked_later_and_in_order() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 2, 3]);
    server.refuse.insert(2, code::BUSY);
    page.exchange(0, &mut server);
    assert_eq!(server.state(), [1]);
    page.dispatch(0, 4);
    assert!(page.sent().is_empty());
    server.refuse.clear();
    page.pass_time(2_000);
    assert_eq!(page.sent(), ["n2, n3, n4"]);
}

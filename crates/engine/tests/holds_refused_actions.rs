//! Goal: an action that the server will never take is held: kept and listed, over a reload too, neither
//! shown nor sent, and those behind it go on (I6).

mod common;

use common::{Page, Server};
use twinstore_engine::{HeldReason, InputError, Progress};
use twinstore_protocol::code;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn refused(code: &'static str) -> (Page, Server) {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    server.refuse.insert(2, code);
    page.dispatch_all(0, [1, 2, 3, 4]);
    page.exchange(0, &mut server);
    (page, server)
}

#[test]
fn those_behind_go_on() {
    let reasons = [
        (code::TOO_LARGE, HeldReason::TooLarge),
        (code::TOO_DEEP, HeldReason::TooDeep),
        (code::NOT_PLAIN, HeldReason::NotPlain),
        (code::TOO_OLD, HeldReason::TooOld),
    ];
    for (code, reason) in reasons {
        let (page, server) = refused(code);
        assert_eq!(server.state(), [1, 3, 4], "{code}");
        assert_eq!(page.visible, [1, 3, 4], "{code}");
        assert_eq!(page.progress(), [Progress::Held(reason)]);
        assert_eq!(page.notices[1], format!("held 2 n2 {code}"));
        let status = page.engine.status();
        assert_eq!((status.pending, status.held), (0, 1));
        assert_eq!(HeldReason::parse(code), Some(reason), "storage gives it back");
    }
}

#[test]
fn of_who_may_not_send_for_a_client_all_that_waits_is_held_at_once() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 2]);
    server.refuse.insert(3, code::OTHER_SUBJECT);
    page.dispatch_all(0, [3, 4, 5]);
    page.exchange(0, &mut server);
    let held = Progress::Held(HeldReason::OtherSubject);
    assert_eq!(HeldReason::parse(code::OTHER_SUBJECT), Some(HeldReason::OtherSubject));
    assert_eq!((page.progress(), server.state()), (vec![held; 3], vec![1, 2]));
    assert_eq!(page.visible, [1, 2]);
    // Its own user is back.
    server.refuse.clear();
    page.dispatch(10, 6);
    page.exchange(10, &mut server);
    assert_eq!((page.progress(), server.state()), (vec![held; 3], vec![1, 2, 6]));
}

#[test]
fn it_is_kept_over_a_reload_and_never_sent_again() {
    let (page, mut server) = refused(code::TOO_LARGE);
    server.refuse.clear();
    let mut page = Page::load("b", page.disk, true);
    page.connect(0, &mut server);
    page.dispatch(0, 5);
    page.exchange(0, &mut server);
    assert_eq!(page.progress(), [Progress::Held(HeldReason::TooLarge)]);
    assert_eq!(server.state(), [1, 3, 4, 5]);
    assert_eq!(page.visible, [1, 3, 4, 5]);
}

#[test]
fn it_can_be_dropped() {
    let (mut page, _) = refused(code::TOO_LARGE);
    let rebases = page.rebases;
    page.drop_own(0, 2).expect("what is held can be dropped");
    assert!(page.disk.entries.is_empty());
    assert_eq!(page.rebases, rebases, "it was not shown");
    assert_eq!(page.drop_own(0, 2), Err(InputError::NotPending));
}

#[test]
fn what_was_held_back_is_held_too() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    server.refuse.insert(1, code::TOO_LARGE);
    page.dispatch_routed(0, 1, true);
    page.exchange(0, &mut server);
    page.cut(0);
    assert!(page.entered.is_empty());
    assert!(page.visible.is_empty());
    assert!(!page.engine.hides());
}

#[test]
fn what_a_client_that_was_forgotten_left_is_held_and_its_heir_goes_on() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 2]);
    page.exchange(0, &mut server);
    page.cut(0);
    page.dispatch_all(0, [3, 4]);
    server.forget("a");
    // Years later: the server knows less of it than was confirmed, and yet it is the same server.
    let mut heir = Page::load("b", page.disk, true);
    heir.connect(0, &mut server);
    heir.dispatch(0, 5);
    heir.exchange(0, &mut server);
    assert_eq!(heir.notices, ["held 3 n3 too-old", "held 4 n4 too-old", "confirmed 5 n1 seq3"]);
    assert_eq!(heir.visible, [1, 2, 5]);
    assert_eq!(server.state(), [1, 2, 5], "not twice");
}

#[test]
fn a_number_that_was_passed_over_is_held() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.slow_disk = true;
    page.dispatch_all(0, [1, 2]);
    // A copy of this outbox, in another tab, had dropped the first and sent the second.
    let mut copy = Page::new("a");
    copy.dispatch_all(0, [1, 2]);
    copy.drop_own(0, 1).expect("it was never sent");
    copy.connect(0, &mut server);
    page.hear(0, &server);
    assert_eq!(page.notices, ["held 1 n1 skipped", "confirmed 2 n2 seq1"]);
    assert_eq!(page.visible, [2]);
}

#[test]
fn so_is_one_passed_over_by_a_rejection_that_nobody_saw() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.slow_disk = true;
    page.dispatch(0, 1);
    page.dispatch_routed(0, 7, true);
    let mut copy = Page::new("a");
    copy.dispatch_all(0, [1, 7]);
    copy.drop_own(0, 1).expect("it was never sent");
    copy.connect(0, &mut server);
    page.hear(0, &server);
    assert_eq!(page.notices, ["held 1 n1 skipped", "rejected 7 n2 seq1: a multiple of 7"]);
    assert!(page.visible.is_empty());
}

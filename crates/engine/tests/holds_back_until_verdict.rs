//! Goal: an action with `'server'` routing enters the store once, with its verdict, and never if it was
//! rejected; when the link is lost it is shown like any other.

mod common;

use common::{Page, Server};
use twinstore_engine::Input;
use twinstore_protocol::Seq;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn accepted_it_enters_once() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_routed(0, 1, true);
    assert!(page.visible.is_empty());
    assert!(page.engine.hides());
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [1]);
    assert_eq!(page.entered, [1]);
    assert!(!page.engine.hides());
    page.cut(0);
    assert_eq!(page.entered, [1]);
}

#[test]
fn rejected_it_never_enters() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_routed(0, 7, true);
    page.exchange(0, &mut server);
    assert!(page.visible.is_empty());
    assert!(page.entered.is_empty());
    assert_eq!(page.rebases, 0, "nothing that was seen has changed");
    assert_eq!(page.notices, ["rejected 7 n1 seq1: a multiple of 7"]);
}

#[test]
fn between_shown_ones_it_takes_its_place() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(0, 1);
    page.dispatch_routed(0, 2, true);
    page.dispatch(0, 3);
    assert_eq!(page.visible, [1, 3]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [1, 2, 3]);
    assert_eq!(page.entered, [2]);
}

#[test]
fn a_lost_link_reveals_it() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(0, 1);
    page.dispatch_routed(0, 2, true);
    page.cut(0);
    assert_eq!(page.visible, [1, 2]);
    assert_eq!(page.entered, [2]);
    page.reconnect(0, &mut server);
    assert_eq!(page.visible, server.state());
    assert_eq!(page.entered, [2], "its verdict does not bring it in again");
}

#[test]
fn so_does_going_offline() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_routed(0, 1, true);
    page.feed(0, Input::Disconnected);
    assert_eq!(page.entered, [1]);
    assert_eq!(page.visible, [1]);
}

#[test]
fn with_a_snapshot_that_includes_it_it_enters_too() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_routed(0, 1, true);
    let push = page.wire.pop_front().expect("it is on its way");
    server.receive(common::lower(push));
    for part in server.parts(&page.id.clone()) {
        page.receive(0, part);
    }
    assert_eq!(page.entered, [1]);
    assert_eq!(page.visible, [1]);
    assert_eq!(page.engine.status().cursor, Seq(1));
    assert_eq!(page.notices, ["confirmed 1 n1 seq1"]);
}

#[test]
fn who_is_outdated_shows_what_was_held_back_when_it_is_told_that_it_is_accepted() {
    let mut server = Server::new();
    server.schema = 2;
    let mut page = Page::online("a", &mut server);
    page.dispatch_routed(0, 1, true);
    assert!(page.visible.is_empty());
    page.exchange(0, &mut server);
    assert_eq!(page.notices, ["confirmed 1 n1 seq1"]);
    assert_eq!(page.visible, [1]);
}

//! Goal: a server that was reset, or restored from a backup, takes no action of ours by accident: all that
//! was pending is held and told, its state is taken, and new actions go on (I2).

mod common;

use common::{Page, Server};
use twinstore_engine::{HeldReason, Progress};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A page with two confirmed and two pending actions, offline.
fn page_with_pending() -> (Page, Server) {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 2]);
    page.exchange(0, &mut server);
    page.cut(0);
    page.dispatch_all(0, [3, 4]);
    page.notices.clear();
    (page, server)
}

fn another_server() -> Server {
    let mut server = Server::new();
    server.name = "log2".to_owned();
    server.append("x", 22);
    server
}

#[test]
fn another_log() {
    let (mut page, _) = page_with_pending();
    let mut server = another_server();
    page.reconnect(0, &mut server);
    assert_eq!(page.notices, ["held 3 n3 reset", "held 4 n4 reset", "reset 2"]);
    assert_eq!(page.visible, [22]);
    assert_eq!(page.progress(), [Progress::Held(HeldReason::Reset); 2]);
    page.dispatch(0, 5);
    page.exchange(0, &mut server);
    assert_eq!(server.state(), [22, 5]);
    assert_eq!(page.visible, [22, 5]);
}

#[test]
fn a_log_that_is_empty_again() {
    let (mut page, _) = page_with_pending();
    let mut server = Server::new();
    server.name = "log2".to_owned();
    page.reconnect(0, &mut server);
    assert!(page.visible.is_empty());
    page.dispatch(0, 5);
    page.exchange(0, &mut server);
    assert_eq!(server.state(), [5]);
    assert_eq!(page.visible, [5]);
}

#[test]
fn a_shorter_log() {
    let (mut page, mut server) = page_with_pending();
    server.log.truncate(1);
    server.last.insert(page.id.clone(), twinstore_protocol::N(1));
    page.reconnect(0, &mut server);
    assert_eq!(page.notices.last().map(String::as_str), Some("reset 2"));
    assert_eq!(page.visible, [1]);
    page.dispatch(0, 5);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [1, 5]);
}

#[test]
fn a_server_that_knows_less_of_a_client() {
    let (mut page, mut server) = page_with_pending();
    server.last.clear();
    page.reconnect(0, &mut server);
    assert_eq!(page.notices, ["held 3 n3 reset", "held 4 n4 reset", "reset 2"]);
    assert_eq!(page.disk.base.as_deref(), Some([1, 2].as_slice()), "its state was asked for");
    assert_eq!(page.visible, [1, 2]);
    page.dispatch(0, 5);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [1, 2, 5]);
    assert_eq!(page.visible, server.state());
}

#[test]
fn held_actions_stay_held_and_one_reset_is_one() {
    let (mut page, _) = page_with_pending();
    let mut server = another_server();
    page.reconnect(0, &mut server);
    page.cut(0);
    page.dispatch(0, 5);
    page.reconnect(0, &mut server);
    assert_eq!(server.state(), [22, 5]);

    let mut page = Page::load("b", page.disk, true);
    page.dispatch(0, 6);
    page.connect(0, &mut server);
    assert_eq!(page.notices, ["confirmed 6 n1 seq3"], "the reset was told before");
    assert_eq!(server.state(), [22, 5, 6]);
    assert_eq!(page.engine.status().held, 2);
}

#[test]
fn a_client_without_pending_actions_begins_anew_too() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 2]);
    page.exchange(0, &mut server);
    page.cut(0);
    let mut server = another_server();
    page.reconnect(0, &mut server);
    assert_eq!(page.visible, [22]);
    page.cut(0);
    page.dispatch(0, 3);
    let mut page = Page::load("b", page.disk, true);
    page.connect(0, &mut server);
    assert_eq!(page.engine.status().held, 0, "what came after the reset is not held");
    assert_eq!(server.state(), [22, 3]);
}

#[test]
fn a_link_lost_before_the_state_came() {
    let (mut page, _) = page_with_pending();
    let mut server = Server::new();
    server.name = "log2".to_owned();
    page.feed(0, twinstore_engine::Input::Woken);
    page.open(0);
    let hello = page.wire.pop_front().expect("a hello");
    let welcome = server.receive(common::lower(hello)).remove(0);
    page.receive(0, welcome);
    page.cut(0);
    page.reconnect(10_000, &mut server);
    page.pass_time(20_000);
    page.exchange(20_000, &mut server);
    assert!(page.visible.is_empty(), "the state of a log that is no more");
}

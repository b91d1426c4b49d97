//! Goal: one push is under way at a time; what is dispatched meanwhile is gathered, within the server's
//! limits, and goes with its answer.

mod common;

use common::{Page, Server};
use twinstore_protocol::WireLimits;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn online(batch_actions: u32, batch_bytes: u32) -> (Page, Server) {
    let mut server = Server::new();
    server.limits = WireLimits { batch_actions, batch_bytes, ..WireLimits::DEFAULT };
    let page = Page::online("a", &mut server);
    (page, server)
}

/// The pushes, one by one, until nothing is left to send.
fn pushes(page: &mut Page, server: &mut Server) -> Vec<String> {
    let mut pushes = Vec::new();
    while let [push] = page.sent().as_slice() {
        pushes.push(push.clone());
        page.exchange_one(0, server);
    }
    pushes
}

#[test]
fn the_first_goes_at_once_the_others_together() {
    let (mut page, mut server) = online(500, 1_000);
    page.dispatch_all(0, [1, 2, 3]);
    assert_eq!(page.sent(), ["n1"]);
    assert_eq!(pushes(&mut page, &mut server), ["n1", "n2, n3"]);
    assert_eq!(page.visible, server.state());
}

#[test]
fn as_many_actions_as_the_server_takes() {
    let (mut page, mut server) = online(2, 1_000);
    page.dispatch_all(0, 1..=6);
    assert_eq!(pushes(&mut page, &mut server), ["n1", "n2, n3", "n4, n5", "n6"]);
}

#[test]
fn as_many_bytes_as_the_server_takes() {
    let (mut page, mut server) = online(500, 100);
    for (action, bytes) in [(1, 10), (2, 60), (3, 40), (4, 1), (5, 100), (6, 101), (8, 1)] {
        page.try_dispatch(0, action, bytes, false).expect("there is room");
    }
    // One alone that is beyond the limit is for the server to refuse.
    assert_eq!(pushes(&mut page, &mut server), ["n1", "n2, n3", "n4", "n5", "n6", "n7"]);
}

#[test]
fn a_part_of_the_answer_is_not_the_answer() {
    let (mut page, mut server) = online(500, 1_000);
    page.dispatch_all(0, [1, 2, 3, 4]);
    page.exchange_one(0, &mut server);
    assert_eq!(page.sent(), ["n2, n3, n4"]);
    page.dispatch(0, 5);
    let push = page.wire.pop_front().expect("it is on its way");
    server.receive(common::lower(push));
    for message in server.one_by_one(page.engine.status().cursor) {
        assert!(page.sent().is_empty());
        page.receive(0, message);
    }
    assert_eq!(page.sent(), ["n5"]);
}

#[test]
fn rejections_and_others_events_count_right() {
    let (mut page, mut server) = online(500, 1_000);
    page.dispatch_all(0, [7, 14, 1]);
    server.append("b", 2);
    page.hear(0, &server);
    assert_eq!(page.sent(), ["n1"], "another's event answers nothing");
    assert_eq!(pushes(&mut page, &mut server), ["n1", "n2, n3"]);
    assert_eq!(page.visible, [2, 1]);
}

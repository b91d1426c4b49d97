//! Goal: only events that go on exactly where the client stands are applied; else it pulls, once.

mod common;

use common::{Page, Server};
use twinstore_engine::wire::Incoming;
use twinstore_protocol::{LogId, Seq};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// At `seq` 2 of 4.
fn behind() -> (Page, Server) {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    for action in [11, 12] {
        server.append("b", action);
    }
    page.hear(0, &server);
    for action in [13, 15] {
        server.append("b", action);
    }
    (page, server)
}

#[test]
fn a_gap_before_the_frame_is_pulled_once() {
    let (mut page, mut server) = behind();
    page.receive(0, server.news(Seq(3)).remove(0));
    assert_eq!(page.visible, [11, 12]);
    server.append("b", 16);
    page.receive(0, server.news(Seq(4)).remove(0));
    assert_eq!(page.sent(), ["pull log1:2"]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, server.state());
}

#[test]
fn a_gap_within_the_frame_is_pulled() {
    let (mut page, mut server) = behind();
    let mut frame = server.news(Seq(2)).remove(0);
    if let Incoming::Events(events) = &mut frame {
        events.events.remove(0);
    }
    page.receive(0, frame);
    assert_eq!(page.visible, [11, 12]);
    assert_eq!(page.sent(), ["pull log1:2"]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, server.state());
}

#[test]
fn what_is_known_is_skipped() {
    let (mut page, server) = behind();
    page.receive(0, server.news(Seq(0)).remove(0));
    assert_eq!(page.visible, [11, 12, 13, 15]);
    let rebases = page.rebases;
    page.receive(0, server.news(Seq(0)).remove(0));
    page.receive(0, server.news(Seq(3)).remove(0));
    assert_eq!(page.visible, [11, 12, 13, 15]);
    assert_eq!(page.rebases, rebases);
    assert!(page.sent().is_empty());
}

#[test]
fn another_log_is_pulled_and_not_applied() {
    let (mut page, mut server) = behind();
    server.name = "log2".to_owned();
    page.receive(0, server.news(Seq(2)).remove(0));
    assert_eq!(page.visible, [11, 12]);
    assert_eq!(page.sent(), ["pull log1:2"]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, server.state(), "the server answered with its state");
    let cursor = page.disk.cursor.expect("it is stored");
    assert_eq!(cursor.log, LogId("log2".to_owned()));
}

#[test]
fn a_short_event_of_an_unknown_action_is_pulled_whole() {
    let (mut page, mut server) = behind();
    let others = twinstore_protocol::ClientId("b".to_owned());
    page.receive(0, server.echo(Seq(2), &others).remove(0));
    assert_eq!(page.visible, [11, 12]);
    assert_eq!(page.sent(), ["pull log1:2"]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, server.state());
}

#[test]
fn after_a_pull_the_next_gap_is_pulled_again() {
    let (mut page, mut server) = behind();
    page.receive(0, server.news(Seq(3)).remove(0));
    page.exchange(0, &mut server);
    server.append("b", 16);
    server.append("b", 17);
    page.receive(0, server.news(Seq(5)).remove(0));
    assert_eq!(page.sent(), ["pull log1:4"]);
}

#[test]
fn frames_that_come_after_the_link_was_lost_are_ignored() {
    let (mut page, mut server) = behind();
    page.cut(0);
    page.receive(0, server.news(Seq(2)).remove(0));
    page.receive(0, Incoming::Pong(common::pong(4)));
    assert!(page.sent().is_empty(), "there is no link to send it over");
    assert_eq!(page.visible, [11, 12]);
    page.reconnect(0, &mut server);
    server.append("b", 16);
    server.append("b", 17);
    page.receive(0, server.news(Seq(5)).remove(0));
    assert_eq!(page.sent(), ["pull log1:4"]);
}

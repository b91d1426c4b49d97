//! Goal: a tab that reads storage again stands where storage does, and folds nothing twice.

mod common;

use common::{Page, Server};
use twinstore_engine::Input;
use twinstore_engine::wire::Incoming;
use twinstore_protocol::{Chain, Seq};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn what_was_folded_here_is_not_folded_once_more() {
    let mut server = Server::new();
    let (mut one, mut two) = (Page::online("a", &mut server), Page::online("b", &mut server));
    for action in [11, 12] {
        server.append("c", action);
    }
    one.hear(0, &server);
    for action in [13, 15] {
        server.append("c", action);
    }
    two.hear(0, &server);
    assert_eq!(one.visible, [11, 12]);

    one.disk = two.disk.clone();
    one.feed(0, Input::Led(false));
    assert_eq!(one.visible, server.state());
}

#[test]
fn what_was_folded_of_events_that_are_no_more_is_not_kept_below_those_that_are() {
    // A server that is put back to a backup goes on under the same name.
    let (mut before, mut after) = (Server::new(), Server::new());
    let (mut one, mut two) = (Page::online("a", &mut before), Page::online("b", &mut after));
    for action in [11, 12] {
        before.append("c", action);
    }
    one.hear(0, &before);
    assert_eq!(one.visible, [11, 12]);
    for action in [11, 13, 15] {
        after.append("c", action);
    }
    two.hear(0, &after);

    one.disk = two.disk.clone();
    one.feed(0, Input::Led(false));
    assert_eq!(one.visible, [11, 13, 15]);
}

#[test]
fn the_same_place_of_another_history_is_another_place() {
    let (mut before, mut after) = (Server::new(), Server::new());
    let (mut one, mut two) = (Page::online("a", &mut before), Page::online("b", &mut after));
    for action in [11, 12] {
        before.append("c", action);
    }
    one.hear(0, &before);
    for action in [11, 13] {
        after.append("c", action);
    }
    two.hear(0, &after);

    one.disk = two.disk.clone();
    one.disk.cursor.as_mut().expect("a cursor").chain = Chain("another".to_owned());
    one.feed(0, Input::Led(false));
    assert_eq!(one.visible, [11, 13]);
}

#[test]
fn events_of_another_history_are_not_folded_onto_ours() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    for action in [11, 12] {
        server.append("c", action);
    }
    page.hear(0, &server);
    server.append("c", 13);
    for mut frame in server.news(Seq(0)) {
        if let Incoming::Events(frame) = &mut frame {
            frame.events[1].chain = Chain("another".to_owned());
        }
        page.receive(0, frame);
    }
    assert_eq!(page.visible, [11, 12]);
    assert_eq!(page.sent().last().map(String::as_str), Some("pull log1:2"), "the server is asked");
}

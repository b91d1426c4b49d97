//! Goal: a tab that reads storage again stands where storage does, and folds nothing twice.

mod common;

use common::{Disk, Page, Server};
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
    // Nor is what comes behind it.
    server.append("c", 15);
    page.receive(0, server.news(Seq(2)).remove(0));
    assert_eq!(page.visible, [11, 12]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [11, 12, 13, 15], "the server was asked for its state");
}

#[test]
fn who_hears_the_server_goes_by_that_and_not_by_what_another_tab_stored() {
    // Where tabs cannot agree on a leader each has a link, and all write the log.
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
    two.disk = one.disk.clone();
    let stored = two.stored();
    two.feed(10, Input::Reread(Some(stored)));
    assert_eq!(two.visible, [11, 13]);
    after.append("c", 15);
    two.hear(20, &after);
    assert_eq!(two.visible, [11, 13, 15]);
}

#[test]
fn what_is_stored_beyond_the_servers_head_is_asked_about() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    for action in [11, 12] {
        server.append("c", action);
    }
    page.hear(0, &server);
    let disk = page.disk.clone();
    // The server is restored. A tab that slept since before the second event leads now.
    server.log.truncate(1);
    let mut page = Page::online("b", &mut server);
    assert_eq!(page.visible, [11]);
    page.disk = disk;
    let stored = page.stored();
    page.feed(10, Input::Reread(Some(stored)));
    page.pass_time(1_000);
    page.open(1_000);
    page.exchange(1_000, &mut server);
    assert_eq!(page.notices, ["reset 0"]);
    assert_eq!(page.visible, [11]);
    assert_eq!(page.disk.base.as_deref(), Some([11].as_slice()), "and so do the tabs that read it");
}

#[test]
fn who_could_not_read_what_it_missed_folds_nothing_onto_what_it_knows() {
    let mut server = Server::new();
    let mut page = Page::following("b", Disk::default());
    page.feed(0, Input::Relayed { online: true, schema: 1 });
    server.append("c", 11);
    // The database is being opened anew.
    page.feed(0, Input::Reread(None));
    page.receive(0, server.news(Seq(0)).remove(0));
    assert!(page.visible.is_empty(), "the place may be that of another history");
    page.disk.cursor = None;
    let stored = page.stored();
    page.feed(10, Input::Reread(Some(stored)));
    page.receive(10, server.news(Seq(0)).remove(0));
    assert_eq!(page.visible, [11]);
}

#[test]
fn of_two_logs_that_were_the_first_a_leader_keeps_its_own_and_a_follower_takes_the_stored() {
    let (mut before, mut after) = (Server::new(), Server::new());
    after.name = "log2".to_owned();
    let (mut one, mut two) = (Page::online("a", &mut before), Page::online("b", &mut after));
    for (page, server) in [(&mut one, &mut before), (&mut two, &mut after)] {
        server.append("c", 11);
        server.append("c", 12);
        page.hear(0, server);
    }
    for leads in [true, false] {
        let mut page = Page::load("d", one.disk.clone(), true);
        page.feed(10, Input::Led(false));
        page.disk = two.disk.clone();
        page.feed(20, Input::Led(leads));
        let stored = page.stored();
        page.feed(20, Input::Reread(Some(stored)));
        let log = page.engine.cursor().map(|cursor| cursor.log.as_str().to_owned());
        assert_eq!(log.as_deref(), Some(if leads { "log1" } else { "log2" }));
        assert_eq!(page.engine.status().head, Seq(2));
    }
}

#[test]
fn a_hello_with_another_cursor_than_what_was_read_since_is_said_again() {
    let mut server = Server::new();
    let mut other = Page::online("b", &mut server);
    server.append("c", 11);
    other.hear(0, &server);
    let mut page = Page::new("a");
    page.feed(10, Input::Connected);
    page.open(10);
    // Another tab met a server that was reset, and stored its state.
    page.disk = other.disk.clone();
    (page.disk.epoch, page.disk.base) = (7, Some(vec![11]));
    page.disk.events.clear();
    let stored = page.stored();
    page.feed(20, Input::Reread(Some(stored)));
    assert!(!page.linked, "an answer would be about another cursor");
    page.wire.clear();
    page.feed(10_000, Input::TimedOut);
    page.open(10_000);
    page.exchange(10_000, &mut server);
    assert_eq!(page.visible, [11]);
}

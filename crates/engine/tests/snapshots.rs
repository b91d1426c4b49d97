//! Goal: a state comes in parts and is taken whole or not at all; it settles the actions that it includes;
//! the cursor never goes back (I2, I3).

mod common;

use common::{Disk, Page, Server};
use twinstore_engine::wire::Incoming;
use twinstore_engine::{Input, Limits};
use twinstore_protocol::{Seq, SnapshotPart};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn server_with(actions: impl IntoIterator<Item = u64>) -> Server {
    let mut server = Server::new();
    for action in actions {
        server.append("b", action);
    }
    server
}

#[test]
fn in_parts() {
    let mut server = server_with([11, 12, 13]);
    server.snapshot_beyond = 2;
    let mut page = Page::new("a");
    page.dispatch(0, 1);
    page.connect(0, &mut server);
    assert_eq!(page.visible, [11, 12, 13, 1]);
    assert_eq!(page.disk.base.as_deref(), Some([11, 12, 13].as_slice()));
    assert_eq!(page.disk.cursor.expect("it is stored").seq, Seq(4));
}

#[test]
fn half_of_it_changes_nothing() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    server.append("b", 11);
    let parts = server.parts(&page.id.clone());
    page.receive(0, parts[0].clone());
    assert!(page.visible.is_empty());
    page.receive(0, parts[1].clone());
    assert_eq!(page.visible, [11]);
}

#[test]
fn a_part_out_of_order_drops_what_was_gathered() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    server.append("b", 11);
    let old = server.parts(&page.id.clone());
    server.append("b", 12);
    let new = server.parts(&page.id.clone());
    // Another state's second part; the same part twice; a second part alone.
    for parts in [[&old[0], &new[1], &old[1]], [&old[1], &old[1], &new[1]]] {
        for part in parts {
            page.receive(0, part.clone());
        }
        assert!(page.visible.is_empty());
    }
    // A first part begins anew, whatever was gathered.
    for part in [&old[0], &new[0], &new[1]] {
        page.receive(0, part.clone());
    }
    assert_eq!(page.visible, [11, 12]);
}

#[test]
fn a_part_that_is_left_out_drops_what_was_gathered() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    server.append("b", 11);
    let of_three = |part: Incoming<u64>, number| match part {
        Incoming::Snapshot(part) => {
            Incoming::Snapshot(SnapshotPart { part: number, parts: 3, ..part })
        }
        other => other,
    };
    let [first, last] = server.parts(&page.id.clone()).try_into().expect("two parts");
    page.slow_reader = true;
    for part in [of_three(first, 1), of_three(last.clone(), 3), of_three(last, 3)] {
        page.receive(0, part);
    }
    assert_eq!(page.text, None);
}

#[test]
fn an_older_one_is_ignored() {
    let mut server = server_with([11]);
    let mut page = Page::online("a", &mut server);
    let old = server.parts(&page.id.clone());
    server.append("b", 12);
    page.hear(0, &server);
    for part in old {
        page.receive(0, part);
    }
    assert_eq!(page.visible, [11, 12]);
    assert_eq!(page.engine.status().cursor, Seq(2));
}

#[test]
fn one_that_grew_old_while_it_was_read_is_ignored() {
    let mut server = server_with([11]);
    let mut page = Page::online("a", &mut server);
    page.slow_reader = true;
    for part in server.parts(&page.id.clone()) {
        page.receive(0, part);
    }
    server.append("b", 12);
    page.hear(0, &server);
    page.read_text(0);
    assert_eq!(page.visible, [11, 12]);
    assert_eq!(page.engine.status().cursor, Seq(2));
}

#[test]
fn one_read_after_the_link_was_lost_is_ignored() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.slow_reader = true;
    server.append("b", 11);
    for part in server.parts(&page.id.clone()) {
        page.receive(0, part);
    }
    page.cut(0);
    page.read_text(0);
    assert!(page.visible.is_empty());
}

#[test]
fn actions_that_it_includes_are_settled_with_their_verdicts() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1]);
    page.exchange(0, &mut server);
    page.dispatch_all(0, [2]);
    page.exchange_lost(0, &mut server);
    page.dispatch_all(0, [7, 3]);
    page.notices.clear();
    // The others are decided too, but by the time of the snapshot only these.
    server.snapshot_beyond = 0;
    page.reconnect(0, &mut server);
    assert_eq!(
        page.notices,
        ["confirmed 2 n2 seq2", "rejected 7 n3 seq3: a multiple of 7", "confirmed 3 n4 seq4"]
    );
    assert_eq!(page.visible, [1, 2, 3]);
    assert!(page.disk.entries.is_empty());
}

#[test]
fn rejections_in_it_keep_their_place() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(0, 7);
    page.exchange_lost(0, &mut server);
    server.append("b", 11);
    server.snapshot_beyond = 0;
    page.reconnect(0, &mut server);
    assert_eq!(page.notices, ["rejected 7 n1 seq1: a multiple of 7"]);
    assert_eq!(page.visible, [11]);
    assert_eq!(page.rebases, 1);
}

#[test]
fn one_that_cannot_be_read_is_asked_for_again_later() {
    let mut server = server_with([11]);
    let mut page = Page::online("a", &mut server);
    page.feed(0, Input::SnapshotUnreadable);
    assert_eq!(page.sent(), ["pull nothing"]);
    page.lose_sent();
    page.feed(0, Input::SnapshotUnreadable);
    assert!(page.sent().is_empty());
    page.pass_time(5_000);
    assert_eq!(page.sent(), ["pull nothing"]);
}

#[test]
fn a_dropped_one_is_made_good_by_the_next_pong() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    server.append("b", 11);
    server.append("b", 12);
    // A gap; its pull is answered by a second part alone.
    page.receive(0, server.news(Seq(1)).remove(0));
    page.lose_sent();
    page.receive(0, server.parts(&page.id.clone()).remove(1));
    page.receive(0, Incoming::Pong(common::pong(2)));
    assert_eq!(page.sent(), ["pull nothing"]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [11, 12]);
}

#[test]
fn a_text_beyond_the_limit_is_not_gathered() {
    let mut server = server_with(11..40);
    server.snapshot_beyond = 2;
    let mut limits = Limits::default();
    limits.link.snapshot_bytes_max = 20;
    let mut page = Page::load_limited("a", Disk::default(), true, limits);
    page.connect(0, &mut server);
    assert!(page.visible.is_empty(), "a snapshot of more than 20 bytes is not taken");
}

#[test]
fn a_rejection_that_was_settled_before_the_hello_is_told_as_one() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [7, 3]);
    page.exchange_lost(0, &mut server);
    // The welcome says that both are settled; then the link is lost again.
    page.feed(0, Input::Woken);
    page.open(0);
    let hello = page.wire.pop_front().expect("it says hello");
    page.receive(0, server.receive(common::lower(hello)).remove(0));
    page.cut(0);
    server.snapshot_beyond = 0;
    page.reconnect(0, &mut server);
    assert_eq!(page.notices, ["rejected 7 n1 seq1: a multiple of 7", "confirmed 3 n2 seq2"]);
}

//! Goal: two actions of which none was ever sent become one: it settles the numbers of both, is stored in place of
//! the older one, and no death between two writes, and no other tab, makes two of it again (I1, I5).

mod common;

use common::{Disk, Page, Server};
use twinstore_engine::{Client, Id, Input, InputError};
use twinstore_protocol::{ClientId, N};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn merge(page: &mut Page, merged: u64) {
    page.merge_into_last(0, merged).expect("the last one was never sent");
}

#[test]
fn one_takes_the_place_of_two() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 2]);
    merge(&mut page, 3);
    merge(&mut page, 4);
    assert_eq!(page.visible, [1, 4]);
    assert_eq!(page.disk.entries.len(), 2);
    page.connect_only(0, &mut server);
    assert_eq!(page.sent(), ["n1, n4 from 2"]);
    page.exchange(0, &mut server);
    assert_eq!(server.state(), [1, 4]);
    assert_eq!(page.rebases, 0, "I1: one's own confirmations in order");
    page.dispatch(0, 5);
    assert_eq!(page.sent(), ["n5"]);
}

#[test]
fn a_rejected_one_takes_both_back() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    page.dispatch(0, 1);
    merge(&mut page, 7);
    page.connect(0, &mut server);
    assert!(server.state().is_empty());
    assert!(page.visible.is_empty());
    assert_eq!(page.engine.status().pending, 0);
}

#[test]
fn what_is_not_stored_yet_merges_too() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.slow_disk = true;
    page.dispatch(0, 1);
    merge(&mut page, 2);
    page.disk_answers(0);
    assert_eq!(page.sent(), ["n2 from 1"]);
}

#[test]
fn a_dropped_number_between_is_settled_as_well() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 2]);
    page.drop_own(0, 2).expect("it was never sent");
    merge(&mut page, 3);
    page.connect_only(0, &mut server);
    assert_eq!(page.sent(), ["n3 from 1"]);
}

#[test]
fn what_may_have_been_sent_is_left_alone() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    assert_eq!(page.engine.last_unsent(), None, "there is nothing");
    page.dispatch(0, 1);
    assert_eq!(page.engine.last_unsent(), None, "it is in flight");
    page.cut(0);
    assert_eq!(page.engine.last_unsent(), None, "the server may have it");
    assert_eq!(
        page.try_feed(0, Input::Merged { action: common::Value::Action(2), bytes: 1 }),
        Err(InputError::AlreadySent)
    );
    let page = Page::load("b", page.disk, true);
    assert_eq!(page.engine.last_unsent(), None, "an earlier page may have sent it");
    let mut held_back = Page::online("c", &mut server);
    held_back.slow_disk = true;
    held_back.dispatch_routed(0, 3, true);
    assert_eq!(held_back.engine.last_unsent(), None, "it is not shown");
    let mut follower = Page::new("d");
    follower.feed(0, Input::Led(false));
    follower.dispatch(0, 4);
    assert_eq!(follower.engine.last_unsent(), None, "whoever leads may send it at any moment");
}

/// A journal has the new one, and the disk the older one still.
fn both_on_disk() -> Disk {
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 2]);
    let older = page.disk.entries[1].clone();
    merge(&mut page, 5);
    page.disk.entries.insert(1, older);
    page.disk
}

#[test]
fn a_death_between_the_writes_leaves_one() {
    let mut server = Server::new();
    let mut page = Page::load("b", both_on_disk(), true);
    assert_eq!(page.visible, [1, 5]);
    page.connect_only(0, &mut server);
    assert_eq!(page.sent(), ["n1, n3 from 2"]);
    page.exchange(0, &mut server);
    assert_eq!(server.state(), [1, 5]);
    let again = Page::load("c", page.disk, true);
    assert_eq!(again.visible, [1, 5]);
    assert_eq!(
        again.engine.status().pending,
        0,
        "the older one does not come back after the verdict"
    );
}

#[test]
fn another_tab_shows_one_too() {
    let mut leader = Page::new("a");
    leader.dispatch(0, 1);
    let mut other = Page::load("b", leader.disk.clone(), false);
    assert_eq!(other.visible, [1]);
    merge(&mut leader, 5);
    other.disk = leader.disk.clone();
    let entries = other.entries_of(|name| name == "a");
    other.feed(0, Input::Arrived(entries));
    assert_eq!(other.visible, [5]);
    assert_eq!(other.engine.status().pending, 1);
    let a = other.engine.client(ClientId("a".into()).as_str());
    let ids: Vec<_> = other.engine.pending().map(|(entry, _)| entry.id).collect();
    assert_eq!(ids, [Id { client: a, n: N(2) }]);
    assert_ne!(a, Client::OWN);
}

//! Goal: only what no tab can have sent is dropped or edited; what one tab made of an entry, another takes over
//! when it reads storage again (I5, DESIGN's rules for tabs).

mod common;

use common::{ACTION_BYTES, Page, Server, Value};
use twinstore_engine::{Client, HeldReason, Id, Input, InputError, Progress};
use twinstore_protocol::N;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn own(n: u64) -> Id {
    Id { client: Client::OWN, n: N(n) }
}

fn follower(id: &str) -> Page {
    let mut page = Page::new(id);
    page.feed(0, Input::Led(false));
    page.feed(0, Input::Connected);
    page
}

fn edit(page: &mut Page, n: u64, action: u64) -> Result<(), InputError> {
    page.try_feed(
        0,
        Input::Edited { id: own(n), action: Value::Action(action), bytes: ACTION_BYTES },
    )
}

#[test]
fn what_was_never_sent_is_edited_in_place_and_on_disk() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 2, 3]);
    edit(&mut page, 2, 12).expect("it was never sent");
    assert_eq!(page.visible, [1, 12, 3]);
    assert_eq!(page.disk.entries[1].1.action, Value::Action(12));
    page.connect(0, &mut server);
    assert_eq!(server.state(), [1, 12, 3]);
    page.exchange(0, &mut server);
    assert_eq!(edit(&mut page, 2, 13), Err(InputError::NotPending));
}

#[test]
fn a_follower_offline_edits_on_disk_too() {
    let mut page = follower("a");
    page.dispatch(0, 1);
    edit(&mut page, 1, 2).expect("no leader was ever online");
    assert_eq!(page.disk.entries[0].1.action, Value::Action(2));
}

#[test]
fn what_a_leader_may_have_sent_stays() {
    let mut page = follower("a");
    page.dispatch(0, 1);
    page.feed(0, Input::Relayed { online: true, schema: 1 });
    page.dispatch(0, 2);
    page.feed(0, Input::Relayed { online: false, schema: 1 });
    page.dispatch(0, 3);
    assert_eq!(page.drop_own(0, 1), Err(InputError::AlreadySent));
    assert_eq!(page.drop_own(0, 2), Err(InputError::AlreadySent));
    page.drop_own(0, 3).expect("the leader was offline");
    page.dispatch(0, 4);
    // The one that led before may have been online without saying so.
    page.feed(0, Input::Led(true));
    assert_eq!(edit(&mut page, 4, 5), Err(InputError::AlreadySent));
    page.dispatch(0, 6);
    page.drop_own(0, 5).expect("dispatched while this tab leads");
}

#[test]
fn another_tabs_edit_is_sent_as_it_is_on_disk_now() {
    let mut other = follower("b");
    other.dispatch(0, 1);
    let mut page = Page::load("a", other.disk.clone(), false);
    assert_eq!(page.visible, [1]);
    edit(&mut other, 1, 2).expect("no leader was ever online");
    page.disk = other.disk.clone();
    page.feed(0, Input::Led(false));
    assert_eq!(page.visible, [2]);
}

#[test]
fn a_follower_learns_that_the_leader_holds_its_entry() {
    let mut page = follower("a");
    page.dispatch_all(0, [1, 2]);
    page.disk.entries[0].1.held = Some(HeldReason::TooLarge);
    page.feed(0, Input::Led(true));
    assert_eq!(page.progress(), [Progress::Held(HeldReason::TooLarge), Progress::Queued]);
    assert_eq!(page.visible, [2]);
    assert_eq!(page.notices.len(), 1);
}

#[test]
fn what_was_dropped_stays_so_where_storage_could_not_take_it_out() {
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 2]);
    let before = page.disk.clone();
    page.feed(0, Input::Dropped(own(2)));
    page.disk = before;
    page.feed(0, Input::Changed);
    assert_eq!(page.visible, [1]);
}

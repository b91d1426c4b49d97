//! Goal: what others did before us comes before ours, by one rebase a frame, in the server's order (I1, I5).

mod common;

use common::{Page, Server};
use twinstore_protocol::Seq;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn one_rebase_for_a_frame_of_many() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 2]);
    for action in [11, 12, 13] {
        server.append("b", action);
    }
    page.hear(0, &server);
    assert_eq!((page.advances, page.rebases), (0, 1));
    assert_eq!(page.visible, [11, 12, 13, 1, 2]);
    page.exchange(0, &mut server);
    assert_eq!(page.rebases, 1, "our own confirmations need none");
    assert_eq!(page.visible, server.state());
}

#[test]
fn ours_before_theirs_is_an_advance_first() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 2]);
    let push = page.wire.pop_front().expect("the first is on its way");
    server.receive(common::lower(push));
    server.append("b", 11);
    for message in server.echo(Seq(0), &page.id.clone()) {
        page.receive(0, message);
    }
    assert_eq!((page.advances, page.rebases), (1, 1));
    assert_eq!(page.confirmed, [1, 11]);
    assert_eq!(page.visible, [1, 11, 2]);
}

#[test]
fn without_pending_actions_events_are_folded() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    server.append("b", 11);
    server.append("b", 14);
    page.hear(0, &server);
    assert_eq!(page.visible, [11]);
    assert_eq!(page.rebases, 1);
    assert_eq!(page.engine.status().cursor, Seq(2), "a rejection takes a place");
    assert!(page.notices.is_empty(), "others' actions are not told");
}

#[test]
fn the_state_changes_before_it_is_told() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(0, 1);
    let push = page.wire.pop_front().expect("it is on its way");
    let [events] = server.receive(common::lower(push)).try_into().expect("one frame");
    assert_eq!(page.orders(0, events), ["apply", "persist", "notify", "compare"]);
}

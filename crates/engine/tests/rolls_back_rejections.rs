//! Goal: a rejected action is no longer shown, those behind it stay (I6), and the reason is told.

mod common;

use common::{Page, Server};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn those_behind_it_stay() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 7, 2]);
    assert_eq!(page.visible, [1, 7, 2]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [1, 2]);
    assert_eq!(page.visible, server.state());
    assert_eq!(
        page.notices,
        ["confirmed 1 n1 seq1", "rejected 7 n2 seq2: a multiple of 7", "confirmed 2 n3 seq3"]
    );
    assert!(page.disk.entries.is_empty());
}

#[test]
fn it_is_gone_while_those_behind_still_wait() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [7, 1]);
    let push = page.wire.pop_front().expect("the first went alone");
    for answer in server.receive(common::lower(push)) {
        page.receive(0, answer);
    }
    assert_eq!(page.rebases, 1);
    assert!(page.confirmed.is_empty());
    assert_eq!(page.visible, [1]);
    assert_eq!(page.engine.status().pending, 1);
}

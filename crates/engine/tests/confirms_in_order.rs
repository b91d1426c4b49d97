//! Goal: own actions that come back in their order change nothing that is seen (I1), and each is told with
//! its place.

mod common;

use common::{Page, Server};
use twinstore_protocol::Seq;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn one_by_one() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    for action in [1, 2, 3] {
        page.dispatch(0, action);
        page.exchange(0, &mut server);
    }
    assert_eq!(page.rebases, 0);
    assert_eq!(page.advances, 3);
    assert_eq!(page.confirmed, [1, 2, 3]);
    assert_eq!(page.notices, ["confirmed 1 n1 seq1", "confirmed 2 n2 seq2", "confirmed 3 n3 seq3"]);
}

#[test]
fn a_batch_advances_once() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 2, 3]);
    page.connect(0, &mut server);
    assert_eq!((page.advances, page.rebases), (1, 0));
    assert_eq!(page.notices, ["confirmed 1 n1 seq1", "confirmed 2 n2 seq2", "confirmed 3 n3 seq3"]);
    assert_eq!(page.engine.status().cursor, Seq(3));
    assert_eq!(page.disk.cursor.expect("it is stored").seq, Seq(3));
    assert!(page.disk.entries.is_empty());
    assert_eq!(page.disk.events.len(), 3, "short events are stored with their actions");
}

#[test]
fn another_clients_rejection_between_changes_nothing() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(0, 1);
    server.append("b", 7);
    page.hear(0, &server);
    page.exchange(0, &mut server);
    assert_eq!((page.advances, page.rebases), (1, 0));
    assert_eq!(page.notices, ["confirmed 1 n1 seq2"]);
}

//! Goal: nothing is sent before this device has stored it (I4), and the outbox keeps its order meanwhile.

mod common;

use common::{Page, Server};
use twinstore_engine::Input;
use twinstore_protocol::N;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_late_disk_delays_the_push() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.slow_disk = true;
    page.dispatch(0, 1);
    assert_eq!(page.visible, [1], "shown at once");
    assert!(page.sent().is_empty());
    page.disk_answers(0);
    assert_eq!(page.sent(), ["n1"]);
}

#[test]
fn a_push_ends_before_the_first_that_is_not_stored() {
    let mut page = Page::new("a");
    page.slow_disk = true;
    page.dispatch_all(0, [1, 2, 3]);
    page.feed(0, Input::Persisted(N(2)));
    page.connect(0, &mut Server::new());
    assert_eq!(page.confirmed, [1, 2]);
    page.feed(0, Input::Persisted(N(3)));
    assert_eq!(page.sent(), ["n3"]);
}

#[test]
fn nothing_is_sent_before_storage_was_read() {
    let mut page = Page::unread("a");
    page.feed(0, Input::Connected);
    page.dispatch(0, 1);
    assert!(!page.linked);
    assert!(page.pass_time(60_000).is_empty(), "and no timer spins meanwhile");
    page.restore(0);
    assert!(page.linked);
    page.open(0);
    assert_eq!(page.sent(), ["hello nothing"]);
}

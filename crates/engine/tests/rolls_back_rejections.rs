//! Goal: a rejected action is no longer shown, those behind it stay (I6), and the reason is told.

mod common;

use common::{Page, Server};
use twinstore_engine::wire::Incoming;
use twinstore_protocol::{N, Seq, VerdictRow, Verdicts};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_rejection_that_comes_without_its_name_is_asked_for() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(0, 7);
    // The events answer an older hello that did not name the client; the verdict comes first.
    let push = page.wire.pop_front().expect("it was sent");
    let frames = server.receive(common::lower(push));
    let error = Some(common::rejection());
    let verdicts = vec![VerdictRow { client: page.id.clone(), n: N(1), seq: Seq(1), error }];
    page.receive(0, Incoming::Verdicts(Verdicts { stream: common::stream(), verdicts }));
    for mut frame in frames {
        if let Incoming::Events(frame) = &mut frame {
            let event = &mut frame.events[0];
            (event.client, event.n, event.error) = (None, None, None);
        }
        page.receive(0, frame);
    }
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [0; 0]);
    assert_eq!(page.engine.status().pending, 0);
}

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

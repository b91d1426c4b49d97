//! Goal: what a server, a disk or another tab should not say does no lasting harm. Each of these was found by
//! `crates/fuzz`.

mod common;

use common::{Action, Page, Server, Value, stream};
use twinstore_engine::wire::Incoming;
use twinstore_engine::{Client, Entry, Id, Input};
use twinstore_protocol::{Chain, ClientId, Cursor, Event, Events, LogId, N, Seq};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Another client's accepted action.
fn foreign(seq: Seq) -> Event<Action> {
    Event {
        seq,
        client: Some(ClientId("b".into())),
        n: Some(N(1)),
        from: None,
        at: None,
        model: None,
        schema: None,
        action: Some(5),
        error: None,
        chain: Chain("log1:1".into()),
    }
}

#[test]
fn an_event_without_a_client_is_not_stored_as_if_it_were_folded() {
    let mut page = Page::online("a", &mut Server::new());
    let event = Event { client: None, n: None, ..foreign(Seq(1)) };
    let log = LogId("log1".into());
    let events = vec![event];
    let events = Events { stream: stream(), log, after: Seq(0), events, check: None };
    page.receive(0, Incoming::Events(events));
    assert!(page.visible.is_empty() && page.disk.events.is_empty());
    assert_eq!(page.known(), 1);
}

#[test]
fn what_storage_lost_is_sent_once_it_is_stored_again_behind_others() {
    let mut page = Page::new("a");
    page.dispatch_all(0, [1, 2, 3]);
    page.disk.entries.remove(0);
    let stored = twinstore_engine::StoredState {
        entries: page.entries_of(|_| true),
        ..twinstore_engine::StoredState::default()
    };
    page.feed(0, Input::Reread(Some(stored)));
    page.connect(0, &mut Server::new());
    assert_eq!(page.engine.status().pending, 0, "all of them have their verdicts");
}

#[test]
fn sizes_and_orders_at_their_ends_do_not_overflow() {
    let mut page = Page::new("a");
    let client = page.engine.add_client("x");
    let entry = |n| Entry {
        id: Id { client, n: N(n) },
        from: N(n),
        order: u64::MAX,
        schema: 1,
        bytes: u32::MAX,
        held: None,
        action: Value::Action(n),
    };
    page.feed(0, Input::Adopted { client, entries: vec![entry(1), entry(2)], whole: true });
    page.feed(0, Input::Connected);
    page.feed(0, Input::LinkOpened);
    page.exchange(0, &mut Server::new());
    assert_eq!(page.engine.status().pending, 0);
    page.dispatch(0, 3);
    assert_eq!(page.engine.pending().count(), 1);
}

#[test]
fn places_at_their_end_do_not_overflow() {
    let mut page = Page::online("a", &mut Server::new());
    let (log, seq) = (LogId("log1".into()), Seq(u64::MAX - 1));
    let cursor = Some(Cursor { log: log.clone(), seq, chain: Chain("x".into()), schema: None });
    let stored = twinstore_engine::StoredState { cursor, ..Default::default() };
    page.feed(0, Input::Reread(Some(stored)));
    let last = Seq(u64::MAX);
    let events = vec![foreign(last), foreign(last)];
    let events = Events { stream: stream(), log, after: seq, events, check: None };
    page.receive(0, Incoming::Events(events));
    assert!(page.visible.is_empty(), "the second one is none that follows");
}

#[test]
fn after_a_reset_no_event_is_folded_onto_the_state_of_the_old_log() {
    let mut old = Server::new();
    let mut page = Page::online("a", &mut old);
    page.dispatch(0, 1);
    page.exchange(0, &mut old);
    page.cut(0);
    let mut new = Server { name: "log2".into(), ..Server::new() };
    new.append("b", 2);
    page.feed(0, Input::Woken);
    page.open(0);
    let hello = page.wire.pop_front().expect("the page says hello");
    let mut answers = new.receive(common::lower(hello)).into_iter();
    page.receive(0, answers.next().expect("a welcome"));
    for event in new.news(Seq(0)) {
        page.receive(0, event);
    }
    assert_eq!(page.visible, [1], "until the snapshot comes the old state stands");
    for part in answers {
        page.receive(0, part);
    }
    assert_eq!(page.visible, [2]);
}

#[test]
fn a_tab_that_comes_to_lead_shows_what_was_held_back_for_the_old_leader() {
    let mut page = Page::new("a");
    page.feed(0, Input::Led(false));
    page.feed(0, Input::Connected);
    page.feed(0, Input::Relayed { online: true, schema: 1 });
    page.dispatch_routed(0, 1, true);
    assert!(page.visible.is_empty() && page.engine.hides());
    page.feed(0, Input::Led(true));
    assert_eq!((page.visible.as_slice(), page.engine.hides()), (&[1][..], false));
    assert!(page.engine.pending().all(|(e, _)| e.id.client == Client::OWN));
}

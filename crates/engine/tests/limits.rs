//! Goal: what cannot be taken is refused with a typed error and changes nothing (I7).

mod common;

use common::{Disk, Page, Server};
use twinstore_engine::{Engine, Id, Input, InputError, Limits, Millis};
use twinstore_protocol::N;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn page(outbox_actions: usize, outbox_bytes: usize) -> Page {
    let limits = Limits { outbox_actions, outbox_bytes, ..Limits::default() };
    Page::load_limited("a", Disk::default(), true, limits)
}

#[test]
fn a_full_outbox_refuses_the_action_that_is_one_too_many() {
    let mut page = page(2, 1_000);
    page.dispatch_all(0, [1, 2]);
    assert_eq!(page.try_dispatch(0, 3, 1, false), Err(InputError::OutboxFull));
    assert_eq!(page.engine.next_n(), N(3), "no number was used");
    assert_eq!(page.visible, [1, 2]);
    page.connect(0, &mut Server::new());
    page.try_dispatch(0, 3, 1, false).expect("there is room again");
}

#[test]
fn a_full_outbox_refuses_the_byte_that_is_one_too_many() {
    let mut page = page(10, 100);
    page.try_dispatch(0, 1, 60, false).expect("there is room");
    assert_eq!(page.try_dispatch(0, 2, 41, false), Err(InputError::OutboxFull));
    page.try_dispatch(0, 2, 40, false).expect("there is room to the byte");
    page.drop_own(0, 1).expect("it was never sent");
    page.try_dispatch(0, 3, 60, false).expect("there is room again");
}

#[test]
fn dispatching_past_the_check_is_refused_too() {
    let mut page = page(0, 100);
    let input = Input::Dispatched { action: common::Value::Action(1), bytes: 1, hidden: false };
    assert_eq!(page.try_feed(0, input), Err(InputError::OutboxFull));
    assert!(page.disk.entries.is_empty());
}

#[test]
fn an_input_before_the_outputs_are_performed() {
    let mut engine: Engine<common::Value> = Engine::new(common::config("a", Limits::default()));
    let dispatched =
        || Input::Dispatched { action: common::Value::Action(1), bytes: 1, hidden: false };
    assert_eq!(engine.handle_input(Millis(0), dispatched()), Ok(()));
    assert_eq!(engine.handle_input(Millis(0), dispatched()), Err(InputError::NotDrained));
    assert_eq!(engine.next_n(), N(2));
}

#[test]
fn a_closed_twin_takes_nothing() {
    let mut page = Page::online("a", &mut Server::new());
    page.feed(0, Input::Closed);
    assert!(!page.linked);
    assert_eq!(page.sent(), ["leave"]);
    assert_eq!(page.engine.poll_timeout(), None);
    assert_eq!(page.try_dispatch(0, 1, 1, false), Err(InputError::Closed));
    assert_eq!(page.engine.check_room(1), Err(InputError::Closed));
    assert_eq!(page.try_feed(0, Input::Connected), Err(InputError::Closed));
}

#[test]
fn what_was_sent_cannot_be_dropped() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch_all(0, [1, 2]);
    assert_eq!(page.drop_own(0, 1), Err(InputError::AlreadySent));
    page.cut(0);
    assert_eq!(page.drop_own(0, 1), Err(InputError::AlreadySent), "the server may have it");
    page.drop_own(0, 2).expect("it was never sent");
    assert_eq!(page.visible, [1]);

    let mut reloaded = Page::load("b", page.disk, true);
    let client = reloaded.engine.client("a");
    let dropped = Input::Dropped(Id { client, n: N(1) });
    assert_eq!(reloaded.try_feed(0, dropped), Err(InputError::AlreadySent), "nobody knows");
}

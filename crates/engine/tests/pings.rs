//! Goal: a silent link is asked, a dead one closed and opened again, after waits that grow, are jittered and
//! bounded; a wake-up tries at once; a pong that knows more leads to a pull.

mod common;

use common::{PING_MS, Page, Server};
use twinstore_engine::wire::Incoming;
use twinstore_engine::{Input, LinkState};
use twinstore_protocol::ErrorFrame;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const PING: u64 = PING_MS as u64;

#[test]
fn after_silence_a_ping() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    assert!(page.pass_time(PING - 1).is_empty());
    assert_eq!(page.pass_time(PING), [PING]);
    assert_eq!(page.sent(), ["ping"]);
    page.exchange(PING + 5, &mut server);
    assert_eq!(page.pass_time(2 * PING + 5), [2 * PING + 5], "counted from what was heard last");
}

#[test]
fn whatever_is_heard_puts_it_off() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    server.append("b", 1);
    page.hear(PING - 1, &server);
    assert!(page.pass_time(2 * PING - 2).is_empty());
}

#[test]
fn a_dead_link_is_closed_and_opened_again() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(0, 1);
    page.pass_time(PING);
    assert!(page.pass_time(PING + 9_999).is_empty());
    assert!(page.linked);
    page.pass_time(PING + 10_000);
    assert!(!page.linked);
    assert_eq!(page.engine.status().link, LinkState::Offline);
    page.wire.clear();
    page.pass_time(PING + 10_250);
    page.open(PING + 10_250);
    page.exchange(PING + 10_250, &mut server);
    assert_eq!(page.visible, server.state());
}

#[test]
fn an_answer_in_time_keeps_it() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.pass_time(PING);
    page.exchange(PING + 9_999, &mut server);
    page.pass_time(PING + 10_000);
    assert!(page.linked);
}

/// The waits between tries that all fail.
fn waits(id: &str, tries: usize) -> Vec<u64> {
    let mut page = Page::new(id);
    page.feed(0, Input::Connected);
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..tries {
        page.cut(now);
        let due = page.engine.poll_timeout().expect("another try").0;
        waits.push(due - now);
        now = due;
        page.feed(now, Input::TimedOut);
        assert!(page.linked, "the time has come");
    }
    waits
}

#[test]
fn waits_grow_to_a_bound_and_differ() {
    let waits_a = waits("a", 12);
    for (attempt, wait) in waits_a.iter().enumerate() {
        let longest = (250 << attempt).min(10_000);
        assert!((longest / 2..=longest).contains(wait), "{waits_a:?}");
    }
    assert_ne!(waits_a, waits("b", 12), "clients do not come back all at once");
}

#[test]
fn a_welcome_ends_the_row_of_failures() {
    let mut server = Server::new();
    let mut page = Page::new("a");
    page.feed(0, Input::Connected);
    let mut now = 0;
    for _ in 0..8 {
        page.cut(now);
        now = page.engine.poll_timeout().expect("another try").0;
        page.feed(now, Input::TimedOut);
    }
    page.open(now);
    page.exchange(now, &mut server);
    page.cut(now);
    assert!(page.engine.poll_timeout().expect("another try").0 <= now + 250);
}

#[test]
fn an_opening_or_a_greeting_that_hangs_is_given_up() {
    let mut page = Page::new("a");
    page.feed(0, Input::Connected);
    assert!(page.pass_time(9_999).is_empty());
    page.pass_time(10_000);
    assert!(!page.linked, "the socket did not open");
    page.pass_time(10_250);
    page.open(10_250);
    page.pass_time(20_250);
    assert!(!page.linked, "the hello was not answered");
}

#[test]
fn a_timeout_that_comes_too_early_changes_nothing() {
    let mut page = Page::new("a");
    page.feed(0, Input::Connected);
    page.cut(0);
    let due = page.engine.poll_timeout();
    page.feed(1, Input::TimedOut);
    assert!(!page.linked);
    assert_eq!(page.engine.poll_timeout(), due);
}

#[test]
fn a_wake_up_tries_at_once() {
    let mut page = Page::new("a");
    page.feed(0, Input::Connected);
    page.cut(0);
    assert!(!page.linked);
    page.feed(1, Input::Woken);
    assert!(page.linked);
}

#[test]
fn to_connect_twice_is_to_connect_once() {
    let mut page = Page::online("a", &mut Server::new());
    page.feed(1, Input::Connected);
    assert_eq!(page.engine.status().link, LinkState::Online);
}

#[test]
fn a_wake_up_asks_whether_the_link_lives() {
    let mut page = Page::online("a", &mut Server::new());
    page.feed(1, Input::Woken);
    page.feed(2, Input::Woken);
    assert_eq!(page.sent(), ["ping"], "one question is enough");
    page.pass_time(10_001);
    assert!(!page.linked);
}

#[test]
fn a_wake_up_does_not_connect_who_wants_to_be_offline() {
    let mut page = Page::online("a", &mut Server::new());
    page.feed(1, Input::Disconnected);
    assert_eq!(page.sent(), ["leave"]);
    page.feed(2, Input::Woken);
    assert!(!page.linked);
    assert_eq!(page.engine.poll_timeout(), None);
}

#[test]
fn a_pong_with_a_higher_head_pulls() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.receive(0, Incoming::Pong(common::pong(0)));
    assert!(page.sent().is_empty());
    server.append("b", 1);
    page.pass_time(PING);
    page.exchange(PING, &mut server);
    assert_eq!(page.visible, [1]);
}

#[test]
fn an_error_begins_anew_later_and_ever_later() {
    let mut page = Page::new("a");
    page.feed(0, Input::Connected);
    let mut now = 0;
    let mut longest = 0;
    for _ in 0..10 {
        page.open(now);
        page.exchange(now, &mut Server::new());
        page.receive(now, Incoming::Error(error(common::stream().as_str())));
        assert!(!page.linked);
        let due = page.engine.poll_timeout().expect("another try").0;
        longest = longest.max(due - now);
        now = due;
        page.feed(now, Input::TimedOut);
    }
    assert!(longest >= 5_000, "a server that welcomes and fails is not asked in a storm");
}

#[test]
fn an_error_of_another_stream_is_not_ours() {
    let mut page = Page::online("a", &mut Server::new());
    page.receive(0, Incoming::Error(error("list/other")));
    assert!(page.linked);
    assert!(page.notices.is_empty());
}

fn error(stream: &str) -> ErrorFrame {
    ErrorFrame {
        code: "internal".to_owned(),
        message: "look into the log".to_owned(),
        stream: Some(stream.to_owned()),
    }
}

//! Goal: where an accepted event throws here, the state is taken from the server, not too often, and the
//! pending actions stay (I9).

mod common;

use common::{Page, Server};
use twinstore_engine::{Input, LinkState};
use twinstore_protocol::Seq;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A page that is as far as the server.
fn with_an_event() -> (Server, Page) {
    let mut server = Server::new();
    server.append("b", 11);
    let page = Page::online("a", &mut server);
    (server, page)
}

/// Its state is another one than the server's from now on.
fn lead_astray(page: &mut Page) {
    page.visible.insert(page.confirmed.len(), 99);
    page.confirmed.push(99);
}

fn diverged(now: u64, page: &mut Page) {
    page.feed(now, Input::FoldFailed(Seq(1)));
}

#[test]
fn the_state_is_asked_for_and_taken() {
    let (mut server, mut page) = with_an_event();
    page.dispatch(0, 1);
    page.lose_sent();
    diverged(0, &mut page);
    assert_eq!(page.notices, ["diverged seq1"]);
    assert_eq!(page.sent(), ["pull nothing"]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [11, 1]);
    assert_eq!(page.disk.base.as_deref(), Some([11].as_slice()));
}

#[test]
fn an_answer_that_is_too_old_is_not_the_answer() {
    let (mut server, mut page) = with_an_event();
    let old = server.parts(&page.id.clone());
    server.append("b", 12);
    page.hear(0, &server);
    diverged(0, &mut page);
    page.lose_sent();
    for part in old {
        page.receive(0, part);
    }
    assert_eq!(page.pass_time(5_000), [5_000]);
    assert_eq!(page.sent(), ["pull nothing"]);
}

#[test]
fn not_too_often() {
    let mut page = Page::online("a", &mut Server::new());
    let mut asked = 0;
    for now in 0..10_000 {
        diverged(now, &mut page);
        asked += page.sent().len();
        page.lose_sent();
    }
    assert_eq!(asked, 2);
    page.pass_time(15_000);
    assert_eq!(page.sent(), ["pull nothing"], "what was put off is asked in the end");
    assert_eq!(page.notices, ["diverged seq1"], "and told once");
}

#[test]
fn ever_less_often_until_it_is_calm() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    let mut asked = Vec::new();
    for now in (0..200_000).step_by(1_000) {
        diverged(now, &mut page);
        if !page.sent().is_empty() {
            asked.push(now);
        }
        page.exchange(now, &mut server);
    }
    assert_eq!(asked, [0, 5_000, 15_000, 35_000, 75_000, 135_000, 195_000]);
    let calm = 400_000;
    diverged(calm, &mut page);
    page.exchange(calm, &mut server);
    diverged(calm + 5_000, &mut page);
    assert_eq!(page.sent(), ["pull nothing"], "a new trouble is not the old one");
}

#[test]
fn a_state_that_is_not_the_servers_is_found_and_healed() {
    let (mut server, mut page) = with_an_event();
    lead_astray(&mut page);
    server.append("b", 12);
    page.dispatch(0, 1);
    page.lose_sent();
    page.hear(0, &server);
    assert_eq!(page.notices, ["diverged seq2"]);
    assert_eq!(page.sent(), ["pull nothing"]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [11, 12, 1]);
    assert_eq!(page.disk.base.as_deref(), Some([11, 12].as_slice()));
    page.cut(1);
    page.reconnect(2, &mut server);
    assert_eq!(server.state(), [11, 12, 1], "what was pending is not lost");
}

#[test]
fn one_lead_astray_by_its_own_actions_is_found_too() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    lead_astray(&mut page);
    page.dispatch(0, 1);
    page.exchange(0, &mut server);
    assert_eq!(page.notices, ["confirmed 1 n1 seq1", "diverged seq1"]);
    assert_eq!(page.visible, [1]);
}

#[test]
fn only_like_is_compared_with_like() {
    let (mut server, mut page) = with_an_event();
    lead_astray(&mut page);
    server.append("b", 12);
    server.schema = 2;
    page.hear(0, &server);
    assert!(page.notices.is_empty(), "{:?}", page.notices);
}

#[test]
fn who_lacks_no_event_compares_too() {
    let (mut server, mut page) = with_an_event();
    lead_astray(&mut page);
    page.receive(0, server.nothing_new());
    assert_eq!(page.notices, ["diverged seq1"]);
    page.exchange(0, &mut server);
    assert_eq!(page.visible, [11]);
}

#[test]
fn a_tab_that_follows_asks_its_leader_and_takes_what_that_passes_on() {
    let mut server = Server::new();
    server.append("b", 11);
    let mut leader = Page::online("a", &mut server);
    let mut page = Page::load("c", leader.disk.clone(), false);
    page.feed(0, Input::Led(false));
    page.feed(0, Input::Relayed { online: true, schema: 1 });
    page.feed(0, Input::Connected);
    assert_eq!(page.engine.status().link, LinkState::Online);
    lead_astray(&mut page);
    let snapshot = server.parts(&page.id.clone());
    for part in snapshot.clone() {
        page.receive(0, part);
    }
    assert_eq!(page.visible, [11, 99], "a state that nobody asked for is not taken");
    page.receive(0, server.nothing_new());
    assert_eq!((page.asked_leader, page.notices.len()), (1, 1));
    leader.feed(0, Input::StateAsked);
    assert_eq!(leader.sent(), ["pull nothing"]);
    for part in snapshot {
        page.receive(0, part);
    }
    assert_eq!(page.visible, [11]);
    assert_eq!(page.disk.base, None, "its leader writes");
}

#[test]
fn offline_it_is_asked_when_the_link_is_back() {
    let (mut server, mut page) = with_an_event();
    page.feed(0, Input::Disconnected);
    page.lose_sent();
    diverged(0, &mut page);
    assert!(page.pass_time(60_000).is_empty(), "no timer spins meanwhile");
    page.feed(60_000, Input::Connected);
    page.open(60_000);
    page.exchange(60_000, &mut server);
    page.pass_time(60_001);
    assert_eq!(page.sent(), ["pull nothing"]);
}

#[test]
fn a_link_lost_before_the_answer_does_not_lose_the_question() {
    let (mut server, mut page) = with_an_event();
    diverged(0, &mut page);
    page.cut(0);
    page.reconnect(1, &mut server);
    page.pass_time(5_000);
    assert_eq!(page.sent(), ["pull nothing"]);
    page.exchange(5_000, &mut server);
    assert!(page.pass_time(10_000).is_empty(), "it is answered");
}

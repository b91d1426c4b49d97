//! Goal: where an accepted event throws here, the state is taken from the server, not too often, and the
//! pending actions stay (I9).

mod common;

use common::{Page, Server};
use twinstore_engine::Input;
use twinstore_protocol::Seq;

fn diverged(now: u64, page: &mut Page) {
    page.feed(now, Input::FoldFailed(Seq(1)));
}

#[test]
fn the_state_is_asked_for_and_taken() {
    let mut server = Server::new();
    server.append("b", 11);
    let mut page = Page::online("a", &mut server);
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
    let mut server = Server::new();
    server.append("b", 11);
    let mut page = Page::online("a", &mut server);
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
    page.pass_time(10_000);
    assert_eq!(page.sent(), ["pull nothing"], "what was put off is asked in the end");
}

#[test]
fn offline_it_is_asked_when_the_link_is_back() {
    let mut server = Server::new();
    server.append("b", 11);
    let mut page = Page::online("a", &mut server);
    page.feed(0, Input::Disconnected);
    page.lose_sent();
    diverged(0, &mut page);
    assert_eq!(page.pass_time(60_000), [], "no timer spins meanwhile");
    page.feed(60_000, Input::Connected);
    page.open(60_000);
    page.exchange(60_000, &mut server);
    page.pass_time(60_001);
    assert_eq!(page.sent(), ["pull nothing"]);
}

#[test]
fn a_link_lost_before_the_answer_does_not_lose_the_question() {
    let mut server = Server::new();
    server.append("b", 11);
    let mut page = Page::online("a", &mut server);
    diverged(0, &mut page);
    page.cut(0);
    page.reconnect(1, &mut server);
    page.pass_time(5_000);
    assert_eq!(page.sent(), ["pull nothing"]);
    page.exchange(5_000, &mut server);
    assert_eq!(page.pass_time(10_000), [], "it is answered");
}

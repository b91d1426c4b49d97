//! Goal: of the tabs that share a disk one holds the link and writes the log, and sends what all of them stored, in
//! the outbox's order; the others show the same, and are told their verdicts; a new leader goes on where the old one was.

mod common;

use common::{Action, Disk, Page, Server};
use twinstore_engine::wire::Incoming;
use twinstore_engine::{Entry, HeldReason, Id, Input, InputError, LinkState, Progress};
use twinstore_protocol::{N, Seq};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Two tabs of one disk, and the server.
struct Tabs {
    server: Server,
    leader: Page,
    follower: Page,
}

impl Tabs {
    fn offline() -> Self {
        let follower = Page::following("b", Disk::default());
        Self { server: Server::new(), leader: Page::new("a"), follower }
    }

    fn online() -> Self {
        let mut tabs = Self::offline();
        tabs.connect(0);
        tabs
    }

    fn connect(&mut self, now: u64) {
        self.leader.feed(now, Input::Connected);
        self.leader.open(now);
        self.exchange(now);
    }

    /// The follower dispatches, and says so when it is stored.
    fn follower_says(&mut self, now: u64, action: Action) {
        self.follower.disk = self.leader.disk.clone();
        self.follower.dispatch(now, action);
        self.tell_leader(now);
    }

    fn tell_leader(&mut self, now: u64) {
        self.leader.disk = self.follower.disk.clone();
        let entries = self.leader.entries_of(|name| name == "b");
        self.leader.feed(now, Input::Arrived(entries));
    }

    fn leader_says(&mut self, now: u64, action: Action) {
        self.leader.disk = self.follower.disk.clone();
        self.leader.dispatch(now, action);
        self.follower.disk = self.leader.disk.clone();
        let entries = self.follower.entries_of(|name| name == "a");
        self.follower.feed(now, Input::Arrived(entries));
    }

    /// Carries the leader's frames; it passes on what the follower may hear.
    fn exchange(&mut self, now: u64) {
        while let Some(frame) = self.leader.wire.pop_front() {
            for answer in self.server.receive(common::lower(frame)) {
                self.hear(now, answer);
            }
        }
    }

    fn hear(&mut self, now: u64, frame: Incoming<Action>) {
        self.leader.receive(now, frame.clone());
        self.follower.disk = self.leader.disk.clone();
        if matches!(frame, Incoming::Welcome(_)) {
            self.follower.feed(now, Input::Relayed { online: true, schema: 1 });
        }
        if matches!(frame, Incoming::Events(_) | Incoming::Verdicts(_)) {
            self.follower.receive(now, frame);
            self.leader.disk = self.follower.disk.clone();
        }
    }

    /// The follower is told that what is stored is not what it was.
    fn follower_rereads(&mut self, now: u64) {
        self.follower.disk = self.leader.disk.clone();
        reread(&mut self.follower, now);
        self.leader.disk = self.follower.disk.clone();
    }

    fn leader_rereads(&mut self, now: u64) {
        reread(&mut self.leader, now);
    }

    /// The leader's tab is gone; the other one has its lock.
    fn hand_over(mut self, now: u64) -> (Page, Server) {
        self.follower.disk = self.leader.disk;
        self.follower.feed(now, Input::Led(true));
        (self.follower, self.server)
    }
}

/// As the driver does it where another tab says that something changed.
fn reread(page: &mut Page, now: u64) {
    let stored = page.stored();
    page.feed(now, Input::Reread(Some(stored)));
}

fn of(page: &Page, client: &str, n: u64) -> Id {
    Id { client: page.engine.client(client), n: N(n) }
}

fn adopt(page: &mut Page, now: u64, client: &str) {
    let entries = page.entries_of(|name| name == client);
    let client = page.engine.client(client);
    page.feed(now, Input::Adopted { client, entries, whole: true });
}

#[test]
fn the_leader_sends_for_all_in_the_order_of_the_outbox() {
    let mut tabs = Tabs::offline();
    tabs.leader_says(10, 1);
    tabs.follower_says(20, 2);
    tabs.leader_says(30, 3);
    tabs.follower_says(40, 4);
    assert_eq!(
        (&tabs.leader.visible, &tabs.follower.visible),
        (&vec![1, 2, 3, 4], &vec![1, 2, 3, 4])
    );
    tabs.connect(50);
    assert_eq!(tabs.server.state(), [1, 2, 3, 4]);
    assert!(tabs.leader.disk.entries.is_empty());
    tabs.follower_says(60, 5);
    tabs.exchange(60);
    assert_eq!(tabs.server.state(), [1, 2, 3, 4, 5]);
}

#[test]
fn a_follower_has_no_link_and_writes_no_log() {
    let mut tabs = Tabs::online();
    tabs.follower_says(10, 1);
    let before = tabs.follower.disk.cursor.clone();
    tabs.follower.feed(20, Input::Woken);
    for frame in tabs.exchange_frames() {
        tabs.follower.receive(20, frame);
    }
    assert_eq!(tabs.follower.visible, [1]);
    assert_eq!(tabs.follower.engine.status().cursor, Seq(1), "it heard");
    assert_eq!(tabs.follower.disk.cursor, before, "and wrote nothing");
    assert_eq!(tabs.follower.disk.entries.len(), 1, "nor took out what its leader has not");
    assert!(!tabs.follower.linked && tabs.follower.wire.is_empty());
    assert_eq!(tabs.follower.engine.poll_timeout(), None);
}

impl Tabs {
    /// What the server answers the leader, which does not hear it yet.
    fn exchange_frames(&mut self) -> Vec<Incoming<Action>> {
        let frames: Vec<_> = self.leader.wire.drain(..).collect();
        frames.into_iter().flat_map(|frame| self.server.receive(common::lower(frame))).collect()
    }
}

#[test]
fn each_tab_is_told_the_verdicts_of_its_own_actions() {
    let mut tabs = Tabs::online();
    tabs.follower_says(10, 1);
    tabs.follower_says(10, 7);
    tabs.leader_says(20, 2);
    tabs.exchange(20);
    assert_eq!(
        tabs.follower.notices,
        ["confirmed 1 n1 seq1", "rejected 7 n2 seq2: a multiple of 7"]
    );
    assert_eq!(tabs.leader.notices, ["confirmed 2 n1 seq3"]);
    assert_eq!((&tabs.leader.visible, &tabs.follower.visible), (&vec![1, 2], &vec![1, 2]));
}

#[test]
fn the_link_of_a_follower_is_that_of_its_leader() {
    let mut tabs = Tabs::online();
    assert_eq!(tabs.follower.engine.status().link, LinkState::Online);
    tabs.follower.dispatch_routed(10, 1, true);
    assert!(tabs.follower.visible.is_empty(), "held back until its verdict");
    tabs.follower.feed(20, Input::Relayed { online: false, schema: 1 });
    assert_eq!(tabs.follower.engine.status().link, LinkState::Offline);
    assert_eq!(tabs.follower.visible, [1], "shown from now on");
    tabs.follower.feed(30, Input::Relayed { online: true, schema: 1 });
    tabs.follower.feed(30, Input::Disconnected);
    assert_eq!(tabs.follower.engine.status().link, LinkState::Offline, "the app wants it");
}

#[test]
fn held_back_in_a_follower_until_the_verdict() {
    let mut tabs = Tabs::online();
    tabs.follower.dispatch_routed(10, 1, true);
    tabs.tell_leader(10);
    tabs.exchange(20);
    assert_eq!(tabs.follower.entered, [1]);
    assert_eq!(tabs.follower.visible, [1]);
}

#[test]
fn a_gap_in_what_a_follower_hears_is_read_from_the_disk() {
    let mut tabs = Tabs::online();
    tabs.server.append("c", 11);
    let lost = tabs.server.news(Seq(0)).remove(0);
    tabs.leader.receive(10, lost);
    tabs.server.append("c", 12);
    let heard = tabs.server.news(Seq(1)).remove(0);
    tabs.hear(20, heard);
    assert_eq!(tabs.follower.visible, [11, 12]);
    assert_eq!(tabs.follower.engine.status().cursor, Seq(2));
    assert!(tabs.follower.wire.is_empty(), "it asks nobody");
}

#[test]
fn an_event_that_came_short_is_read_from_the_disk_where_its_action_is_not_known() {
    let mut tabs = Tabs::online();
    tabs.leader.dispatch(10, 1);
    tabs.exchange(10);
    assert_eq!(tabs.follower.visible, [1]);
    assert_eq!(tabs.follower.engine.status().cursor, Seq(1));
}

#[test]
fn a_new_leader_reads_what_is_stored_before_it_says_hello_and_sends_what_others_left() {
    let mut tabs = Tabs::online();
    tabs.follower_says(10, 1);
    // Of these the follower has not heard.
    tabs.leader.dispatch_all(20, [2, 3]);
    let (mut page, mut server) = tabs.hand_over(30);
    assert_eq!(page.visible, [1, 2, 3]);
    adopt(&mut page, 30, "a");
    page.open(40);
    assert_eq!(page.sent(), ["hello nothing"]);
    page.exchange(40, &mut server);
    assert_eq!(server.state(), [1, 2, 3]);
    assert_eq!(page.visible, [1, 2, 3]);
    assert!(page.disk.entries.is_empty());
}

#[test]
fn what_the_old_leader_stored_of_the_log_is_taken_over() {
    let mut tabs = Tabs::online();
    tabs.server.append("c", 11);
    let news = tabs.server.news(Seq(0)).remove(0);
    // The old leader was killed before it passed this on.
    tabs.leader.receive(10, news);
    let (page, _) = tabs.hand_over(20);
    assert_eq!(page.visible, [11]);
    assert_eq!(page.engine.status().cursor, Seq(1));
}

#[test]
fn a_new_leader_that_heard_more_than_was_stored_stores_it() {
    let mut tabs = Tabs::online();
    tabs.server.append("c", 11);
    let news = tabs.server.news(Seq(0)).remove(0);
    // The old leader passed it on, and was killed before it wrote it.
    tabs.follower.receive(10, news);
    let (page, _) = tabs.hand_over(20);
    assert_eq!(page.visible, [11]);
    assert_eq!(page.disk.base.as_deref(), Some([11].as_slice()));
    assert_eq!(page.disk.cursor.expect("it is stored").seq, Seq(1), "I2");
}

#[test]
fn a_number_of_a_living_tab_that_is_not_there_yet_is_waited_for() {
    let mut tabs = Tabs::online();
    tabs.follower.dispatch_all(10, [1, 2]);
    tabs.leader.disk = tabs.follower.disk.clone();
    let mut entries = tabs.leader.entries_of(|name| name == "b");
    let second = entries.pop().expect("two were dispatched");
    tabs.leader.feed(10, Input::Arrived(vec![second]));
    assert!(tabs.leader.sent().is_empty());
    tabs.leader.feed(20, Input::Arrived(entries));
    assert_eq!(tabs.leader.sent(), ["n1, n2"]);
}

#[test]
fn a_gap_in_what_this_page_can_read_is_waited_for_twice() {
    for can_read in [true, false] {
        let mut tabs = Tabs::online();
        tabs.follower.dispatch_all(10, [1, 2, 3]);
        tabs.leader.disk = tabs.follower.disk.clone();
        // A power cut took the first; whoever knew that its tab is gone leads no more.
        tabs.leader.disk.entries.remove(0);
        if can_read {
            tabs.leader_rereads(10);
        } else {
            // Of a page without its database: the rest may lie there.
            let page = Page::load("c", tabs.leader.disk.clone(), false);
            tabs.leader = page;
            tabs.leader.connect(10, &mut tabs.server);
        }
        for round in 1..=3 {
            assert!(tabs.server.state().is_empty(), "waited for {round} times");
            let now = 10 + round * (u64::from(common::PING_MS) + 10);
            tabs.leader.pass_time(now);
            tabs.exchange(now);
        }
        let expected = if can_read { vec![2, 3] } else { Vec::new() };
        assert_eq!(tabs.server.state(), expected, "can read: {can_read}");
    }
}

#[test]
fn a_number_of_a_tab_that_is_gone_is_not_waited_for() {
    let mut tabs = Tabs::online();
    tabs.follower.dispatch_all(10, [1, 2]);
    // The first never reached the disk.
    tabs.leader.disk = tabs.follower.disk.clone();
    tabs.leader.disk.entries.remove(0);
    tabs.leader.engine.add_client("b");
    adopt(&mut tabs.leader, 10, "b");
    assert_eq!(tabs.leader.sent(), ["n2 from 1"]);
}

#[test]
fn a_number_that_is_held_is_not_waited_for() {
    let mut tabs = Tabs::online();
    tabs.server.refuse.insert(1, "too-large");
    for action in [1, 2] {
        tabs.follower_says(10, action);
    }
    tabs.exchange(10);
    assert_eq!(tabs.server.state(), [2]);
    assert_eq!(tabs.leader.progress(), [Progress::Held(HeldReason::TooLarge)]);
}

#[test]
fn the_verdict_that_only_a_snapshot_had_reaches_the_tab_whose_action_it_is() {
    let mut tabs = Tabs::online();
    tabs.follower.dispatch_all(10, [1, 7]);
    tabs.tell_leader(10);
    // The server decides; its answer is lost, and the leader gets a state in place of the events.
    tabs.exchange_frames();
    tabs.server.append("c", 11);
    tabs.leader.cut(20);
    tabs.server.snapshot_beyond = 0;
    tabs.leader.feed(30, Input::Woken);
    tabs.leader.open(30);
    for frame in tabs.exchange_frames() {
        tabs.hear(30, frame);
    }
    tabs.leader.lose_sent();
    tabs.leader.cut(30);
    tabs.leader.feed(35, Input::Woken);
    tabs.leader.open(35);
    tabs.exchange(35);
    assert_eq!(tabs.leader.visible, [1, 11]);

    tabs.follower_rereads(40);
    assert_eq!(tabs.follower.visible, [1, 11], "not shown beside what it led to");
    assert!(tabs.follower.notices.is_empty(), "it cannot know yet");
    tabs.leader_rereads(50);
    assert_eq!(tabs.leader.visible, [1, 11]);
    assert_eq!(tabs.leader.sent(), ["n1, n2"]);
    tabs.exchange(60);
    assert_eq!(
        tabs.follower.notices,
        ["confirmed 1 n1 seq1", "rejected 7 n2 seq2: a multiple of 7"]
    );
    assert_eq!(tabs.server.log.len(), 3, "nothing twice");
    assert_eq!((&tabs.leader.visible, &tabs.follower.visible), (&vec![1, 11], &vec![1, 11]));
    assert!(tabs.leader.disk.entries.is_empty());
    assert_eq!(tabs.follower.engine.status().pending, 0);
}

#[test]
fn an_action_that_vanished_from_the_disk_without_a_trace_is_stored_again_and_sent() {
    let mut tabs = Tabs::offline();
    tabs.follower_says(10, 1);
    tabs.leader = Page::new("d");
    tabs.follower_rereads(20);
    assert_eq!(tabs.follower.visible, [1]);
    tabs.leader_rereads(30);
    tabs.connect(40);
    assert_eq!(tabs.server.state(), [1]);
    assert_eq!(tabs.follower.notices, ["confirmed 1 n1 seq1"]);
}

#[test]
fn a_held_action_that_another_tab_dropped_stays_dropped() {
    let mut tabs = Tabs::online();
    tabs.server.refuse.insert(1, "too-large");
    tabs.follower_says(10, 1);
    tabs.exchange(10);
    tabs.follower_rereads(20);
    assert_eq!(tabs.follower.engine.status().held, 1);
    let id = of(&tabs.leader, "b", 1);
    tabs.leader.feed(30, Input::Dropped(id));
    tabs.follower_rereads(40);
    assert_eq!(tabs.follower.engine.status().held, 0);
    assert!(tabs.leader.disk.entries.is_empty());
}

#[test]
fn a_held_action_that_was_dropped_and_that_its_own_tab_stores_anew_is_held_again() {
    let mut tabs = Tabs::online();
    tabs.server.refuse.insert(1, "too-large");
    tabs.follower_says(10, 1);
    tabs.exchange(10);
    let id = of(&tabs.leader, "b", 1);
    tabs.leader.feed(20, Input::Dropped(id));
    // Its own tab slept meanwhile, and lost the database: it carries along what it has.
    tabs.leader.disk.entries = tabs.follower.disk.entries.clone();
    change(&mut tabs.leader, "b", 1, |entry| entry.held = None);
    tabs.leader_rereads(30);
    assert_eq!(tabs.leader.progress(), [Progress::Held(HeldReason::TooLarge)]);
    assert_eq!(tabs.leader.disk.entries[0].1.held, Some(HeldReason::TooLarge));
    assert!(tabs.leader.sent().is_empty());
    tabs.follower_rereads(40);
    assert_eq!(tabs.follower.progress(), [Progress::Held(HeldReason::TooLarge)]);
}

#[test]
fn what_is_brought_back_of_one_s_own_is_taken_out_after_a_reset_too() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(10, 1);
    // A page that took this one for dead carried its entry along.
    let carried = page.disk.entries.clone();
    page.exchange(10, &mut server);
    page.cut(20);
    let mut server = Server { name: "log2".to_owned(), ..Server::new() };
    page.reconnect(20, &mut server);
    page.disk.entries = carried;
    reread(&mut page, 30);
    assert!(page.disk.entries.is_empty());
    assert!(page.visible.is_empty());
    assert!(page.sent().is_empty());
}

#[test]
fn what_another_tab_dropped_or_edited_offline_is_sent_as_it_stands() {
    let mut tabs = Tabs::offline();
    for action in [1, 2, 3] {
        tabs.follower_says(10, action);
    }
    tabs.follower.drop_own(20, 1).expect("it was never sent");
    let id = of(&tabs.follower, "b", 3);
    let edited = Input::Edited { id, action: common::Value::Action(4), bytes: 10 };
    tabs.follower.feed(20, edited);
    tabs.leader.disk = tabs.follower.disk.clone();
    tabs.leader_rereads(30);
    assert_eq!(tabs.leader.visible, [2, 4]);
    tabs.connect(40);
    assert_eq!(tabs.server.state(), [2, 4]);
    assert_eq!(tabs.follower.visible, [2, 4]);
}

#[test]
fn what_is_passed_on_before_the_disk_was_read_is_read_from_it_afterwards() {
    let mut tabs = Tabs::online();
    tabs.server.append("c", 11);
    let news = tabs.server.news(Seq(0)).remove(0);
    let mut young = Page::unread("y");
    young.feed(10, Input::Led(false));
    young.feed(10, Input::Connected);
    young.feed(10, Input::Relayed { online: true, schema: 1 });
    young.receive(10, news.clone());
    assert!(young.visible.is_empty(), "it does not know where it stands");
    // What it reads now is from before that.
    let early = young.stored();
    tabs.leader.receive(20, news);
    young.disk = tabs.leader.disk.clone();
    young.feed(30, Input::Restored(early));
    assert_eq!(young.visible, [11]);
}

#[test]
fn what_was_not_passed_on_is_read_when_the_next_leader_has_its_link() {
    let mut tabs = Tabs::online();
    tabs.server.append("c", 11);
    tabs.follower.feed(10, Input::Relayed { online: false, schema: 1 });
    tabs.leader.receive(10, tabs.server.news(Seq(0)).remove(0));
    tabs.follower.disk = tabs.leader.disk.clone();
    tabs.follower.feed(20, Input::Relayed { online: true, schema: 1 });
    assert_eq!(tabs.follower.visible, [11]);
}

#[test]
fn what_may_be_on_its_way_cannot_be_dropped_in_a_follower() {
    let mut tabs = Tabs::online();
    tabs.follower.dispatch(10, 1);
    assert_eq!(tabs.follower.drop_own(10, 1), Err(InputError::AlreadySent));
    tabs.follower.feed(20, Input::Relayed { online: false, schema: 1 });
    assert_eq!(tabs.follower.drop_own(20, 1), Err(InputError::AlreadySent), "its leader had it");
    tabs.follower.dispatch(20, 2);
    tabs.follower.drop_own(20, 2).expect("nobody could send it");
}

#[test]
fn a_tab_that_lost_the_lead_has_no_link_and_writes_no_log() {
    let mut tabs = Tabs::online();
    tabs.leader.dispatch(10, 1);
    tabs.leader.lose_sent();
    tabs.leader.feed(20, Input::Led(false));
    assert_eq!(tabs.leader.sent(), ["leave"]);
    assert!(!tabs.leader.linked);
    assert_eq!(tabs.leader.engine.poll_timeout(), None);
    // What was still on its way to it.
    tabs.server.append("c", 11);
    tabs.leader.receive(30, tabs.server.news(Seq(0)).remove(0));
    assert_eq!(tabs.leader.engine.status().cursor, Seq(0));
    tabs.leader.feed(40, Input::Relayed { online: true, schema: 1 });
    tabs.leader.receive(50, tabs.server.news(Seq(0)).remove(0));
    assert_eq!(tabs.leader.visible, [11, 1]);
    assert_eq!(tabs.leader.disk.cursor, None);
}

#[test]
fn an_app_that_is_older_than_the_server_follows_without_folding() {
    let mut tabs = Tabs::online();
    tabs.follower_says(10, 1);
    tabs.follower.feed(20, Input::Relayed { online: true, schema: 2 });
    assert!(tabs.follower.engine.status().outdated);
    tabs.exchange(30);
    assert_eq!(tabs.follower.notices, ["confirmed 1 n1 seq1"]);
    assert_eq!(tabs.follower.visible, [1], "shown until the app is loaded anew");
    assert_eq!(tabs.follower.engine.status().cursor, Seq(0));
}

#[test]
fn what_the_disk_brings_back_of_one_s_own_is_taken_out_by_the_leader() {
    let mut server = Server::new();
    let mut page = Page::online("a", &mut server);
    page.dispatch(10, 1);
    let backup = page.disk.entries.clone();
    page.exchange(10, &mut server);
    page.disk.entries = backup;
    reread(&mut page, 20);
    assert!(page.disk.entries.is_empty());
    assert_eq!(page.visible, [1]);
    assert!(page.sent().is_empty());
}

#[test]
fn who_follows_goes_along_when_the_leader_meets_a_server_that_was_restored() {
    let mut tabs = Tabs::online();
    for (now, action) in [(10, 1), (20, 2), (30, 3)] {
        tabs.follower_says(now, action);
        tabs.exchange(now);
    }
    assert_eq!(tabs.follower.visible, [1, 2, 3]);
    tabs.leader.cut(40);
    tabs.follower.feed(40, Input::Relayed { online: false, schema: 1 });
    tabs.server.log.truncate(1);
    tabs.server.last.insert(tabs.follower.id.clone(), N(1));
    tabs.leader.pass_time(1_000);
    tabs.leader.open(1_000);
    tabs.exchange(1_000);
    assert_eq!(tabs.leader.visible, [1]);
    tabs.follower_rereads(1_010);
    assert_eq!(tabs.follower.visible, [1], "I2: though the log has the same name and is shorter");
    // Its numbers 2 and 3 were settled, though not by this server: they are not waited for.
    tabs.follower_says(1_020, 4);
    tabs.exchange(1_020);
    assert_eq!(tabs.server.state(), [1, 4]);
    assert_eq!((&tabs.leader.visible, &tabs.follower.visible), (&vec![1, 4], &vec![1, 4]));
}

/// Changes a client's entry where it lies.
fn change(page: &mut Page, client: &str, n: u64, work: impl FnOnce(&mut Entry<common::Value>)) {
    let mut entries = page.disk.entries.iter_mut();
    let found = entries.find(|(name, entry)| name.as_str() == client && entry.id.n == N(n));
    work(&mut found.expect("an entry").1);
}

fn lose(page: &mut Page, client: &str, n: u64) {
    page.disk.entries.retain(|(name, entry)| name.as_str() != client || entry.id.n != N(n));
}

#[test]
fn what_the_disk_lost_while_the_server_was_reset_is_held() {
    let mut page = Page::following("b", Disk::default());
    page.dispatch(10, 1);
    // Another tab had it settled, by a server that was reset then.
    page.disk = Disk { base: Some(vec![22]), epoch: 7, ..Disk::default() };
    reread(&mut page, 20);
    assert_eq!(page.visible, [22]);
    assert_eq!(page.progress(), [Progress::Held(HeldReason::Reset)]);
    assert_eq!(page.disk.entries[0].1.held, Some(HeldReason::Reset), "and on disk");
    assert_eq!(page.notices, ["held 1 n1 reset"]);
}

#[test]
fn numbers_that_a_held_action_settles_since_are_not_waited_for() {
    let mut tabs = Tabs::offline();
    for (now, action) in [(10, 1), (20, 2), (30, 3)] {
        tabs.follower_says(now, action);
    }
    for n in [1, 2, 3] {
        change(&mut tabs.leader, "b", n, |entry| entry.held = Some(HeldReason::NotPlain));
    }
    tabs.leader_rereads(40);
    tabs.follower_rereads(40);
    // Its tab drops the second.
    lose(&mut tabs.leader, "b", 2);
    change(&mut tabs.leader, "b", 3, |entry| entry.from = N(2));
    tabs.leader_rereads(50);
    tabs.follower.disk = tabs.leader.disk.clone();
    tabs.follower_rereads(55);
    tabs.follower_says(60, 4);
    tabs.connect(70);
    assert_eq!(tabs.server.state(), [4]);
}

#[test]
fn what_is_held_on_disk_is_written_as_held() {
    let mut page = Page::following("b", Disk::default());
    page.dispatch_all(10, [1, 2]);
    change(&mut page, "b", 1, |entry| entry.held = Some(HeldReason::Reset));
    reread(&mut page, 20);
    // The leader holds the second too, and drops the first.
    lose(&mut page, "b", 1);
    change(&mut page, "b", 2, |entry| entry.held = Some(HeldReason::Reset));
    reread(&mut page, 30);
    let entry = &page.disk.entries[0].1;
    assert_eq!((entry.from, entry.held), (N(1), Some(HeldReason::Reset)));
}

#[test]
fn a_snapshot_is_no_verdict_on_what_was_stored_anew() {
    let mut tabs = Tabs::online();
    let rejected = 1_001;
    assert!(common::rejected(rejected));
    tabs.follower_says(10, rejected);
    let entries = tabs.follower.disk.entries.clone();
    tabs.exchange(20);
    // The follower missed the verdict, and stores its action anew; meanwhile a snapshot comes that was asked for before.
    tabs.follower.disk.entries = entries;
    tabs.tell_leader(30);
    for frame in tabs.server.parts(&tabs.follower.id) {
        tabs.leader.receive(40, frame);
    }
    assert_eq!(tabs.leader.disk.entries.len(), 1, "it still waits for its own");
    tabs.exchange(50);
    assert!(tabs.leader.disk.entries.is_empty());
}

#[test]
fn what_the_leader_holds_stands_as_held_whatever_another_tab_wrote() {
    let mut tabs = Tabs::offline();
    tabs.follower_says(10, 1);
    change(&mut tabs.leader, "b", 1, |entry| entry.held = Some(HeldReason::Reset));
    tabs.leader_rereads(20);
    // A tab that slept stores what it has.
    change(&mut tabs.leader, "b", 1, |entry| entry.held = None);
    tabs.leader_rereads(30);
    assert_eq!(tabs.leader.disk.entries[0].1.held, Some(HeldReason::Reset));
}

#[test]
fn who_was_taken_for_dead_and_lives_is_waited_for() {
    let mut tabs = Tabs::online();
    tabs.follower_says(10, 1);
    adopt(&mut tabs.leader, 20, "b");
    tabs.exchange(20);
    // It lives: its second is on its way to the disk, its third is there.
    tabs.follower.dispatch_all(30, [2, 3]);
    let entries = tabs.follower.disk.entries.clone();
    tabs.leader.disk.entries = entries[entries.len() - 1..].to_vec();
    let entries = tabs.leader.entries_of(|name| name == "b");
    tabs.leader.feed(30, Input::Arrived(entries));
    tabs.exchange(30);
    assert_eq!(tabs.server.state(), [1], "nothing is skipped");
    // It dies before its second is there. Its lock is the leader's already, so nobody notices.
    let mut now = 30;
    let mut wait = |tabs: &mut Tabs| {
        now += u64::from(common::PING_MS) + 10;
        tabs.leader.pass_time(now);
        tabs.exchange(now);
    };
    wait(&mut tabs);
    assert_eq!(tabs.server.state(), [1], "one gap may be of what is on its way");
    wait(&mut tabs);
    wait(&mut tabs);
    assert_eq!(tabs.server.state(), [1, 3], "what is left waits for nothing");
}

#[test]
fn what_is_asked_about_and_was_held_by_another_tab_is_held() {
    let mut tabs = Tabs::online();
    tabs.follower_says(10, 1);
    assert_eq!(tabs.leader.progress(), [Progress::Sent]);
    change(&mut tabs.leader, "b", 1, |entry| entry.held = Some(HeldReason::Reset));
    tabs.leader_rereads(20);
    assert_eq!(tabs.leader.progress(), [Progress::Held(HeldReason::Reset)]);
}

#[test]
fn whose_numbers_were_settled_before_a_reset_says_so_to_who_sends_the_rest() {
    let mut tabs = Tabs::online();
    tabs.follower_says(10, 1);
    tabs.exchange(10);
    tabs.follower.disk = tabs.leader.disk.clone();
    tabs.follower.dispatch(20, 2);
    // Another tab met a server that was reset, and knows nothing of the first.
    let entries = std::mem::take(&mut tabs.follower.disk.entries);
    tabs.follower.disk = Disk { base: Some(vec![22]), epoch: 7, entries, ..Disk::default() };
    reread(&mut tabs.follower, 30);
    assert_eq!(tabs.follower.disk.entries[0].1.from, N(1));
}

#[test]
fn the_server_is_asked_about_numbers_that_never_come() {
    let mut tabs = Tabs::online();
    for (now, action) in [(10, 1), (20, 2)] {
        tabs.follower_says(now, action);
        tabs.exchange(now);
    }
    tabs.follower_says(30, 3);
    // Storage was put back to what it was before it noted whose numbers are settled.
    let mut disk = tabs.leader.disk.clone();
    disk.settled.clear();
    let entries = std::mem::take(&mut disk.entries);
    let mut page = Page::load("c", disk, false);
    page.connect(40, &mut tabs.server);
    page.exchange(40, &mut tabs.server);
    page.disk.entries = entries;
    let entries = page.entries_of(|_| true);
    page.feed(50, Input::Arrived(entries));
    page.exchange(50, &mut tabs.server);
    assert_eq!(tabs.server.state(), [1, 2], "a living tab may be about to store what is missing");
    page.pass_time(u64::from(common::PING_MS) + 60);
    page.exchange(30_000, &mut tabs.server);
    assert_eq!(tabs.server.state(), [1, 2, 3]);
}

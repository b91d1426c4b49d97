//! The program as a process of its own, killed at bad moments, against a real server: what it said is
//! stored is in the server's log exactly once, and everyone ends in one state.

mod common;

use std::collections::BTreeMap;

use common::{DOWN, Device, Server, add_line, create};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_dispatch_and_send() {
    let device = Device::new();
    let mut program = device.run(DOWN);
    program.say(&create("o1", "Ann")).await;
    for n in 1..20 {
        program.say(&add_line("o1", &format!("l{n}"))).await;
    }
    program.hear("stored", 20).await;
    program.kill().await;
    let before = device.list().await;
    assert_eq!(before[0]["lines"].as_array().map(Vec::len), Some(19), "{before:?}");
    assert_eq!(device.output(DOWN, &["pending"]).await.len(), 20);

    let server = Server::start().await;
    let said = device.output(&server.url, &["sync"]).await;
    assert_eq!(said.iter().filter(|line| line.get("confirmed").is_some()).count(), 20);
    assert_eq!(server.actions().len(), 20);
    assert_eq!(device.list().await, before);
    assert!(device.output(DOWN, &["pending"]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_sends_and_hears() {
    let server = Server::start().await;
    let device = Device::new();
    let mut stored = 0;
    for round in 0..8 {
        let mut program = device.run(&server.url);
        let order = format!("o{round}");
        program.say(&create(&order, "Ann")).await;
        for n in 1..30 {
            program.say(&add_line(&order, &format!("l{n}"))).await;
        }
        // Some verdicts came, others are on their way, or not asked for yet.
        let heard = program.hear_both(30, 4 * round).await;
        program.kill().await;
        stored += heard;
    }
    device.output(&server.url, &["sync"]).await;
    let actions = server.actions();
    assert_eq!(actions.len(), stored);
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for action in &actions {
        *times.entry(action["meta"]["twin"]["id"].to_string()).or_default() += 1;
    }
    assert_eq!(times.len(), stored, "each once");
    assert_eq!(device.list().await, server.orders().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_programs_and_a_thin_client_end_in_one_state() {
    let server = Server::start().await;
    let (ann, bo) = (Device::new(), Device::new());
    for (device, customer) in [(&ann, "Ann"), (&bo, "Bo")] {
        device.dispatch(&create("o1", customer)).await;
        device.dispatch(&add_line("o1", customer)).await;
        device.dispatch(&create(customer, customer)).await;
    }
    ann.output(&server.url, &["sync"]).await;
    server.thin(&add_line("o1", "thin")).await;
    let said = bo.output(&server.url, &["sync"]).await;
    let reasons: Vec<_> = said.iter().filter_map(|line| line["reason"].as_str()).collect();
    assert_eq!(reasons, ["order o1 exists already"], "Bo's line and order are taken all the same");
    server.thin(&json!({ "type": "confirm", "payload": { "id": "o1" } })).await;
    ann.output(&server.url, &["sync"]).await;
    bo.output(&server.url, &["sync"]).await;
    let expect = server.orders().await;
    assert_eq!(expect.len(), 3);
    let order = expect.iter().find(|order| order["id"] == "o1").expect("it is there");
    assert_eq!(order["lines"].as_array().map(Vec::len), Some(3));
    assert_eq!(ann.list().await, expect);
    assert_eq!(bo.list().await, expect);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_reset_gets_nothing_twice_and_nothing_is_lost() {
    let device = Device::new();
    let first = Server::start().await;
    device.dispatch(&create("o1", "Ann")).await;
    device.output(&first.url, &["sync"]).await;
    device.dispatch(&create("o2", "Ann")).await;
    let second = Server::start().await;
    second.thin(&create("other", "Cy")).await;
    let said = device.output(&second.url, &["sync"]).await;
    assert!(said.iter().any(|line| line["reset"] == 1), "{said:?}");
    assert_eq!(device.list().await, second.orders().await);
    // What the server may never have seen is kept aside for the user.
    assert_eq!(device.output(DOWN, &["pending"]).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_does_not_take() {
    let device = Device::new();
    let known = create("o1", "Ann");
    device.dispatch(&known).await;
    let large = json!({ "type": "create", "payload": { "id": "x".repeat(70_000) } });
    for (action, reason) in [
        (known.to_string(), "order o1 exists already"),
        ("{}".to_owned(), "an action is an object"),
        ("[".to_owned(), "EOF while parsing"),
        (large.to_string(), "an action has at most 65536 bytes"),
    ] {
        device.fails(&["dispatch", &action], reason).await;
    }
    device
        .fails(&["--stream", "salesOrder/other", "list"], "this store is of salesOrder/demo")
        .await;
    device.fails(&["--url", DOWN, "sync", "--within", "300ms"], "did not answer").await;
    let mut program = device.run(DOWN);
    program.say(&create("o2", "Ann")).await;
    program.hear("stored", 1).await;
    device.fails(&["list"], "another program has this store open").await;
    program.kill().await;
    assert_eq!(device.list().await.len(), 2);
}

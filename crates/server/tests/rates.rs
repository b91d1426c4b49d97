//! Limits of clients and addresses: a clear refusal, nothing dropped in silence, others go on.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Client, ORDERS, Running, create, entry, hello, push, serve_with};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;
use twinstore_server::limits::Limits;
use twinstore_server::log::MemoryLog;

const STREAM: &str = "orders/x";

async fn server(change: impl FnOnce(&mut Limits)) -> Running {
    let log = Arc::new(MemoryLog::new());
    serve_with(&[("orders", ORDERS)], log, |options| change(&mut options.limits)).await
}

fn entries(client: &str, from: u64, count: u64) -> Vec<Value> {
    (from..from + count).map(|n| entry(client, n, &create(&format!("{client}{n}")))).collect()
}

#[tokio::test]
async fn too_many_actions_of_a_socket_are_refused_and_can_be_sent_again() {
    let server = server(|limits| limits.socket_actions = 2).await;
    let (mut greedy, mut honest) = (server.twin().await, server.twin().await);
    for twin in [&mut greedy, &mut honest] {
        twin.send(hello(STREAM)).await;
        twin.expect("welcome").await;
    }
    // A burst of ten seconds' worth is let in, and what it takes more has to be made up for.
    greedy.send(push(STREAM, &entries("g", 1, 23))).await;
    greedy.expect("events").await;
    greedy.send(push(STREAM, &entries("g", 24, 1))).await;
    let refused = greedy.expect("refused").await;
    assert_eq!((&refused["code"], &refused["n"]), (&json!("rate"), &json!(24)));
    assert_eq!(refused["last"], 23);
    // Another socket goes on.
    honest.expect("events").await;
    honest.send(push(STREAM, &entries("h", 1, 1))).await;
    assert_eq!(honest.expect("events").await["events"][0]["seq"], 24);
    greedy.expect("events").await;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        greedy.send(push(STREAM, &entries("g", 24, 1))).await;
        let frame = greedy.json().await;
        if frame["t"] == "events" {
            assert_eq!(frame["events"][0]["seq"], 25);
            return;
        }
        assert_eq!(frame["code"], "rate", "{frame}");
    }
}

#[tokio::test]
async fn too_many_actions_of_an_address_are_refused_everywhere() {
    let server = server(|limits| {
        limits.address_actions = 1;
        limits.count_loopback = true;
    })
    .await;
    let path = "/streams/orders%2Fx/actions";
    let many: Vec<_> = (0..15).map(|n| create(&n.to_string())).collect();
    let (status, body) = server.http("POST", path, &json!(many).to_string()).await;
    assert_eq!(status, 200, "{body}");
    let action = create("more").to_string();
    let (head, body) = server.whole("POST", path, &action).await;
    assert!(head.starts_with("HTTP/1.1 429") && head.contains("retry-after: "), "{head}");
    assert!(body.contains(r#""code":"rate""#), "{body}");
    let mut thin = server.thin(STREAM).await;
    thin.send(create("more")).await;
    assert_eq!(thin.json().await["error"]["code"], "rate");
    // To read is not to send.
    assert_eq!(server.http("GET", "/streams/orders%2Fx/state", "").await.0, 200);
}

#[tokio::test]
async fn sockets_beyond_an_addresss_share_are_told_when_to_come_back() {
    let server = server(|limits| {
        limits.address_sockets = 2;
        limits.count_loopback = true;
    })
    .await;
    let (first, _second) = (server.twin().await, server.twin().await);
    let url = format!("ws://127.0.0.1:{}/sync", server.port);
    match Client::connect_with(&url, &[]).await {
        Err(tungstenite::Error::Http(answer)) => {
            assert_eq!(answer.status(), 429);
            assert_eq!(answer.headers()["retry-after"], "5");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is let in"),
    }
    // A place is free again once its socket is gone.
    drop(first);
    let free = async {
        while Client::connect_with(&url, &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), free).await.expect("a place is free");
}

#[tokio::test]
async fn frames_beyond_the_rate_wait_and_none_is_lost() {
    let server = server(|limits| limits.socket_frames = 20).await;
    let mut twin = server.twin().await;
    twin.send(hello(STREAM)).await;
    twin.expect("welcome").await;
    let started = std::time::Instant::now();
    let count = 250;
    for n in 1..=count {
        twin.send(push(STREAM, &entries("c", n, 1))).await;
    }
    let mut last = 0;
    while last < count {
        let frame = twin.expect("events").await;
        last = frame["events"].as_array().expect("events").last().expect("one")["seq"]
            .as_u64()
            .expect("a number");
    }
    // 200 at once, the others at 20 a second.
    assert!(started.elapsed() > Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_socket_carries_so_many_streams() {
    let server = server(|limits| limits.socket_streams = 1).await;
    let mut twin = server.twin().await;
    twin.send(hello(STREAM)).await;
    twin.expect("welcome").await;
    twin.send(hello("orders/y")).await;
    assert_eq!(twin.expect("error").await["code"], "out-of-turn");
}

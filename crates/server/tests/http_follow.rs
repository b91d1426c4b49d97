//! How many may follow a log at once, and that those who are gone make room.

mod common;

use common::{ORDERS, create, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, sleep};
use twinstore_server::limits;

const FOLLOW: &str = "/streams/o%2Fx/events?follow=true";

/// A follower, and the status it was answered with.
async fn follow(port: u16) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let request = format!("GET {FOLLOW} HTTP/1.1\r\nhost: x\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("it reads");
    let mut head = [0; "HTTP/1.1 200".len()];
    socket.read_exact(&mut head).await.expect("it answers");
    (socket, String::from_utf8_lossy(&head).into_owned())
}

#[tokio::test]
async fn followers_are_counted_and_those_who_left_are_not() {
    let server = serve(&[("o", ORDERS)]).await;
    let actions = format!("[{}]", create("1"));
    server.json("POST", "/streams/o%2Fx/actions", &actions).await;
    let mut followers = Vec::new();
    for _ in 0..limits::FOLLOWERS {
        let (socket, status) = follow(server.port).await;
        assert_eq!(status, "HTTP/1.1 200");
        followers.push(socket);
    }
    let (status, error) = server.json("GET", FOLLOW, "").await;
    assert_eq!((status, &error["error"]["code"]), (429, &"busy".into()));
    drop(followers);
    let begin = Instant::now();
    while follow(server.port).await.1 != "HTTP/1.1 200" {
        assert!(begin.elapsed() < Duration::from_secs(20), "those who left still count");
        sleep(Duration::from_millis(20)).await;
    }
}

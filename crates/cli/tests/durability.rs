//! What had a verdict is there after SIGKILL and SIGTERM, and no action is there twice.

mod common;

use std::time::Duration;

use common::client::{Client, Dice, Fuse, check};
use common::{Place, Server, text};
use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::Message;

async fn until_killed(server: Server, clients: &mut [Client], verdicts: usize) {
    let port = server.port;
    let fuse = Fuse::new(verdicts, server);
    clients.iter_mut().for_each(|client| client.fuse = Some(fuse.clone()));
    futures_util::future::join_all(clients.iter_mut().map(|client| client.run(port))).await;
    clients.iter_mut().for_each(|client| client.fuse = None);
}

/// How often the server is killed: in an hour's run, a thousand times (docs/RELIABILITY.md).
fn kills() -> u64 {
    std::env::var("TWINSTORE_SERVER_KILLS").map_or(100, |kills| kills.parse().expect("a number"))
}

/// SIGKILL at moments that nobody chose: after so many milliseconds, or as so many verdicts are heard.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_under_load() {
    let place = Place::new();
    let mut dice = Dice(20_261_124);
    let mut clients: Vec<_> =
        [("a", 7), ("b", 50), ("c", 1)].map(|(id, batch)| Client::new(id, u64::MAX, batch)).into();
    for kill in 1..=kills() {
        let server = place.serve_with(&[], &[("TWINSTORE_BATCH_MAX", "10")]);
        if dice.below(2) == 0 {
            until_killed(server, &mut clients, 1 + dice.below(60)).await;
        } else {
            let port = server.port;
            let runs = futures_util::future::join_all(clients.iter_mut().map(|c| c.run(port)));
            let killing = async {
                tokio::time::sleep(Duration::from_micros(dice.below(80_000) as u64)).await;
                tokio::task::spawn_blocking(move || server.kill()).await.expect("it ends");
            };
            tokio::join!(runs, killing);
        }
        if kill.is_multiple_of(10) {
            check(&place, &clients);
        }
    }
    let server = place.serve();
    for client in &mut clients {
        client.total = client.seqs.last_key_value().map_or(0, |(n, _)| *n) + 100;
        client.run(server.port).await;
        assert!(client.is_done());
    }
    let (code, _) = server.terminate();
    assert_eq!(code, Some(0));
    let total: u64 = clients.iter().map(|client| client.total).sum();
    assert_eq!(check(&place, &clients) as u64, total);
    println!("killed {} times: {total} actions, 0 lost, 0 doubled", kills());
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_under_load() {
    let place = Place::new();
    let server = place.serve();
    let port = server.port;
    let mut clients = vec![Client::new("a", 100_000, 100), Client::new("b", 100_000, 1)];
    let runs = futures_util::future::join_all(clients.iter_mut().map(|client| client.run(port)));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        tokio::task::spawn_blocking(move || server.terminate()).await.expect("it ends")
    };
    let (_, (code, log)) = tokio::join!(runs, stop);
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("payload"), "{log}");
    assert!(check(&place, &clients) > 100);
    // The state of the head lies in the store: the next start folds nothing.
    let state = text(&place.run(&["state", "m/x"]).stdout);
    assert!(state.contains(r#""a-1""#), "{state:.200}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_hear_that_the_server_stops() {
    let place = Place::new();
    let server = place.serve();
    let url = format!("ws://127.0.0.1:{}/sync?stream=m%2Fx", server.port);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("it connects");
    let ended = tokio::task::spawn_blocking(move || server.terminate());
    let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else { panic!("no goodbye") };
    assert_eq!(u16::from(frame.code), 1012);
    drop(socket);
    assert_eq!(ended.await.expect("it ends").0, Some(0));
}

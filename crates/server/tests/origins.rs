//! Pages of other origins: refused, and told so that a browser understands.

mod common;

use std::sync::Arc;

use common::{Client, ORDERS, Running, create, serve_with};
use tokio_tungstenite::tungstenite;
use twinstore_server::Origins;
use twinstore_server::log::MemoryLog;

const APP: &str = "https://app.example";

async fn server() -> Running {
    let log = Arc::new(MemoryLog::new());
    let listed = [APP.to_owned()];
    serve_with(&[("orders", ORDERS)], log, |options| {
        options.origins = Origins::new(&listed, true).expect("an origin");
    })
    .await
}

#[tokio::test]
async fn sockets_of_other_pages_are_refused() {
    let server = server().await;
    let url = format!("ws://127.0.0.1:{}/sync?stream=orders/x", server.port);
    for origin in [APP.to_owned(), format!("http://127.0.0.1:{}", server.port)] {
        let mut thin =
            Client::connect_with(&url, &[("origin", &origin)]).await.expect("it is let in");
        thin.send(create("1")).await;
        assert!(thin.json().await["seq"].is_number());
    }
    for origin in ["https://evil.example", "null", "http://localhost:1"] {
        match Client::connect_with(&url, &[("origin", origin)]).await {
            Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 403, "{origin}"),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{origin} is let in"),
        }
    }
}

#[tokio::test]
async fn requests_of_other_pages_do_nothing() {
    let server = server().await;
    let path = "/streams/orders%2Fx/actions";
    let action = create("1").to_string();
    let evil = "origin: https://evil.example\r\n";
    let (status, body) = server.http_with(evil, "POST", path, &action).await;
    assert_eq!(status, 403);
    assert!(body.contains("forbidden"), "{body}");
    let (_, state) = server.json("GET", "/streams/orders%2Fx/state", "").await;
    assert_eq!(state["seq"], 0);
    assert_eq!(server.http_with(&format!("origin: {APP}\r\n"), "POST", path, &action).await.0, 200);
}

#[tokio::test]
async fn browsers_are_told_who_may_read() {
    let server = server().await;
    let path = "/streams/orders%2Fx/state";
    let app = format!("origin: {APP}\r\n");
    let head = server.head_with(&app, "GET", path).await;
    assert!(head.contains(&format!("access-control-allow-origin: {APP}")), "{head}");
    let ask = format!(
        "{app}access-control-request-method: POST\r\naccess-control-request-headers: authorization\r\n"
    );
    let head = server.head_with(&ask, "OPTIONS", "/streams/orders%2Fx/actions").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("access-control-allow-headers: authorization"), "{head}");
    let head = server.head_with("", "GET", path).await;
    assert!(!head.contains("access-control-allow-origin"), "{head}");
    let head = server.head_with("origin: https://evil.example\r\n", "GET", path).await;
    assert!(!head.contains("access-control-allow-origin"), "{head}");
}

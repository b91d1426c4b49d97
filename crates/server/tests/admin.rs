//! Who gets the page for operators, and what it asks for.

mod common;

use std::sync::Arc;

use common::{ORDERS, create, entry, hello, push, serve, serve_with};
use serde_json::Value;
use twinstore_server::auth::{Claims, KeySource, SigningKey, mint};
use twinstore_server::log::MemoryLog;

const TOKEN: &str = "an-admin-token-0123456789-0123456789";
const SECRET: &str = "a-secret-of-the-issuer-0123456789-abc";
const QUESTIONS: [&str; 4] =
    ["/admin/metrics", "/admin/streams", "/admin/stats", "/admin/streams/o%2Fx/state?at=0"];

/// Names the server as somebody on the machine does.
const NEAR: &str = "host: localhost\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_it_is_for_the_machine_itself() {
    let server = serve(&[("o", ORDERS)]).await;
    let mut twin = server.twin().await;
    twin.send(hello("o/x")).await;
    twin.expect("welcome").await;
    twin.send(push("o/x", &[entry("c", 1, &create("1"))])).await;
    twin.expect("events").await;
    for path in ["/admin", "/admin/files/main.js", "/admin/files/page.css"].iter().chain(&QUESTIONS)
    {
        let (status, body) = server.http_with(NEAR, "GET", path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        for far in [
            "host: twinstore.example\r\n",
            "host: localhost\r\nx-forwarded-for: 192.0.2.4\r\n",
            "host: localhost\r\nforwarded: for=192.0.2.4\r\n",
        ] {
            let (status, body) = server.http_with(far, "GET", path, "").await;
            assert_eq!(status, 403, "{path} {far}");
            assert!(body.contains("[auth]"), "{body}");
        }
    }
    let (_, listed) = server.http_with(NEAR, "GET", "/admin/streams", "").await;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed["streams"][0]["stream"], "o/x");
    assert_eq!(listed["streams"][0]["head"], 1);
    assert_eq!(server.http_with(NEAR, "GET", "/admin/files/none.js", "").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_tokens_are_asked_for_its_questions_need_the_right_admin() {
    let server = serve_with(&[("o", ORDERS)], Arc::new(MemoryLog::new()), |options| {
        options.auth.keys = vec![KeySource::Secret(SECRET.to_owned())];
        options.auth.admin_token = Some(TOKEN.to_owned());
    })
    .await;
    // The page holds nothing of anybody's.
    assert_eq!(server.http_with(NEAR, "GET", "/admin", "").await.0, 200);
    let user = bearer(&token(false));
    let admins = [format!("authorization: Bearer {TOKEN}\r\n"), bearer(&token(true))];
    for path in ["/admin/metrics", "/admin/streams", "/admin/stats"] {
        for (headers, wanted) in [
            (NEAR.to_owned(), 401),
            (format!("{NEAR}authorization: Bearer {TOKEN}x\r\n"), 401),
            (format!("{NEAR}{user}"), 403),
            (format!("{NEAR}{}", admins[0]), 200),
            (format!("{NEAR}{}", admins[1]), 200),
            (format!("host: twinstore.example\r\n{}", admins[0]), 200),
        ] {
            let (status, body) = server.http_with(&headers, "GET", path, "").await;
            assert_eq!(status, wanted, "{path} {headers}: {body}");
        }
    }
    let head = server.head_with(&format!("{NEAR}{}", admins[0]), "GET", "/admin/streams").await;
    assert!(head.to_lowercase().contains("cache-control: no-store"), "{head}");
}

fn token(admin: bool) -> String {
    let claims = Claims { sub: "ann".to_owned(), exp: 9_999_999_999, admin, ..Claims::default() };
    mint(&claims, &SigningKey::Secret(SECRET.to_owned())).expect("it signs")
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

//! Keys that are published: fetched when a token names one that is not known, not for each token.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{ORDERS, Running, serve_with};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use twinstore_server::auth::{self, KeySource};
use twinstore_server::log::MemoryLog;

const RSA: &[u8] = include_bytes!("keys/rsa.pem");
const ED: &[u8] = include_bytes!("keys/ed.pem");

fn rsa() -> (Algorithm, EncodingKey) {
    (Algorithm::RS256, EncodingKey::from_rsa_pem(RSA).expect("a key"))
}

fn ed() -> (Algorithm, EncodingKey) {
    (Algorithm::EdDSA, EncodingKey::from_ed_pem(ED).expect("a key"))
}

fn jwk(id: &str, (algorithm, key): &(Algorithm, EncodingKey)) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, *algorithm).expect("it is public");
    jwk.common.key_id = Some(id.to_owned());
    serde_json::to_value(jwk).expect("JSON")
}

fn token(id: &str, (algorithm, key): &(Algorithm, EncodingKey)) -> String {
    let header = Header { kid: Some(id.to_owned()), ..Header::new(*algorithm) };
    let exp = jsonwebtoken::get_current_timestamp() + 60;
    let claims = json!({ "sub": "ann", "exp": exp, "streams": ["*"] });
    jsonwebtoken::encode(&header, &claims, key).expect("it signs")
}

async fn guarded(key: KeySource) -> Running {
    let auth = auth::Options { keys: vec![key], ..auth::Options::default() };
    let log = Arc::new(MemoryLog::new());
    serve_with(&[("orders", ORDERS)], log, |options| options.auth = auth).await
}

async fn status(server: &Running, token: &str) -> u16 {
    let headers = format!("authorization: Bearer {token}\r\n");
    server.http_with(&headers, "GET", "/streams/orders%2Fx/state", "").await.0
}

/// Serves this set, and counts how often it is asked.
async fn publish(set: &Value) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/keys.json", listener.local_addr().expect("an address"));
    let (asked, set) = (Arc::new(AtomicUsize::new(0)), set.to_string());
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.expect("it listens");
            count.fetch_add(1, Ordering::Relaxed);
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await.expect("a request");
            let length = set.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{set}"
            );
            socket.write_all(answer.as_bytes()).await.expect("it is read");
        }
    });
    (url, asked)
}

#[tokio::test]
async fn published_keys_are_fetched_once_a_minute_at_most() {
    let (rsa, ed) = (rsa(), ed());
    let (url, asked) = publish(&json!({ "keys": [jwk("a", &rsa)] })).await;
    let server = guarded(KeySource::JwksUrl(url)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    assert_eq!(status(&server, &token("a", &rsa)).await, 200);
    for id in ["b", "c", "a"] {
        assert_eq!(status(&server, &token(id, &ed)).await, 401);
    }
    assert_eq!(status(&server, &token("b", &rsa)).await, 401);
    assert_eq!(status(&server, &token("a", &rsa)).await, 200);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_set_in_a_file_holds_keys_for_other_things_too() {
    let (rsa, ed) = (rsa(), ed());
    let mut for_encryption = jwk("e", &ed);
    for_encryption["use"] = json!("enc");
    let mut for_another = jwk("o", &rsa);
    for_another["alg"] = json!("RS512");
    let strange = json!({ "kty": "new", "kid": "n" });
    let set = json!({ "keys": [strange, for_encryption, for_another, jwk("a", &rsa)] });
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("keys.json");
    std::fs::write(&file, set.to_string()).expect("it writes");
    let server = guarded(KeySource::JwksFile(file)).await;
    assert_eq!(status(&server, &token("a", &rsa)).await, 200);
    assert_eq!(status(&server, &token("e", &ed)).await, 401);
    assert_eq!(status(&server, &token("o", &rsa)).await, 401);
}

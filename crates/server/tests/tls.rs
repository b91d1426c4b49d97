//! TLS by files: sockets and HTTP over it, hostile handshakes, and certificates that are renewed.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{ORDERS, Running, serve_with};
use futures_util::{SinkExt, StreamExt};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use twinstore_server::log::MemoryLog;
use twinstore_server::tls::{TlsError, TlsFiles};
use twinstore_server::{Options, Server, ServerError};

const PATIENCE: Duration = Duration::from_secs(30);

/// Writes a new certificate with its key, and gives the certificate.
fn renew(dir: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("it is made");
    fs::write(dir.join("key.pem"), signing_key.serialize_pem()).expect("it is written");
    fs::write(dir.join("cert.pem"), cert.pem()).expect("it is written");
    cert.der().clone()
}

fn files(dir: &Path) -> TlsFiles {
    TlsFiles { certificate: dir.join("cert.pem"), key: dir.join("key.pem") }
}

async fn server(dir: &Path) -> Running {
    serve_with(&[("o", ORDERS)], Arc::new(MemoryLog::new()), |options| {
        options.tls = Some(files(dir));
    })
    .await
}

/// Connects, trusting that certificate only.
async fn connect(
    server: &Running,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("it is one");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("they are known")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", server.port)).await?;
    let name = ServerName::try_from("localhost").expect("it is one");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn http_and_sockets_go_over_it() {
    let dir = TempDir::new().expect("a directory");
    let trusted = renew(dir.path());
    let server = server(dir.path()).await;

    let mut stream = connect(&server, &trusted).await.expect("it is trusted");
    let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("it answers, and says that this is all");
    assert!(String::from_utf8_lossy(&answer).ends_with("\r\n\r\nok"), "{answer:?}");

    let stream = connect(&server, &trusted).await.expect("it is trusted");
    let (mut socket, _) =
        client_async("wss://localhost/sync?stream=o/x", stream).await.expect("a socket");
    let create = r#"{"type":"create","payload":{"id":"1"}}"#;
    socket.send(Message::text(create)).await.expect("it is sent");
    let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("a frame") };
    assert!(text.starts_with(r#"{"seq":1,"key":"1""#), "{text}");

    // Others are not trusted, and what is no handshake gets nothing.
    let other = TempDir::new().expect("a directory");
    assert!(connect(&server, &renew(other.path())).await.is_err());
    let mut plain = TcpStream::connect(("127.0.0.1", server.port)).await.expect("it listens");
    plain.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_ends_a_handshake_holds_up_nobody() {
    let dir = TempDir::new().expect("a directory");
    let trusted = renew(dir.path());
    let server = server(dir.path()).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(("127.0.0.1", server.port)).await.expect("it listens"));
    }
    let stream = tokio::time::timeout(PATIENCE, connect(&server, &trusted)).await;
    stream.expect("it is not kept waiting").expect("it is trusted");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let dir = TempDir::new().expect("a directory");
    let first = renew(dir.path());
    let server = server(dir.path()).await;
    connect(&server, &first).await.expect("the first");
    fs::write(dir.path().join("cert.pem"), "no certificate").expect("it is written");
    // Half of a change is none: the old one is shown until the new one is whole.
    tokio::time::sleep(2 * twinstore_server::limits::TLS_REFRESH).await;
    connect(&server, &first).await.expect("still the first");
    let second = renew(dir.path());
    let begun = Instant::now();
    while connect(&server, &second).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "never: the second is shown");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop().await;
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let [one, two] = [(); 2].map(|()| TempDir::new().expect("a directory"));
    let start = |files: TlsFiles| {
        let mut options = Options::new(Default::default(), Arc::new(MemoryLog::new()));
        options.tls = Some(files);
        match Server::start(options) {
            Err(ServerError::Tls(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let missing = start(files(one.path()));
    assert!(matches!(missing, TlsError::Read { what: "a certificate", .. }), "{missing}");
    renew(one.path());
    renew(two.path());
    let mixed = TlsFiles { key: two.path().join("key.pem"), ..files(one.path()) };
    let pair = start(mixed);
    assert!(matches!(pair, TlsError::Pair { .. }), "{pair}");
    fs::write(one.path().join("cert.pem"), "").expect("it is written");
    let none = start(files(one.path()));
    assert!(matches!(none, TlsError::NoCertificate(_)), "{none}");
}

//! Who gets in: the matrix of tokens, on the socket and over HTTP, at a real server.

mod common;

use std::time::Duration;

use common::{Client, ORDERS, Running, create, entry, hello, push, serve_with};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_tungstenite::tungstenite;
use twinstore_server::auth::{self, KeySource};
use twinstore_server::log::MemoryLog;

const SECRET: &str = "a secret of thirty-two bytes or more";
const OTHER: &str = "another secret of thirty-two bytes or more";
const ADMIN: &str = "the admin's own token, which is no JWT";
const STREAM: &str = "orders/acme";

async fn guarded() -> Running {
    guarded_with(|_| {}).await
}

async fn guarded_with(change: impl FnOnce(&mut auth::Options)) -> Running {
    let auth = auth::Options {
        keys: vec![KeySource::Secret(SECRET.to_owned())],
        admin_token: Some(ADMIN.to_owned()),
        ..auth::Options::default()
    };
    let log = Arc::new(MemoryLog::new());
    serve_with(&[("orders", ORDERS)], log, |options| {
        options.auth = auth;
        change(&mut options.auth);
    })
    .await
}

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

/// A token of ann's for an hour, otherwise as these claims say.
fn token(claims: Value) -> String {
    signed(claims, SECRET)
}

fn signed(mut claims: Value, secret: &str) -> String {
    let known = claims.as_object_mut().expect("an object");
    known.entry("sub").or_insert_with(|| json!("ann"));
    known.entry("exp").or_insert_with(|| json!(now() + 3_600));
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("it signs")
}

fn ann() -> String {
    token(json!({ "streams": ["orders/a*"] }))
}

fn hello_by(token: &str, stream: &str) -> Value {
    let mut hello = hello(stream);
    hello["token"] = json!(token);
    hello
}

/// What a twin's hello with this token is answered.
async fn answer(server: &Running, token: &str, stream: &str) -> Value {
    let mut twin = server.twin().await;
    twin.send(hello_by(token, stream)).await;
    twin.json().await
}

/// Each token that is no good, and the code it is answered with.
fn bad_tokens() -> Vec<(&'static str, String, &'static str)> {
    let streams = json!({ "streams": ["*"] });
    let unsigned = {
        let good = token(streams.clone());
        let claims = good.split('.').nth(1).expect("three parts").to_owned();
        // {"alg":"none","typ":"JWT"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.")
    };
    let changed = {
        let (good, other) = (token(json!({})), token(json!({ "streams": ["*"] })));
        let part = |token: &str, n: usize| token.split('.').nth(n).expect("parts").to_owned();
        format!("{}.{}.{}", part(&good, 0), part(&other, 1), part(&good, 2))
    };
    let with = |name: &str, value: Value| {
        let mut claims = streams.clone();
        claims[name] = value;
        token(claims)
    };
    let stronger = jsonwebtoken::encode(
        &Header::new(Algorithm::HS512),
        &json!({ "sub": "ann", "exp": now() + 60, "streams": ["*"] }),
        &EncodingKey::from_secret(SECRET.as_bytes()),
    );
    vec![
        ("no token", "x".to_owned(), "unauthorized"),
        ("another key", signed(streams.clone(), OTHER), "unauthorized"),
        ("no signature", unsigned, "unauthorized"),
        ("changed", changed, "unauthorized"),
        ("another algorithm", stronger.expect("it signs"), "unauthorized"),
        ("expired", with("exp", json!(now() - 60)), "expired"),
        ("no end", with("exp", Value::Null), "unauthorized"),
        ("not yet", with("nbf", json!(now() + 120)), "unauthorized"),
        ("nobody's", with("sub", json!("")), "unauthorized"),
        ("too long", with("much", json!("x".repeat(9_000))), "unauthorized"),
    ]
}

#[tokio::test]
async fn a_token_opens_its_streams_and_no_others() {
    let server = guarded().await;
    let mut twin = server.twin().await;
    twin.send(hello_by(&ann(), STREAM)).await;
    let welcome = twin.expect("welcome").await;
    assert_eq!(welcome["subject"], "ann");
    twin.send(push(STREAM, &[entry("c", 1, &create("1"))])).await;
    assert_eq!(twin.expect("events").await["events"][0]["seq"], 1);
    // The same for one that is there, one that is not, and a model that is not.
    for stream in ["orders/busy", "orders/none", "ghosts/acme"] {
        twin.send(hello(stream)).await;
        let error = twin.expect("error").await;
        assert_eq!(error["code"], "forbidden");
        assert_eq!(error["message"], "the token does not allow this");
    }
    twin.quiet(STREAM).await;
}

#[tokio::test]
async fn tokens_that_are_no_good_on_a_socket() {
    let server = guarded().await;
    for (what, token, code) in bad_tokens() {
        let error = answer(&server, &token, STREAM).await;
        assert_eq!((&error["t"], &error["code"]), (&json!("error"), &json!(code)), "{what}");
        assert!(refused(&server, &format!("?access_token={token}"), &[]).await == 401, "{what}");
    }
    let mut twin = server.twin().await;
    twin.send(hello(STREAM)).await;
    assert_eq!(twin.expect("error").await["code"], "unauthorized");
    assert_eq!(refused(&server, "?stream=orders/acme", &[]).await, 401);
}

#[tokio::test]
async fn tokens_that_are_no_good_over_http() {
    let server = guarded().await;
    let paths = [
        ("GET", "/stats"),
        ("GET", "/streams/orders%2Facme/stats"),
        ("GET", "/streams/orders%2Facme/events"),
        ("GET", "/streams/orders%2Facme/state"),
        ("GET", "/streams/orders%2Facme/state?at=0"),
        ("GET", "/streams/orders%2Facme/records"),
        ("GET", "/streams/orders%2Facme/records/1"),
        ("POST", "/streams/orders%2Facme/actions"),
    ];
    for (method, path) in paths {
        let (status, body) = server.json(method, path, "[]").await;
        assert_eq!((status, &body["error"]["code"]), (401, &json!("unauthorized")), "{path}");
        for (what, token, code) in bad_tokens() {
            let (status, body) = by(&server, &token, method, path, "[]").await;
            assert_eq!((status, &body["error"]["code"]), (401, &json!(code)), "{what} {path}");
        }
    }
    assert_eq!(server.http("GET", "/healthz", "").await.0, 200);
}

#[tokio::test]
async fn over_http_a_stream_that_is_not_ones_own_leaks_nothing() {
    let server = guarded().await;
    let busy = token(json!({ "streams": ["orders/busy"] }));
    let action = create("1").to_string();
    let post = |name: &str| format!("/streams/{name}/actions");
    assert_eq!(by(&server, &busy, "POST", &post("orders%2Fbusy"), &action).await.0, 200);
    let mut answers = Vec::new();
    for name in ["orders%2Fbusy", "orders%2Fnone", "ghosts%2Facme"] {
        for what in ["state", "records", "records/1", "events", "stats", "state?at=0"] {
            let path = format!("/streams/{name}/{what}");
            answers.push(by(&server, &ann(), "GET", &path, "").await);
        }
        answers.push(by(&server, &ann(), "POST", &post(name), &action).await);
    }
    answers.dedup();
    let [(403, body)] = answers.as_slice() else { panic!("they differ: {answers:?}") };
    assert_eq!(body["error"]["code"], "forbidden");
}

/// Whatever is said on a socket, about a stream with events, one without, and one of no model.
#[tokio::test]
async fn on_a_socket_a_stream_that_is_not_ones_own_leaks_nothing() {
    let server = guarded().await;
    let busy = token(json!({ "streams": ["orders/busy"] }));
    let post = async |id| {
        let action = create(id).to_string();
        by(&server, &busy, "POST", "/streams/orders%2Fbusy/actions", &action).await
    };
    assert_eq!(post("1").await.0, 200);
    let streams = ["orders/busy", "orders/none", "ghosts/acme"];
    let mut answers = Vec::new();
    for stream in streams {
        let said = [
            hello_by(&ann(), stream),
            push(stream, &[entry("c", 1, &create("2"))]),
            json!({ "t": "pull", "stream": stream, "cursor": null, "clients": [] }),
            json!({ "t": "ping", "stream": stream }),
            json!({ "t": "leave", "stream": stream }),
            hello(STREAM),
        ];
        let bearer = format!("Bearer {}", ann());
        let mut twin = connect(&server, "", &[("authorization", &bearer)]).await;
        for frame in said {
            twin.send(frame).await;
        }
        assert_eq!(post(stream).await.0, 200);
        let mut heard = String::new();
        while !heard.contains("welcome") {
            heard += &twin.text().await.replace(stream, "S");
        }
        twin.quiet(STREAM).await;
        let mut refusals = Vec::new();
        for kind in ["records", "events", "state"] {
            let query = format!("?stream={stream}&subscribe={kind}&access_token={}", ann());
            refusals.push(refused(&server, &query, &[]).await);
        }
        answers.push((heard, refusals));
    }
    answers.dedup();
    let [(heard, refusals)] = answers.as_slice() else { panic!("they differ: {answers:#?}") };
    assert!(heard.contains("forbidden") && !heard.contains("pong"), "{heard}");
    assert_eq!(refusals, &[403; 3]);
}

#[tokio::test]
async fn who_may_only_read_writes_nothing() {
    let server = guarded().await;
    let reader = token(json!({ "read": [STREAM] }));
    let mut twin = server.twin().await;
    twin.send(hello_by(&reader, STREAM)).await;
    twin.expect("welcome").await;
    twin.send(push(STREAM, &[entry("c", 1, &create("1"))])).await;
    let refused = twin.expect("refused").await;
    assert_eq!((&refused["code"], &refused["last"]), (&json!("forbidden"), &json!(0)));
    let mut thin = connect(&server, &format!("?stream={STREAM}&access_token={reader}"), &[]).await;
    thin.send(create("1")).await;
    assert_eq!(thin.json().await["error"]["code"], "forbidden");
    let path = "/streams/orders%2Facme";
    let sent = by(&server, &reader, "POST", &format!("{path}/actions"), "[]").await;
    assert_eq!(sent.0, 403);
    let (status, state) = by(&server, &reader, "GET", &format!("{path}/state"), "").await;
    assert_eq!((status, &state["seq"]), (200, &json!(0)));
}

#[tokio::test]
async fn nobody_else_uses_a_client_of_anns() {
    let server = guarded().await;
    let by_sub = |sub: &str| token(json!({ "sub": sub, "streams": [STREAM] }));
    let mut twins = Vec::new();
    for sub in ["ann", "bob"] {
        let mut twin = server.twin().await;
        twin.send(hello_by(&by_sub(sub), STREAM)).await;
        twin.expect("welcome").await;
        twins.push(twin);
    }
    let [anns, bobs] = twins.as_mut_slice() else { panic!("two") };
    anns.send(push(STREAM, &[entry("c", 1, &create("1"))])).await;
    anns.expect("events").await;
    bobs.expect("events").await;
    // Neither by numbers that she has not used yet, nor to learn what became of those that she has.
    for n in [2, 1, 9] {
        bobs.send(push(STREAM, &[entry("c", n, &create("2"))])).await;
        let refused = bobs.expect("refused").await;
        assert_eq!((&refused["code"], &refused["last"]), (&json!("other-subject"), &json!(0)));
    }
    anns.send(push(STREAM, &[entry("c", 2, &create("2"))])).await;
    assert_eq!(anns.expect("events").await["events"][0]["seq"], 2);
    // A thin client's, and a request's, are as much its own.
    let mut thin =
        connect(&server, &format!("?stream={STREAM}&access_token={}", by_sub("ann")), &[]).await;
    thin.send(create("3")).await;
    thin.json().await;
    let path = "/streams/orders%2Facme/actions";
    let posted = by(&server, &by_sub("ann"), "POST", path, &create("4").to_string()).await;
    assert_eq!(posted.0, 200);
    anns.expect("events").await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let events = bobs.expect("events").await;
        clients.push(events["events"][0]["client"].as_str().expect("a client").to_owned());
    }
    for client in clients {
        bobs.send(push(STREAM, &[entry(&client, 3, &create("5"))])).await;
        assert_eq!(bobs.expect("refused").await["code"], "other-subject", "{client}");
    }
}

#[tokio::test]
async fn analysis_is_a_right_of_its_own() {
    let server = guarded().await;
    let writer = token(json!({ "streams": ["*"] }));
    let path = "/streams/orders%2Facme";
    let action = create("1").to_string();
    assert_eq!(by(&server, &writer, "POST", &format!("{path}/actions"), &action).await.0, 200);
    let analysis = ["/stats".to_owned()]
        .into_iter()
        .chain(["events", "stats", "state?at=0"].map(|what| format!("{path}/{what}")));
    for path in analysis {
        assert_eq!(by(&server, &writer, "GET", &path, "").await.0, 403, "{path}");
        for admin in [token(json!({ "admin": true })), ADMIN.to_owned()] {
            assert_eq!(by(&server, &admin, "GET", &path, "").await.0, 200, "{path}");
        }
    }
    // It reads all and writes nothing.
    assert_eq!(by(&server, ADMIN, "GET", &format!("{path}/records"), "").await.0, 200);
    assert_eq!(by(&server, ADMIN, "POST", &format!("{path}/actions"), &action).await.0, 403);
}

#[tokio::test]
async fn a_token_comes_by_header_sub_protocol_or_query() {
    let server = guarded().await;
    let bearer = format!("Bearer {}", ann());
    let protocols = format!("twinstore.bearer, {}", ann());
    let query = format!("&access_token={}", ann());
    let ways: [(&str, &[(&str, &str)]); 3] = [
        ("", &[("authorization", &bearer)]),
        ("", &[("sec-websocket-protocol", &protocols)]),
        (&query, &[]),
    ];
    for (query, headers) in ways {
        let mut thin = connect(&server, &format!("?stream={STREAM}{query}"), headers).await;
        thin.send(create("1")).await;
        assert!(thin.json().await["seq"].is_number());
        let mut twin = connect(&server, &format!("?{query}"), headers).await;
        twin.send(hello(STREAM)).await;
        assert_eq!(twin.expect("welcome").await["subject"], "ann");
        assert_eq!(refused(&server, &format!("?stream=orders/busy{query}"), headers).await, 403);
    }
}

#[tokio::test]
async fn a_token_that_ends_ends_the_socket() {
    let server = guarded().await;
    let short = ends_in(2);
    let mut twin = server.twin().await;
    twin.send(hello_by(&short, STREAM)).await;
    twin.expect("welcome").await;
    let mut thin = connect(&server, &format!("?stream={STREAM}&access_token={short}"), &[]).await;
    for socket in [&mut twin, &mut thin] {
        assert_eq!(socket.expect("error").await["code"], "expired");
        assert_eq!(socket.closed().await, 4401);
    }
}

#[tokio::test]
async fn a_token_is_renewed_while_actions_are_in_flight() {
    let server = guarded().await;
    let short = ends_in(3);
    let mut twin = server.twin().await;
    twin.send(hello_by(&short, STREAM)).await;
    twin.expect("welcome").await;
    let mut thin = connect(&server, &format!("?stream={STREAM}&access_token={short}"), &[]).await;
    let renew = json!({ "t": "auth", "token": ann() });
    twin.send(push(STREAM, &[entry("c", 1, &create("1"))])).await;
    twin.send(&renew).await;
    twin.send(push(STREAM, &[entry("c", 2, &create("2"))])).await;
    thin.send(&renew).await;
    // Past the first token's end both are there, and what was sent is decided.
    tokio::time::sleep(Duration::from_secs(4)).await;
    twin.send(push(STREAM, &[entry("c", 3, &create("3"))])).await;
    let (mut renewed, mut last) = (0, json!(0));
    while last != json!(3) {
        let frame = twin.json().await;
        match frame["t"].as_str() {
            Some("authenticated") => renewed += 1,
            Some("events") => {
                last =
                    frame["events"].as_array().expect("events").last().expect("one")["seq"].clone();
            }
            other => panic!("{other:?}: {frame}"),
        }
    }
    assert_eq!(renewed, 1);
    let mut frames = Vec::new();
    for _ in 0..4 {
        frames.push(thin.json().await);
    }
    assert!(frames.iter().any(|frame| frame["t"] == "authenticated"), "{frames:?}");
}

#[tokio::test]
async fn a_renewal_that_is_no_good_leaves_the_socket_and_one_that_takes_rights_takes_them() {
    let server = guarded().await;
    let mut twin = server.twin().await;
    twin.send(hello_by(&ann(), STREAM)).await;
    twin.expect("welcome").await;
    let bob = token(json!({ "sub": "bob", "streams": ["*"] }));
    for (token, code) in [(signed(json!({}), OTHER), "unauthorized"), (bob, "forbidden")] {
        twin.send(json!({ "t": "auth", "token": token })).await;
        assert_eq!(twin.expect("error").await["code"], code);
        twin.quiet(STREAM).await;
    }
    twin.send(json!({ "t": "auth", "token": token(json!({ "streams": [] })) })).await;
    twin.expect("authenticated").await;
    let error = twin.expect("error").await;
    assert_eq!((&error["code"], &error["stream"]), (&json!("forbidden"), &json!(STREAM)));
    twin.send(push(STREAM, &[entry("c", 1, &create("1"))])).await;
    assert_eq!(twin.expect("error").await["code"], "out-of-turn");
}

#[tokio::test]
async fn issuer_and_audience() {
    let server = guarded_with(|auth| {
        auth.issuer = Some("https://issuer".to_owned());
        auth.audience = vec!["orders".to_owned()];
    })
    .await;
    let by = |iss: Value, aud: Value| token(json!({ "streams": ["*"], "iss": iss, "aud": aud }));
    let good = by(json!("https://issuer"), json!(["other", "orders"]));
    assert_eq!(answer(&server, &good, STREAM).await["t"], "welcome");
    for bad in [
        by(json!("https://other"), json!("orders")),
        by(json!("https://issuer"), json!("other")),
        token(json!({ "streams": ["*"], "aud": "orders" })),
        token(json!({ "streams": ["*"], "iss": "https://issuer" })),
    ] {
        assert_eq!(answer(&server, &bad, STREAM).await["code"], "unauthorized");
    }
}

const CAREFUL: &str = "
export default (state = { entities: {} }, { type, payload }) =>
  type === 'create' ? { entities: { ...state.entities, [payload.id]: payload } } : state
export function authorize(ctx, op, stream) {
  if (ctx.claims.fault === 'throw') throw new Error('no')
  if (ctx.claims.fault === 'loop') for (;;);
  if (ctx.claims.fault === 'promise') return Promise.resolve(true)
  return stream === `careful/${ctx.subject}` && (op === 'read' || ctx.claims.writes === true)
}";

#[tokio::test]
async fn the_model_may_say_no() {
    let auth = auth::Options {
        keys: vec![KeySource::Secret(SECRET.to_owned())],
        ..auth::Options::default()
    };
    let models = [("careful", CAREFUL), ("orders", ORDERS)];
    let log = Arc::new(MemoryLog::new());
    let server = serve_with(&models, log, |options| options.auth = auth).await;
    let of = |more: Value| {
        let mut claims = json!({ "streams": ["careful/*", "orders/*"] });
        claims.as_object_mut().expect("it is").extend(more.as_object().expect("it is").clone());
        token(claims)
    };
    let writes = of(json!({ "writes": true }));
    assert_eq!(answer(&server, &writes, "careful/ann").await["t"], "welcome");
    assert_eq!(answer(&server, &writes, "orders/x").await["t"], "welcome");
    assert_eq!(answer(&server, &writes, "careful/bob").await["code"], "forbidden");
    for fault in ["throw", "loop", "promise"] {
        let token = of(json!({ "fault": fault }));
        assert_eq!(answer(&server, &token, "careful/ann").await["code"], "forbidden", "{fault}");
    }
    let path = "/streams/careful%2Fann/actions";
    let action = create("1").to_string();
    assert_eq!(by(&server, &of(json!({})), "POST", path, &action).await.0, 403);
    assert_eq!(by(&server, &writes, "POST", path, &action).await.0, 200);
}

/// A token that ends so many seconds from now, the skew of clocks included.
fn ends_in(seconds: u64) -> String {
    token(json!({ "streams": ["*"], "exp": now() - 30 + seconds }))
}

async fn by(server: &Running, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let headers = format!("authorization: Bearer {token}\r\n");
    let (status, body) = server.http_with(&headers, method, path, body).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

async fn connect(server: &Running, query: &str, headers: &[(&str, &str)]) -> Client {
    Client::connect_with(&format!("ws://127.0.0.1:{}/sync{query}", server.port), headers)
        .await
        .expect("it connects")
}

/// The status with which a socket is refused.
async fn refused(server: &Running, query: &str, headers: &[(&str, &str)]) -> u16 {
    let url = format!("ws://127.0.0.1:{}/sync{query}", server.port);
    match Client::connect_with(&url, headers).await {
        Err(tungstenite::Error::Http(answer)) => answer.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it connects"),
    }
}

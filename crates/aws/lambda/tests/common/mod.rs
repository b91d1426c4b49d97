//! A gateway of the tests' own, and functions behind it.
#![allow(clippy::needless_pass_by_value, reason = "made by `json!` where it is given")]
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a part of tests")]

#[path = "../../../dynamodb/tests/common/mod.rs"]
pub(crate) mod dynamodb;
pub(crate) mod metered;
pub(crate) mod orders;
pub(crate) mod stage;
pub(crate) mod streams;
pub(crate) mod twin;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use twinstore_dynamodb::DynamoLog;
use twinstore_lambda::{Function, Gateway, Parts, Role};
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::auth::{self, Auth};
use twinstore_server::event::StoredEvent;
use twinstore_server::fold::fold;
use twinstore_server::log::{Log, Page};
use twinstore_server::model::{self, Models};
use twinstore_server::reducer::{Engines, QuickJs};

/// What a gateway holds: what each connection was sent, and which are gone.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    frames: Mutex<BTreeMap<String, Vec<String>>>,
    gone: Mutex<BTreeSet<String>>,
    closed: Mutex<BTreeSet<String>>,
    /// So many posts are refused: there were too many.
    pub(crate) throttled: AtomicU32,
    /// What becomes of calls to [`MORTAL`].
    faults: Mutex<dynamodb::Faults>,
}

/// Where the gateway is for a function that dies: its posts are calls like any other.
const MORTAL: &str = "/mortal";

impl Sockets {
    /// Whether the function that may die does not, so far.
    pub(crate) fn lives(&self) -> bool {
        !self.faults.lock().unwrap().is_dead()
    }
}

/// A gateway on a port, over HTTP as the real one.
pub(crate) struct World {
    pub(crate) prefix: String,
    pub(crate) sockets: Arc<Sockets>,
    endpoint: String,
    auth: auth::Options,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_auth(auth::Options::default()).await
    }

    pub(crate) async fn with_auth(auth: auth::Options) -> Self {
        let sockets = Arc::new(Sockets::default());
        let app = Router::new()
            .route("/@connections/{id}", post(take).delete(close))
            .route("/mortal/@connections/{id}", post(take_of_mortal).delete(close_of_mortal))
            .with_state(Arc::clone(&sockets));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let prefix = dynamodb::prefix();
        Self { prefix, sockets, endpoint, auth }
    }

    /// A function: a process of its own.
    pub(crate) fn function(&self) -> Function {
        self.role(Role::Coupled { push: true })
    }

    pub(crate) fn role(&self, role: Role) -> Function {
        self.role_on(dynamodb::open(&self.prefix), role)
    }

    pub(crate) fn function_on(&self, log: DynamoLog) -> Function {
        self.role_on(log, Role::Coupled { push: true })
    }

    pub(crate) fn role_on(&self, log: impl Into<Arc<DynamoLog>>, role: Role) -> Function {
        self.function_at(&self.endpoint, log.into(), role)
    }

    /// A function whose calls, to tables and gateway, go as these faults say.
    pub(crate) fn mortal(&self, role: Role) -> (Function, dynamodb::Faults) {
        let (log, faults) = dynamodb::with_faults(&self.prefix);
        *self.sockets.faults.lock().unwrap() = faults.clone();
        (self.function_at(&format!("{}{MORTAL}", self.endpoint), Arc::new(log), role), faults)
    }

    fn function_at(&self, endpoint: &str, log: Arc<DynamoLog>, role: Role) -> Function {
        let models = models();
        let auth = Auth::new(&self.auth, &models, &Engines::default()).unwrap();
        let gateway = Gateway::new(Some(endpoint.to_owned()));
        Function::new(Parts::new(models, log, auth, gateway).unwrap(), role)
    }

    /// Makes what a template would: the tables, and the models in them.
    pub(crate) async fn prepare(&self) {
        let log = dynamodb::open(&self.prefix);
        log.create_connections_table().unwrap();
        for model in models().values() {
            log.put_model((**model).clone()).unwrap();
        }
    }

    /// What a connection was sent since it was asked last.
    pub(crate) fn frames(&self, connection: &str) -> Vec<Value> {
        let frames = self.sockets.frames.lock().unwrap().remove(connection).unwrap_or_default();
        frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
    }

    pub(crate) fn is_closed(&self, connection: &str) -> bool {
        self.sockets.closed.lock().unwrap().contains(connection)
    }

    pub(crate) fn lose(&self, connection: &str) {
        self.sockets.gone.lock().unwrap().insert(connection.to_owned());
    }

    /// All events, and that records and numbers are what they make.
    pub(crate) fn events(&self, stream: &str) -> Vec<StoredEvent> {
        let log = dynamodb::open(&self.prefix);
        let stream = StreamId::parse(stream).unwrap();
        let events =
            log.read(&stream, Seq(0), Page { events: 100_000, bytes: usize::MAX }).unwrap();
        let head = log.head(&stream).unwrap().map_or(Seq(0), |head| head.seq);
        assert_eq!(head.0, events.len() as u64);
        let models = models();
        let model = &models[stream.model()];
        let mut folded = fold(&log, &QuickJs, &stream, model, head).unwrap();
        if !log.owes_records(&stream).unwrap() {
            assert_eq!(log.records(&stream).unwrap(), folded.reducer.records().unwrap());
        }
        events
    }
}

/// The orders that a log's accepted events made.
pub(crate) fn orders_of(events: &[StoredEvent]) -> BTreeSet<String> {
    let accepted = events.iter().filter(|event| event.error.is_none());
    let action = |event: &StoredEvent| serde_json::from_str::<Value>(event.action()?).ok();
    let made = accepted.filter_map(action).filter(|action| action["type"] == "create");
    made.map(|action| action["payload"]["id"].as_str().unwrap().to_owned()).collect()
}

/// A model that does not take everything well.
const POISON: &str = "
export default (state = { count: 0 }, action) => {
  if (action.type === 'loop') for (;;) {}
  if (action.type === 'throw') throw new Error('not that')
  return { count: state.count + 1 }
}
";

/// The example's model as `salesOrder`, and another, `poison`.
pub(crate) fn models() -> Models {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../examples/sales-order/reducer.js");
    let sales = model::read("salesOrder", FilePath::new(file)).unwrap();
    let poison = model::from_source("poison", "poison.js", POISON.to_owned()).unwrap();
    model::together([sales, poison]).unwrap()
}

/// An event of a WebSocket API.
pub(crate) fn event(kind: &str, connection: &str, extra: Value) -> Value {
    let mut event = json!({
        "requestContext": {
            "eventType": kind, "connectionId": connection, "requestId": request(), "routeKey": "$default",
            "domainName": "example.execute-api.eu-west-1.amazonaws.com", "stage": "prod",
        },
        "isBase64Encoded": false,
    });
    event.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    event
}

static REQUESTS: AtomicU32 = AtomicU32::new(0);

fn request() -> String {
    format!("r{}", REQUESTS.fetch_add(1, Ordering::Relaxed))
}

/// Opens a connection, and gives the status.
pub(crate) async fn connect(function: &Function, connection: &str, query: Value) -> i64 {
    let extra = json!({ "queryStringParameters": query });
    let answer = function.handle(event("CONNECT", connection, extra)).await.unwrap();
    answer["statusCode"].as_i64().unwrap()
}

/// Says something.
pub(crate) async fn say(function: &Function, connection: &str, frame: &Value) {
    say_text(function, connection, &frame.to_string()).await;
}

/// Says what is there as text.
pub(crate) async fn say_text(function: &Function, connection: &str, text: &str) {
    let said =
        function.handle(event("MESSAGE", connection, json!({ "body": text }))).await.unwrap();
    assert_eq!(said.get("body"), None, "a gateway may send it to the client");
}

pub(crate) fn hello(stream: &str, client: &str) -> Value {
    json!({
        "t": "hello", "v": 1, "min": 1, "stream": stream, "schema": 1,
        "clients": [{ "client": client, "from": 1 }],
    })
}

/// A push of entries `from..=to`, each making an order.
pub(crate) fn push(stream: &str, client: &str, from: u64, to: u64) -> Value {
    let entry = |n| {
        json!({ "client": client, "n": n, "action": {
            "type": "create", "payload": { "id": format!("{client}-{n}"), "customer": "Ann" } } })
    };
    json!({ "t": "push", "stream": stream, "entries": (from..=to).map(entry).collect::<Vec<_>>() })
}

async fn take(
    State(sockets): State<Arc<Sockets>>,
    Path(id): Path<String>,
    frame: String,
) -> Response {
    if sockets.gone.lock().unwrap().contains(&id) {
        return gone();
    }
    if frame.len() > 128 << 10 {
        return (StatusCode::PAYLOAD_TOO_LARGE, "").into_response();
    }
    let less = |posts: u32| posts.checked_sub(1);
    if sockets.throttled.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
        let headers = [("x-amzn-errortype", "ForbiddenException")];
        return (StatusCode::FORBIDDEN, headers, "{}").into_response();
    }
    sockets.frames.lock().unwrap().entry(id).or_default().push(frame);
    StatusCode::OK.into_response()
}

async fn close(State(sockets): State<Arc<Sockets>>, Path(id): Path<String>) -> Response {
    if sockets.gone.lock().unwrap().contains(&id) {
        return gone();
    }
    sockets.closed.lock().unwrap().insert(id);
    StatusCode::NO_CONTENT.into_response()
}

async fn take_of_mortal(state: State<Arc<Sockets>>, id: Path<String>, frame: String) -> Response {
    match lives(&state) {
        true => take(state, id, frame).await,
        false => nobody(),
    }
}

async fn close_of_mortal(state: State<Arc<Sockets>>, id: Path<String>) -> Response {
    match lives(&state) {
        true => close(state, id).await,
        false => nobody(),
    }
}

fn lives(sockets: &Sockets) -> bool {
    let faults = sockets.faults.lock().unwrap();
    // Where this is its last call it does not hear the answer.
    faults.lives()
}

/// To who is dead already, which must not try again.
fn nobody() -> Response {
    (StatusCode::BAD_REQUEST, "{}").into_response()
}

fn gone() -> Response {
    let headers = [("x-amzn-errortype", "GoneException")];
    (StatusCode::GONE, headers, r#"{"message":"Gone"}"#).into_response()
}

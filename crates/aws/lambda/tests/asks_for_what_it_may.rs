//! Goal: no function calls what its role in deploy/aws does not allow: `tests/aws/allowed.json`, which
//! the templates are held against.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents,
};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::{Client, Config};
use common::streams::Streams;
use common::{World, connect, dynamodb, event, hello, push, say};
use serde_json::{Value, json};
use twinstore_dynamodb::{DynamoLog, Options};
use twinstore_lambda::{Function, Role};
use twinstore_server::log::Log;

const STREAM: &str = "salesOrder/demo";
const CLIENT: &str = "20261124-a";

/// The calls of a function, as IAM sees them: `Events dynamodb:PutItem`.
#[derive(Clone, Debug, Default)]
struct Calls(Arc<Mutex<BTreeSet<String>>>);

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.split_once('.').map_or(target, |(_, name)| name);
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap())?;
        let mut calls = self.0.lock().unwrap();
        let mut call = |action: &str, of: &Value| {
            let table = table(of["TableName"].as_str().unwrap_or_default());
            calls.insert(format!("{table} dynamodb:{action}"));
        };
        match body["TransactItems"].as_array() {
            None => call(operation, &body),
            // Each item is asked for by itself.
            Some(items) => items
                .iter()
                .flat_map(|item| item.as_object().unwrap())
                .for_each(|(kind, item)| call(&format!("{kind}Item"), item)),
        }
        Ok(())
    }
}

/// A table's name in the templates.
fn table(name: &str) -> &str {
    const TABLES: [(&str, &str); 4] = [
        ("salesOrder_events", "Events"),
        ("twin_store", "Store"),
        ("twin_connections", "Connections"),
        ("salesOrder", "Records"),
    ];
    TABLES.iter().find(|(end, _)| name.ends_with(end)).map_or(name, |(_, table)| table)
}

/// A function whose calls are seen.
struct Watched {
    function: Function,
    calls: Calls,
    /// Where the list has it.
    name: [&'static str; 2],
}

impl Watched {
    fn new(world: &World, role: Role, name: [&'static str; 2]) -> Self {
        let calls = Calls::default();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "local"))
            .endpoint_url(dynamodb::endpoint())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .interceptor(calls.clone())
            .build();
        let options = Options { create_tables: false, ..dynamodb::options(&world.prefix) };
        let log = DynamoLog::with_client(Client::from_conf(config), &options).unwrap();
        if matches!(role, Role::Coupled { .. } | Role::Reduce) {
            for model in common::models().values() {
                log.put_model((**model).clone()).unwrap();
            }
        }
        Self { function: world.role_on(log, role), calls, name }
    }

    /// All that it called was allowed, and it called something.
    fn check(&self) {
        let allowed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/aws/allowed.json");
        let allowed: Value =
            serde_json::from_str(&std::fs::read_to_string(allowed).unwrap()).unwrap();
        let [topology, name] = self.name;
        let may = allowed[topology][name].as_object().unwrap();
        let may: BTreeSet<String> = may
            .iter()
            .flat_map(|(on, actions)| {
                actions.as_array().unwrap().iter().map(move |action| (on, action))
            })
            .map(|(on, action)| format!("{on} {}", action.as_str().unwrap()))
            .collect();
        let calls = self.calls.0.lock().unwrap().clone();
        println!("{name} calls {calls:?}");
        println!("{name} calls nothing of {:?}", may.difference(&calls).collect::<Vec<_>>());
        assert!(
            calls.is_subset(&may),
            "{name} may not {:?}",
            calls.difference(&may).collect::<Vec<_>>()
        );
        assert!(calls.len() > 3, "{name} does next to nothing here");
    }
}

/// With all tables, as a template makes them: those that the functions see make none.
async fn world() -> World {
    let world = World::new().await;
    world.prepare().await;
    let (function, other) = (world.function(), "salesOrder/other");
    connect(&function, "other", json!(null)).await;
    say(&function, "other", &hello(other, CLIENT)).await;
    say(&function, "other", &push(other, CLIENT, 1, 1)).await;
    world
}

/// A day in the life: twins and thin clients come and go; large and small pushes, and repeated,
/// rejected and malformed ones; a state is stored; somebody is gone without a word.
async fn day(world: &World, front: &Function, mut behind: impl AsyncFnMut()) {
    for (connection, client) in [("a", CLIENT), ("b", "20261124-b")] {
        assert_eq!(connect(front, connection, json!(null)).await, 200);
        say(front, connection, &hello(STREAM, client)).await;
    }
    assert_eq!(connect(front, "thin", json!({ "stream": STREAM })).await, 200);
    for subscribe in ["state", "events"] {
        let query = json!({ "stream": STREAM, "subscribe": subscribe });
        assert_eq!(connect(front, subscribe, query).await, 200);
    }
    for from in (1..=701).step_by(100) {
        // More records than a transaction holds: they follow behind it. And states, of which older
        // ones go.
        say(front, "a", &push(STREAM, CLIENT, from, from + 99)).await;
        behind().await;
    }
    say(front, "a", &push(STREAM, CLIENT, 799, 800)).await;
    say(front, "a", &push(STREAM, CLIENT, 900, 900)).await;
    say(front, "thin", &json!({ "type": "create", "payload": { "id": "t", "customer": "Bo" } }))
        .await;
    say(front, "thin", &json!({ "type": "confirm", "payload": { "id": "t" } })).await;
    say(front, "b", &json!({ "t": "ping", "stream": STREAM })).await;
    say(front, "b", &json!({ "t": "pull", "stream": STREAM, "cursor": null, "clients": [] })).await;
    behind().await;
    world.lose("b");
    say(front, "a", &push(STREAM, CLIENT, 801, 801)).await;
    behind().await;
    say(front, "a", &hello(STREAM, CLIENT)).await;
    say(front, "a", &json!({ "t": "leave", "stream": STREAM })).await;
    front.handle(event("DISCONNECT", "a", json!({}))).await.unwrap();
    assert_eq!(world.events(STREAM).len(), 803);
}

#[tokio::test(flavor = "multi_thread")]
async fn coupled() {
    let world = world().await;
    let watched = Watched::new(&world, Role::Coupled { push: true }, ["coupled", "Coupled"]);
    day(&world, &watched.function, async || ()).await;
    watched.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn pipeline() {
    let world = world().await;
    let ingest = Watched::new(&world, Role::Ingest, ["pipeline", "Ingest"]);
    let reduce = Watched::new(&world, Role::Reduce, ["pipeline", "Reduce"]);
    let push = Watched::new(&world, Role::Push, ["pipeline", "Push"]);
    let mut streams = Streams::new(&world.prefix);
    day(&world, &ingest.function, async || {
        for (table, watched) in [("salesOrder_events", &reduce), ("salesOrder", &push)] {
            let changes = streams.next(table).await;
            watched.function.handle(json!({ "Records": changes })).await.unwrap();
        }
    })
    .await;
    for watched in [ingest, reduce, push] {
        watched.check();
    }
}

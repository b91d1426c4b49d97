//! Models in Rust behind the same wire: what panics is rejected, and each version keeps its events.

mod common;

use std::sync::Arc;

use common::{Running, entry, hello, push, run};
use serde::{Deserialize, Serialize};
use serde_json::json;
use twinstore_reducer::{Ctx, Entities, Model, Records};
use twinstore_server::Options;
use twinstore_server::log::{Log, MemoryLog, SqliteLog};
use twinstore_server::model::{self, ModelError, Models};

/// Counts; its version is what an action adds.
struct Counter<const VERSION: u32>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    entities: Entities<u32>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Action {
    Add,
    Panic,
    Refuse,
}

impl<const VERSION: u32> Model for Counter<VERSION> {
    const NAME: &'static str = "counter";
    const VERSION: u32 = VERSION;
    type State = State;
    type Action = Action;

    fn validate(_: &State, action: &Action) -> Result<(), String> {
        if matches!(action, Action::Refuse) { Err("not so".to_owned()) } else { Ok(()) }
    }

    fn reduce(state: &mut State, action: &Action, _: &mut Ctx) {
        let count = state.entities.get("all").unwrap_or(&0) + VERSION;
        state.entities.insert("all".to_owned(), count);
        assert!(matches!(action, Action::Add), "half way");
    }

    fn records(state: &mut State) -> &mut dyn Records {
        &mut state.entities
    }
}

struct Misnamed;

impl Model for Misnamed {
    const NAME: &'static str = "not a name";
    const VERSION: u32 = 1;
    type State = State;
    type Action = Action;

    fn reduce(_: &mut State, _: &Action, _: &mut Ctx) {}

    fn records(state: &mut State) -> &mut dyn Records {
        &mut state.entities
    }
}

fn options(log: &Arc<dyn Log>) -> Options {
    Options::new(Models::new(), Arc::clone(log))
}

async fn serve<const VERSION: u32>(log: &Arc<dyn Log>) -> Running {
    run(options(log).with_model::<Counter<VERSION>>().expect("a model")).await
}

#[tokio::test]
async fn a_panic_is_rejected_and_leaves_nothing_of_itself() {
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new());
    let server = serve::<1>(&log).await;
    let mut client = server.twin().await;
    client.send(hello("counter/x")).await;
    client.expect("welcome").await;
    let kinds = ["add", "panic", "add", "refuse", "panic", "add"];
    let entries: Vec<_> =
        kinds.iter().zip(1..).map(|(kind, n)| entry("c", n, &json!({ "type": kind }))).collect();
    client.send(push("counter/x", &entries)).await;
    let mut codes = Vec::new();
    while codes.len() < kinds.len() {
        let events = client.expect("events").await;
        for event in events["events"].as_array().expect("a list") {
            codes.push(event["error"]["code"].as_str().unwrap_or("").to_owned());
        }
    }
    assert_eq!(codes, ["", "threw", "", "invalid", "threw", ""]);
    let (_, body) = server.json("GET", "/streams/counter%2Fx/state", "").await;
    assert_eq!(body["state"], json!({ "entities": { "all": 3 } }));
    let (_, body) = server.json("GET", "/streams/counter%2Fx/records", "").await;
    assert!(body.to_string().contains("3"), "{body}");
    drop(client);
    server.stop().await;
    // From the log, and from the snapshot that was kept.
    let server = serve::<1>(&log).await;
    for (at, count) in [(1, 1), (5, 2), (6, 3)] {
        let (_, body) =
            server.json("GET", &format!("/streams/counter%2Fx/state?at={at}"), "").await;
        assert_eq!(body["state"], json!({ "entities": { "all": count } }), "{at}");
    }
    server.stop().await;
}

#[tokio::test]
async fn each_event_is_folded_with_the_version_that_decided_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("events.db");
    let open = || -> Arc<dyn Log> { Arc::new(SqliteLog::open(&file).expect("a store")) };
    let add = r#"[{"type":"add"},{"type":"add"}]"#;
    let server = serve::<1>(&open()).await;
    assert_eq!(server.json("POST", "/streams/counter%2Fx/actions", add).await.0, 200);
    server.stop().await;
    let both = options(&open()).with_model::<Counter<10>>().expect("a model");
    let server = run(both.with_past_model::<Counter<1>>().expect("a model")).await;
    assert_eq!(server.json("POST", "/streams/counter%2Fx/actions", add).await.0, 200);
    for (at, count) in [(1, 1), (2, 2), (3, 12), (4, 22)] {
        let (_, body) =
            server.json("GET", &format!("/streams/counter%2Fx/state?at={at}"), "").await;
        assert_eq!(body["state"], json!({ "entities": { "all": count } }), "{at}");
    }
    server.stop().await;
    // A program without the first version goes on from a snapshot, and says so of what is before it.
    let server = serve::<10>(&open()).await;
    let (_, body) = server.json("GET", "/streams/counter%2Fx/state", "").await;
    assert_eq!(body["state"], json!({ "entities": { "all": 22 } }));
    let (status, body) = server.json("GET", "/streams/counter%2Fx/state?at=1", "").await;
    assert!(status >= 400, "{body}");
    server.stop().await;
}

#[test]
fn names_and_versions() {
    let hash = |model: Result<_, ModelError>| {
        let model: twinstore_server::log::StoredModel = model.expect("a model");
        model.hash
    };
    assert_eq!(hash(model::native::<Counter<1>>()), hash(model::native::<Counter<1>>()));
    assert_ne!(hash(model::native::<Counter<1>>()), hash(model::native::<Counter<2>>()));
    assert!(matches!(model::native::<Misnamed>(), Err(ModelError::Name { .. })));
    let log: Arc<dyn Log> = Arc::new(MemoryLog::new());
    let one = options(&log).with_model::<Counter<1>>().expect("a model");
    assert!(matches!(one.with_model::<Counter<2>>(), Err(ModelError::Twice { .. })));
}

#[test]
fn who_does_not_hold_it_hears_so() {
    let model = model::native::<Counter<3>>().expect("a model");
    let error = model::from_source("counter", "counter", model.source).expect_err("it is none");
    let expect =
        "counter, schema 1, version 3, is a model in Rust: only a program that holds it can run it";
    assert_eq!(error.reason, expect);
}

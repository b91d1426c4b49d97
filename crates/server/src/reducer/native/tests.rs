//! A native model decides as one in JavaScript does, and what it breaks stays its own.

use serde::{Deserialize, Serialize};
use serde_json::json;
use twinstore_reducer::{Entities, Records, seed};

use super::*;

/// Rolls dice, and misbehaves where it is asked to.
struct Rolls;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    entities: Entities<Roll>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Roll {
    at: u64,
    dice: [f64; 3],
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "payload", rename_all = "lowercase")]
enum Action {
    Roll { id: String },
    Refuse(String),
    Panic,
    Unwind,
}

impl Model for Rolls {
    const NAME: &'static str = "rolls";
    const SCHEMA: u32 = 2;
    const VERSION: u32 = 1;
    type State = State;
    type Action = Action;

    fn validate(_: &State, action: &Action) -> Result<(), String> {
        match action {
            Action::Refuse(reason) => Err(reason.clone()),
            Action::Unwind => panic!("while it validates"),
            Action::Roll { .. } | Action::Panic => Ok(()),
        }
    }

    fn reduce(state: &mut State, action: &Action, ctx: &mut Ctx) {
        if let Action::Roll { id } = action {
            let roll = Roll { at: ctx.now(), dice: [ctx.random(), ctx.random(), ctx.random()] };
            state.entities.insert(id.clone(), roll);
        } else {
            state.entities = Entities::default();
            panic!("half way");
        }
    }

    fn records(state: &mut State) -> &mut dyn Records {
        &mut state.entities
    }

    fn upcast(mut action: Value, _: u32) -> Result<Value, String> {
        match action["type"].as_str() {
            Some("throw") => action = json!({ "type": "roll", "payload": action["payload"] }),
            Some("gone") => return Err("there is no such thing any more".to_owned()),
            _ => {}
        }
        Ok(action)
    }
}

const IN_JAVASCRIPT: &str = "export default (s = { entities: {} }, { type, payload }) =>
  type === 'roll'
    ? { entities: { ...s.entities, [payload.id]: { at: Date.now(), dice: [0, 0, 0].map(Math.random) } } }
    : s";

fn step(action: &str, n: u64) -> Step<'_> {
    Step { action, now: 1_795_428_000_000 + n, seed: seed("rolls/x", "c", n) }
}

#[test]
fn clock_and_dice_are_those_of_javascript() {
    let source = IN_JAVASCRIPT.to_owned();
    let model = crate::model::from_source("rolls", "rolls.js", source).unwrap();
    let mut javascript = QuickJs.open(&model, "x").unwrap();
    let mut native = NativeReducer::<Rolls>::default();
    for n in 1..200 {
        let action =
            json!({ "type": "roll", "payload": { "id": (n % 7).to_string() } }).to_string();
        for reducer in [&mut native as &mut dyn Reducer, &mut *javascript] {
            assert_eq!(reducer.decide(step(&action, n)).unwrap(), Decision::Accepted);
        }
        assert_eq!(native.changes().unwrap(), javascript.changes().unwrap());
    }
    assert_eq!(native.state().unwrap().len(), javascript.state().unwrap().len());
    assert_eq!(native.checksum(), javascript.checksum());
    assert_eq!(native.records().unwrap(), javascript.records().unwrap());
}

#[test]
fn what_it_refuses_and_where_it_panics() {
    let mut reducer = NativeReducer::<Rolls>::default();
    let mut said = |action: &str| reducer.decide(step(action, 1)).unwrap();
    let long = "é".repeat(limits::REASON_CHARS);
    let invalid = |reason: &str| Decision::Invalid(reason.to_owned());
    assert_eq!(said(r#"{"type":"refuse","payload":"not so"}"#), invalid("not so"));
    assert_eq!(
        said(&format!(r#"{{"type":"refuse","payload":"{long}x"}}"#)),
        invalid(&format!("{long}…"))
    );
    assert_eq!(
        said(r#"{"type":"other"}"#),
        invalid("unknown variant `other`, expected one of `roll`, `refuse`, `panic`, `unwind`")
    );
    assert_eq!(said(r#"{"type":"unwind"}"#), Decision::Threw("while it validates".to_owned()));
    assert_eq!(said(r#"{"type":"panic"}"#), Decision::Panicked("half way".to_owned()));
    let folded = reducer.fold(step(r#"{"type":"panic"}"#, 1));
    assert_eq!(folded, Err(ReducerError::Fold("half way".to_owned())));
    assert!(reducer.load(Some("[]")).is_err());
}

#[test]
fn older_actions_are_brought_up_to_date_and_keep_their_stamp() {
    let mut reducer = NativeReducer::<Rolls>::default();
    let mut made = |action: &str| reducer.upcast(step(action, 1), 1).unwrap();
    assert_eq!(made(r#"{"type":"roll","payload":{"id":"a"}}"#), Upcast::Same);
    let stamped = r#"{"type":"throw","payload":{"id":"a"},"meta":{"twin":{"n":3},"x":1}}"#;
    let Upcast::Action(text) = made(stamped) else { panic!("it changes") };
    let expect =
        json!({ "type": "roll", "payload": { "id": "a" }, "meta": { "twin": { "n": 3 } } });
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expect);
    let gone = Decision::Threw("there is no such thing any more".to_owned());
    assert_eq!(made(r#"{"type":"gone"}"#), Upcast::Failed(gone));
}

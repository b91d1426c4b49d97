//! A server that is started again with another model over the same store.

mod common;

use common::{Place, fails, post, request, text};
use serde_json::{Value, json};

/// Schema 2: each record is a text, not an object.
const NEWER: &str = "
export const schema = 2
export default (state = { entities: {} }, { type, payload }) =>
  type === 'put' ? { entities: { ...state.entities, [payload.id]: `is ${payload.id}` } } : state
export const validate = (_, { type }) => type === 'bad' ? 'not this' : undefined
export const migrate = ({ entities }, schema) => {
  if (schema !== 1) throw new Error(`a state of schema ${schema}`)
  if (Date.now() !== 0) throw new Error('a clock')
  return { entities: Object.fromEntries(Object.keys(entities).map(id => [id, `was ${id}`])) }
}
";

fn put(id: &str) -> Value {
    json!({ "type": "put", "payload": { "id": id } })
}

fn get(port: u16, path: &str) -> Value {
    let (status, body) = request(port, "GET", path, "");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

#[track_caller]
fn clean(place: &Place) {
    let checked = place.run(&["check"]);
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
}

#[test]
fn the_state_is_migrated_once_and_every_event_folds_with_its_own_model() {
    let place = Place::new();
    let server = place.serve();
    post(server.port, &json!([put("1"), put("2"), { "type": "bad" }]).to_string());
    assert_eq!(server.terminate().0, Some(0));

    place.file("m.js", NEWER);
    let server = place.serve();
    let migrated = json!({ "entities": { "1": "was 1", "2": "was 2" } });
    assert_eq!(get(server.port, "/streams/m%2Fx/state")["state"], migrated);
    clean(&place);
    // A rejection is the first event of the new model.
    post(server.port, &json!([{ "type": "bad" }, put("3")]).to_string());
    let after = json!({ "entities": { "1": "was 1", "2": "was 2", "3": "is 3" } });
    assert_eq!(get(server.port, "/streams/m%2Fx/state")["state"], after);
    // Records of what did not change are the new model's all the same.
    let record = get(server.port, "/streams/m%2Fx/records/1");
    assert_eq!(record["record"], "was 1", "{record}");
    // The past is as it was.
    let past = get(server.port, "/streams/m%2Fx/state?at=3");
    assert_eq!(past["state"]["entities"]["1"], json!({ "id": "1" }));
    let then = get(server.port, "/streams/m%2Fx/state?at=4");
    assert_eq!(then["state"], migrated);
    server.kill();
    clean(&place);
    assert!(place.run(&["rebuild"]).status.success());
    clean(&place);
    let server = place.serve();
    assert_eq!(get(server.port, "/streams/m%2Fx/state")["state"], after);
    let record = get(server.port, "/streams/m%2Fx/records/2");
    assert_eq!(record["record"], "was 2", "{record}");
    assert_eq!(server.terminate().0, Some(0));
    clean(&place);
}

#[test]
fn what_cannot_be_migrated_halts_and_loses_nothing() {
    let place = Place::new();
    let server = place.serve();
    post(server.port, &put("1").to_string());
    assert_eq!(server.terminate().0, Some(0));
    place.file("m.js", &NEWER.replace("schema !== 1", "schema === 1"));
    let server = place.serve();
    let (status, body) =
        request(server.port, "POST", "/streams/m%2Fx/actions", &put("2").to_string());
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("halted"), "{body}");
    let (_, log) = server.terminate();
    assert!(log.contains("migrate a state") && log.contains("a state of schema 1"), "{log}");
    place.file("m.js", NEWER);
    let server = place.serve();
    post(server.port, &put("2").to_string());
    assert_eq!(server.terminate().0, Some(0));
    clean(&place);
}

#[test]
fn a_model_of_an_older_schema_is_refused_once_there_are_events_of_the_newer() {
    let place = Place::new();
    let server = place.serve();
    post(server.port, &put("1").to_string());
    assert_eq!(server.terminate().0, Some(0));
    place.file("m.js", NEWER);
    let server = place.serve();
    assert_eq!(get(server.port, "/streams/m%2Fx/state")["seq"], 1);
    assert_eq!(server.terminate().0, Some(0));
    // Nothing was decided by it yet: it may go back.
    place.file("m.js", common::MODEL);
    let server = place.serve();
    post(server.port, &put("2").to_string());
    assert_eq!(server.terminate().0, Some(0));
    place.file("m.js", NEWER);
    let server = place.serve();
    post(server.port, &put("3").to_string());
    assert_eq!(server.terminate().0, Some(0));
    place.file("m.js", common::MODEL);
    let server = place.serve();
    let (status, body) = request(server.port, "GET", "/streams/m%2Fx/state", "");
    assert_eq!(status, 503, "{body}");
    let (_, log) = server.terminate();
    assert!(log.contains("deploy a model of schema 2 or above"), "{log}");
    fails(&place, &["state", "m/none"], 1, &["no stream"]);
    clean(&place);
}

//! Models that throw, loop, eat memory or recurse: bounded, rejected, and the stream goes on.

mod common;

use common::{entry, hello, push, serve};
use serde_json::json;

const MISBEHAVES: &str = "
const recurse = n => recurse(n + 1) + 1
export default (state = { entities: { all: [] } }, { type }) => {
  switch (type) {
    case 'add': return { entities: { all: [...state.entities.all, state.entities.all.length] } }
    case 'throw': throw new Error('as asked')
    case 'throw null': throw null
    case 'loop': for (;;) {}
    case 'catch': for (;;) { try { for (;;) {} } catch {} }
    case 'eat': { const all = []; for (;;) all.push('x'.repeat(1 << 16) + all.length) }
    case 'swell': { let s = 'x'; for (;;) s += s }
    case 'recurse': return { n: recurse(0) }
    case 'regexp': /^(a+)+$/.test('a'.repeat(40) + 'b'); return state
    case 'undefined': return undefined
    case 'function': return { f: () => 1 }
    case 'date': return { d: new Date(0) }
    case 'spoil': Array.prototype.map = 5; JSON.stringify = null; throw new Error('spoilt')
  }
  return state
}
export const validate = (_, { type }) => type === 'invalid' ? 'not so' : undefined
";

const BAD: [(&str, &str); 12] = [
    ("invalid", "invalid"),
    ("throw", "threw"),
    ("loop", "limit"),
    ("catch", "limit"),
    ("eat", "limit"),
    ("swell", "limit"),
    ("recurse", "limit"),
    ("throw null", "limit"),
    ("regexp", "limit"),
    ("undefined", "threw"),
    ("function", "threw"),
    ("date", "threw"),
];

#[tokio::test]
async fn each_is_rejected_and_what_lies_around_it_is_kept() {
    let server = serve(&[("m", MISBEHAVES)]).await;
    let mut client = server.twin().await;
    client.send(hello("m/x")).await;
    client.expect("welcome").await;
    let add = json!({ "type": "add" });
    for (i, (bad, code)) in (0..).zip(BAD) {
        let n = 3 * i;
        let entries = [
            entry("c", n + 1, &add),
            entry("c", n + 2, &json!({ "type": bad })),
            entry("c", n + 3, &add),
        ];
        client.send(push("m/x", &entries)).await;
        let events = client.expect("events").await;
        assert_eq!(events["events"][1]["error"]["code"], code, "{bad}: {events}");
        assert_eq!(events["events"][2].get("error"), None, "{bad}: {events}");
    }
    let (_, state) = server.json("GET", "/streams/m%2Fx/state", "").await;
    let expect: Vec<_> = (0..2 * BAD.len()).collect();
    assert_eq!(state["state"]["entities"]["all"], json!(expect));
}

#[tokio::test]
async fn one_stream_does_not_stop_another() {
    let server = serve(&[("m", MISBEHAVES)]).await;
    let mut loops = server.thin("m/loops").await;
    let mut works = server.thin("m/works").await;
    for _ in 0..3 {
        loops.send(json!({ "type": "loop" })).await;
    }
    works.send(json!({ "type": "add" })).await;
    assert_eq!(works.json().await["seq"], 1);
    for seq in 1..=3 {
        assert_eq!(
            loops.json().await,
            json!({
                "seq": seq, "error": { "code": "limit", "reason": "the model ran for too long" },
            })
        );
    }
}

#[tokio::test]
async fn a_model_that_spoils_its_runtime_spoils_itself_only() {
    let server = serve(&[("m", MISBEHAVES)]).await;
    let mut client = server.thin("m/x").await;
    client.send(json!({ "type": "spoil" })).await;
    assert_eq!(client.json().await["error"]["reason"], "spoilt");
    client.send(json!({ "type": "add" })).await;
    assert_eq!(client.json().await["record"], json!([0]));
}

#[tokio::test]
async fn what_was_decided_is_decided_again_the_same_way() {
    let model = "export default (s = [], a) => a.type === 'roll'
      ? [...s, [Math.random(), Date.now(), new Date(2020, 0).getTime(), typeof Intl]] : s";
    let log = std::sync::Arc::new(twinstore_server::log::MemoryLog::new());
    let mut states = Vec::new();
    for round in 0..3 {
        let server = common::serve_on(&[("m", model)], log.clone()).await;
        if round == 0 {
            let rolls =
                json!([{ "type": "roll" }, { "type": "roll", "meta": { "twin": { "at": 5 } } }]);
            server.json("POST", "/streams/m%2Fx/actions", &rolls.to_string()).await;
        }
        // Without its snapshot the state is folded anew.
        let state = server.json("GET", "/streams/m%2Fx/state", "").await.1;
        states.push(state);
        drop(server);
    }
    assert_eq!(states[0], states[1]);
    assert_eq!(states[0], states[2]);
    assert_ne!(states[0]["state"][0][0], states[0]["state"][1][0]);
}

//! Models that throw, loop, eat memory or recurse: bounded, rejected, and the stream goes on.

mod common;

use std::sync::Arc;

use common::{entry, hello, push, serve};
use serde_json::json;
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::log::{Append, Log, MemoryLog, Page, conformance};

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
    let rolls = json!([
        { "type": "roll" },
        { "type": "roll", "meta": { "twin": { "client": "c", "n": 1, "at": 5 } } },
        { "type": "roll", "meta": { "twin": { "client": "c", "n": 2, "at": 5 } } },
    ]);
    let server = serve(&[("m", model)]).await;
    server.json("POST", "/streams/m%2Fx/actions", &rolls.to_string()).await;
    let first = server.json("GET", "/streams/m%2Fx/state", "").await.1["state"].clone();
    let copy = events_only(&*server.log);
    let again = common::serve_on(&[("m", model)], copy).await;
    assert_eq!(again.json("GET", "/streams/m%2Fx/state", "").await.1["state"], first);
    assert_eq!(first[1][1], 5, "the action's own time");
    assert_ne!(first[0][1], 5, "the server's time");
    assert_ne!(first[1][0], first[2][0]);
    assert_eq!((&first[0][2], &first[0][3]), (&json!(1_577_836_800_000_u64), &json!("undefined")));
}

/// A log with the same events and nothing else: no snapshot.
fn events_only(log: &dyn Log) -> Arc<MemoryLog> {
    let stream = StreamId::parse("m/x").expect("a stream");
    let head = log.head(&stream).expect("it reads").expect("a head");
    let page = Page { events: 100, bytes: usize::MAX };
    let events = log.read(&stream, Seq(0), page).expect("it reads");
    let copy = Arc::new(MemoryLog::new());
    let append = Append {
        stream,
        log: head.log,
        after: Seq(0),
        events,
        records: Vec::new(),
        bound: Vec::new(),
    };
    conformance::append(&*copy, append).expect("it is written");
    copy
}

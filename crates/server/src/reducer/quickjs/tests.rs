//! Models as they should be and as they should not be.

use super::*;

const COUNTER: &str = "export default (s = { entities: {} }, a) => a.type === 'set'
  ? { entities: { ...s.entities, [a.key]: a.value } } : s";

fn open(source: &str) -> QuickJsReducer {
    let model = StoredModel {
        hash: String::new(),
        name: "m".to_owned(),
        schema: 1,
        source: source.to_owned(),
    };
    QuickJsReducer::open(&model, "x").expect("it is a model")
}

fn step(action: &str) -> Step<'_> {
    Step { action, now: 1_795_428_000_000, seed: [1, 2, 3, 4] }
}

#[track_caller]
fn decide(reducer: &mut QuickJsReducer, action: &str, expect: &Decision) {
    assert_eq!(&reducer.decide(step(action)).expect("it decides"), expect);
}

/// The state of a model that evaluates one expression per action.
#[track_caller]
fn eval(expression: &str, expect: &str) {
    let mut reducer =
        open(&format!("export default (s = null, a) => a.type === 'go' ? ({expression}) : s"));
    decide(&mut reducer, r#"{"type":"go"}"#, &Decision::Accepted);
    assert_eq!(reducer.state().unwrap(), expect);
}

#[test]
fn decides_and_tells_what_changed() {
    let mut reducer = open(COUNTER);
    decide(&mut reducer, r#"{"type":"set","key":"b","value":{"n":1}}"#, &Decision::Accepted);
    decide(&mut reducer, r#"{"type":"set","key":"a","value":2}"#, &Decision::Accepted);
    let changes = reducer.changes().unwrap();
    let row = |key: &str, json: &str| (key.to_owned(), Some(json.to_owned()));
    assert_eq!(changes, [row("a", "2"), row("b", r#"{"n":1}"#)]);
    decide(&mut reducer, r#"{"type":"set","key":"b","value":{"n":1}}"#, &Decision::Accepted);
    assert_eq!(reducer.changes().unwrap(), []);
    assert_eq!(reducer.state().unwrap(), r#"{"entities":{"b":{"n":1},"a":2}}"#);
}

#[test]
fn a_loaded_state_goes_on() {
    let mut reducer = open(COUNTER);
    reducer.load(Some(r#"{"entities":{"z":1}}"#)).unwrap();
    reducer.fold(step(r#"{"type":"set","key":"y","value":2}"#)).unwrap();
    assert_eq!(reducer.records().unwrap().len(), 2);
    assert_eq!(reducer.changes().unwrap().len(), 1);
}

/// The rows of `tests/checksums.json`: states as text, and their checksums.
fn checksums() -> Vec<(String, u64)> {
    #[derive(Deserialize)]
    struct Row {
        state: String,
        sum: u64,
    }
    let rows: Vec<Row> =
        serde_json::from_str(include_str!("../../../../../tests/checksums.json")).unwrap();
    rows.into_iter().map(|row| (row.state, row.sum)).collect()
}

#[test]
fn checksums_are_those_of_browsers() {
    for (state, sum) in checksums() {
        let mut loaded = open("export default (s = null) => s");
        loaded.load(Some(&state)).unwrap();
        assert_eq!(loaded.checksum(), Some(sum), "{state}");
    }
    // From state to state, where only what changed is looked at.
    let mut changing = open("export default (s = {}, a) => a.type === 'go' ? { is: a.is } : s");
    for (state, _) in checksums() {
        let action = format!(r#"{{"type":"go","is":{state}}}"#);
        decide(&mut changing, &action, &Decision::Accepted);
        let whole: serde_json::Value = serde_json::from_str(&changing.state().unwrap()).unwrap();
        assert_eq!(changing.checksum(), Some(crate::reducer::checksum(&whole)), "{state}");
    }
}

#[test]
fn a_rejected_action_leaves_the_checksum() {
    let source = "export default (s = { n: 0 }, a) => {
      if (a.type === 'bad') throw new Error('no')
      return a.type === 'add' ? { n: s.n + 1 } : s
    }";
    let mut reducer = open(source);
    let before = reducer.checksum();
    assert!(reducer.decide(step(r#"{"type":"bad"}"#)).is_ok());
    assert_eq!(reducer.checksum(), before);
    decide(&mut reducer, r#"{"type":"add"}"#, &Decision::Accepted);
    assert_ne!(reducer.checksum(), before);
}

#[test]
fn rejections_keep_the_state() {
    let mut reducer = open(
        "export default (s = 0, a) => { if (a.type === 'throw') throw new Error('no'); return a.type === 'undef' ? undefined : a.type === 'map' ? new Map() : a.type === 'nan' ? { x: NaN } : a.type === 'big' ? { x: [1n] } : s + 1 }
         export const validate = (s, a) => a.type === 'bad' ? 'because ' + s : undefined",
    );
    let threw = |reason: &str| Decision::Threw(reason.to_owned());
    decide(&mut reducer, r#"{"type":"bad"}"#, &Decision::Invalid("because 1".to_owned()));
    decide(&mut reducer, r#"{"type":"throw"}"#, &threw("no"));
    decide(&mut reducer, r#"{"type":"undef"}"#, &threw("the model returned undefined"));
    decide(
        &mut reducer,
        r#"{"type":"map"}"#,
        &threw("the model's state must be JSON: state is a Map"),
    );
    decide(
        &mut reducer,
        r#"{"type":"nan"}"#,
        &threw("the model's state must be JSON: state.x is NaN"),
    );
    decide(
        &mut reducer,
        r#"{"type":"big"}"#,
        &threw("the model's state must be JSON: state.x[0] is a bigint"),
    );
    assert_eq!(reducer.state().unwrap(), "1");
    decide(&mut reducer, r#"{"type":"ok"}"#, &Decision::Accepted);
    assert_eq!(reducer.state().unwrap(), "2");
}

#[test]
fn limits_end_what_does_not_end() {
    let loops = "export default (s = 0, a) => { if (a.type === 'go') for (;;) { try { for(;;); } catch {} } return s }";
    decide(
        &mut open(loops),
        r#"{"type":"go"}"#,
        &Decision::Limit("the model ran for too long".to_owned()),
    );
    let eats = "export default (s = 0, a) => { const all = []; if (a.type === 'go') for (;;) all.push('x'.repeat(1000) + all.length); return s }";
    decide(
        &mut open(eats),
        r#"{"type":"go"}"#,
        &Decision::Limit("the model used too much memory".to_owned()),
    );
    let recurses =
        "const f = n => f(n + 1) + 1; export default (s = 0, a) => a.type === 'go' ? f(0) : s";
    decide(
        &mut open(recurses),
        r#"{"type":"go"}"#,
        &Decision::Limit("the model recursed too deeply".to_owned()),
    );
    let circle = "export default (s = 0, a) => { if (a.type !== 'go') return s; const x = {}; x.x = x; return x }";
    let mut reducer = open(circle);
    let Decision::Threw(reason) = reducer.decide(step(r#"{"type":"go"}"#)).unwrap() else {
        panic!()
    };
    assert!(reason.contains("in a circle"), "{reason}");
}

#[test]
fn the_clock_is_the_actions_own_in_utc() {
    eval(
        "[Date.now(), new Date().getTime(), +new Date]",
        "[1795428000000,1795428000000,1795428000000]",
    );
    eval("new Date(2026, 6, 1, 12).toISOString()", r#""2026-07-01T12:00:00.000Z""#);
    eval("new Date('2026-07-01T12:00').toISOString()", r#""2026-07-01T12:00:00.000Z""#);
    eval("new Date('2026-07-01').getTimezoneOffset()", "0");
    eval("new Date('Jul 1 2026 10:00').getHours()", "10");
    eval("Date.parse('2026-07-01T12:00:00+02:00')", "1782900000000");
    eval(
        "String(new Date(0))",
        r#""Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)""#,
    );
    eval("Date().slice(0, 15)", r#""Mon Nov 23 2026""#);
    eval("new Date(0) instanceof Date && new Date(0).constructor === Date", "true");
    eval("new (class extends Date {})(5).getTime()", "5");
    eval("new Date(new Date(7)).getTime()", "7");
    eval("new Date(0).toLocaleString()", r#""1/1/1970, 12:00:00 AM""#);
    eval("String(new Date(NaN))", r#""Invalid Date""#);
}

#[test]
fn the_dice_are_seeded() {
    let source =
        "export default (s = null, a) => a.type === 'go' ? [Math.random(), Math.random()] : s";
    let roll = |seed| {
        let mut reducer = open(source);
        reducer.decide(Step { seed, ..step(r#"{"type":"go"}"#) }).unwrap();
        reducer.state().unwrap()
    };
    assert_eq!(roll([1, 2, 3, 4]), roll([1, 2, 3, 4]));
    assert_ne!(roll([1, 2, 3, 4]), roll([1, 2, 3, 5]));
}

#[test]
fn what_a_model_cannot_see() {
    for name in [
        "Intl",
        "fetch",
        "setTimeout",
        "require",
        "process",
        "performance",
        "WeakRef",
        "WebAssembly",
    ] {
        eval(&format!("typeof {name}"), r#""undefined""#);
    }
    eval("(console.log('x'), 1)", "1");
}

#[track_caller]
fn unfit(source: &str, line: Option<u32>, part: &str) {
    let error = QuickJs.inspect("m.js", source).expect_err("it is no model");
    assert!(error.reason.contains(part), "{error}");
    assert_eq!(error.line, line, "{error}");
}

#[test]
fn sources_that_are_no_models() {
    unfit("\nexport default (s => {", Some(2), "");
    unfit("export const x = 1", None, "default export");
    unfit("export default 5", None, "default export");
    unfit("\n\nthrow new Error('at load')\nexport default s => s", Some(3), "at load");
    unfit("import { x } from 'y'\nexport default s => s", None, "npx esbuild");
    unfit("await new Promise(() => 0)\nexport default s => s", None, "top level");
    unfit("export default s => s", None, "the model returned undefined");
    unfit("export default (s = 0) => s; export const schema = 'a'", None, "`schema`");
    unfit("const f = () => f() + 1\nexport default (s = f()) => s", Some(1), "initial state");
    unfit("for (;;);\nexport default (s = 0) => s", Some(1), "interrupted");
    assert_eq!(
        QuickJs.inspect("m.js", "export default (s = 0) => s; export const schema = 3"),
        Ok(3)
    );
}

#[test]
fn records_of_the_models_own_and_by_default() {
    let mut reducer =
        open("export default (s = { a: 1 }) => s; export const records = s => ({ k: s.a })");
    assert_eq!(reducer.records().unwrap(), [("k".to_owned(), "1".to_owned())]);
    let mut reducer = open("export default (s = { byId: { q: [] } }) => s");
    assert_eq!(reducer.records().unwrap(), [("q".to_owned(), "[]".to_owned())]);
    let mut reducer = open("export default (s = 5) => s");
    assert_eq!(reducer.records().unwrap(), [("x".to_owned(), "5".to_owned())]);
}

#[test]
fn records_that_come_and_go() {
    let mut reducer = open(
        "export default (s = { entities: { a: 1, b: 2 } }, x) => x.type === 'to' ? { entities: x.undef ? { a: 1, c: undefined } : x.to } : s",
    );
    let mut to = |action: &str, expect: &[(&str, Option<&str>)]| {
        decide(&mut reducer, action, &Decision::Accepted);
        let own = |(key, json): &(&str, Option<&str>)| ((*key).to_owned(), json.map(str::to_owned));
        let expect: Vec<_> = expect.iter().map(own).collect();
        assert_eq!(reducer.changes().unwrap(), expect, "{action}");
    };
    // `b` goes and `c` comes without a value: as many keys, but one record less.
    to(r#"{"type":"to","undef":true}"#, &[("b", None)]);
    to(r#"{"type":"to","to":{"a":1,"toString":3}}"#, &[("toString", Some("3"))]);
    to(r#"{"type":"to","to":{"b":1}}"#, &[("a", None), ("b", Some("1")), ("toString", None)]);
    to(r#"{"type":"to","to":{}}"#, &[("b", None)]);
    to(r#"{"type":"to","to":{"\ud800":1}}"#, &[("\u{fffd}", Some("1"))]);
}

//! Texts that a peer could send: a golden frame with something changed in it, or anything.

use serde_json::Value;

use crate::chance::Chance;

macro_rules! golden {
    ($($name:literal),*) => {
        &[$(include_str!(concat!("../../../tests/wire/v1/", $name, ".json"))),*]
    };
}

/// What clients say: pushes more often than the rest.
pub(crate) const CLIENTS: &[&str] =
    golden!("hello-new", "push", "push", "hello", "pull", "pull-snapshot", "ping", "leave");

/// What servers say.
pub(crate) const SERVERS: &[&str] = golden!(
    "events-own",
    "events",
    "events-other",
    "welcome",
    "welcome-empty",
    "snapshot",
    "verdicts",
    "refused",
    "pong",
    "error"
);

/// One of these frames, whole or changed, or something else.
pub(crate) fn frame(chance: &mut Chance<'_>, golden: &[&str]) -> String {
    let text = chance.pick(golden).unwrap_or_default();
    match chance.roll(8) {
        0 | 1 => text.to_owned(),
        2..=5 => changed(chance, text),
        6 => torn(chance, text),
        _ => String::from_utf8_lossy(chance.bytes(200)).into_owned(),
    }
}

/// Valid JSON, with some of its values replaced.
pub(crate) fn changed(chance: &mut Chance<'_>, text: &str) -> String {
    let mut frame: Value = serde_json::from_str(text).unwrap_or_default();
    for _ in 0..=chance.roll(3) {
        change(chance, &mut frame);
    }
    frame.to_string()
}

fn change(chance: &mut Chance<'_>, value: &mut Value) {
    match value {
        Value::Object(fields) if !chance.one_in(8) && !fields.is_empty() => {
            let at = chance.roll(fields.len());
            let key = fields.keys().nth(at).cloned().unwrap_or_default();
            if chance.one_in(8) {
                fields.remove(&key);
            } else if chance.one_in(8) {
                fields.insert(
                    ["__proto__", "type", "meta", "n", ""][chance.roll(5)].into(),
                    any(chance),
                );
            } else if let Some(field) = fields.get_mut(&key) {
                change(chance, field);
            }
        }
        Value::Array(items) if !chance.one_in(8) && !items.is_empty() => {
            let at = chance.roll(items.len());
            if chance.one_in(6) {
                // At times more than any frame may hold; of what is small, or copies of copies fill the memory.
                let many = items[at].to_string().len() < 1_000 && chance.one_in(4);
                let copies = if many { 600 } else { 1 };
                items.extend(vec![items[at].clone(); copies]);
            } else {
                change(chance, &mut items[at]);
            }
        }
        other => *other = any(chance),
    }
}

/// A value that nobody asked for.
pub(crate) fn any(chance: &mut Chance<'_>) -> Value {
    match chance.roll(12) {
        0 => Value::Null,
        1 => chance.number(1).into(),
        2 => (-1).into(),
        3 => 1e300.into(),
        4 => 0.5.into(),
        5 => true.into(),
        6 => "".into(),
        7 => String::from_utf8_lossy(chance.bytes(20)).into(),
        8 => "x".repeat(300).into(),
        9 => (0..100).fold(Value::Null, |inner, _| Value::Array(vec![inner])),
        10 => serde_json::json!({ "type": "t", "meta": { "twin": { "client": "c", "n": 1.0 } } }),
        _ => Value::Object(serde_json::Map::new()),
    }
}

/// A text with a piece missing, or another in its place.
fn torn(chance: &mut Chance<'_>, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let from = chance.roll(bytes.len());
    let to = (from + chance.roll(12)).min(bytes.len());
    let piece = chance.bytes(12).to_vec();
    bytes.splice(from..to, piece);
    String::from_utf8_lossy(&bytes).into_owned()
}

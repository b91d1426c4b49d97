//! What the server must know of an action's text without reading it as a value.
//!
//! The text goes unchanged into the log and to every client, so that no number is rounded on the
//! way. One pass over it finds its depth, its type, its stamp and keys that could change a
//! prototype. The pass is a loop, not a recursion: depth is what it checks.
//! Not here: what the action means (the model), whether it is JSON (serde, before).

use std::collections::HashMap;
use std::ops::Range;

use serde_json::value::RawValue;
use twinstore_protocol::{WireLimits, code};

use crate::auth::Denied;

/// Why an entry is refused before the model is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`code`].
    pub code: &'static str,
    /// For people.
    pub reason: String,
}

impl Refusal {
    /// Too many actions in too short a time.
    pub(crate) fn rate(wait_ms: u64) -> Self {
        let reason = format!("too many actions: again in {wait_ms} ms");
        Self { code: code::RATE, reason }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self { code: denied.code(), reason: denied.to_string() }
    }
}

/// An action's text and what was found in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionText {
    text: String,
    kind: String,
    meta: Place,
    twin: Place,
    stamp: Stamp,
}

/// What an action says of itself in `meta.twin`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The action's name.
    pub id: Option<String>,
    /// When it was dispatched, by its client's clock.
    pub at: Option<u64>,
    /// Who dispatched it.
    pub client: Option<String>,
    /// Its number.
    pub n: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Absent,
    Object(Range<usize>),
    Other,
}

impl ActionText {
    /// Takes the text of one JSON value.
    ///
    /// # Errors
    /// A [`Refusal`] where it is too large, too deep or not a plain action. The text must be
    /// JSON; of other text anything may be said.
    pub fn inspect(text: &str, limits: &WireLimits) -> Result<Self, Refusal> {
        if text.len() > limits.action_bytes as usize {
            return Err(too_large(text.len(), limits));
        }
        let found = Scan::new(text, limits.action_depth as usize).run()?;
        let Some(kind) = found.kind else {
            return Err(not_plain("an action is an object with a string `type`".to_owned()));
        };
        let stamp = match &found.twin {
            Place::Object(span) => Stamp::read(&text[span.clone()]),
            Place::Absent | Place::Other => Stamp::default(),
        };
        Ok(Self { text: text.to_owned(), kind, meta: found.meta, twin: found.twin, stamp })
    }

    /// Writes the server's stamp into an action that has none, and changes nothing else.
    ///
    /// # Errors
    /// A [`Refusal`] where `meta` or `meta.twin` is there and not an object.
    pub fn stamped(&self, at: u64, client: &str, n: u64) -> Result<Self, Refusal> {
        let id = server_id(client, n);
        let (id_json, client_json) =
            (serde_json::Value::from(&*id), serde_json::Value::from(client));
        let fields = format!(r#""id":{id_json},"at":{at},"client":{client_json},"n":{n}"#);
        let (object, fields) = match (&self.meta, &self.twin) {
            (_, Place::Object(twin)) => (twin.clone(), fields),
            (Place::Object(meta), Place::Absent) => {
                (meta.clone(), format!(r#""twin":{{{fields}}}"#))
            }
            (Place::Absent, _) => {
                (0..self.text.len(), format!(r#""meta":{{"twin":{{{fields}}}}}"#))
            }
            (Place::Other, _) => return Err(not_plain("`meta` is not an object".to_owned())),
            (_, Place::Other) => return Err(not_plain("`meta.twin` is not an object".to_owned())),
        };
        let stamp =
            Stamp { id: Some(id), at: Some(at), client: Some(client.to_owned()), n: Some(n) };
        let text = insert_last(&self.text, &object, &fields);
        Ok(Self { text, stamp, ..self.clone() })
    }

    /// The text, as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its stamp.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }
}

impl Stamp {
    /// Of an action that was taken once, under whatever limits.
    #[must_use]
    pub fn of(action: &str) -> Self {
        let no_limits =
            WireLimits { action_bytes: u32::MAX, action_depth: u32::MAX, ..WireLimits::DEFAULT };
        ActionText::inspect(action, &no_limits).map(|text| text.stamp).unwrap_or_default()
    }

    /// A stamp that cannot be read is none: it is only metadata here.
    fn read(text: &str) -> Self {
        let fields: HashMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
        let field = |name| fields.get(name).map(|raw| raw.get());
        let string = |name| field(name).and_then(|raw| serde_json::from_str(raw).ok());
        Self {
            id: string("id"),
            at: field("at").and_then(whole),
            client: string("client"),
            n: field("n").and_then(whole),
        }
    }
}

/// The name of an action that the server stamped: a twin's are random.
pub(crate) fn server_id(client: &str, n: u64) -> String {
    format!("{client}-{n}")
}

/// A whole number as JavaScript writes it: `1e3` and `5.0` are whole, too.
fn whole(text: &str) -> Option<u64> {
    const MAX: f64 = 9_007_199_254_740_991.0;
    let number: f64 = serde_json::from_str(text).ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    ((0.0..=MAX).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

/// Puts `fields` before the closing brace of the object at `span`.
fn insert_last(text: &str, span: &Range<usize>, fields: &str) -> String {
    let inside = &text[span.start + 1..span.end - 1];
    let comma = if inside.trim().is_empty() { "" } else { "," };
    let (before, after) = text.split_at(span.end - 1);
    format!("{before}{comma}{fields}{after}")
}

fn too_large(bytes: usize, limits: &WireLimits) -> Refusal {
    let most = limits.action_bytes;
    Refusal {
        code: code::TOO_LARGE,
        reason: format!("the action has {bytes} bytes, at most {most} are taken"),
    }
}

fn not_plain(reason: String) -> Refusal {
    Refusal { code: code::NOT_PLAIN, reason }
}

/// The pass over the text. It trusts that the text is JSON.
struct Scan<'a> {
    text: &'a str,
    at: usize,
    depth_max: usize,
    open: Vec<Open>,
    found: Found,
}

struct Open {
    start: usize,
    object: bool,
    /// The text between the quotes of the key whose value comes next.
    key: Range<usize>,
    key_next: bool,
}

#[derive(Default)]
struct Found {
    kind: Option<String>,
    meta: Place,
    twin: Place,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str, depth_max: usize) -> Self {
        Self { text, at: 0, depth_max, open: Vec::new(), found: Found::default() }
    }

    fn run(mut self) -> Result<Found, Refusal> {
        while let Some(&byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'{' | b'[' => self.enter(byte == b'{')?,
                b'}' | b']' => self.leave(),
                b'"' => self.string()?,
                b',' => self.comma(),
                b':' | b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => self.scalar(),
            }
        }
        Ok(self.found)
    }

    fn enter(&mut self, object: bool) -> Result<(), Refusal> {
        if self.open.len() == self.depth_max {
            return Err(Refusal {
                code: code::TOO_DEEP,
                reason: format!("the action is nested deeper than {} levels", self.depth_max),
            });
        }
        self.value_begins();
        let start = self.at;
        self.open.push(Open { start, object, key: 0..0, key_next: object });
        self.at += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.at += 1;
        let Some(closed) = self.open.pop() else { return };
        let place = if closed.object { Place::Object(closed.start..self.at) } else { Place::Other };
        match self.open.as_slice() {
            [top] if top.object && self.is_key(&top.key, "meta") => self.found.meta = place,
            [top, inner] if self.is_twin(top, inner) => self.found.twin = place,
            _ => {}
        }
    }

    fn string(&mut self) -> Result<(), Refusal> {
        let inside = self.string_inside();
        let key_next = self.open.last().is_some_and(|open| open.key_next);
        if !key_next {
            self.value_begins();
            if self.is_type() {
                self.found.kind = Some(decode(&self.text[inside.clone()]));
            }
        } else if self.is_key(&inside, "__proto__") {
            return Err(not_plain(format!("an own `__proto__` key in {}", self.path())));
        } else if let Some(open) = self.open.last_mut() {
            open.key = inside.clone();
            open.key_next = false;
        }
        self.at = inside.end + 1;
        Ok(())
    }

    fn scalar(&mut self) {
        self.value_begins();
        let rest = &self.text.as_bytes()[self.at..];
        let len = rest.iter().position(|b| b",]} \t\n\r".contains(b));
        self.at += len.unwrap_or(rest.len()).max(1);
    }

    fn comma(&mut self) {
        self.at += 1;
        if let Some(open) = self.open.last_mut() {
            open.key_next = open.object;
        }
    }

    /// Where a key comes twice the last one counts, as in `JSON.parse`: what was found is forgotten.
    fn value_begins(&mut self) {
        match self.open.as_slice() {
            [top] if top.object && self.is_key(&top.key, "type") => self.found.kind = None,
            [top] if top.object && self.is_key(&top.key, "meta") => {
                self.found.meta = Place::Other;
                self.found.twin = Place::Absent;
            }
            [top, inner] if self.is_twin(top, inner) => self.found.twin = Place::Other,
            _ => {}
        }
    }

    fn is_type(&self) -> bool {
        matches!(self.open.as_slice(), [top] if top.object && self.is_key(&top.key, "type"))
    }

    fn is_twin(&self, top: &Open, inner: &Open) -> bool {
        top.object
            && inner.object
            && self.is_key(&top.key, "meta")
            && self.is_key(&inner.key, "twin")
    }

    fn is_key(&self, key: &Range<usize>, name: &str) -> bool {
        let raw = &self.text[key.clone()];
        raw == name || (raw.contains('\\') && decode(raw) == name)
    }

    /// The place between the quotes of the string that begins here.
    fn string_inside(&self) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut end = start;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        start..end.min(bytes.len())
    }

    fn path(&self) -> String {
        let (_, outer) = self.open.split_last().map_or((None, &[][..]), |(l, o)| (Some(l), o));
        let names = outer.iter().map(|open| match open.object {
            true => decode(&self.text[open.key.clone()]),
            false => "[]".to_owned(),
        });
        let path = names.collect::<Vec<_>>().join(".");
        if path.is_empty() { "the action".to_owned() } else { format!("`{path}`") }
    }
}

/// What stands between two quotes; a lone surrogate, which no Rust string holds, becomes U+FFFD.
fn decode(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_owned();
    }
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        let c = if c == '\\' { unescape(&mut rest) } else { Ok(c) };
        match c {
            Ok(c) => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
            Err(unit) => units.push(unit),
        }
    }
    String::from_utf16_lossy(&units)
}

fn unescape(rest: &mut std::str::Chars<'_>) -> Result<char, u16> {
    match rest.next() {
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some('r') => Ok('\r'),
        Some('b') => Ok('\u{8}'),
        Some('f') => Ok('\u{c}'),
        Some('u') => {
            let hex: String = rest.by_ref().take(4).collect();
            Err(u16::from_str_radix(&hex, 16).unwrap_or(0xfffd))
        }
        Some(other) => Ok(other),
        None => Ok('\u{fffd}'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspect(text: &str) -> Result<ActionText, Refusal> {
        let _: &RawValue = serde_json::from_str(text).unwrap();
        ActionText::inspect(text, &WireLimits::DEFAULT)
    }

    #[track_caller]
    fn refused(text: &str, code: &str) -> String {
        let refusal = inspect(text).expect_err("it is refused");
        assert_eq!(refusal.code, code);
        refusal.reason
    }

    #[test]
    fn finds_type_and_stamp() {
        let action = inspect(
            r#"{"payload":{"type":"no","meta":{"twin":{"n":9}}},"type":"a\u0062","meta":{"twin":{"at":1e3,"client":"c","n":5.0}}}"#,
        )
        .unwrap();
        assert_eq!(action.kind(), "ab");
        let client = Some("c".to_owned());
        let stamp = Stamp { id: None, at: Some(1000), client, n: Some(5) };
        assert_eq!(action.stamp(), &stamp);
    }

    #[test]
    fn the_last_of_two_keys_counts() {
        assert_eq!(inspect(r#"{"type":"a","type":"b"}"#).unwrap().kind(), "b");
        refused(r#"{"type":"a","type":1}"#, code::NOT_PLAIN);
        let action = inspect(r#"{"type":"a","meta":{"twin":{"n":1}},"meta":{}}"#).unwrap();
        assert_eq!(action.stamp().n, None);
    }

    #[test]
    fn what_is_not_plain() {
        for text in ["5", "null", "[]", "\"type\"", "{}", r#"{"type":5}"#, r#"[{"type":"a"}]"#] {
            refused(text, code::NOT_PLAIN);
        }
        refused(r#"{"type":"a","__proto__":{}}"#, code::NOT_PLAIN);
        let reason =
            refused(r#"{"type":"a","payload":{"x":[{"\u005f_proto__":1}]}}"#, code::NOT_PLAIN);
        assert!(reason.contains("`payload.x.[]`"), "{reason}");
    }

    #[test]
    fn a_value_may_say_proto_and_surrogates_may_be_alone() {
        inspect(r#"{"type":"__proto__","a":["__proto__"],"b":"\ud800","\udfff":"\\\""}"#).unwrap();
    }

    #[test]
    fn depth_and_size() {
        let nested =
            |n: usize| format!(r#"{{"type":"a","p":{}{}}}"#, "[".repeat(n - 1), "]".repeat(n - 1));
        inspect(&nested(64)).unwrap();
        refused(&nested(65), code::TOO_DEEP);
        refused(&nested(20_000), code::TOO_DEEP);
        refused(&format!(r#"{{"type":"{}"}}"#, "x".repeat(64 << 10)), code::TOO_LARGE);
    }

    #[track_caller]
    fn stamps(text: &str, expect: &str) {
        let stamped = inspect(text).unwrap().stamped(7, "c", 2).unwrap();
        assert_eq!(stamped.as_str(), expect);
        assert_eq!(inspect(expect).unwrap().stamp(), stamped.stamp());
    }

    #[test]
    fn a_stamp_changes_nothing_else() {
        let twin = r#""twin":{"id":"c-2","at":7,"client":"c","n":2}"#;
        stamps(r#"{"type":"a","x":1.0}"#, &format!(r#"{{"type":"a","x":1.0,"meta":{{{twin}}}}}"#));
        stamps(r#"{"type":"a","meta":{ }}"#, &format!(r#"{{"type":"a","meta":{{ {twin}}}}}"#));
        stamps(
            r#"{"meta":{"a":1},"type":"a"}"#,
            &format!(r#"{{"meta":{{"a":1,{twin}}},"type":"a"}}"#),
        );
        stamps(
            r#"{"type":"a","meta":{"twin":{"n":9}}}"#,
            r#"{"type":"a","meta":{"twin":{"n":9,"id":"c-2","at":7,"client":"c","n":2}}}"#,
        );
        let other = inspect(r#"{"type":"a","meta":5}"#).unwrap();
        assert_eq!(other.stamped(7, "c", 2).unwrap_err().code, code::NOT_PLAIN);
    }
}

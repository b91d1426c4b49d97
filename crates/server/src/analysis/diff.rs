//! What differs between two states: a JSON Patch (RFC 6902) whose operations also say what was
//! there before.

use json_patch::{Patch, PatchOperation, patch};
use serde::Serialize;
use serde_json::Value;

/// One place where two states differ. As JSON it is an operation of a JSON Patch, with one member
/// more, which those who apply patches ignore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What leads from the first state to the second.
    #[serde(flatten)]
    pub operation: PatchOperation,
    /// What was there; none where something is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
}

impl Difference {
    /// Where, as a JSON pointer. Operations before this one are done: in a list that shrinks one
    /// place is removed again and again.
    #[must_use]
    pub fn path(&self) -> String {
        self.operation.path().to_string()
    }

    /// What is there; none where something is removed.
    #[must_use]
    pub fn after(&self) -> Option<&Value> {
        match &self.operation {
            PatchOperation::Add(add) => Some(&add.value),
            PatchOperation::Replace(replace) => Some(&replace.value),
            _ => None,
        }
    }
}

/// Why two states cannot be compared.
#[derive(Debug, thiserror::Error)]
#[error("the state at {at} cannot be compared")]
pub struct DiffError {
    /// Where that state is.
    pub at: u64,
    /// Why: nested too deep, or a lone surrogate in a text.
    #[source]
    pub source: serde_json::Error,
}

/// What leads from one state to another. Each is a place and the state's text there.
///
/// # Errors
/// [`DiffError`].
pub fn difference(
    (from, before): (u64, &str),
    (to, after): (u64, &str),
) -> Result<Vec<Difference>, DiffError> {
    let read = |at, text| serde_json::from_str(text).map_err(|source| DiffError { at, source });
    let (mut state, after): (Value, Value) = (read(from, before)?, read(to, after)?);
    let Patch(operations) = json_patch::diff(&state, &after);
    let differences = operations.into_iter().map(|operation| {
        let before = match &operation {
            PatchOperation::Add(_) => None,
            _ => operation.path().resolve(&state).ok().cloned(),
        };
        patch(&mut state, std::slice::from_ref(&operation)).expect("it was made of this state");
        Difference { operation, before }
    });
    Ok(differences.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn differs(before: &str, after: &str, expect: &[&str]) {
        let found = difference((1, before), (2, after)).unwrap();
        let text = |difference| serde_json::to_string(difference).unwrap();
        assert_eq!(found.iter().map(text).collect::<Vec<_>>(), expect);
        let operations = found.into_iter().map(|difference| difference.operation).collect();
        let mut patched = serde_json::from_str(before).unwrap();
        patch(&mut patched, &Patch(operations)).unwrap();
        assert_eq!(patched, serde_json::from_str::<Value>(after).unwrap());
    }

    #[test]
    fn of_objects_lists_and_roots() {
        differs("{}", "{}", &[]);
        differs("1", "[]", &[r#"{"op":"replace","path":"","value":[],"before":1}"#]);
        differs(
            r#"{"a/b":{"x":1,"y":null},"gone":{}}"#,
            r#"{"a/b":{"x":2,"y":null},"new":[]}"#,
            &[
                r#"{"op":"replace","path":"/a~1b/x","value":2,"before":1}"#,
                r#"{"op":"add","path":"/new","value":[]}"#,
                r#"{"op":"remove","path":"/gone","before":{}}"#,
            ],
        );
        differs(
            r#"["a","b","c"]"#,
            r#"["a"]"#,
            &[
                r#"{"op":"remove","path":"/1","before":"b"}"#,
                r#"{"op":"remove","path":"/1","before":"c"}"#,
            ],
        );
        differs("[null]", "[null,1]", &[r#"{"op":"add","path":"/1","value":1}"#]);
        differs("[null]", "[1]", &[r#"{"op":"replace","path":"/0","value":1,"before":null}"#]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = difference((3, "1"), (4, r#""\ud800""#)).unwrap_err();
        assert_eq!((error.at, error.to_string().contains("at 4")), (4, true));
    }
}

//! The names of things: streams, logs, clients, and the two counters.
//!
//! Each is a type of its own so that a place in a log can never be taken for a client's number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a stream's log, given by the server, gap-free from 1. `Seq(0)` is "before the first".
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The last number that a JavaScript number holds exactly (2^53 − 1).
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A client's own count of its actions in one stream, from 1 (I5).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct N(pub u64);

impl N {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Who dispatched: one page load, or one start of a program. `YYYYMMDD-` and randomness.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub String);

/// Which log this is: a random id made with the stream's first event. Another id, another log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogId(pub String);

/// What came before: 16 hex digits over the previous chain and the stored event.
///
/// The server computes it, clients only keep it and send it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chain(pub String);

macro_rules! text_id {
    ($($name:ident),*) => {$(
        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
text_id!(ClientId, LogId, Chain);

/// A stream's name: `<model>/<name>`, for example `salesOrder/acme`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId(String);

/// Why a text is not a stream's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamIdError {
    /// There is no `/` with something on both sides.
    Form,
    /// The model's name is not a letter followed by up to 63 letters, digits or `_`.
    Model,
    /// The name is longer than 200 bytes or holds control characters.
    Name,
}

impl StreamId {
    /// Takes `<model>/<name>`; the name may hold further slashes.
    ///
    /// # Errors
    /// [`StreamIdError`] says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, StreamIdError> {
        let (model, name) = text.split_once('/').ok_or(StreamIdError::Form)?;
        if name.is_empty() {
            return Err(StreamIdError::Form);
        }
        // The model's name becomes part of table names, hence the narrow alphabet.
        let letters = model.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let first = model.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        if !letters || !first || model.len() > 64 {
            return Err(StreamIdError::Model);
        }
        if name.len() > 200 || name.bytes().any(|b| b < 0x20 || b == 0x7f) {
            return Err(StreamIdError::Name);
        }
        Ok(Self(text.to_owned()))
    }

    /// The part before the first slash.
    #[must_use]
    pub fn model(&self) -> &str {
        self.0.split_once('/').map_or("", |(model, _)| model)
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StreamId {
    type Error = StreamIdError;
    fn try_from(text: String) -> Result<Self, StreamIdError> {
        Self::parse(&text)
    }
}

impl From<StreamId> for String {
    fn from(id: StreamId) -> Self {
        id.0
    }
}

impl StreamIdError {
    /// The rule that the text breaks.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Form => "a stream is named <model>/<name>",
            Self::Model => {
                "a model's name is a letter followed by up to 63 letters, digits or underscores"
            }
            Self::Name => "a stream's name has at most 200 bytes and no control characters",
        }
    }
}

impl fmt::Display for StreamIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule())
    }
}

impl std::error::Error for StreamIdError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_names() {
        assert_eq!(StreamId::parse("salesOrder/acme").unwrap().model(), "salesOrder");
        assert_eq!(StreamId::parse("a/b/c").unwrap().model(), "a");
        assert_eq!(StreamId::parse("acme"), Err(StreamIdError::Form));
        assert_eq!(StreamId::parse("acme/"), Err(StreamIdError::Form));
        assert_eq!(StreamId::parse("1/x"), Err(StreamIdError::Model));
        assert_eq!(StreamId::parse("a-b/x"), Err(StreamIdError::Model));
        assert_eq!(StreamId::parse("a/\u{1}"), Err(StreamIdError::Name));
        assert_eq!(StreamId::parse(&format!("a/{}", "x".repeat(201))), Err(StreamIdError::Name));
    }
}

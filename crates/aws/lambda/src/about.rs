//! What is remembered of a connection between two of its messages.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinstore_protocol::{ClientId, StreamId};
use twinstore_server::session::{Remembered, Subscription, Wants};

/// Of a connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct About {
    /// The claims of its token, which was verified; none: it brought none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<Value>,
    /// What it wants, where it is a thin client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thin: Option<Thin>,
}

/// Of a thin client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Thin {
    pub(crate) stream: StreamId,
    pub(crate) wants: Form,
}

/// [`Wants`] as it is named in URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    Records,
    Events,
    State,
}

/// Of one who listens to a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listening {
    pub(crate) speaks: Speaks,
    /// When its token ends, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u64>,
}

/// How it listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Speaks {
    Twin { schema: u32, named: Vec<ClientId> },
    Thin(Form),
}

impl Thin {
    pub(crate) fn subscription(&self) -> Subscription {
        Subscription { stream: self.stream.clone(), wants: self.wants.into(), from_start: false }
    }
}

impl From<Form> for Wants {
    fn from(form: Form) -> Self {
        match form {
            Form::Records => Self::Records,
            Form::Events => Self::Events,
            Form::State => Self::State,
        }
    }
}

impl From<Remembered> for Speaks {
    fn from(Remembered { schema, named }: Remembered) -> Self {
        Self::Twin { schema, named }
    }
}

/// The text that is stored.
pub(crate) fn written<T: Serialize>(about: &T) -> String {
    serde_json::to_string(about).expect("our own types have string keys")
}

//! What comes of one message: frames, commits, and what is to be kept.

use std::sync::Arc;

use serde_json::Value;
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::log::Snapshot;
use twinstore_server::session::Remembered;
use twinstore_server::stream::ask::Submission;
use twinstore_server::stream::commit::{Commit, Text};

use crate::said::Said;

/// What is done with a message's actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They are decided, and answered.
    #[default]
    Decide,
    /// They are handed on.
    HandOn,
    /// They are decided; only what the push to all does not tell is answered.
    Reduce,
}

/// What goes into the inbox.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) stream: StreamId,
    pub(crate) said: Said,
}

/// What comes of one message.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) mode: Mode,
    /// Frames for whoever sent it, in order.
    pub(crate) frames: Vec<Text>,
    /// The connection is to be closed.
    pub(crate) close: bool,
    /// What was made durable.
    pub(crate) commits: Vec<Arc<Commit>>,
    /// What the session remembers of the message's stream; none: it does not listen.
    pub(crate) remembered: Option<Remembered>,
    /// The last place that its answers are as of.
    pub(crate) head: Option<Seq>,
    /// The claims of a new token.
    pub(crate) claims: Option<Value>,
    /// Actions that are not decided here.
    pub(crate) submitted: Option<Submission>,
    /// What goes into the inbox.
    pub(crate) handed: Option<Handed>,
    /// It could not be decided, and must come again.
    pub(crate) failed: bool,
    /// States to be kept, once everyone is told.
    pub(crate) snapshots: Vec<(StreamId, Snapshot)>,
}

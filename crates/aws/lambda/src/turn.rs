//! What comes of one message: frames, commits, and what is to be kept.

use std::sync::Arc;

use serde_json::Value;
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::log::Snapshot;
use twinstore_server::session::Remembered;
use twinstore_server::stream::commit::{Commit, Text};

/// What comes of one message.
#[derive(Debug, Default)]
pub(crate) struct Turn {
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
    /// States to be kept, once everyone is told.
    pub(crate) snapshots: Vec<(StreamId, Snapshot)>,
}

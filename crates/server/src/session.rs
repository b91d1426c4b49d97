//! One socket as the server sees it: frames in, frames out, and questions to workers.
//!
//! Sans-IO: no socket, clock or randomness here. Two kinds speak through it: the twin protocol
//! (`session/twin.rs`) and thin clients (`session/thin.rs`). What is not understood is answered
//! by a typed error, never by silence and never by a panic.

mod frame;
mod push;
pub(crate) mod thin;
mod twin;

use std::collections::VecDeque;
use std::sync::Arc;

use twinstore_protocol::{ClientId, Seq, StreamId, code};

use crate::limits::Limits;
use crate::model::Models;
use crate::stream::ask::{Answer, Ask, SessionId};
use crate::stream::commit::{Commit, Text};

pub use frame::{error_frame, outcome_frames, refused_frame};
pub use thin::Subscription;

/// What a session is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// The peer sent this text.
    Frame(&'a str),
    /// The peer sent what is no text.
    Binary,
    /// The peer sent a message beyond the limit.
    TooLarge,
    /// A worker answers the oldest open question about that stream.
    Answered(StreamId, Answer),
    /// Events of a stream that it listens to are durable.
    Committed(Arc<Commit>),
    /// It did not keep up with a stream, whose head is this.
    CutOff(StreamId, Seq),
}

/// What a session orders.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this frame.
    Send(Text),
    /// Ask the stream's worker.
    Ask(StreamId, Ask),
    /// Close the socket with this code and reason.
    Close(u16, &'static str),
}

/// Codes of WebSocket closes.
pub mod close {
    /// The server stops.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer does not speak this protocol.
    pub const BAD_DATA: u16 = 1007;
    /// The peer is silent, or takes nothing.
    pub const POLICY: u16 = 1008;
    /// A message beyond the limit.
    pub const TOO_BIG: u16 = 1009;
    /// Come back later.
    pub const TRY_AGAIN: u16 = 1013;
}

/// One socket's session.
#[derive(Debug)]
pub struct Session {
    speaks: Speaks,
    outputs: VecDeque<Output>,
    closed: bool,
}

#[derive(Debug)]
enum Speaks {
    Twin(twin::Twin),
    Thin(thin::Thin),
}

impl Session {
    /// A session of the twin protocol.
    #[must_use]
    pub fn twin(id: SessionId, models: Arc<Models>, limits: Limits) -> Self {
        Self::new(Speaks::Twin(twin::Twin::new(id, models, limits)))
    }

    /// A session of a thin client.
    #[must_use]
    pub fn thin(id: SessionId, client: ClientId, subscription: Subscription) -> Self {
        let mut session = Self::new(Speaks::Thin(thin::Thin::new(id, client, subscription)));
        if let Speaks::Thin(thin) = &mut session.speaks {
            thin.begin(&mut session.outputs);
        }
        session
    }

    fn new(speaks: Speaks) -> Self {
        Self { speaks, outputs: VecDeque::new(), closed: false }
    }

    /// Takes one fact.
    pub fn handle_input(&mut self, input: Input<'_>) {
        if self.closed {
            return;
        }
        match &mut self.speaks {
            Speaks::Twin(twin) => twin.handle_input(input, &mut self.outputs),
            Speaks::Thin(thin) => thin.handle_input(input, &mut self.outputs),
        }
        self.closed = self.outputs.iter().any(|output| matches!(output, Output::Close(..)));
    }

    /// The next order, oldest first.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether a peer that says nothing is taken for dead: twins ping, thin clients need not.
    #[must_use]
    pub fn must_speak(&self) -> bool {
        matches!(self.speaks, Speaks::Twin(_))
    }

    /// The streams it may be listening to.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamId> {
        match &self.speaks {
            Speaks::Twin(twin) => twin.streams(),
            Speaks::Thin(thin) => vec![thin.stream().clone()],
        }
    }
}

/// Ends a session whose peer does not speak the protocol.
fn fault(code: &'static str, message: &str, close: u16, outputs: &mut VecDeque<Output>) {
    outputs.push_back(Output::Send(error_frame(code, message, None).into()));
    outputs.push_back(Output::Close(close, code));
}

fn too_large(outputs: &mut VecDeque<Output>) {
    let most = crate::limits::WIRE.frame_bytes;
    let message = format!("a frame has at most {most} bytes");
    fault(code::FRAME_TOO_LARGE, &message, close::TOO_BIG, outputs);
}

#[cfg(test)]
mod tests;

//! One socket as the server sees it: frames in, frames out, and questions to workers.
//!
//! Sans-IO: no socket, clock or randomness here. Two kinds speak through it: the twin protocol
//! (`session/twin.rs`) and thin clients (`session/thin.rs`). What is not understood is answered
//! by a typed error, never by silence and never by a panic.

mod frame;
mod gate;
mod push;
pub(crate) mod thin;
mod twin;

use std::collections::VecDeque;
use std::sync::Arc;

use twinstore_protocol::{ClientId, Seq, StreamId, code};

use crate::auth::Rights;
use crate::limits::Limits;
use crate::model::Models;
use crate::stream::ask::{Answer, Ask, Join, SessionId, Submission};
use crate::stream::commit::{Commit, Text};

pub use frame::{error_frame, outcome_frames, refused_frame};
pub use gate::{Door, Identity};
pub use thin::{Subscription, Wants};
pub use twin::Remembered;

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
    /// Actions may be sent again after so many milliseconds; 0: now.
    Throttled(u64),
    /// The door says something.
    Door(Door),
}

/// What a session orders.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this frame.
    Send(Text),
    /// Ask the stream's worker.
    Ask(StreamId, Ask),
    /// Look at this token; answered by [`Door::Identified`].
    Authenticate(String),
    /// Say what the caller may do with this stream; answered by [`Door::Admitted`].
    Admit(StreamId),
    /// Count that a frame, or an entry of one, was refused with this code.
    Refused(&'static str),
    /// Close the socket with this code and reason.
    Close(u16, &'static str),
}

/// Codes of WebSocket closes.
pub mod close {
    /// The server stops: connect again.
    pub const RESTART: u16 = 1012;
    /// The peer does not speak this protocol.
    pub const BAD_DATA: u16 = 1007;
    /// The peer is silent, or takes nothing.
    pub const POLICY: u16 = 1008;
    /// A message beyond the limit.
    pub const TOO_BIG: u16 = 1009;
    /// Come back later.
    pub const TRY_AGAIN: u16 = 1013;
    /// A token is needed, or the one that was brought has expired.
    pub const UNAUTHORIZED: u16 = 4401;
    /// The token does not allow it any more.
    pub const FORBIDDEN: u16 = 4403;
}

/// One socket's session.
#[derive(Debug)]
pub struct Session {
    speaks: Speaks,
    outputs: VecDeque<Output>,
    closed: bool,
    guarded: bool,
    /// Whom the token names.
    subject: Option<Arc<str>>,
    /// An `auth` frame waits for its answer.
    renewing: bool,
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

    /// A thin client's session that listened before, somewhere else. It hears what is new.
    #[must_use]
    pub fn thin_again(id: SessionId, client: ClientId, subscription: Subscription) -> Self {
        let mut thin = thin::Thin::new(id, client, subscription);
        thin.go_live();
        Self::new(Speaks::Thin(thin))
    }

    /// The same, listening to a stream as it was remembered of a session that is gone.
    #[must_use]
    pub fn remembering(mut self, stream: &StreamId, remembered: Remembered) -> Self {
        if let Speaks::Twin(twin) = &mut self.speaks {
            twin.remember(stream, remembered);
        }
        self
    }

    /// What must be remembered to go on elsewhere; none: it does not listen to that stream.
    #[must_use]
    pub fn remembered(&self, stream: &StreamId) -> Option<Remembered> {
        match &self.speaks {
            Speaks::Twin(twin) => twin.remembered(stream),
            Speaks::Thin(_) => None,
        }
    }

    fn new(speaks: Speaks) -> Self {
        let outputs = VecDeque::new();
        Self { speaks, outputs, closed: false, guarded: false, subject: None, renewing: false }
    }

    /// The same, where each stream must be asked for. By the token that came with the socket, if
    /// one did, its caller is this one.
    #[must_use]
    pub fn guarded(mut self, caller: Identity) -> Self {
        self.guarded = true;
        self.subject = caller.subject.as_deref().map(Arc::from);
        if let Speaks::Twin(twin) = &mut self.speaks {
            twin.guard(caller);
        }
        self
    }

    /// A thin client's session, with what it may do.
    #[must_use]
    pub fn with_rights(mut self, rights: Rights) -> Self {
        if let Speaks::Thin(thin) = &mut self.speaks {
            thin.allow(rights);
        }
        self
    }

    /// Takes one fact.
    pub fn handle_input(&mut self, input: Input<'_>) {
        if self.closed {
            return;
        }
        match (input, &mut self.speaks) {
            (Input::Door(door), _) => self.door(door),
            (Input::Frame(text), _)
                if self.guarded
                    && let Some(token) = gate::token(text) =>
            {
                self.renewing = true;
                self.outputs.push_back(Output::Authenticate(token));
            }
            (input, Speaks::Twin(twin)) => twin.handle_input(input, &mut self.outputs),
            (input, Speaks::Thin(thin)) => thin.handle_input(input, &mut self.outputs),
        }
        self.closed = self.outputs.iter().any(|output| matches!(output, Output::Close(..)));
    }

    fn door(&mut self, door: Door) {
        let outputs = &mut self.outputs;
        let renewed = matches!(door, Door::Identified(_)) && std::mem::take(&mut self.renewing);
        match door {
            Door::Identified(Ok(identity)) => {
                self.subject = identity.subject.as_deref().map(Arc::from);
                if renewed {
                    outputs.push_back(gate::authenticated(&identity));
                }
                match &mut self.speaks {
                    Speaks::Twin(twin) => twin.identified(identity, outputs),
                    Speaks::Thin(thin) => {
                        outputs.push_back(Output::Admit(thin.stream().clone()));
                    }
                }
            }
            Door::Identified(Err(denied)) => match &mut self.speaks {
                Speaks::Twin(twin) if !renewed => twin.denied(denied, outputs),
                Speaks::Twin(_) | Speaks::Thin(_) => {
                    let frame = error_frame(denied.code(), &denied.to_string(), None);
                    outputs.push_back(Output::Send(frame.into()));
                }
            },
            Door::Admitted(stream, rights) => match &mut self.speaks {
                Speaks::Twin(twin) => twin.admitted(&stream, rights, outputs),
                Speaks::Thin(thin) => thin.admitted(rights, outputs),
            },
            Door::Shut(denied) => {
                fault(denied.code(), &denied.to_string(), close::UNAUTHORIZED, outputs);
            }
        }
    }

    /// The next order, oldest first.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        let mut output = self.outputs.pop_front()?;
        if let Output::Ask(
            _,
            Ask::Join(Join { subject, .. }) | Ask::Submit(Submission { subject, .. }),
        ) = &mut output
        {
            subject.clone_from(&self.subject);
        }
        Some(output)
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
    outputs.push_back(Output::Refused(code));
    outputs.push_back(Output::Close(close, code));
}

fn too_large(outputs: &mut VecDeque<Output>) {
    let most = crate::limits::WIRE.frame_bytes;
    let message = format!("a frame has at most {most} bytes");
    fault(code::FRAME_TOO_LARGE, &message, close::TOO_BIG, outputs);
}

#[cfg(test)]
mod tests;

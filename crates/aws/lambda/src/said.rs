//! A message, and what is remembered of its sender: all that its answer needs, in whichever function
//! it is decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use twinstore_protocol::{N, StreamId};
use twinstore_server::auth::{Denied, Grant, Rights};
use twinstore_server::random;
use twinstore_server::session::{Door, Input, Remembered, Session, refused_frame};
use twinstore_server::stream::ask::{Number, Refused, SessionId, Submission};

use crate::about::{About, Listening, Speaks};
use crate::desk::{OWN, Shared, Workers, identity};
use crate::limits;
use crate::telling::has_ended;
use crate::turn::{Handed, Mode, Turn};

/// A message, and what is remembered of its sender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) connection: String,
    pub(crate) about: About,
    pub(crate) stream: Option<StreamId>,
    pub(crate) before: Option<Listening>,
    pub(crate) body: String,
    pub(crate) binary: bool,
}

/// A message's session, and what came of it so far.
pub(crate) struct Talk {
    pub(crate) id: SessionId,
    pub(crate) session: Session,
    pub(crate) grant: Option<Grant>,
    pub(crate) turn: Turn,
}

/// What comes of messages of the inbox, in their order: each stream's are decided together.
pub(crate) fn reduced(all: &[Said], shared: &Shared, workers: &mut Workers) -> Vec<Turn> {
    let begin = |(said, id): (&Said, u64)| said.begin(SessionId(id), shared, workers, Mode::Reduce);
    let mut talks: Vec<_> = all.iter().zip(OWN.0..).map(begin).collect();
    let mut by_stream: BTreeMap<&StreamId, Vec<&mut Talk>> = BTreeMap::new();
    for (said, talk) in all.iter().zip(&mut talks) {
        if let (Some(stream), Some(_)) = (&said.stream, &talk.turn.submitted) {
            by_stream.entry(stream).or_default().push(talk);
        }
    }
    for (stream, talks) in by_stream {
        workers.decide(stream, talks);
    }
    talks.into_iter().map(|talk| talk.turn).collect()
}

impl Said {
    /// What comes of it.
    pub(crate) fn answered(self, shared: &Shared, workers: &mut Workers, mode: Mode) -> Turn {
        let Talk { session, mut turn, .. } = self.begin(OWN, shared, workers, mode);
        turn.remembered = self.stream.as_ref().and_then(|stream| session.remembered(stream));
        if let Some(submission) = turn.submitted.take() {
            self.hand_on(&submission, &mut turn);
        }
        turn
    }

    /// Its session has heard it. What it submits is decided already, or left for later.
    fn begin(&self, id: SessionId, shared: &Shared, workers: &mut Workers, mode: Mode) -> Talk {
        let mut turn = Turn { mode, ..Turn::default() };
        let mut grant = match &self.about.claims {
            Some(claims) => Grant::of(claims.clone()),
            None if shared.auth.is_open() => Some(Grant::everything()),
            None => None,
        };
        let mut session = self.session(id, shared, grant.as_ref());
        // What reached the inbox was let in then.
        if mode != Mode::Reduce && has_ended(grant.as_ref().and_then(Grant::expires)) {
            let shut = Input::Door(Door::Shut(Denied::Expired));
            workers.converse(&mut session, &mut grant, shut, &mut turn);
            return Talk { id, session, grant, turn };
        }
        if shared.auth.is_guarded()
            && let (Some(stream), Some(_)) = (&self.stream, &self.before)
        {
            // What it may do is asked anew with each message: another may have brought a token.
            let rights = workers.rights(grant.as_ref(), stream);
            let admitted = Input::Door(Door::Admitted(stream.clone(), rights));
            workers.converse(&mut session, &mut grant, admitted, &mut turn);
        }
        let input = if self.binary {
            Input::Binary
        } else if mode != Mode::Reduce && self.body.len() > limits::LIMITS.wire.frame_bytes as usize
        {
            Input::TooLarge
        } else {
            Input::Frame(&self.body)
        };
        workers.converse(&mut session, &mut grant, input, &mut turn);
        Talk { id, session, grant, turn }
    }

    /// What is put into the inbox. A thin client's action is stamped before, as number 1 of a
    /// client of its own, so that what is delivered twice is decided once.
    fn hand_on(mut self, submission: &Submission, turn: &mut Turn) {
        let Some(stream) = self.stream.clone() else { return };
        for entry in &submission.entries {
            if entry.number != Number::Next {
                continue;
            }
            match entry.action.stamped(random::now(), entry.client.as_str(), 1) {
                Ok(action) => action.as_str().clone_into(&mut self.body),
                Err(refusal) => {
                    let client = entry.client.clone();
                    let refused = Refused { client, n: None, refusal, last: N(0) };
                    return turn.frames.push(refused_frame(&refused).into());
                }
            }
        }
        turn.handed = Some(Handed { stream, said: self });
    }

    fn session(&self, id: SessionId, shared: &Shared, grant: Option<&Grant>) -> Session {
        let session = match (&self.about.thin, &self.before, &self.stream) {
            (Some(thin), ..) => {
                // Each message of a thin client is a client of its own.
                let client = random::client_id(random::now());
                Session::thin_again(id, client, thin.subscription()).with_rights(Rights::ALL)
            }
            (None, before, stream) => {
                let twin = Session::twin(id, Arc::clone(&shared.models), limits::LIMITS);
                match (before.clone().map(|before| before.speaks), stream) {
                    (Some(Speaks::Twin { schema, named }), Some(stream)) => {
                        twin.remembering(stream, Remembered { schema, named })
                    }
                    _ => twin,
                }
            }
        };
        match shared.auth.is_guarded() {
            true => session.guarded(grant.map(identity).unwrap_or_default()),
            false => session,
        }
    }
}

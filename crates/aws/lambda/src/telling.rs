//! Telling: frames to one connection in order, and commits to all who listen.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;
use twinstore_dynamodb::connections::{Connections, Listener};
use twinstore_protocol::{Seq, StreamId, code};
use twinstore_server::random;
use twinstore_server::session::{Input, Remembered, Session};
use twinstore_server::stream::ask::SessionId;
use twinstore_server::stream::commit::{Commit, Text};

use crate::about::{Listening, Speaks, Thin};
use crate::desk::{OWN, Shared, Workers};
use crate::gateway::{Gateway, PostError};
use crate::limits;
use crate::parts::{FunctionError, Parts};
use crate::turn::Turn;

impl Parts {
    /// Sends frames in order. Who is gone is forgotten.
    pub(crate) async fn tell(&self, connection: &str, frames: &[Text], close: bool) {
        tell(&self.gateway, &self.connections, connection, frames, close).await;
    }

    /// Tells all who listen to a stream, but for one, several at once.
    pub(crate) async fn tell_all(
        &self,
        stream: &StreamId,
        commits: &[Arc<Commit>],
        but: Option<&str>,
    ) -> Result<(), FunctionError> {
        let listeners = self.listeners(stream, but).await?;
        if listeners.is_empty() {
            return Ok(());
        }
        let (shared, commits) = (self.shared.clone(), commits.to_vec());
        let frames = self.desk.run(move |workers| {
            let head =
                commits.last().map_or(Seq(0), |last| Seq(last.after.0 + last.events.len() as u64));
            pushes(&shared, workers, &listeners, &commits, head)
        });
        self.tell_each(frames.await.ok_or(FunctionError::Workers)?).await;
        Ok(())
    }

    pub(crate) async fn listeners(
        &self,
        stream: &StreamId,
        but: Option<&str>,
    ) -> Result<Vec<Listener>, FunctionError> {
        let mut listeners = self.connections.listeners(stream).await?;
        listeners.retain(|listener| but != Some(&listener.connection));
        Ok(listeners)
    }

    /// Tells each connection its own, several at once.
    pub(crate) async fn tell_each(&self, frames: BTreeMap<String, Turn>) {
        let mut telling = JoinSet::new();
        for (connection, Turn { frames, close, .. }) in frames {
            if telling.len() >= limits::POSTS_AT_ONCE {
                telling.join_next().await;
            }
            let (gateway, connections) = (Arc::clone(&self.gateway), self.connections.clone());
            telling.spawn(async move {
                tell(&gateway, &connections, &connection, &frames, close).await;
            });
        }
        telling.join_all().await;
    }
}

/// The frames of commits for those who listen, and of the head where that is further.
pub(crate) fn pushes(
    shared: &Shared,
    workers: &mut Workers,
    listeners: &[Listener],
    commits: &[Arc<Commit>],
    head: Seq,
) -> BTreeMap<String, Turn> {
    let mut all = BTreeMap::new();
    for (Listener { connection, about }, id) in listeners.iter().zip(OWN.0 + 1..) {
        let Ok(Listening { speaks, until }) = serde_json::from_str(about) else { continue };
        let mut turn = Turn { close: has_ended(until), ..Turn::default() };
        if let Some(last) = commits.last().filter(|_| !turn.close) {
            let mut session = listener(shared, SessionId(id), speaks, &last.stream);
            for commit in commits {
                let committed = Input::Committed(Arc::clone(commit));
                workers.converse(&mut session, &mut None, committed, &mut turn);
            }
            // It sees by the head that it must pull, and gets pages that fit.
            let too_large = turn.frames.iter().any(|frame| frame.len() > limits::MESSAGE_BYTES);
            if too_large {
                turn.frames.retain(|_| !session.must_speak());
            }
            let told = Seq(last.after.0 + last.events.len() as u64);
            if session.must_speak() && (too_large || told < head) {
                let cut_off = Input::CutOff(last.stream.clone(), head);
                workers.converse(&mut session, &mut None, cut_off, &mut turn);
            }
        }
        all.insert(connection.clone(), turn);
    }
    all
}

fn listener(shared: &Shared, id: SessionId, speaks: Speaks, stream: &StreamId) -> Session {
    match speaks {
        Speaks::Twin { schema, named } => {
            let session = Session::twin(id, Arc::clone(&shared.models), limits::LIMITS);
            session.remembering(stream, Remembered { schema, named })
        }
        Speaks::Thin(wants) => {
            let thin = Thin { stream: stream.clone(), wants };
            let client = random::client_id(random::now());
            Session::thin_again(id, client, thin.subscription())
        }
    }
}

async fn tell(
    gateway: &Gateway,
    connections: &Connections,
    connection: &str,
    frames: &[Text],
    close: bool,
) {
    for frame in frames {
        let too_large;
        let frame = match frame.len() <= limits::MESSAGE_BYTES {
            true => frame.as_str(),
            false => {
                too_large = too_large_frame(frame.len());
                &too_large
            }
        };
        match gateway.post(connection, frame).await {
            Ok(()) => {}
            Err(PostError::Gone) => {
                if let Err(error) = connections.close(connection).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(connection, error, "who is gone was not forgotten");
                }
                return;
            }
            Err(error) => {
                // It sees by the next head that it lacks something.
                let error = &error as &dyn std::error::Error;
                tracing::warn!(connection, error, "a frame was not sent");
                return;
            }
        }
    }
    if close {
        gateway.close(connection).await;
    }
}

/// What a thin client is told in place of a record or state that a gateway does not let through.
fn too_large_frame(bytes: usize) -> String {
    let most = limits::MESSAGE_BYTES;
    let reason = format!("a message has {bytes} bytes, at most {most} can be sent here");
    json!({ "error": { "code": code::TOO_LARGE, "reason": reason } }).to_string()
}

pub(crate) fn has_ended(until: Option<u64>) -> bool {
    until.is_some_and(|until| until <= random::now() / 1_000)
}

//! One function: a message comes, is reduced and stored in one transaction, and is answered.
//!
//! Each message is an invocation, maybe in another process than the one before it: what the
//! session remembers is loaded and kept again. Whoever listens first is listed and then told the
//! head, so that no commit falls between.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use twinstore_dynamodb::connections::{Connections, Listener};
use twinstore_dynamodb::{CallError, DynamoLog};
use twinstore_protocol::{Seq, StreamId, code};
use twinstore_server::auth::{Auth, Denied, Grant, Rights};
use twinstore_server::log::Log;
use twinstore_server::model::Models;
use twinstore_server::random;
use twinstore_server::session::{Door, Input, Remembered, Session};
use twinstore_server::stream::ask::SessionId;
use twinstore_server::stream::commit::{Commit, Text};

use crate::about::{About, Form, Listening, Speaks, Thin, written};
use crate::desk::{Desk, OWN, Shared, Workers, identity};
use crate::gateway::{Gateway, PostError};
use crate::limits;
use crate::request::{BEARER, Kind, Request};
use crate::turn::Turn;

/// The function.
#[derive(Debug)]
pub struct Coupled {
    shared: Shared,
    desk: Desk,
    log: Arc<DynamoLog>,
    connections: Connections,
    gateway: Arc<Gateway>,
    /// Whether others who listen are told.
    push: bool,
}

/// Why an invocation failed. Its sender's connection is closed where that can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// The event is none of a WebSocket API.
    #[error("this is no event of a WebSocket API")]
    Event(#[from] serde_json::Error),
    /// The table of connections does not answer.
    #[error(transparent)]
    Connections(#[from] CallError),
    /// The workers' thread is gone: the process must end.
    #[error("the workers are gone")]
    Workers,
}

/// A response to the gateway. A request to connect is let in by 200 only.
fn status(code: u16, reason: &str) -> Value {
    json!({ "statusCode": code, "body": reason })
}

impl Coupled {
    /// A function over that log, whose models are kept already.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub fn new(
        models: Models,
        log: Arc<DynamoLog>,
        auth: Auth,
        gateway: Gateway,
        push: bool,
    ) -> std::io::Result<Self> {
        let kept: Arc<dyn Log> = Arc::<DynamoLog>::clone(&log);
        let shared = Shared { models: Arc::new(models), log: kept, auth: Arc::new(auth) };
        let desk = Desk::start(shared.clone(), Handle::current())?;
        let (connections, gateway) = (log.connections(), Arc::new(gateway));
        Ok(Self { shared, desk, log, connections, gateway, push })
    }

    /// Handles an event of the gateway.
    ///
    /// # Errors
    /// [`FunctionError`].
    pub async fn handle(&self, event: Value) -> Result<Value, FunctionError> {
        let request: Request = serde_json::from_value(event)?;
        let context = &request.request_context;
        self.gateway.begin(&context.domain_name, &context.stage).await;
        match context.event_type {
            Kind::Connect => self.connect(&request).await,
            Kind::Message => self.message(request).await,
            Kind::Disconnect => {
                self.connections.close(&context.connection_id).await?;
                Ok(status(200, "closed"))
            }
        }
    }

    async fn connect(&self, request: &Request) -> Result<Value, FunctionError> {
        let token = request.token();
        let identified = match self.shared.auth.identify(token.as_deref()).await {
            // A twin may still bring its token with its hello.
            Err(Denied::NoToken) if request.parameter("stream").is_none() => None,
            Err(denied) => return Ok(status(401, &denied.to_string())),
            Ok(grant) => Some(grant),
        };
        let thin = match thin(request) {
            Ok(thin) => thin,
            Err(reason) => return Ok(status(400, reason)),
        };
        if let (Some(thin), Some(grant)) = (&thin, &identified) {
            if !self.shared.models.contains_key(thin.stream.model()) {
                return Ok(status(404, "there is no such model"));
            }
            if !self.shared.auth.rights(grant, &thin.stream).await.read {
                return Ok(status(403, &Denied::Forbidden.to_string()));
            }
        }
        let connection = &request.request_context.connection_id;
        let claims = identified.as_ref().filter(|_| !self.shared.auth.is_open());
        let about = About { claims: claims.map(|grant| grant.claims().clone()), thin };
        self.connections.open(connection, &written(&about)).await?;
        if let Some(thin) = &about.thin {
            let until = identified.as_ref().and_then(Grant::expires);
            let listening = Listening { speaks: Speaks::Thin(thin.wants), until };
            self.connections.listen(&thin.stream, connection, &written(&listening)).await?;
        }
        let mut response = status(200, "connected");
        if request.offers_bearer() {
            response["headers"] = json!({ "Sec-WebSocket-Protocol": BEARER });
        }
        Ok(response)
    }

    async fn message(&self, request: Request) -> Result<Value, FunctionError> {
        let connection = request.request_context.connection_id.clone();
        let handled = self.take(&connection, request).await;
        match &handled {
            Ok(true) => Ok(status(200, "taken")),
            Ok(false) => {
                // Nothing is known of it: whoever it is connects again.
                self.gateway.close(&connection).await;
                Ok(status(410, "the connection is not known"))
            }
            Err(error) => {
                let error = error as &dyn std::error::Error;
                tracing::error!(connection, error, "a message was not handled");
                // The client keeps what has no verdict, and sends it again.
                self.gateway.close(&connection).await;
                handled.map(|_| Value::Null)
            }
        }
    }

    /// False: the connection is not open.
    async fn take(&self, connection: &str, request: Request) -> Result<bool, FunctionError> {
        let Some(open) = self.connections.get(connection).await? else { return Ok(false) };
        let about: About = serde_json::from_str(&open.about)?;
        let body = request.body.unwrap_or_default();
        let stream = match &about.thin {
            Some(thin) => Some(thin.stream.clone()),
            None => stream_of(&body),
        };
        let before = self.listening(stream.as_ref(), connection).await?;
        let said = Said {
            about: about.clone(),
            stream: stream.clone(),
            before: before.clone(),
            body,
            binary: request.is_base64_encoded,
        };
        let shared = self.shared.clone();
        let turn = self.desk.run(move |workers| said.answered(&shared, workers)).await;
        let mut turn = turn.ok_or(FunctionError::Workers)?;
        if let Some(claims) = turn.claims.take() {
            self.renew(connection, &about, claims, &open.streams).await?;
        }
        if about.thin.is_none()
            && let Some(stream) = &stream
        {
            self.keep(connection, stream, before.as_ref(), &mut turn, &about).await?;
        }
        self.tell(connection, &turn.frames, turn.close).await;
        if self.push {
            for commit in &turn.commits {
                self.tell_others(connection, commit).await?;
            }
        }
        for (stream, snapshot) in turn.snapshots {
            let log = Arc::clone(&self.log);
            self.desk.run(move |_| log.put_snapshot(&stream, snapshot)).await;
        }
        Ok(true)
    }

    async fn listening(
        &self,
        stream: Option<&StreamId>,
        connection: &str,
    ) -> Result<Option<Listening>, FunctionError> {
        let Some(stream) = stream else { return Ok(None) };
        let about = self.connections.listener(stream, connection).await?;
        Ok(about.map(|about| serde_json::from_str(&about)).transpose()?)
    }

    /// Keeps what the session remembers of a stream, where that has changed.
    async fn keep(
        &self,
        connection: &str,
        stream: &StreamId,
        before: Option<&Listening>,
        turn: &mut Turn,
        about: &About,
    ) -> Result<(), FunctionError> {
        let Some(remembered) = turn.remembered.take() else {
            if before.is_some() {
                self.connections.leave(stream, connection).await?;
            }
            return Ok(());
        };
        let speaks = Speaks::from(remembered.clone());
        if before.is_some_and(|before| before.speaks == speaks) {
            return Ok(());
        }
        let until = about.claims.clone().and_then(Grant::of).and_then(|grant| grant.expires());
        let listening = written(&Listening { speaks, until });
        self.connections.listen(stream, connection, &listening).await?;
        if before.is_none() {
            self.catch_up(stream, remembered, turn).await?;
        }
        Ok(())
    }

    /// What was committed after the log was read, and before this one was listed, was pushed to
    /// others only: where the head has moved it is told, and the client pulls.
    async fn catch_up(
        &self,
        stream: &StreamId,
        remembered: Remembered,
        turn: &mut Turn,
    ) -> Result<(), FunctionError> {
        let (shared, named, heard) = (self.shared.clone(), stream.clone(), turn.head);
        let frames = self.desk.run(move |workers| {
            let head = shared.log.head(&named).ok().flatten().map_or(Seq(0), |head| head.seq);
            let mut turn = Turn::default();
            if heard.is_none_or(|heard| head > heard) {
                let session = Session::twin(OWN, Arc::clone(&shared.models), limits::LIMITS);
                let mut session = session.remembering(&named, remembered);
                let cut_off = Input::CutOff(named, head);
                workers.converse(&mut session, &mut None, cut_off, &mut turn);
            }
            turn.frames
        });
        turn.frames.extend(frames.await.ok_or(FunctionError::Workers)?);
        Ok(())
    }

    /// A new token: what is known of the connection, and until when it may listen.
    async fn renew(
        &self,
        connection: &str,
        about: &About,
        claims: Value,
        streams: &[StreamId],
    ) -> Result<(), FunctionError> {
        let until = Grant::of(claims.clone()).and_then(|grant| grant.expires());
        let about = About { claims: Some(claims), ..about.clone() };
        self.connections.renew(connection, &written(&about)).await?;
        for stream in streams {
            if let Some(listening) = self.listening(Some(stream), connection).await? {
                let listening = written(&Listening { until, ..listening });
                self.connections.listen(stream, connection, &listening).await?;
            }
        }
        Ok(())
    }

    /// Sends frames in order. Who is gone is forgotten.
    async fn tell(&self, connection: &str, frames: &[Text], close: bool) {
        tell(&self.gateway, &self.connections, connection, frames, close).await;
    }

    /// Tells all others who listen, several at once.
    async fn tell_others(&self, own: &str, commit: &Arc<Commit>) -> Result<(), FunctionError> {
        let mut listeners = self.connections.listeners(&commit.stream).await?;
        listeners.retain(|listener| listener.connection != own);
        if listeners.is_empty() {
            return Ok(());
        }
        let (shared, commit) = (self.shared.clone(), Arc::clone(commit));
        let frames = self.desk.run(move |workers| pushes(&shared, workers, &listeners, &commit));
        let frames = frames.await.ok_or(FunctionError::Workers)?;
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
        Ok(())
    }
}

/// A message, and what is remembered of its sender.
struct Said {
    about: About,
    stream: Option<StreamId>,
    before: Option<Listening>,
    body: String,
    binary: bool,
}

impl Said {
    /// What comes of it.
    fn answered(self, shared: &Shared, workers: &mut Workers) -> Turn {
        let mut turn = Turn::default();
        let mut grant = match &self.about.claims {
            Some(claims) => Grant::of(claims.clone()),
            None if shared.auth.is_open() => Some(Grant::everything()),
            None => None,
        };
        let mut session = self.session(shared, grant.as_ref());
        if has_ended(grant.as_ref().and_then(Grant::expires)) {
            let shut = Input::Door(Door::Shut(Denied::Expired));
            workers.converse(&mut session, &mut grant, shut, &mut turn);
            return turn;
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
        } else if self.body.len() > limits::LIMITS.wire.frame_bytes as usize {
            Input::TooLarge
        } else {
            Input::Frame(&self.body)
        };
        workers.converse(&mut session, &mut grant, input, &mut turn);
        turn.remembered = self.stream.as_ref().and_then(|stream| session.remembered(stream));
        turn
    }

    fn session(&self, shared: &Shared, grant: Option<&Grant>) -> Session {
        let session = match (&self.about.thin, &self.before, &self.stream) {
            (Some(thin), ..) => {
                // Each message of a thin client is a client of its own.
                let client = random::client_id(random::now());
                Session::thin_again(OWN, client, thin.subscription()).with_rights(Rights::ALL)
            }
            (None, before, stream) => {
                let twin = Session::twin(OWN, Arc::clone(&shared.models), limits::LIMITS);
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

/// The frames of a commit for those who listen.
fn pushes(
    shared: &Shared,
    workers: &mut Workers,
    listeners: &[Listener],
    commit: &Arc<Commit>,
) -> BTreeMap<String, Turn> {
    let mut all = BTreeMap::new();
    for (Listener { connection, about }, id) in listeners.iter().zip(OWN.0 + 1..) {
        let Ok(Listening { speaks, until }) = serde_json::from_str(about) else { continue };
        let mut turn = Turn { close: has_ended(until), ..Turn::default() };
        if !turn.close {
            let mut session = listener(shared, SessionId(id), speaks, &commit.stream);
            let committed = Input::Committed(Arc::clone(commit));
            workers.converse(&mut session, &mut None, committed, &mut turn);
            // It sees by the head that it must pull, and gets pages that fit.
            let too_large = turn.frames.iter().any(|frame| frame.len() > limits::MESSAGE_BYTES);
            if too_large && session.must_speak() {
                turn.frames.clear();
                let head = Seq(commit.after.0 + commit.events.len() as u64);
                let cut_off = Input::CutOff(commit.stream.clone(), head);
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

/// What a thin client asks for as it connects; none: it is a twin.
fn thin(request: &Request) -> Result<Option<Thin>, &'static str> {
    let Some(stream) = request.parameter("stream") else { return Ok(None) };
    let stream = StreamId::parse(stream).map_err(|error| error.rule())?;
    let wants = match request.parameter("subscribe") {
        None | Some("records") => Form::Records,
        Some("events") => Form::Events,
        Some("state") => Form::State,
        Some(_) => return Err("`subscribe` is records, events or state"),
    };
    match request.parameter("from") {
        None => Ok(Some(Thin { stream, wants })),
        // A gateway takes nothing for a connection that is not made yet.
        Some(_) => Err("`from` is not to be had here: ask over HTTP, or be a twin"),
    }
}

/// The stream that a twin's frame is about. What is no frame is answered by the session.
fn stream_of(frame: &str) -> Option<StreamId> {
    #[derive(Deserialize)]
    struct Envelope {
        stream: String,
    }
    let Envelope { stream } = serde_json::from_str(frame).ok()?;
    StreamId::parse(&stream).ok()
}

fn has_ended(until: Option<u64>) -> bool {
    until.is_some_and(|until| until <= random::now() / 1_000)
}

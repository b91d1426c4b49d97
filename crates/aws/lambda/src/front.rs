//! What a gateway calls: a connection opens, says something, or closes.
//!
//! Each message is an invocation, maybe in another process than the one before it: what the
//! session remembers is loaded and kept again. Whoever listens first is listed and then told the
//! head, so that no commit falls between.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::auth::{Denied, Grant};
use twinstore_server::session::{Input, Remembered, Session};

use crate::about::{About, Form, Listening, Speaks, Thin, written};
use crate::desk::OWN;
use crate::limits;
use crate::parts::{FunctionError, Parts};
use crate::request::{BEARER, Kind, Request};
use crate::said::Said;
use crate::turn::{Mode, Turn};

/// What becomes of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// They are decided here; others who listen are told, or are not.
    Coupled { push: bool },
    /// They are handed on to the function that reduces.
    Ingest,
}

/// A response without a body: a gateway may send that to the client.
fn said_nothing(code: u16) -> Value {
    json!({ "statusCode": code })
}

/// A response to the gateway. A request to connect is let in by 200 only.
fn status(code: u16, reason: &str) -> Value {
    json!({ "statusCode": code, "body": reason })
}

impl Parts {
    /// Handles an event of the gateway.
    pub(crate) async fn front(&self, front: Front, event: Value) -> Result<Value, FunctionError> {
        let request: Request = serde_json::from_value(event)?;
        let context = &request.request_context;
        self.gateway.begin(&context.domain_name, &context.stage).await;
        match context.event_type {
            Kind::Connect => self.connect(&request).await,
            Kind::Message => self.message(front, request).await,
            Kind::Disconnect => {
                self.connections.close(&context.connection_id).await?;
                Ok(said_nothing(200))
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

    async fn message(&self, front: Front, request: Request) -> Result<Value, FunctionError> {
        let connection = request.request_context.connection_id.clone();
        let handled = self.take(front, &connection, request).await;
        match &handled {
            Ok(true) => Ok(said_nothing(200)),
            Ok(false) => {
                // Nothing is known of it: whoever it is connects again.
                self.gateway.close(&connection).await;
                Ok(said_nothing(410))
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
    async fn take(
        &self,
        front: Front,
        connection: &str,
        request: Request,
    ) -> Result<bool, FunctionError> {
        let Some(open) = self.connections.get(connection).await? else { return Ok(false) };
        let about: About = serde_json::from_str(&open.about)?;
        let body = request.body.unwrap_or_default();
        let stream = match &about.thin {
            Some(thin) => Some(thin.stream.clone()),
            None => stream_of(&body),
        };
        let before = self.listening(stream.as_ref(), connection).await?;
        let said = Said {
            connection: connection.to_owned(),
            about: about.clone(),
            stream: stream.clone(),
            before: before.clone(),
            body,
            binary: request.is_base64_encoded,
        };
        let mode = match front {
            Front::Coupled { .. } => Mode::Decide,
            Front::Ingest => Mode::HandOn,
        };
        let mut turn = self.answered(said, mode).await?;
        if let Some(handed) = turn.handed.take() {
            let text = written(&handed.said);
            self.log.hand_on(&handed.stream, &request.request_context.request_id, &text).await?;
        }
        if let Some(claims) = turn.claims.take() {
            self.renew(connection, &about, claims, &open.streams).await?;
        }
        if about.thin.is_none()
            && let Some(stream) = &stream
        {
            self.keep(connection, stream, before.as_ref(), &mut turn, &about).await?;
        }
        self.tell(connection, &turn.frames, turn.close).await;
        if front == (Front::Coupled { push: true }) {
            for commit in &turn.commits {
                self.tell_all(&commit.stream, std::slice::from_ref(commit), Some(connection))
                    .await?;
            }
        }
        self.keep_snapshots(turn.snapshots).await;
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

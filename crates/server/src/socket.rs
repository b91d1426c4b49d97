//! Pumps a session over a WebSocket: frames in and out, questions to workers, and the timeouts.
//!
//! One task a socket, doing one thing at a time: while a slow peer does not take its frames it is
//! not read either, so that it cannot ask for more (I7).

mod throttle;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::Instrument;

use self::throttle::Throttle;
use crate::Server;
use crate::addresses::Place;
use crate::auth::{Denied, Grant};
use crate::hub::{Address, Mailbox, Told, mailbox};
use crate::limits;
use crate::phase::Phase;
use crate::random;
use crate::session::{Door, Identity, Input, Output, Session, close};
use crate::sockets::Kind;
use crate::stream::ask::{Ask, Command, SessionId};

/// Runs a session until its socket closes.
pub(crate) async fn run(
    socket: WebSocket,
    server: Arc<Server>,
    id: SessionId,
    session: Session,
    grant: Option<Grant>,
    place: Place,
) {
    let kind = if session.must_speak() { Kind::Twin } else { Kind::Thin };
    let span = tracing::info_span!("socket", id = id.0, kind = kind.name());
    let (address, mailbox) = mailbox();
    let entered = server.sockets().enter(id, kind, mailbox.waiting());
    let mut pump = Pump {
        throttle: Throttle::new(&server, place),
        socket,
        server,
        id,
        session,
        grant,
        address,
        mailbox,
        open_asks: 0,
    };
    let pumping = async {
        tracing::debug!("opened");
        pump.run().await;
        pump.leave();
        tracing::debug!("closed");
    };
    pumping.instrument(span).await;
    drop(entered);
}

struct Pump {
    socket: WebSocket,
    server: Arc<Server>,
    id: SessionId,
    session: Session,
    /// What its caller may do; none yet: the token comes with the first hello.
    grant: Option<Grant>,
    throttle: Throttle,
    address: Address,
    mailbox: Mailbox,
    open_asks: usize,
}

/// The socket is closed, or must be dropped.
struct Ended;

impl Pump {
    async fn run(&mut self) {
        let (mut phases, mut cut_off) = (self.server.phases(), self.server.phases());
        let mut draining = false;
        let mut deadline = Instant::now() + limits::IDLE;
        let token_by = Instant::now() + limits::TOKEN_WAIT;
        loop {
            if self.drain().await.is_err() {
                return;
            }
            if draining && self.open_asks == 0 {
                return self.close(close::RESTART, "the server restarts").await;
            }
            let token_ends = self.token_ends().unwrap_or(token_by);
            let pause = Duration::from_millis(self.throttle.pause());
            let may_read =
                !draining && self.open_asks < limits::SOCKET_OPEN_ASKS && pause.is_zero();
            let step = tokio::select! {
                // What was read is answered; the peer sends the rest to whom it finds next.
                () = reaches(&mut phases, Phase::Draining), if !draining => {
                    draining = true;
                    Ok(())
                }
                () = reaches(&mut cut_off, Phase::Stopping) => {
                    self.close(close::RESTART, "the server restarts").await;
                    Err(Ended)
                }
                told = self.mailbox.next() => self.told(told),
                message = self.socket.recv(), if may_read => {
                    deadline = Instant::now() + limits::IDLE;
                    self.received(message)
                }
                () = sleep(pause), if !pause.is_zero() => Ok(()),
                () = sleep_until(token_ends) => {
                    self.token_ended();
                    Ok(())
                }
                () = sleep_until(deadline), if self.session.must_speak() && may_read => {
                    self.close(close::POLICY, "silent for too long").await;
                    Err(Ended)
                }
            };
            if step.is_err() {
                return;
            }
        }
    }

    fn told(&mut self, told: Option<Told>) -> Result<(), Ended> {
        let input = match told.ok_or(Ended)? {
            Told::Answer(stream, answer) => {
                self.open_asks = self.open_asks.saturating_sub(1);
                Input::Answered(stream, answer)
            }
            Told::Commit(commit) => Input::Committed(commit),
            Told::CutOff(stream, head) => Input::CutOff(stream, head),
        };
        self.session.handle_input(input);
        Ok(())
    }

    fn received(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Ended> {
        if let Some(Ok(message)) = &message {
            self.throttle.read(message);
            if let Some(wait) = self.throttle.news() {
                self.session.handle_input(Input::Throttled(wait));
            }
        }
        match message {
            Some(Ok(Message::Text(text))) => {
                self.server.metrics().received.count(text.len());
                self.text(&text);
            }
            Some(Ok(Message::Binary(_))) => self.session.handle_input(Input::Binary),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Ended),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.session.handle_input(match text.len() > limits::WIRE.frame_bytes as usize {
            true => Input::TooLarge,
            false => Input::Frame(text),
        });
    }

    /// When to see whether the token has ended; none where there is none.
    fn token_ends(&self) -> Option<Instant> {
        let grant = self.grant.as_ref()?;
        let expires = grant.expires().map_or(u64::MAX, |seconds| seconds.saturating_mul(1_000));
        let left = Duration::from_millis(expires.saturating_sub(random::now()));
        // Clocks are set, and instants end.
        Some(Instant::now() + left.min(limits::TOKEN_LOOK))
    }

    fn token_ended(&mut self) {
        let now = random::now() / 1_000;
        let denied = match &self.grant {
            None => Denied::NoToken,
            Some(grant) if grant.expires().is_some_and(|expires| expires <= now) => Denied::Expired,
            Some(_) => return,
        };
        self.session.handle_input(Input::Door(Door::Shut(denied)));
    }

    /// Looks at a token. It must be the same subject's as before: the outbox of one user must not
    /// go out as another's.
    async fn identify(&mut self, token: &str) -> Result<Identity, Denied> {
        let grant = self.server.auth().identify(Some(token)).await?;
        if self.grant.as_ref().is_some_and(|known| known.subject() != grant.subject()) {
            return Err(Denied::OtherSubject);
        }
        let identity = identity(&grant);
        self.grant = Some(grant);
        Ok(identity)
    }

    /// Performs what the session orders.
    async fn drain(&mut self) -> Result<(), Ended> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(frame) => {
                    let bytes = frame.len();
                    self.send(Message::Text(frame)).await?;
                    self.server.metrics().sent.count(bytes);
                }
                Output::Refused(code) => {
                    tracing::debug!(code, "refused");
                    self.server.metrics().refused(code);
                }
                Output::Ask(stream, ask) => {
                    if let Ask::Submit(submission) = &ask {
                        self.throttle.submitted(submission.entries.len());
                    }
                    if !matches!(ask, Ask::Leave) {
                        self.open_asks += 1;
                    }
                    let command = Command { to: self.address.clone(), by: self.id, ask };
                    self.server.ask(&stream, command);
                }
                Output::Authenticate(token) => {
                    let identified = Door::Identified(self.identify(&token).await);
                    self.session.handle_input(Input::Door(identified));
                }
                Output::Admit(stream) => {
                    let said = match &self.grant {
                        Some(grant) => {
                            let rights = self.server.auth().rights(grant, &stream).await;
                            Door::Admitted(stream, rights)
                        }
                        None => Door::Identified(Err(Denied::NoToken)),
                    };
                    self.session.handle_input(Input::Door(said));
                }
                Output::Close(code, reason) => {
                    self.close(code, reason).await;
                    return Err(Ended);
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(limits::WRITE_STALL, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended),
        }
    }

    /// Says goodbye and waits, not long, for the peer's own: dropping a socket with unread data
    /// would take the goodbye with it.
    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        if self.send(Message::Close(Some(frame))).await.is_err() {
            return;
        }
        let goodbye = async {
            while let Some(Ok(message)) = self.socket.recv().await {
                if matches!(message, Message::Close(_)) {
                    return;
                }
            }
        };
        let _ = timeout(limits::GOODBYE, goodbye).await;
    }

    fn leave(&self) {
        for stream in self.session.streams() {
            let command = Command { to: self.address.clone(), by: self.id, ask: Ask::Leave };
            self.server.ask(&stream, command);
        }
    }
}

/// What a session knows of its caller.
pub(crate) fn identity(grant: &Grant) -> Identity {
    Identity { subject: grant.subject().map(ToString::to_string), expires: grant.expires() }
}

/// Resolves once the server is that far, or is gone.
async fn reaches(phases: &mut watch::Receiver<Phase>, phase: Phase) {
    let _ = phases.wait_for(|now| *now >= phase).await;
}

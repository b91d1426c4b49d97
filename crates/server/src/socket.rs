//! Pumps a session over a WebSocket: frames in and out, questions to workers, and the timeouts.
//!
//! One task a socket, doing one thing at a time: while a slow peer does not take its frames it is
//! not read either, so that it cannot ask for more (I7).

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::Server;
use crate::hub::{Address, Mailbox, Told, mailbox};
use crate::limits;
use crate::session::{Input, Output, Session, close};
use crate::stream::ask::{Ask, Command, SessionId};

/// Runs a session until its socket closes.
pub(crate) async fn run(socket: WebSocket, server: Arc<Server>, id: SessionId, session: Session) {
    let (address, mailbox) = mailbox();
    let mut pump = Pump { socket, server, id, session, address, mailbox, open_asks: 0 };
    pump.run().await;
    pump.leave();
}

struct Pump {
    socket: WebSocket,
    server: Arc<Server>,
    id: SessionId,
    session: Session,
    address: Address,
    mailbox: Mailbox,
    open_asks: usize,
}

/// The socket is closed, or must be dropped.
struct Ended;

impl Pump {
    async fn run(&mut self) {
        let mut stopping = self.server.stopping();
        let mut deadline = Instant::now() + limits::IDLE;
        loop {
            if self.drain().await.is_err() {
                return;
            }
            let may_read = self.open_asks < limits::SOCKET_OPEN_ASKS;
            let step = tokio::select! {
                () = stops(&mut stopping) => {
                    self.close(close::GOING_AWAY, "the server stops").await;
                    Err(Ended)
                }
                told = self.mailbox.next() => self.told(told),
                message = self.socket.recv(), if may_read => {
                    deadline = Instant::now() + limits::IDLE;
                    self.received(message)
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
        match message {
            Some(Ok(Message::Text(text))) if text.len() > limits::WIRE.frame_bytes as usize => {
                self.session.handle_input(Input::TooLarge);
            }
            Some(Ok(Message::Text(text))) => self.session.handle_input(Input::Frame(&text)),
            Some(Ok(Message::Binary(_))) => self.session.handle_input(Input::Binary),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Ended),
        }
        Ok(())
    }

    /// Performs what the session orders.
    async fn drain(&mut self) -> Result<(), Ended> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(frame) => self.send(Message::Text(frame)).await?,
                Output::Ask(stream, ask) => {
                    if !matches!(ask, Ask::Leave) {
                        self.open_asks += 1;
                    }
                    let command = Command { to: self.address.clone(), by: self.id, ask };
                    self.server.ask(&stream, command);
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

/// Resolves once the server stops, or is gone.
async fn stops(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

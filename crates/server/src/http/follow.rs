//! `GET /streams/S/events?follow=true`: NDJSON without an end. A line is an event; an empty line
//! says that nothing happened for a while.
//!
//! A page is read when the one before was taken, so that a slow reader costs one page (I7). The
//! stream's commits only say that there is something to read.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use twinstore_protocol::{Seq, StreamId, code};

use super::events::unreadable;
use crate::Server;
use crate::analysis::{Read, Reader};
use crate::error::HttpError;
use crate::hub::{Address, Mailbox, Told, mailbox};
use crate::limits;
use crate::log::ReadError;
use crate::phase::Phase;
use crate::stream::ask::{Answer, Ask, Command, SessionId};

pub(super) async fn events(
    server: Arc<Server>,
    stream: StreamId,
    reader: Reader,
    limit: Option<usize>,
) -> Result<Response, HttpError> {
    let busy = |_| HttpError::new(code::BUSY, "too many follow already: ask again later");
    let permit = Arc::clone(server.followers()).try_acquire_owned().map_err(busy)?;
    let (address, mailbox) = mailbox();
    let (session, phases) = (server.next_session(), server.phases());
    let left = limit.unwrap_or(usize::MAX);
    let mut follow =
        Follow { server, stream, reader, left, address, mailbox, session, phases, permit };
    follow.watch();
    match follow.mailbox.next().await {
        Some(Told::Answer(_, Answer::Watching { .. })) => {}
        Some(Told::Answer(_, Answer::Halted)) => {
            return Err(HttpError::new(code::HALTED, "nothing is appended: the stream halted"));
        }
        _ => return Err(HttpError::internal()),
    }
    let lines = stream::unfold(follow, async |mut follow| {
        let lines = follow.lines().await?;
        Some((Ok::<_, Infallible>(lines), follow))
    });
    let headers = [("content-type", "application/x-ndjson"), ("cache-control", "no-cache")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

struct Follow {
    server: Arc<Server>,
    stream: StreamId,
    reader: Reader,
    left: usize,
    address: Address,
    mailbox: Mailbox,
    session: SessionId,
    phases: watch::Receiver<Phase>,
    #[expect(dead_code, reason = "held for as long as it lasts")]
    permit: OwnedSemaphorePermit,
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.ask(Ask::Leave);
    }
}

impl Follow {
    /// The next lines; waits for them. None: that was all.
    async fn lines(&mut self) -> Option<Bytes> {
        while self.left > 0 && *self.phases.borrow() == Phase::Serving {
            match self.page().await {
                Ok(Read::Events { events, .. }) if events.is_empty() => {}
                Ok(Read::Events { mut events, .. }) => {
                    events.truncate(self.left);
                    self.left -= events.len();
                    let lines: String = events.iter().map(|event| event.line() + "\n").collect();
                    return Some(lines.into());
                }
                Ok(Read::Head) => match timeout(limits::FOLLOW_BEAT, self.appended()).await {
                    Ok(more) => more?,
                    Err(_) => return Some(Bytes::from_static(b"\n")),
                },
                Ok(Read::End) => return None,
                // The end without a last line tells: the reader asks again from where it is.
                Err(error) => {
                    unreadable(&error);
                    return None;
                }
            }
        }
        None
    }

    async fn page(&mut self) -> Result<Read, ReadError> {
        let (mut reader, log) = (self.reader.clone(), Arc::clone(self.server.log()));
        let read = tokio::task::spawn_blocking(move || (reader.page(&*log), reader));
        match read.await {
            Ok((page, reader)) => {
                self.reader = reader;
                page
            }
            Err(panicked) => Err(ReadError { what: "events", source: panicked.into() }),
        }
    }

    /// Waits until there are events behind the last one that was read. None: there will be none.
    async fn appended(&mut self) -> Option<()> {
        loop {
            let told = tokio::select! {
                told = self.mailbox.next() => told?,
                _ = self.phases.wait_for(|phase| *phase > Phase::Serving) => return None,
            };
            match told {
                Told::Commit(commit) => {
                    let last = Seq(commit.after.0 + commit.events.len() as u64);
                    if last > self.reader.reached() {
                        return Some(());
                    }
                }
                // It did not keep up, and listens again.
                Told::CutOff(..) => self.watch(),
                Told::Answer(_, Answer::Watching { .. }) => return Some(()),
                Told::Answer(..) => return None,
            }
        }
    }

    fn watch(&self) {
        self.ask(Ask::Watch { records: false });
    }

    fn ask(&self, ask: Ask) {
        let (to, by) = (self.address.clone(), self.session);
        self.server.ask(&self.stream, Command { to, by, ask });
    }
}

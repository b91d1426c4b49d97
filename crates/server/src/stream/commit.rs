//! What one append made durable, as everyone who listens is told of it: encoded once.

use std::sync::OnceLock;

use axum::extract::ws::Utf8Bytes;
use twinstore_protocol::{Check, LogId, Seq, StreamId, tag};

use super::ask::SessionId;
use crate::event::{StoredEvent, json, push};
use crate::reducer::Change;

/// A frame's text; copies share it.
pub type Text = Utf8Bytes;

/// The events of one append.
#[derive(Debug)]
pub struct Commit {
    /// Which stream.
    pub stream: StreamId,
    /// Which log.
    pub log: LogId,
    /// The place before the first event.
    pub after: Seq,
    /// The events.
    pub events: Vec<Decided>,
    /// The checksum of the state that they led to, where twins compare theirs with it.
    pub check: Option<Check>,
    for_others: OnceLock<Text>,
    bytes: usize,
}

/// An event and who is told what.
#[derive(Debug)]
pub struct Decided {
    /// The event.
    pub event: StoredEvent,
    /// Who submitted it.
    pub by: SessionId,
    /// One frame for each record that it changed, in key order.
    pub records: Vec<Text>,
    /// [`StoredEvent::full`].
    pub full: Text,
    /// [`StoredEvent::short`].
    pub short: String,
    /// [`StoredEvent::bare`].
    pub bare: String,
}

impl Commit {
    /// Puts the events of an append together.
    #[must_use]
    pub fn new(stream: StreamId, log: LogId, after: Seq, events: Vec<Decided>) -> Self {
        let bytes = events.iter().map(Decided::bytes).sum();
        Self { stream, log, after, events, check: None, for_others: OnceLock::new(), bytes }
    }

    /// The frame for a twin that submitted none of it and waits for nobody's rejections.
    #[must_use]
    pub fn for_others(&self) -> Text {
        let frame = || {
            let texts = self.events.iter().map(Decided::for_others);
            self.frame(texts)
        };
        self.for_others.get_or_init(frame).clone()
    }

    /// The frame of these events, each in the form that its reader is to have.
    pub fn frame<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Text {
        events_frame(&self.stream, &self.log, self.after, texts, self.check).into()
    }

    /// Whether another process appended it.
    #[must_use]
    pub fn is_of_others(&self) -> bool {
        self.events.iter().all(|decided| decided.by == SessionId::ELSEWHERE)
    }

    /// About how many bytes telling it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Decided {
    /// Encodes an event.
    #[must_use]
    pub fn new(event: StoredEvent, by: SessionId, changes: &[Change]) -> Self {
        let seq = event.seq;
        Self {
            by,
            records: changes.iter().map(|change| record_frame(seq, change).into()).collect(),
            full: event.full().into(),
            short: event.short(),
            bare: event.bare(),
            event,
        }
    }

    /// What a twin is told that did not submit it and does not wait for its client.
    #[must_use]
    pub fn for_others(&self) -> &str {
        if self.event.error.is_some() { &self.bare } else { self.full.as_str() }
    }

    fn bytes(&self) -> usize {
        self.full.len() + self.records.iter().map(|frame| frame.len()).sum::<usize>()
    }
}

/// An `events` frame of the twin protocol.
pub fn events_frame<'a>(
    stream: &StreamId,
    log: &LogId,
    after: Seq,
    texts: impl Iterator<Item = &'a str>,
    check: Option<Check>,
) -> String {
    let mut frame = String::new();
    push(
        &mut frame,
        format_args!(
            r#"{{"t":"{}","stream":{},"log":{},"after":{},"events":["#,
            tag::EVENTS,
            json(stream),
            json(log),
            after.0
        ),
    );
    for (i, text) in texts.enumerate() {
        if i > 0 {
            frame.push(',');
        }
        frame.push_str(text);
    }
    frame.push(']');
    if let Some(check) = check {
        push(&mut frame, format_args!(r#","check":{}"#, json(&check)));
    }
    frame.push('}');
    frame
}

/// A thin client's frame of one changed record.
#[must_use]
pub fn record_frame(seq: Seq, (key, record): &Change) -> String {
    let record = record.as_deref().unwrap_or("null");
    format!(r#"{{"seq":{},"key":{},"record":{record}}}"#, seq.0, json(key))
}

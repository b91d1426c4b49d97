//! The push function: tells all who listen what became durable since the head was last seen.
//!
//! A batch of head changes is one push a stream. It may come twice, late or never: a client sees by
//! each frame's place, and by the heads of pongs, whether it lacks something, and pulls.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use twinstore_protocol::{LogId, Seq, StreamId};
use twinstore_server::log::{Log, Page, ReadError};
use twinstore_server::stream::ask::SessionId;
use twinstore_server::stream::commit::{Commit, Decided, Text, record_frame};

use crate::about::{Form, Listening, Speaks};
use crate::change::{Change, Changes, done_but};
use crate::limits;
use crate::parts::{FunctionError, Parts};
use crate::telling::{has_ended, pushes};
use crate::turn::Turn;

/// What a batch says of one stream.
#[derive(Debug, Default)]
struct Moved {
    /// The first change of the stream, by which a failure is reported.
    change: String,
    /// The log, and the places before and at the end.
    head: Option<(LogId, Seq, Seq)>,
    /// Records by key, each with its place; a text of none: deleted.
    records: BTreeMap<String, (Seq, Option<String>)>,
}

impl Parts {
    /// Tells what a batch of the model's table says.
    pub(crate) async fn push(&self, event: Value) -> Result<Value, FunctionError> {
        let changes: Changes = serde_json::from_value(event)?;
        let mut failed = None;
        for (stream, moved) in by_stream(&changes.records) {
            let change = moved.change.clone();
            if let Err(error) = self.push_stream(&stream, moved).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(%stream, error, "a push failed");
                failed = failed.or(Some(change));
            }
        }
        Ok(done_but(failed.as_deref()))
    }

    async fn push_stream(&self, stream: &StreamId, moved: Moved) -> Result<(), FunctionError> {
        let listeners = self.listeners(stream, None).await?;
        if listeners.is_empty() {
            return Ok(());
        }
        let (shared, stream) = (self.shared.clone(), stream.clone());
        let frames = self.desk.run(move |workers| {
            let commits = match &moved.head {
                Some(head) => commits(&*shared.log, &stream, head)?,
                None => Vec::new(),
            };
            let (thin, others): (Vec<_>, Vec<_>) = listeners
                .into_iter()
                .partition(|listener| wants_records(&listener.about).is_some());
            let head = moved.head.as_ref().map_or(Seq(0), |(_, _, head)| *head);
            let mut frames = match commits.is_empty() {
                true => BTreeMap::new(),
                false => pushes(&shared, workers, &others, &commits, head),
            };
            let records = moved.frames();
            for listener in thin {
                let close = wants_records(&listener.about).is_some_and(has_ended);
                let frames_of = if close { Vec::new() } else { records.clone() };
                let turn = Turn { frames: frames_of, close, ..Turn::default() };
                frames.insert(listener.connection, turn);
            }
            Ok::<_, ReadError>(frames)
        });
        self.tell_each(frames.await.ok_or(FunctionError::Workers)??).await;
        Ok(())
    }
}

impl Moved {
    /// A frame for each record, in the order of their places.
    fn frames(&self) -> Vec<Text> {
        let mut records: Vec<_> = self.records.iter().collect();
        records.sort_by_key(|(_, (seq, _))| *seq);
        let frame = |(key, (seq, record)): (&String, &(Seq, Option<String>))| {
            record_frame(*seq, &(key.clone(), record.clone())).into()
        };
        records.into_iter().map(frame).collect()
    }

    fn take(&mut self, change: &Change) {
        let Some(seq) = change.number("seq").map(Seq) else { return };
        if let Some(log) = change.text("log") {
            let after = Seq(change.old_number("seq").unwrap_or(0));
            let (_, first, last) =
                self.head.get_or_insert_with(|| (LogId(log.to_owned()), after, seq));
            *first = after.min(*first);
            *last = seq.max(*last);
        } else if let Some(name) = change.text("name") {
            let record = change.text("text").map(str::to_owned);
            let is_whole = record.is_some() || change.number("expires").is_some();
            let newer = self.records.get(name).is_none_or(|(before, _)| *before <= seq);
            // One in parts is beyond what a gateway lets through.
            if is_whole && newer {
                self.records.insert(name.to_owned(), (seq, record));
            }
        }
    }
}

fn by_stream(changes: &[Change]) -> BTreeMap<StreamId, Moved> {
    let mut streams = BTreeMap::new();
    for change in changes {
        let Some(stream) = change.text("stream").and_then(|name| StreamId::parse(name).ok()) else {
            continue;
        };
        let moved: &mut Moved = streams.entry(stream).or_default();
        if moved.change.is_empty() {
            moved.change.clone_from(&change.dynamodb.sequence_number);
        }
        moved.take(change);
    }
    streams
}

/// The events between two places, a page a commit.
fn commits(
    log: &dyn Log,
    stream: &StreamId,
    (id, after, to): &(LogId, Seq, Seq),
) -> Result<Vec<Arc<Commit>>, ReadError> {
    let (mut at, mut commits) = (*after, Vec::new());
    while at < *to && commits.len() < limits::PUSH_PAGES {
        let page = Page { events: limits::LIMITS.page_events, bytes: limits::LIMITS.page_bytes };
        let mut events = log.read(stream, at, page)?;
        events.retain(|event| event.seq <= *to);
        // Where some are gone by now, a client sees by the next pong that it lacks them.
        let goes_on = events.first().is_some_and(|event| event.seq == at.next());
        let Some(last) = events.last().filter(|_| goes_on).map(|event| event.seq) else { break };
        let decided = events.into_iter().map(|event| Decided::new(event, NOBODY, &[])).collect();
        commits.push(Arc::new(Commit::new(stream.clone(), id.clone(), at, decided)));
        at = last;
    }
    Ok(commits)
}

/// All hear of all events alike, whoever sent them.
const NOBODY: SessionId = SessionId(0);

/// Until when a thin client hears of records; none: it is none of those.
fn wants_records(about: &str) -> Option<Option<u64>> {
    let Listening { speaks, until } = serde_json::from_str(about).ok()?;
    (speaks == Speaks::Thin(Form::Records)).then_some(until)
}

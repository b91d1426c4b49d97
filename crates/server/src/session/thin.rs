//! A thin client: each frame is a plain Redux action, and it hears of records or events.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::value::RawValue;
use twinstore_protocol::{ClientId, N, Seq, StreamId, code};

use super::frame::{outcome_frames, refused_frame, rejected_frame, seq_frame, thin_error};
use super::{Input, Output, close, fault};
use crate::action::{ActionText, Refusal};
use crate::auth::{Denied, Rights};
use crate::event::StoredEvent;
use crate::limits;
use crate::stream::ask::{
    Answer, Ask, Number, Outcome, Page, SessionId, Settled, Submission, Submitted,
};
use crate::stream::commit::{Commit, Decided, record_frame};

/// What a thin client wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Of which stream.
    pub stream: StreamId,
    /// Events rather than records.
    pub events: bool,
    /// What is there already, first.
    pub from_start: bool,
}

/// The session of a thin client.
#[derive(Debug)]
pub(super) struct Thin {
    id: SessionId,
    client: ClientId,
    subscription: Subscription,
    /// From here on commits are heard; what was before came in pages.
    live: bool,
    rights: Rights,
}

impl Thin {
    pub(super) fn new(id: SessionId, client: ClientId, subscription: Subscription) -> Self {
        Self { id, client, subscription, live: false, rights: Rights::ALL }
    }

    pub(super) fn stream(&self) -> &StreamId {
        &self.subscription.stream
    }

    pub(super) fn allow(&mut self, rights: Rights) {
        self.rights = rights;
    }

    /// A new token came.
    pub(super) fn admitted(&mut self, rights: Rights, outputs: &mut VecDeque<Output>) {
        self.rights = rights;
        if !rights.read {
            let denied = Denied::Forbidden;
            fault(denied.code(), &denied.to_string(), close::FORBIDDEN, outputs);
        }
    }

    pub(super) fn begin(&self, outputs: &mut VecDeque<Output>) {
        let ask = match (self.subscription.events, self.subscription.from_start) {
            (true, true) => Ask::Follow { after: Seq(0) },
            (false, from_start) => Ask::Watch { records: from_start },
            (true, false) => Ask::Watch { records: false },
        };
        self.ask(ask, outputs);
    }

    pub(super) fn handle_input(&mut self, input: Input<'_>, outputs: &mut VecDeque<Output>) {
        match input {
            Input::Frame(text) => self.frame(text, outputs),
            Input::Binary => send(thin_error(code::BAD_JSON, "a frame is text"), outputs),
            Input::TooLarge => super::too_large(outputs),
            // The session's own.
            Input::Door(_) => {}
            Input::Answered(_, answer) => self.answered(answer, outputs),
            Input::Committed(commit) => self.committed(&commit, outputs),
            // A thin client cannot pull: it comes back, with `from=start` if it needs all.
            Input::CutOff(..) => outputs.push_back(Output::Close(close::TRY_AGAIN, "too slow")),
        }
    }

    fn frame(&self, text: &str, outputs: &mut VecDeque<Output>) {
        if !self.rights.write {
            let denied = Denied::Forbidden;
            return send(thin_error(denied.code(), &denied.to_string()), outputs);
        }
        match submitted(text, &self.client) {
            Ok(entry) => {
                let submission = Submission { entries: vec![entry], ..Submission::default() };
                self.ask(Ask::Submit(submission), outputs);
            }
            Err(refusal) => send(thin_error(refusal.code, &refusal.reason), outputs),
        }
    }

    fn answered(&mut self, answer: Answer, outputs: &mut VecDeque<Output>) {
        match answer {
            Answer::Watching { seq, records } => {
                self.live = true;
                for (key, record) in records {
                    send(record_frame(seq, &(key, Some(record))), outputs);
                }
            }
            Answer::Page(page) => self.page(&page, outputs),
            Answer::Settled(settled) => settled_frames(&settled, outputs),
            Answer::Unavailable | Answer::Halted => {
                send(thin_error(code::INTERNAL, "the stream is not available"), outputs);
                outputs.push_back(Output::Close(close::TRY_AGAIN, code::INTERNAL));
            }
            Answer::Joined(_) | Answer::Head(_) | Answer::State { .. } | Answer::Records { .. } => {
            }
        }
    }

    fn page(&mut self, page: &Page, outputs: &mut VecDeque<Output>) {
        for event in &page.events {
            send(self.stored(event), outputs);
        }
        match page.events.last() {
            Some(last) if !page.live => self.ask(Ask::Follow { after: last.seq }, outputs),
            _ => self.live = true,
        }
    }

    fn stored(&self, event: &StoredEvent) -> String {
        match event.error.is_some() && event.client != self.client {
            true => event.bare(),
            false => event.full(),
        }
    }

    fn committed(&self, commit: &Arc<Commit>, outputs: &mut VecDeque<Output>) {
        if !self.live {
            return;
        }
        for decided in &commit.events {
            match self.subscription.events {
                true => self.event(decided, outputs),
                false => self.records(decided, outputs),
            }
        }
    }

    fn event(&self, decided: &Decided, outputs: &mut VecDeque<Output>) {
        if decided.event.error.is_none() || decided.by == self.id {
            outputs.push_back(Output::Send(decided.full.clone()));
        } else {
            send(decided.bare.clone(), outputs);
        }
    }

    fn records(&self, decided: &Decided, outputs: &mut VecDeque<Output>) {
        let (seq, own) = (decided.event.seq, decided.by == self.id);
        match &decided.event.error {
            Some(error) if own => send(rejected_frame(seq, error), outputs),
            Some(_) => send(seq_frame(seq), outputs),
            None if decided.records.is_empty() && own => send(seq_frame(seq), outputs),
            None => {
                outputs.extend(decided.records.iter().cloned().map(Output::Send));
            }
        }
    }

    fn ask(&self, ask: Ask, outputs: &mut VecDeque<Output>) {
        outputs.push_back(Output::Ask(self.subscription.stream.clone(), ask));
    }
}

/// A plain action as an entry. One that brings its own client and number keeps them.
///
/// # Errors
/// [`Refusal`].
pub(crate) fn submitted(text: &str, client: &ClientId) -> Result<Submitted, Refusal> {
    let action = serde_json::from_str::<&RawValue>(text).map_err(|error| Refusal {
        code: code::BAD_JSON,
        reason: format!("an action is a JSON object: {error}"),
    })?;
    let action = ActionText::inspect(action.get(), &limits::WIRE)?;
    let (client, number) = match (&action.stamp().client, action.stamp().n) {
        (Some(own), Some(n)) if n > 0 && (1..=limits::CLIENT_ID_BYTES).contains(&own.len()) => {
            (ClientId(own.clone()), Number::Given { n: N(n), from: None })
        }
        _ => (client.clone(), Number::Next),
    };
    Ok(Submitted { client, number, action, schema: None })
}

/// What was decided now comes with its commit; what was decided before has no other frame.
fn settled_frames(settled: &Settled, outputs: &mut VecDeque<Output>) {
    for outcome in &settled.outcomes {
        if matches!(outcome, Outcome::Known(_)) {
            outcome_frames(outcome).into_iter().for_each(|frame| send(frame, outputs));
        }
    }
    if let Some(refused) = &settled.refused {
        send(refused_frame(refused), outputs);
    }
}

fn send(frame: String, outputs: &mut VecDeque<Output>) {
    outputs.push_back(Output::Send(frame.into()));
}

//! A thin client: each frame is a plain Redux action, and it hears of records, events or states.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::value::RawValue;
use twinstore_protocol::{ClientId, N, Seq, StreamId, code};

use super::frame::{outcome_frames, rejected_frame, seq_frame, state_frame, thin_error};
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
    /// In which form.
    pub wants: Wants,
    /// What is there already, first.
    pub from_start: bool,
}

/// What a thin client hears of each batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The records that it changed.
    Records,
    /// Its events.
    Events,
    /// The state that it led to. Who is slow hears the newest and none of those before.
    State,
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
    state: Newest,
    /// Actions are not taken for so many milliseconds.
    throttled_ms: u64,
}

/// How far a subscriber of states is. One state is asked for at a time, so that those which come
/// while it is under way are one state, the newest.
#[derive(Debug, Default)]
struct Newest {
    asked: bool,
    /// Up to here a state is there.
    there: Seq,
    /// Up to here one was sent.
    sent: Option<Seq>,
}

impl Thin {
    pub(super) fn new(id: SessionId, client: ClientId, subscription: Subscription) -> Self {
        let state = Newest::default();
        Self { id, client, subscription, live: false, rights: Rights::ALL, state, throttled_ms: 0 }
    }

    pub(super) fn stream(&self) -> &StreamId {
        &self.subscription.stream
    }

    pub(super) fn go_live(&mut self) {
        self.live = true;
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
        let ask = match (self.subscription.wants, self.subscription.from_start) {
            (Wants::Events, true) => Ask::Follow { after: Seq(0) },
            (Wants::Records, true) => Ask::Watch { records: true },
            (Wants::Events | Wants::Records, false) | (Wants::State, _) => {
                Ask::Watch { records: false }
            }
        };
        self.ask(ask, outputs);
    }

    pub(super) fn handle_input(&mut self, input: Input<'_>, outputs: &mut VecDeque<Output>) {
        match input {
            Input::Frame(text) => self.frame(text, outputs),
            Input::Binary => refuse(code::BAD_JSON, "a frame is text", outputs),
            Input::TooLarge => super::too_large(outputs),
            Input::Throttled(ms) => self.throttled_ms = ms,
            // The session's own.
            Input::Door(_) => {}
            Input::Answered(_, answer) => self.answered(answer, outputs),
            Input::Committed(commit) => self.committed(&commit, outputs),
            Input::CutOff(..) if self.subscription.wants == Wants::State => {
                self.live = false;
                self.ask(Ask::Watch { records: false }, outputs);
            }
            // It cannot pull: it comes back, with `from=start` if it needs all.
            Input::CutOff(..) => outputs.push_back(Output::Close(close::TRY_AGAIN, "too slow")),
        }
    }

    fn frame(&self, text: &str, outputs: &mut VecDeque<Output>) {
        if !self.rights.write {
            let denied = Denied::Forbidden;
            return refuse(denied.code(), &denied.to_string(), outputs);
        }
        if self.throttled_ms > 0 {
            let refusal = Refusal::rate(self.throttled_ms);
            return refuse(refusal.code, &refusal.reason, outputs);
        }
        match submitted(text, &self.client) {
            Ok(entry) => {
                let submission = Submission { entries: vec![entry], ..Submission::default() };
                self.ask(Ask::Submit(submission), outputs);
            }
            Err(refusal) => refuse(refusal.code, &refusal.reason, outputs),
        }
    }

    fn answered(&mut self, answer: Answer, outputs: &mut VecDeque<Output>) {
        match answer {
            Answer::Watching { seq, records } => {
                self.live = true;
                for (key, record) in records {
                    send(record_frame(seq, &(key, Some(record))), outputs);
                }
                if self.subscription.wants == Wants::State {
                    self.ask_state(seq, outputs);
                }
            }
            Answer::State { seq, state } => self.state(seq, &state, outputs),
            Answer::Page(page) => self.page(&page, outputs),
            Answer::Settled(settled) => settled_frames(&settled, outputs),
            Answer::Unavailable | Answer::Halted => {
                refuse(code::INTERNAL, "the stream is not available", outputs);
                outputs.push_back(Output::Close(close::TRY_AGAIN, code::INTERNAL));
            }
            Answer::Joined(_) | Answer::Head(_) | Answer::Records { .. } => {}
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

    fn committed(&mut self, commit: &Arc<Commit>, outputs: &mut VecDeque<Output>) {
        if !self.live {
            return;
        }
        for decided in &commit.events {
            match self.subscription.wants {
                Wants::Events => self.event(decided, outputs),
                Wants::Records => self.records(decided, outputs),
                Wants::State => self.own_verdict(decided, outputs),
            }
        }
        let accepted = commit.events.iter().rfind(|decided| decided.event.error.is_none());
        if let (Wants::State, Some(last)) = (self.subscription.wants, accepted) {
            self.ask_state(last.event.seq, outputs);
        }
    }

    /// There is a state up to here.
    fn ask_state(&mut self, there: Seq, outputs: &mut VecDeque<Output>) {
        self.state.there = self.state.there.max(there);
        let missing = self.state.sent.is_none_or(|sent| sent < self.state.there);
        if missing && !std::mem::replace(&mut self.state.asked, true) {
            self.ask(Ask::State, outputs);
        }
    }

    fn state(&mut self, seq: Seq, state: &str, outputs: &mut VecDeque<Output>) {
        self.state.asked = false;
        if state.len() > limits::THIN_STATE_BYTES {
            let most = limits::THIN_STATE_BYTES;
            let reason = format!("the state has {} bytes, at most {most} are sent", state.len());
            refuse(code::TOO_LARGE, &reason, outputs);
            return outputs.push_back(Output::Close(close::TOO_BIG, code::TOO_LARGE));
        }
        send(state_frame(seq, state), outputs);
        self.state.sent = Some(seq);
        self.ask_state(seq, outputs);
    }

    fn own_verdict(&self, decided: &Decided, outputs: &mut VecDeque<Output>) {
        let seq = decided.event.seq;
        match &decided.event.error {
            _ if decided.by != self.id => {}
            Some(error) => send(rejected_frame(seq, error), outputs),
            None => send(seq_frame(seq), outputs),
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
        refuse(refused.refusal.code, &refused.refusal.reason, outputs);
    }
}

fn refuse(code: &'static str, reason: &str, outputs: &mut VecDeque<Output>) {
    send(thin_error(code, reason), outputs);
    outputs.push_back(Output::Refused(code));
}

fn send(frame: String, outputs: &mut VecDeque<Output>) {
    outputs.push_back(Output::Send(frame.into()));
}

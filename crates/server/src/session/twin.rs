//! The twin protocol on one socket: hello, push, pull, ping and leave, for several streams.
//!
//! Workers answer the questions about one stream in the order they were asked, so a queue of what
//! was asked says what an answer is about. Not here: frames' texts (`frame.rs`), what a push must
//! be (`push.rs`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{
    ClientFrom, ClientId, Cursor, Hello, Leave, N, Ping, Pong, Pull, Seq, StreamId, VERSION,
    VERSION_MIN, VerdictRow, Verdicts, Welcome, code, tag,
};

use super::frame::{error_frame, frame, snapshot_frames};
use super::push::{self, Pushed};
use super::{Identity, Input, Output, close, fault};
use crate::action::Refusal;
use crate::auth::{Denied, Rights};
use crate::event::StoredEvent;
use crate::limits::{self, Limits};
use crate::log::StoredModel;
use crate::model::Models;
use crate::stream::ask::{
    Answer, Ask, Join, Joined, Missing, Outcome, Page, Refused, SessionId, Settled,
};
use crate::stream::commit::{Commit, Decided, Text, events_frame};

type Outputs = VecDeque<Output>;

/// The session of a twin.
#[derive(Debug)]
pub(super) struct Twin {
    id: SessionId,
    models: Arc<Models>,
    limits: Limits,
    streams: BTreeMap<StreamId, Stream>,
    /// Pushes are not taken for so many milliseconds.
    throttled_ms: u64,
    /// Where each stream must be asked for.
    guard: Option<Box<Guard>>,
}

/// What a twin's session remembers of the door.
#[derive(Debug)]
struct Guard {
    caller: Identity,
    /// The token that a hello brought: the next hello of the socket brings the same.
    token: Option<String>,
    /// The hello that the door looks at.
    waiting: Option<Hello>,
}

/// One stream on this socket.
#[derive(Debug, Default)]
struct Stream {
    /// False once it was left; it stays known until its answers have come.
    here: bool,
    /// Pushes are taken.
    writes: bool,
    /// Commits are heard: what lies before them was sent.
    live: bool,
    /// The schema of the app, as its hello said.
    schema: u32,
    /// Whose rejections are told.
    named: BTreeSet<ClientId>,
    asked: VecDeque<Asked>,
}

/// What a session must remember of a stream that it listens to, so that another can go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The schema of the app.
    pub schema: u32,
    /// Whose rejections are told.
    pub named: Vec<ClientId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Hello {
        v: u32,
    },
    Pull,
    Follow,
    Push,
    Ping,
    /// Before the last hello or leave: the answer is not wanted any more.
    Stale,
}

/// What a frame says before it is read as a message.
#[derive(Deserialize)]
struct Envelope {
    t: String,
    #[serde(default)]
    stream: String,
}

/// Why a message is not taken though the socket stays: its stream is left.
pub(super) struct Left {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// Why a frame is no message: the socket is closed.
pub(super) struct Bad {
    code: &'static str,
    message: String,
}

impl Twin {
    pub(super) fn new(id: SessionId, models: Arc<Models>, limits: Limits) -> Self {
        Self { id, models, limits, streams: BTreeMap::new(), throttled_ms: 0, guard: None }
    }

    pub(super) fn guard(&mut self, caller: Identity) {
        self.guard = Some(Box::new(Guard { caller, token: None, waiting: None }));
    }

    pub(super) fn remember(&mut self, stream: &StreamId, remembered: Remembered) {
        let Remembered { schema, named } = remembered;
        let state = self.streams.entry(stream.clone()).or_default();
        (state.here, state.writes, state.live, state.schema) = (true, true, true, schema);
        state.named = named.into_iter().collect();
    }

    pub(super) fn remembered(&self, stream: &StreamId) -> Option<Remembered> {
        let state = self.streams.get(stream).filter(|state| state.here && state.live)?;
        let named = state.named.iter().cloned().collect();
        Some(Remembered { schema: state.schema, named })
    }

    pub(super) fn streams(&self) -> Vec<StreamId> {
        self.streams.keys().cloned().collect()
    }

    pub(super) fn handle_input(&mut self, input: Input<'_>, outputs: &mut Outputs) {
        match input {
            Input::Frame(text) => {
                if let Err(bad) = self.frame(text, outputs) {
                    fault(bad.code, &bad.message, close::BAD_DATA, outputs);
                }
            }
            Input::Binary => {
                fault(code::BAD_MESSAGE, "a frame is text", close::BAD_DATA, outputs);
            }
            Input::TooLarge => super::too_large(outputs),
            Input::Answered(stream, answer) => self.answered(&stream, answer, outputs),
            Input::Committed(commit) => self.committed(&commit, outputs),
            Input::CutOff(stream, head) => self.cut_off(&stream, head, outputs),
            Input::Throttled(ms) => self.throttled_ms = ms,
            // The session's own.
            Input::Door(_) => {}
        }
    }

    /// The caller is known by a new token: what it may do is asked anew for every stream.
    pub(super) fn identified(&mut self, caller: Identity, outputs: &mut Outputs) {
        let Some(guard) = &mut self.guard else { return };
        guard.caller = caller;
        let mut asked: BTreeSet<_> = self.streams.keys().cloned().collect();
        if let Some(hello) = &mut guard.waiting {
            guard.token = hello.token.take();
            asked.insert(hello.stream.clone());
        }
        outputs.extend(asked.into_iter().map(Output::Admit));
    }

    /// The hello's token is not good, or there is none.
    pub(super) fn denied(&mut self, denied: Denied, outputs: &mut Outputs) {
        let waiting = self.guard.as_mut().and_then(|guard| guard.waiting.take());
        if let Some(hello) = waiting {
            self.refuse(&hello.stream, &denied.into(), outputs);
        }
    }

    pub(super) fn admitted(&mut self, stream: &StreamId, rights: Rights, outputs: &mut Outputs) {
        let guard = self.guard.as_mut();
        let waiting = guard.and_then(|guard| guard.waiting.take_if(|h| h.stream == *stream));
        if !rights.read {
            if waiting.is_some() || self.streams.get(stream).is_some_and(|state| state.here) {
                self.refuse(stream, &Denied::Forbidden.into(), outputs);
            }
            return;
        }
        if let Some(hello) = waiting
            && let Err(left) = self.join(hello, outputs)
        {
            self.refuse(stream, &left, outputs);
        }
        if let Some(state) = self.streams.get_mut(stream) {
            state.writes = rights.write;
        }
    }

    fn refuse(&mut self, stream: &StreamId, left: &Left, outputs: &mut Outputs) {
        send(error_frame(left.code, &left.message, Some(stream.as_str())), outputs);
        self.leave(stream, outputs);
    }

    fn frame(&mut self, text: &str, outputs: &mut Outputs) -> Result<(), Bad> {
        let Envelope { t, stream } = read(text)?;
        let taken = match StreamId::parse(&stream) {
            Ok(_) => self.message(&t, text, outputs)?,
            Err(error) => Err(Left { code: code::BAD_STREAM, message: error.to_string() }),
        };
        if let Err(left) = taken {
            send(error_frame(left.code, &left.message, Some(&stream)), outputs);
            outputs.push_back(Output::Refused(left.code));
            if let Ok(stream) = StreamId::parse(&stream) {
                self.leave(&stream, outputs);
            }
        }
        Ok(())
    }

    fn message(
        &mut self,
        t: &str,
        text: &str,
        outputs: &mut Outputs,
    ) -> Result<Result<(), Left>, Bad> {
        Ok(match t {
            tag::HELLO => self.hello(read(text)?, outputs),
            tag::PUSH => {
                let pushed = push::read(text)?;
                self.push(pushed, outputs)
            }
            tag::PULL => self.pull(read(text)?, outputs),
            tag::PING => {
                let Ping { stream } = read(text)?;
                self.ping(&stream, outputs)
            }
            tag::LEAVE => {
                let Leave { stream } = read(text)?;
                self.leave(&stream, outputs);
                Ok(())
            }
            _ => return Err(Bad::message("`t` names no message of this protocol")),
        })
    }

    fn hello(&mut self, hello: Hello, outputs: &mut Outputs) -> Result<(), Left> {
        let Some(guard) = &mut self.guard else { return self.join(hello, outputs) };
        let hello = guard.waiting.insert(hello);
        outputs.push_back(match &hello.token {
            Some(token) if guard.token.as_ref() != Some(token) => {
                Output::Authenticate(token.clone())
            }
            _ => Output::Admit(hello.stream.clone()),
        });
        Ok(())
    }

    /// A hello of a caller that may read the stream.
    fn join(&mut self, hello: Hello, outputs: &mut Outputs) -> Result<(), Left> {
        let model = self.model(&hello.stream)?;
        check_version(&hello)?;
        check_schema(hello.schema, &model)?;
        check_clients(&hello.clients)?;
        if !self.streams.contains_key(&hello.stream)
            && self.streams.len() >= self.limits.socket_streams
        {
            let message =
                format!("a socket carries at most {} streams", self.limits.socket_streams);
            return Err(Left { code: code::OUT_OF_TURN, message });
        }
        let state = self.streams.entry(hello.stream.clone()).or_default();
        state.restart();
        state.here = true;
        state.writes = true;
        state.schema = hello.schema;
        let join = state.join(hello.cursor, hello.clients, false);
        state.ask(Asked::Hello { v: hello.v.min(VERSION) }, &hello.stream, join, outputs);
        Ok(())
    }

    fn pull(&mut self, pull: Pull, outputs: &mut Outputs) -> Result<(), Left> {
        check_clients(&pull.clients)?;
        let state = self.here(&pull.stream, "a pull")?;
        let join = state.join(pull.cursor, pull.clients, true);
        state.ask(Asked::Pull, &pull.stream, join, outputs);
        Ok(())
    }

    /// That one push is under way at a time is the client's rule: its next one may well be here
    /// before the last one's answer is, though that one's events were sent.
    fn push(&mut self, pushed: Pushed, outputs: &mut Outputs) -> Result<(), Left> {
        // Who was not let into the stream learns nothing of models either.
        self.here(&pushed.stream, "a push")?;
        let model = self.model(&pushed.stream)?;
        let (wire, throttled_ms) = (self.limits.wire, self.throttled_ms);
        let state = self.here(&pushed.stream, "a push")?;
        if !state.writes {
            not_taken(&pushed, Refusal::from(Denied::Forbidden), outputs);
            return Ok(());
        }
        if throttled_ms > 0 {
            not_taken(&pushed, Refusal::rate(throttled_ms), outputs);
            return Ok(());
        }
        check_schema(pushed.schema, &model)?;
        let submission = push::submission(pushed.entries, state.schema, &wire)?;
        state.name(submission.entries.iter().map(|entry| &entry.client));
        state.ask(Asked::Push, &pushed.stream, Ask::Submit(submission), outputs);
        Ok(())
    }

    fn ping(&mut self, stream: &StreamId, outputs: &mut Outputs) -> Result<(), Left> {
        let state = self.here(stream, "a ping")?;
        state.ask(Asked::Ping, stream, Ask::Head, outputs);
        Ok(())
    }

    fn leave(&mut self, stream: &StreamId, outputs: &mut Outputs) {
        let Some(state) = self.streams.get_mut(stream) else { return };
        state.restart();
        state.here = false;
        outputs.push_back(Output::Ask(stream.clone(), Ask::Leave));
        self.forget_left(stream);
    }

    fn forget_left(&mut self, stream: &StreamId) {
        if self.streams.get(stream).is_some_and(|state| !state.here && state.asked.is_empty()) {
            self.streams.remove(stream);
        }
    }

    fn here(&mut self, stream: &StreamId, what: &str) -> Result<&mut Stream, Left> {
        let out_of_turn = || Left {
            code: code::OUT_OF_TURN,
            message: format!("{what} needs a hello for its stream first"),
        };
        self.streams.get_mut(stream).filter(|state| state.here).ok_or_else(out_of_turn)
    }

    fn model(&self, stream: &StreamId) -> Result<Arc<StoredModel>, Left> {
        let unknown = || Left {
            code: code::UNKNOWN_MODEL,
            message: format!("this server runs no model `{}`", stream.model()),
        };
        self.models.get(stream.model()).cloned().ok_or_else(unknown)
    }

    fn answered(&mut self, stream: &StreamId, answer: Answer, outputs: &mut Outputs) {
        let Some(state) = self.streams.get_mut(stream) else { return };
        let Some(asked) = state.asked.pop_front() else { return };
        match (asked, answer) {
            (Asked::Stale, _) => self.forget_left(stream),
            (Asked::Hello { v }, Answer::Joined(joined)) => {
                self.welcome(v, stream, &joined, outputs);
                self.missing(stream, *joined, outputs);
            }
            (_, Answer::Joined(joined)) => self.missing(stream, *joined, outputs),
            (_, Answer::Page(page)) => self.page(stream, &page, outputs),
            (_, Answer::Settled(settled)) => settled_frames(stream, settled, outputs),
            (_, Answer::Head(head)) => send(pong(stream, head), outputs),
            (_, Answer::Unavailable | Answer::Halted) => {
                let message = "the stream is not available now; connect again later";
                send(error_frame(code::INTERNAL, message, Some(stream.as_str())), outputs);
                outputs.push_back(Output::Refused(code::INTERNAL));
                self.leave(stream, outputs);
            }
            (_, Answer::Watching { .. } | Answer::State { .. } | Answer::Records { .. }) => {}
        }
    }

    fn welcome(&self, v: u32, stream: &StreamId, joined: &Joined, outputs: &mut Outputs) {
        let Some(model) = self.models.get(stream.model()) else { return };
        let welcome = Welcome {
            v,
            stream: stream.clone(),
            log: joined.log.clone(),
            head: joined.head,
            reset: joined.reset,
            clients: joined.rows.clone(),
            schema: model.schema,
            model: model.hash.clone(),
            limits: self.limits.wire,
            ping_ms: self.limits.ping_ms,
            subject: self.guard.as_ref().and_then(|guard| guard.caller.subject.clone()),
        };
        send(frame(tag::WELCOME, &welcome), outputs);
    }

    fn missing(&mut self, stream: &StreamId, joined: Joined, outputs: &mut Outputs) {
        match joined.missing {
            Missing::Events(page) => self.page(stream, &page, outputs),
            Missing::State(state) => {
                let schema = self.models.get(stream.model()).map_or(0, |model| model.schema);
                let log = joined.log.as_ref();
                let bytes = self.limits.snapshot_part_bytes;
                for part in snapshot_frames(stream, log, schema, &state, &joined.rows, bytes) {
                    send(part, outputs);
                }
                self.go_live(stream);
            }
        }
    }

    fn page(&mut self, stream: &StreamId, page: &Page, outputs: &mut Outputs) {
        let Some(state) = self.streams.get_mut(stream) else { return };
        // A client that lacks nothing has a state to compare, too.
        if let Some(log) = &page.log
            && (!page.events.is_empty() || page.check.is_some())
        {
            let texts: Vec<_> = page.events.iter().map(|event| state.stored(event)).collect();
            let texts = texts.iter().map(String::as_str);
            send(events_frame(stream, log, page.after, texts, page.check), outputs);
        }
        match page.events.last() {
            Some(last) if !page.live => {
                state.ask(Asked::Follow, stream, Ask::Follow { after: last.seq }, outputs);
            }
            _ => self.go_live(stream),
        }
    }

    fn go_live(&mut self, stream: &StreamId) {
        if let Some(state) = self.streams.get_mut(stream) {
            state.live = true;
        }
    }

    fn committed(&self, commit: &Arc<Commit>, outputs: &mut Outputs) {
        // What was published before a hello or pull was answered lies in that answer.
        let Some(state) = self.streams.get(&commit.stream).filter(|state| state.live) else {
            return;
        };
        outputs.push_back(Output::Send(state.commit(self.id, commit)));
    }

    /// The head of a stream that is no longer heard: the client sees that it must pull.
    fn cut_off(&mut self, stream: &StreamId, head: Seq, outputs: &mut Outputs) {
        if let Some(state) = self.streams.get_mut(stream).filter(|state| state.live) {
            state.live = false;
            send(pong(stream, head), outputs);
        }
    }
}

impl Stream {
    /// What was asked so far is not wanted any more.
    fn restart(&mut self) {
        self.asked.iter_mut().for_each(|asked| *asked = Asked::Stale);
        self.live = false;
        self.named.clear();
    }

    fn ask(&mut self, asked: Asked, stream: &StreamId, ask: Ask, outputs: &mut Outputs) {
        self.asked.push_back(asked);
        outputs.push_back(Output::Ask(stream.clone(), ask));
    }

    fn join(&mut self, cursor: Option<Cursor>, clients: Vec<ClientFrom>, empty_too: bool) -> Ask {
        self.live = false;
        self.name(clients.iter().map(|row| &row.client));
        Ask::Join(Join { cursor, clients, empty_too, subject: None })
    }

    fn name<'a>(&mut self, clients: impl Iterator<Item = &'a ClientId>) {
        for client in clients {
            if self.named.len() < limits::NAMED_CLIENTS && !self.named.contains(client) {
                self.named.insert(client.clone());
            }
        }
    }

    fn stored(&self, event: &StoredEvent) -> String {
        match event.error.is_some() && !self.named.contains(&event.client) {
            true => event.bare(),
            false => event.full(),
        }
    }

    fn commit(&self, id: SessionId, commit: &Arc<Commit>) -> Text {
        let waits = |decided: &Decided| {
            decided.by == id
                || (decided.event.error.is_some() && self.named.contains(&decided.event.client))
        };
        if !commit.events.iter().any(waits) {
            return commit.for_others();
        }
        let text = |decided| self.decided(id, decided);
        commit.frame(commit.events.iter().map(text))
    }

    fn decided<'a>(&self, id: SessionId, decided: &'a Decided) -> &'a str {
        if decided.by == id {
            &decided.short
        } else if decided.event.error.is_some() && self.named.contains(&decided.event.client) {
            decided.full.as_str()
        } else {
            decided.for_others()
        }
    }
}

impl From<Denied> for Left {
    fn from(denied: Denied) -> Self {
        Self { code: denied.code(), message: denied.to_string() }
    }
}

impl Bad {
    pub(super) fn message(message: &str) -> Self {
        Self { code: code::BAD_MESSAGE, message: message.to_owned() }
    }
}

/// Reads a frame as a message.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Bad> {
    // serde would read an array as a struct's fields in order.
    let object = text.trim_ascii_start().starts_with('{');
    let parsed = serde_json::from_str::<T>(text);
    match parsed {
        Ok(message) if object => Ok(message),
        Ok(_) => Err(Bad::message("a message is a JSON object")),
        Err(error) if error.is_data() => Err(Bad::message(&error.to_string())),
        Err(error) => Err(Bad { code: code::BAD_JSON, message: error.to_string() }),
    }
}

fn check_version(hello: &Hello) -> Result<(), Left> {
    if hello.min <= VERSION && hello.v >= VERSION_MIN {
        return Ok(());
    }
    let (min, v) = (hello.min, hello.v);
    let message = format!(
        "this server speaks versions {VERSION_MIN} to {VERSION} of the protocol, the client {min} to {v}"
    );
    Err(Left { code: code::VERSION, message })
}

fn check_schema(schema: u32, model: &StoredModel) -> Result<(), Left> {
    if schema <= model.schema {
        return Ok(());
    }
    let own = model.schema;
    let message =
        format!("the app has schema {schema}, this server's model {own}: deploy the server first");
    Err(Left { code: code::SCHEMA, message })
}

fn check_clients(clients: &[ClientFrom]) -> Result<(), Left> {
    if clients.len() <= limits::HELLO_CLIENTS {
        return Ok(());
    }
    let message = format!("at most {} clients can be named", limits::HELLO_CLIENTS);
    Err(Left { code: code::BATCH_TOO_LARGE, message })
}

fn settled_frames(stream: &StreamId, settled: Settled, outputs: &mut Outputs) {
    let known = |outcome| match outcome {
        Outcome::Known(_) if planted::is(Bug::VerdictForgotten) => None,
        Outcome::Known(row) => Some(row),
        // Its event comes, or came, like everyone's.
        Outcome::New(..) => None,
    };
    let verdicts: Vec<VerdictRow> = settled.outcomes.into_iter().filter_map(known).collect();
    if !verdicts.is_empty() {
        send(frame(tag::VERDICTS, &Verdicts { stream: stream.clone(), verdicts }), outputs);
    }
    if let Some(refused) = settled.refused {
        outputs.push_back(Output::Refused(refused.refusal.code));
        send(refused_frame(stream, refused), outputs);
    }
}

fn refused_frame(stream: &StreamId, refused: Refused) -> String {
    let message = twinstore_protocol::Refused {
        stream: stream.clone(),
        client: refused.client,
        n: refused.n.unwrap_or_default(),
        code: refused.refusal.code.to_owned(),
        reason: refused.refusal.reason,
        last: refused.last,
    };
    frame(tag::REFUSED, &message)
}

/// Nothing of the push is taken, and no number used.
fn not_taken(pushed: &Pushed, refusal: Refusal, outputs: &mut Outputs) {
    let Some(entry) = pushed.entries.first() else { return };
    let refused = Refused {
        client: entry.client.clone(),
        n: Some(entry.n),
        refusal,
        last: N(entry.from.unwrap_or(entry.n).0 - 1),
    };
    send(refused_frame(&pushed.stream, refused), outputs);
}

fn pong(stream: &StreamId, head: Seq) -> String {
    frame(tag::PONG, &Pong { stream: stream.clone(), head })
}

fn send(frame: String, outputs: &mut Outputs) {
    outputs.push_back(Output::Send(frame.into()));
}

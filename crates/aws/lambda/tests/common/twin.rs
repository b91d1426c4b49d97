//! A twin: the client's own engine, with an app that dispatches and a socket that is a function.

use std::collections::{BTreeSet, VecDeque};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use twinstore_engine::wire::{Incoming, Outgoing};
use twinstore_engine::{Config, Engine, Input, Limits, Millis, Notice, Output, StoredState};
use twinstore_protocol::{ClientId, N, SnapshotBody, StreamId, tag};

/// A page with one stream. What it stores is kept by nobody: it lives as long as its test.
pub(crate) struct Twin {
    /// Actions of its own that have a verdict.
    pub(crate) settled: u64,
    engine: Engine<Value>,
    stream: StreamId,
    /// The state that it took from the server; null: none.
    base: Value,
    /// The accepted actions since, in the order of the log.
    confirmed: Vec<Value>,
    shown: VecDeque<Value>,
    frames: VecDeque<String>,
    wants_link: bool,
    now: Millis,
}

impl Twin {
    /// A page that is offline.
    pub(crate) fn new(stream: &str, client: &str) -> Self {
        let config = Config {
            client: ClientId(client.to_owned()),
            schema: 1,
            seed: 1,
            leads: true,
            limits: Limits::default(),
        };
        let mut twin = Self {
            settled: 0,
            engine: Engine::new(config),
            stream: StreamId::parse(stream).unwrap(),
            base: Value::Null,
            confirmed: Vec::new(),
            shown: VecDeque::new(),
            frames: VecDeque::new(),
            wants_link: false,
            now: Millis(1),
        };
        twin.feed(Input::Restored(StoredState::default()));
        twin
    }

    /// The orders that were made, as far as it knows the log; each once.
    pub(crate) fn orders(&self) -> BTreeSet<String> {
        let mut orders: BTreeSet<String> = match self.base["entities"].as_object() {
            Some(entities) => entities.keys().cloned().collect(),
            None => BTreeSet::new(),
        };
        for action in self.confirmed.iter().filter(|action| action["type"] == "create") {
            let id = action["payload"]["id"].as_str().unwrap();
            assert!(orders.insert(id.to_owned()), "{id} was made twice");
        }
        orders
    }

    /// The number of the next action.
    pub(crate) fn next_n(&self) -> N {
        self.engine.next_n()
    }

    pub(crate) fn dispatch(&mut self, action: Value) {
        let bytes = u32::try_from(action.to_string().len()).unwrap();
        self.shown.push_back(action.clone());
        self.feed(Input::Dispatched { action, bytes, hidden: false });
    }

    /// Its first socket opens.
    pub(crate) fn opened(&mut self) {
        self.feed(Input::Connected);
        self.opens();
    }

    /// Its socket breaks, and another one opens when it wants one.
    pub(crate) fn reopened(&mut self) {
        self.frames.clear();
        self.feed(Input::LinkClosed);
        while !self.wants_link {
            self.pass();
        }
        self.opens();
    }

    fn opens(&mut self) {
        assert!(std::mem::take(&mut self.wants_link), "it wants a socket");
        self.feed(Input::LinkOpened);
    }

    /// The next frame that it sends.
    pub(crate) fn says(&mut self) -> Option<String> {
        self.frames.pop_front()
    }

    /// A frame comes.
    pub(crate) fn hears(&mut self, frame: &Value) {
        let text = |piece: String| Value::String(piece);
        if let Some(message) = self.engine.read(&self.stream, read(frame), text) {
            self.feed(Input::Received(message));
        }
    }

    /// So much time passes that it pings; how many milliseconds.
    pub(crate) fn waits(&mut self) -> u64 {
        let begun = self.now;
        while self.frames.is_empty() {
            self.pass();
        }
        self.now.0 - begun.0
    }

    fn pass(&mut self) {
        self.now = self.engine.poll_timeout().expect("it waits for something");
        self.feed(Input::TimedOut);
    }

    fn feed(&mut self, input: Input<Value>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.engine.handle_input(self.now, input).expect("the engine takes it");
            while let Some(output) = self.engine.poll_output() {
                self.perform(output, &mut inputs);
            }
        }
    }

    fn perform(&mut self, output: Output<Value>, inputs: &mut VecDeque<Input<Value>>) {
        match output {
            Output::Enqueue(entry) => inputs.push_back(Input::Persisted(entry.id.n)),
            Output::OpenLink => self.wants_link = true,
            Output::Transmit(frame) => {
                let frame = self.engine.write(&self.stream, None, frame);
                self.frames.push_back(written(&frame));
            }
            Output::Advance(count) => self.confirmed.extend(self.shown.drain(..count)),
            Output::ReadSnapshot(pieces) => {
                let text: String = pieces.iter().filter_map(Value::as_str).collect();
                let SnapshotBody { state, clients } = serde_json::from_str(&text).unwrap();
                let (settled, rejections) = self.engine.read_rows(&clients);
                inputs.push_back(Input::SnapshotRead { state, settled, rejections });
            }
            Output::Rebase(rebase) => {
                if let Some(base) = rebase.base {
                    self.base = base;
                    self.confirmed.clear();
                }
                self.confirmed.extend(rebase.events.into_iter().map(|event| event.action));
                self.shown = rebase.shown.into();
            }
            Output::Notify(Notice::Verdict { .. }) => self.settled += 1,
            Output::Notify(notice) => panic!("nothing else happens to it: {notice:?}"),
            Output::Persist(_)
            | Output::Compact(_)
            | Output::Compare { .. }
            | Output::CloseLink => {}
            output => panic!("a page alone does not ask for that: {output:?}"),
        }
    }
}

/// A frame of the client as it travels.
fn written(frame: &Outgoing<Value>) -> String {
    match frame {
        Outgoing::Hello(hello) => tagged(tag::HELLO, hello),
        Outgoing::Push(push) => tagged(tag::PUSH, push),
        Outgoing::Pull(pull) => tagged(tag::PULL, pull),
        Outgoing::Ping(ping) => tagged(tag::PING, ping),
        Outgoing::Leave(leave) => tagged(tag::LEAVE, leave),
    }
}

fn tagged(tag: &str, message: &impl Serialize) -> String {
    let mut message = json!(message);
    message["t"] = json!(tag);
    message.to_string()
}

/// A frame of the server.
fn read(frame: &Value) -> Incoming<Value> {
    match frame["t"].as_str().unwrap() {
        tag::WELCOME => Incoming::Welcome(parsed(frame)),
        tag::EVENTS => Incoming::Events(parsed(frame)),
        tag::SNAPSHOT => Incoming::Snapshot(parsed(frame)),
        tag::VERDICTS => Incoming::Verdicts(parsed(frame)),
        tag::REFUSED => Incoming::Refused(parsed(frame)),
        tag::PONG => Incoming::Pong(parsed(frame)),
        tag::ERROR => Incoming::Error(parsed(frame)),
        other => panic!("there is no frame `{other}`"),
    }
}

fn parsed<T: DeserializeOwned>(frame: &Value) -> T {
    serde_json::from_value(frame.clone()).unwrap()
}

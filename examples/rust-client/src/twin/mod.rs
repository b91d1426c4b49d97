//! A twin in a program: the engine, the state round the model, and a file that holds the outbox.
//!
//! Facts go in (`take`, `dispatch`), the engine's orders are performed at once: what concerns the disk in
//! one transaction each, what concerns the socket by [`Link::obey`]. A disk that fails ends it all: what was
//! not stored was not dispatched.
//! Not here: every rule of synchronisation (`crates/engine`), what actions do (the model).

mod link;
mod replica;
mod store;
mod text;
mod wire;

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use twinstore_engine::{
    Client, Config, Engine, Id, Input, InputError, Limits, Millis, Notice, Output, Status,
};
use twinstore_protocol::{ClientId, N, StreamId, WireLimits};
use twinstore_reducer::Model;

use replica::Replica;
use store::Store;

pub(crate) use link::{Fact, Link};
pub(crate) use store::StoreError;
pub(crate) use text::Text;

/// A durable client of one stream.
#[derive(Debug)]
pub(crate) struct Twin<M: Model> {
    engine: Engine<Text>,
    replica: Replica<M>,
    store: Store,
    stream: StreamId,
    client: ClientId,
    /// What the link is to do.
    orders: VecDeque<LinkOrder>,
    notices: VecDeque<Notice<Text>>,
    /// The latest time the engine was told: it may not go back.
    now: u64,
}

/// What the engine wants of its socket.
#[derive(Debug)]
pub(crate) enum LinkOrder {
    Open,
    Close,
    Send(String),
}

/// Why a twin cannot do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TwinError {
    /// The file does not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model's own reason.
    #[error("{0}")]
    Invalid(String),
    /// An action is an object with a string `type`; its `meta`, if any, is an object.
    #[error("an action is an object with a string `type`, and an object as `meta` if it has one")]
    NotPlain,
    /// It is larger than the server takes.
    #[error("an action has at most {max} bytes, this one has {bytes}")]
    TooLarge { bytes: usize, max: u32 },
    /// The outbox is full.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The system has no randomness to name a client with.
    #[error("the system gives no randomness")]
    Randomness(#[from] getrandom::Error),
}

impl<M: Model> Twin<M> {
    /// Opens what an earlier run left in that file; each run is a client of its own.
    ///
    /// # Errors
    /// [`TwinError`], also where another program has it open.
    pub(crate) fn open(file: &Path, stream: &StreamId) -> Result<Self, TwinError> {
        let store = Store::open(file, stream)?;
        let client = client_id()?;
        let config = Config {
            client: client.clone(),
            schema: M::SCHEMA,
            seed: getrandom::u64()?,
            // The file is locked: nobody else sends what lies there.
            leads: true,
            limits: Limits::default(),
        };
        let mut twin = Self {
            engine: Engine::new(config),
            replica: Replica::new(stream),
            store,
            stream: stream.clone(),
            client,
            orders: VecDeque::new(),
            notices: VecDeque::new(),
            now: 0,
        };
        twin.restore()?;
        Ok(twin)
    }

    /// Shows an action and stores it durably; it is sent when the server can be reached. Gives its number.
    ///
    /// # Errors
    /// [`TwinError`]: nothing was stored or shown.
    pub(crate) fn dispatch(&mut self, action: Value) -> Result<N, TwinError> {
        let n = self.engine.next_n();
        let action = Text::from(self.stamped(action, n)?.to_string());
        let (bytes, max) = (action.as_str().len(), WireLimits::DEFAULT.action_bytes);
        let bytes = u32::try_from(bytes).ok().filter(|bytes| *bytes <= max);
        let too_large = || TwinError::TooLarge { bytes: action.as_str().len(), max };
        let bytes = bytes.ok_or_else(too_large)?;
        self.engine.check_room(bytes)?;
        self.replica.show(action.clone()).map_err(TwinError::Invalid)?;
        self.feed(Input::Dispatched { action, bytes, hidden: false })?;
        Ok(n)
    }

    /// The state with what is pending in it.
    pub(crate) fn state(&self) -> &M::State {
        self.replica.visible()
    }

    /// The actions without a verdict, held ones too.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &str> {
        self.engine.pending().map(|(entry, _)| entry.action.as_str())
    }

    /// Counts and places.
    pub(crate) fn status(&self) -> Status {
        self.engine.status()
    }

    /// What the program may want to tell, oldest first.
    pub(crate) fn poll_notice(&mut self) -> Option<Notice<Text>> {
        self.notices.pop_front()
    }

    /// Wants a link from now on.
    ///
    /// # Errors
    /// [`TwinError::Store`].
    pub(crate) fn connect(&mut self) -> Result<(), TwinError> {
        self.feed(Input::Connected)
    }

    /// Takes in what the link saw.
    ///
    /// # Errors
    /// [`TwinError::Store`].
    pub(crate) fn take(&mut self, fact: Fact) -> Result<(), TwinError> {
        match fact {
            Fact::Opened => self.feed(Input::LinkOpened),
            Fact::Closed => self.feed(Input::LinkClosed),
            Fact::TimedOut => self.feed(Input::TimedOut),
            Fact::Frame(frame) => {
                let message = self.engine.read(&self.stream, frame, Text::from);
                message.map_or(Ok(()), |message| self.feed(Input::Received(message)))
            }
        }
    }

    fn poll_order(&mut self) -> Option<LinkOrder> {
        self.orders.pop_front()
    }

    /// How long until the engine wants to be woken.
    fn due_in(&self) -> Option<Duration> {
        let Millis(due) = self.engine.poll_timeout()?;
        Some(Duration::from_millis(due.saturating_sub(unix_ms())))
    }

    fn restore(&mut self) -> Result<(), TwinError> {
        let stored = self.store.read(&mut self.engine)?;
        let left = stored.entries.clone();
        self.feed(Input::Restored(stored))?;
        // Nobody else has the file open: what earlier runs left is ours to send.
        let mut clients: Vec<Client> = left.iter().map(|entry| entry.id.client).collect();
        clients.sort_unstable();
        clients.dedup();
        for client in clients {
            let entries = left.iter().filter(|entry| entry.id.client == client).cloned();
            self.feed(Input::Adopted { client, entries: entries.collect(), whole: true })?;
        }
        Ok(())
    }

    fn feed(&mut self, input: Input<Text>) -> Result<(), TwinError> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.now = self.now.max(unix_ms());
            self.engine.handle_input(Millis(self.now), input)?;
            while let Some(output) = self.engine.poll_output() {
                self.perform(output, &mut inputs)?;
            }
        }
        Ok(())
    }

    fn perform(
        &mut self,
        output: Output<Text>,
        inputs: &mut VecDeque<Input<Text>>,
    ) -> Result<(), TwinError> {
        match output {
            Output::Enqueue(entry) => {
                self.store.enqueue(&self.engine, &entry, None)?;
                inputs.push_back(Input::Persisted(entry.id.n));
            }
            Output::Replace(entry, gone) => {
                self.store.enqueue(&self.engine, &entry, Some(gone))?;
                inputs.push_back(Input::Persisted(entry.id.n));
            }
            Output::Persist(write) => self.store.write(&self.engine, &write)?,
            Output::Compact(cursor) => {
                let state = self.replica.confirmed_text();
                self.store.compact(&self.engine, &state, &cursor)?;
            }
            Output::Reread => {
                let stored = self.store.read(&mut self.engine)?;
                inputs.push_back(Input::Reread(Some(stored)));
            }
            Output::OpenLink => self.orders.push_back(LinkOrder::Open),
            Output::CloseLink => self.orders.push_back(LinkOrder::Close),
            Output::Transmit(frame) => {
                let frame = self.engine.write(&self.stream, None, frame);
                self.orders.push_back(LinkOrder::Send(wire::encode(&frame)));
            }
            Output::ReadSnapshot(pieces) => {
                inputs.push_back(wire::read_snapshot::<M>(&self.engine, &pieces));
            }
            Output::Advance(count) => {
                if let Some(back) = self.replica.advance(count) {
                    let seq = self.engine.status().cursor.0.saturating_sub(back);
                    inputs.push_back(Input::FoldFailed(twinstore_protocol::Seq(seq)));
                }
            }
            Output::Rebase(rebase) => {
                if let Some(seq) = self.replica.rebase(rebase) {
                    inputs.push_back(Input::FoldFailed(seq));
                }
            }
            Output::Compare { seq, sum } => {
                if self.replica.checksum() != sum {
                    inputs.push_back(Input::FoldFailed(seq));
                }
            }
            // It leads.
            Output::AskLeader => {}
            Output::Notify(notice) => self.notices.push_back(notice),
        }
        Ok(())
    }

    /// The action with its stamp, by which its clock and dice are the same here and on the server.
    fn stamped(&self, mut action: Value, n: N) -> Result<Value, TwinError> {
        if !action.get("type").is_some_and(Value::is_string) {
            return Err(TwinError::NotPlain);
        }
        let client = self.client.as_str();
        let id = format!("{client}.{}", n.0);
        let fields = action.as_object_mut().ok_or(TwinError::NotPlain)?;
        let meta = fields.entry("meta").or_insert_with(|| json!({}));
        let meta = meta.as_object_mut().ok_or(TwinError::NotPlain)?;
        let stamp = json!({ "id": id, "at": unix_ms(), "client": client, "n": n });
        meta.insert("twin".to_owned(), stamp);
        Ok(action)
    }
}

/// The day it was made and randomness, so that no other client will ever be called so.
fn client_id() -> Result<ClientId, getrandom::Error> {
    let day = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let day: String = day.chars().take(10).filter(char::is_ascii_digit).collect();
    Ok(ClientId(format!("{day}-{:016x}", getrandom::u64()?)))
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A client with one of its numbers, as the file names it.
fn named(engine: &Engine<Text>, id: Id) -> (String, u64) {
    (engine.client_name(id.client).to_owned(), id.n.0)
}

//! The tables of one prefix, and what is remembered of streams and clients between calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use twinstore_protocol::{Chain, LogId, Seq, StreamId};
use twinstore_server::day::Day;
use twinstore_server::log::{Base, Head};

use crate::calls::CallError;
use crate::clients::Clients;
use crate::item::{Item, item, malformed, number_in, number_of, text, text_of};
use crate::limits;
use crate::meter::Meter;
use crate::options::Options;

/// The tables of one prefix.
#[derive(Debug)]
pub(crate) struct Store {
    client: Client,
    prefix: String,
    pub(crate) create_tables: bool,
    meter: Meter,
    pub(crate) clients: Clients,
    starts: Mutex<BTreeMap<StreamId, Start>>,
}

/// Where a stream begins, as its head said when it was last read: so it costs nothing to ask. It may be
/// behind, but whoever stands on it then finds events missing, and the head is read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// The events up to here are gone, or to be swept out.
    pub(crate) base: Option<Base>,
    /// Clients of earlier days may have been forgotten.
    pub(crate) clients_since: Day,
}

impl Start {
    pub(crate) fn base_seq(&self) -> Seq {
        self.base.as_ref().map_or(Seq(0), |base| base.seq)
    }
}

/// A stream's head item.
#[derive(Clone, Debug)]
pub(crate) struct StoredHead {
    pub(crate) head: Head,
    /// Records may lack what the events after the first and up to the second made.
    pub(crate) owed: Option<(Seq, Seq)>,
    pub(crate) start: Start,
    /// What lies below the base is to be swept out, and clients of before this moment.
    pub(crate) sweep: Option<u64>,
}

/// The head's `key`.
pub(crate) const HEAD: &str = "head";

impl Store {
    pub(crate) fn new(client: Client, options: &Options) -> Self {
        let (prefix, create_tables) = (options.prefix.clone(), options.create_tables);
        Self {
            client,
            prefix,
            create_tables,
            meter: Meter::default(),
            clients: Clients::default(),
            starts: Mutex::default(),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The table of a model's events.
    pub(crate) fn events_table(&self, stream: &StreamId) -> String {
        format!("{}{}_events", self.prefix, stream.model())
    }

    /// The table of a model's heads, clients, records and snapshots.
    pub(crate) fn model_table(&self, stream: &StreamId) -> String {
        format!("{}{}", self.prefix, stream.model())
    }

    /// The table of all models together.
    pub(crate) fn common_table(&self) -> String {
        format!("{}twin_store", self.prefix)
    }

    /// The table of a gateway's connections.
    pub(crate) fn connections_table(&self) -> String {
        format!("{}twin_connections", self.prefix)
    }

    pub(crate) async fn head(&self, stream: &StreamId) -> Result<Option<StoredHead>, CallError> {
        let table = self.model_table(stream);
        let found = self.get(&table, key(stream.as_str(), HEAD)).await?;
        let stored = found.as_ref().map(stored_head).transpose()?;
        if let Some(stored) = &stored {
            self.keep_start(stream, stored.start.clone());
        }
        Ok(stored)
    }

    /// Where a stream begins, if need be by asking.
    pub(crate) async fn start(&self, stream: &StreamId) -> Result<Start, CallError> {
        let known = self.starts.lock().unwrap_or_else(PoisonError::into_inner).get(stream).cloned();
        match known {
            Some(start) => Ok(start),
            None => self.start_now(stream).await,
        }
    }

    /// The same, as it is now.
    pub(crate) async fn start_now(&self, stream: &StreamId) -> Result<Start, CallError> {
        Ok(self.head(stream).await?.map(|stored| stored.start).unwrap_or_default())
    }

    pub(crate) fn keep_start(&self, stream: &StreamId, start: Start) {
        // Each change is one step.
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        if starts.len() >= limits::STREAMS_CACHED {
            starts.clear();
        }
        starts.insert(stream.clone(), start);
    }
}

/// The key of an item in any table but those of events.
pub(crate) fn key(stream: &str, key: &str) -> Item {
    item([("stream", text(stream)), ("key", text(key))])
}

/// The key of a pack.
pub(crate) fn pack_key(stream: &StreamId, last: Seq) -> Item {
    item([("stream", text(stream.as_str())), ("seq", AttributeValue::N(last.0.to_string()))])
}

fn stored_head(item: &Item) -> Result<StoredHead, CallError> {
    let head = Head {
        log: LogId(text_of(item, "log")?.to_owned()),
        seq: Seq(number_of(item, "seq")?),
        chain: Chain(text_of(item, "chain")?.to_owned()),
    };
    let owed = number_in(item, "owed_from")?.zip(number_in(item, "owed_to")?);
    let owed = owed.map(|(from, to)| (Seq(from), Seq(to)));
    let base = match number_in(item, "base")? {
        Some(seq) => {
            Some(Base { seq: Seq(seq), chain: Chain(text_of(item, "base_chain")?.to_owned()) })
        }
        None => None,
    };
    let day = number_in(item, "clients_since")?.unwrap_or_default();
    let clients_since = Day(u32::try_from(day).map_err(|_| malformed("clients_since"))?);
    let start = Start { base, clients_since };
    Ok(StoredHead { head, owed, start, sweep: number_in(item, "sweep")? })
}

//! The tables of one prefix, and what is remembered of clients between calls.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use twinstore_protocol::{Chain, LogId, Seq, StreamId};
use twinstore_server::log::Head;

use crate::calls::CallError;
use crate::clients::Clients;
use crate::item::{Item, item, number_in, number_of, text, text_of};
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
}

/// A stream's head item.
#[derive(Clone, Debug)]
pub(crate) struct StoredHead {
    pub(crate) head: Head,
    /// Records may lack what the events after the first and up to the second made.
    pub(crate) owed: Option<(Seq, Seq)>,
}

/// The head's `key`.
pub(crate) const HEAD: &str = "head";

impl Store {
    pub(crate) fn new(client: Client, options: &Options) -> Self {
        let (prefix, create_tables) = (options.prefix.clone(), options.create_tables);
        Self { client, prefix, create_tables, meter: Meter::default(), clients: Clients::default() }
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
        found.as_ref().map(stored_head).transpose()
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
    Ok(StoredHead { head, owed })
}

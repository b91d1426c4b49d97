//! Records: an item each, which says as of which place it is; and those that follow an append.
//!
//! A record is written where the stored one is not newer. A deleted one stays for a day as an item
//! without a text, so that a write that comes late does not bring it back.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use twinstore_protocol::{Chain, Seq, StreamId};
use twinstore_server::event::chain;
use twinstore_server::log::Append;
use twinstore_server::random;

use crate::calls::{CallError, Expression, Query};
use crate::item::{Item, number, text, text_of};
use crate::limits;
use crate::store::{HEAD, Store, key};

const RECORD: &str = "record/";

/// A record, or that it is no more.
pub(crate) type Changed = (String, Option<String>);

impl Store {
    pub(crate) async fn records(
        &self,
        stream: &StreamId,
    ) -> Result<Vec<(String, String)>, CallError> {
        let table = self.model_table(stream);
        let mut records = Vec::new();
        for item in self.record_items(stream).await? {
            if !is_gone(&item) {
                let record = self.text_of(&table, stream.as_str(), &item).await?;
                records.push((text_of(&item, "name")?.to_owned(), record));
            }
        }
        records.sort();
        Ok(records)
    }

    /// All of them, deleted ones as well.
    pub(crate) async fn record_items(&self, stream: &StreamId) -> Result<Vec<Item>, CallError> {
        let table = self.model_table(stream);
        let keys = Expression::when("#stream = :stream AND begins_with(#key, :record)");
        let keys = keys.with("stream", text(stream.as_str())).with("record", text(RECORD));
        self.query_all(Query::new(&table, keys)).await
    }

    /// Writes the records of an append whose transaction did not hold them. What fails stays owed.
    pub(crate) async fn put_records(self: &Arc<Self>, append: &Append) {
        let seq = append.head().seq;
        let written = self.write_records(&append.stream, append.records.clone(), seq).await;
        let settled = match written {
            Ok(()) => self.settle_records(&append.stream, append.after, seq).await,
            Err(error) => Err(error),
        };
        if let Err(error) = settled {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(stream = %append.stream, error, "records are behind their events");
        }
    }

    /// Writes records as of a place, several at once.
    pub(crate) async fn write_records(
        self: &Arc<Self>,
        stream: &StreamId,
        records: Vec<Changed>,
        seq: Seq,
    ) -> Result<(), CallError> {
        let places = Arc::new(Semaphore::new(limits::WRITES_AT_ONCE));
        let mut writing = JoinSet::new();
        for (name, record) in records {
            // Nobody closes it.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
            let (store, stream) = (Arc::clone(self), stream.clone());
            writing.spawn(async move {
                let written = store.write_record(&stream, &name, record.as_deref(), seq).await;
                drop(place);
                written
            });
        }
        let mut result = Ok(());
        while let Some(written) = writing.join_next().await {
            let gone = |_| CallError::Malformed { what: "a write that panicked" };
            if let Err(error) = written.map_err(gone).and_then(|written| written) {
                result = Err(error);
            }
        }
        result
    }

    async fn write_record(
        &self,
        stream: &StreamId,
        name: &str,
        record: Option<&str>,
        seq: Seq,
    ) -> Result<(), CallError> {
        let table = self.model_table(stream);
        let mut item = record_item(stream, name, None, seq);
        if let Some(record) = record {
            item.remove("expires");
            // Whoever reads the table shall read it.
            let plain = |record: &str| text(record);
            item.extend(self.place_text(&table, stream.as_str(), record, plain).await?);
        }
        let not_newer = Expression::when("attribute_not_exists(#seq) OR #seq <= :seq");
        let not_newer = not_newer.with("seq", number(seq.0));
        self.put_with_parts(&table, stream.as_str(), item, not_newer).await
    }

    /// Nothing is owed any more, unless another append came to owe something meanwhile.
    pub(crate) async fn settle_records(
        &self,
        stream: &StreamId,
        from: Seq,
        to: Seq,
    ) -> Result<(), CallError> {
        let change = Expression::update("REMOVE #owed_from, #owed_to")
            .and_when("#owed_from = :from AND #owed_to = :to")
            .with("from", number(from.0))
            .with("to", number(to.0));
        let table = self.model_table(stream);
        match self.update(&table, key(stream.as_str(), HEAD), change).await {
            Err(CallError::Condition { .. }) => Ok(()),
            settled => settled,
        }
    }
}

/// A record's item, where its text fits.
pub(crate) fn record_item(stream: &StreamId, name: &str, record: Option<&str>, seq: Seq) -> Item {
    let mut item = key(stream.as_str(), &record_key(name));
    item.insert("name".to_owned(), text(name));
    item.insert("seq".to_owned(), number(seq.0));
    match record {
        Some(record) => item.insert("text".to_owned(), text(record)),
        None => {
            let until = random::now() / 1_000 + limits::GONE_FOR.as_secs();
            item.insert("expires".to_owned(), number(until))
        }
    };
    item
}

/// About how many bytes a record's item takes.
pub(crate) fn item_bytes((name, record): &Changed) -> usize {
    2 * name.len() + record.as_ref().map_or(0, String::len) + 512
}

pub(crate) fn is_gone(item: &Item) -> bool {
    item.contains_key("expires")
}

/// Keys of items have an end, those of records need not.
fn record_key(name: &str) -> String {
    if name.len() <= limits::KEY_BYTES {
        return format!("{RECORD}{name}");
    }
    let end = (0..=limits::KEY_BYTES).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    format!("{RECORD}{}\u{0}{}", &name[..end], chain(&Chain::default(), name))
}

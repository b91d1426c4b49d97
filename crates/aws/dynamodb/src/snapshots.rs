//! Snapshots, of which the newest few are kept, and the models that made them.

use twinstore_protocol::{Seq, StreamId};
use twinstore_server::limits::SNAPSHOTS_KEPT;
use twinstore_server::log::{Snapshot, StoredModel};

use crate::calls::{CallError, Expression, Query};
use crate::compress::compressed;
use crate::item::{Item, malformed, number, number_of, text, text_of};
use crate::store::{Store, key};

/// What models' items are kept under.
const MODELS: &str = "models";

impl Store {
    pub(crate) async fn snapshot(
        &self,
        stream: &StreamId,
        at_most: Seq,
    ) -> Result<Option<Snapshot>, CallError> {
        if at_most < self.start(stream).await?.base_seq() {
            return Ok(None);
        }
        let table = self.model_table(stream);
        let query = Query { limit: Some(1), ..newest_first(&table, stream, at_most) };
        let (items, _) = self.query(query).await?;
        let Some(item) = items.first() else { return Ok(None) };
        Ok(Some(Snapshot {
            seq: Seq(number_of(item, "seq")?),
            model: text_of(item, "model")?.to_owned(),
            state: self.text_of(&table, stream.as_str(), item).await?,
        }))
    }

    pub(crate) async fn put_snapshot(
        &self,
        stream: &StreamId,
        snapshot: &Snapshot,
    ) -> Result<(), CallError> {
        match self.write_snapshot(stream, snapshot).await {
            Err(CallError::NoTable { .. }) if self.create_tables => {
                self.create_model_tables(stream).await?;
                self.write_snapshot(stream, snapshot).await?;
            }
            written => written?,
        }
        self.keep_snapshots(stream, SNAPSHOTS_KEPT as usize).await
    }

    async fn write_snapshot(
        &self,
        stream: &StreamId,
        snapshot: &Snapshot,
    ) -> Result<(), CallError> {
        let table = self.model_table(stream);
        let item = self.snapshot_item(stream, snapshot).await?;
        let not_the_base = Expression::when("attribute_not_exists(#base)");
        self.put_with_parts(&table, stream.as_str(), item, not_the_base).await
    }

    /// Its item; what has no place in it is written.
    pub(crate) async fn snapshot_item(
        &self,
        stream: &StreamId,
        snapshot: &Snapshot,
    ) -> Result<Item, CallError> {
        let table = self.model_table(stream);
        let mut item = key(stream.as_str(), &snapshot_key(snapshot.seq));
        item.insert("seq".to_owned(), number(snapshot.seq.0));
        item.insert("model".to_owned(), text(&snapshot.model));
        let state = &snapshot.state;
        item.extend(self.place_text(&table, stream.as_str(), state, compressed).await?);
        Ok(item)
    }

    /// Deletes all but the newest, and the base's.
    pub(crate) async fn keep_snapshots(
        &self,
        stream: &StreamId,
        count: usize,
    ) -> Result<(), CallError> {
        let table = self.model_table(stream);
        let all = Query {
            only: Some("#stream, #key, #parts, #count, #base"),
            ..newest_first(&table, stream, Seq::MAX)
        };
        let all = self.query_all(all).await?;
        for old in all.iter().filter(|item| !item.contains_key("base")).skip(count) {
            let name = text_of(old, "key")?;
            // First what names the parts: nobody reads a text of which some are missing.
            self.delete(&table, key(stream.as_str(), name)).await?;
            self.drop_parts(&table, stream.as_str(), old).await?;
        }
        Ok(())
    }

    pub(crate) async fn model(&self, hash: &str) -> Result<Option<StoredModel>, CallError> {
        let table = self.common_table();
        let Some(item) = self.get(&table, key(MODELS, hash)).await? else { return Ok(None) };
        let schema = u32::try_from(number_of(&item, "schema")?).map_err(|_| malformed("schema"))?;
        Ok(Some(StoredModel {
            hash: hash.to_owned(),
            name: text_of(&item, "name")?.to_owned(),
            schema,
            source: self.text_of(&table, MODELS, &item).await?,
        }))
    }

    /// Keeps a model. One that is there is left as it is: its hash says that it is the same.
    pub(crate) async fn put_model(&self, model: &StoredModel) -> Result<(), CallError> {
        let table = self.common_table();
        if self.get(&table, key(MODELS, &model.hash)).await?.is_some() {
            return Ok(());
        }
        let mut item: Item = key(MODELS, &model.hash);
        item.insert("name".to_owned(), text(&model.name));
        item.insert("schema".to_owned(), number(model.schema.into()));
        item.extend(self.place_text(&table, MODELS, &model.source, compressed).await?);
        self.put(&table, item, Expression::default()).await.map(drop)
    }
}

fn newest_first<'a>(table: &'a str, stream: &StreamId, at_most: Seq) -> Query<'a> {
    let keys = Expression::when("#stream = :stream AND #key BETWEEN :first AND :last")
        .with("stream", text(stream.as_str()))
        .with("first", text(snapshot_key(Seq(0))))
        .with("last", text(snapshot_key(at_most)));
    Query { backwards: true, ..Query::new(table, keys) }
}

/// Sixteen digits: 2^53 has as many, and texts sort like numbers.
pub(crate) fn snapshot_key(seq: Seq) -> String {
    format!("snapshot/{:016}", seq.0)
}

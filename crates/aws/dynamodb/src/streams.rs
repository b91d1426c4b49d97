//! The list of streams, which an item joins with the first event; and whether writing works.

use std::collections::BTreeMap;

use twinstore_protocol::{Seq, StreamId};

use crate::calls::{CallError, Expression, Query};
use crate::item::{malformed, number_of, text, text_of};
use crate::store::{HEAD, Store, key};

/// What the list's items are kept under.
pub(crate) const STREAMS: &str = "streams";

impl Store {
    pub(crate) async fn streams(
        &self,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<(StreamId, Seq)>, CallError> {
        let table = self.common_table();
        let keys = Expression::when("#stream = :list AND #key > :after")
            .with("list", text(STREAMS))
            // No stream's name is as short as that.
            .with("after", text(after.map_or(" ", StreamId::as_str)));
        let mut query = Query { limit: Some(limit), ..Query::new(&table, keys) };
        let mut names: Vec<StreamId> = Vec::new();
        loop {
            let (items, next) = self.query(query.clone()).await?;
            for item in &items {
                let name = StreamId::parse(text_of(item, "key")?);
                names.push(name.map_err(|_| malformed("key"))?);
            }
            if next.is_none() || names.len() >= limit {
                break;
            }
            query.from = next;
        }
        names.truncate(limit);
        let heads = self.heads(&names).await?;
        Ok(names
            .into_iter()
            .filter_map(|name| Some((heads.get(&name)?, name)))
            .map(|(head, name)| (name, *head))
            .collect())
    }

    /// The heads of those that have events.
    pub(crate) async fn heads_of(
        &self,
        mut streams: Vec<StreamId>,
    ) -> Result<Vec<(StreamId, Seq)>, CallError> {
        // By model, each of which has its table.
        streams.sort();
        streams.dedup();
        Ok(self.heads(&streams).await?.into_iter().collect())
    }

    async fn heads(&self, streams: &[StreamId]) -> Result<BTreeMap<StreamId, Seq>, CallError> {
        let mut heads = BTreeMap::new();
        for of_model in streams.chunk_by(|one, next| one.model() == next.model()) {
            let table = self.model_table(&of_model[0]);
            let keys = of_model.iter().map(|stream| key(stream.as_str(), HEAD)).collect();
            for item in self.get_all(&table, keys).await? {
                let stream = StreamId::parse(text_of(&item, "stream")?);
                heads.insert(
                    stream.map_err(|_| malformed("stream"))?,
                    Seq(number_of(&item, "seq")?),
                );
            }
        }
        Ok(heads)
    }

    /// Writes an item that nobody misses.
    pub(crate) async fn probe(&self) -> Result<(), CallError> {
        self.put(&self.common_table(), key("probe", "probe"), Expression::default()).await.map(drop)
    }
}

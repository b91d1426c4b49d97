//! Replacing what is made from events: records, clients' numbers and snapshots.
//!
//! It is more than a transaction holds. So the head says first that records are owed: whoever
//! finds it half done does it again. Appends meanwhile are not hindered, and what they write is
//! newer and stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use twinstore_protocol::{ClientId, N, Seq, StreamId};
use twinstore_server::log::Derived;

use crate::calls::{CallError, Expression, Query};
use crate::clients::client_key;
use crate::item::{number, number_of, text, text_of};
use crate::pack::clients_of;
use crate::records::{Changed, is_gone};
use crate::store::{HEAD, Store, key};

impl Store {
    pub(crate) async fn replace_derived(
        self: &Arc<Self>,
        stream: &StreamId,
        derived: &Derived,
    ) -> Result<(), CallError> {
        let head = &derived.head;
        self.owe_records(stream, derived).await?;
        let records = self.replacing(stream, derived).await?;
        self.write_records(stream, records, head.seq).await?;
        self.replace_clients(stream, &derived.clients).await?;
        self.keep_snapshots(stream, 0).await?;
        for snapshot in &derived.snapshots {
            self.put_snapshot(stream, snapshot).await?;
        }
        self.settle_records(stream, Seq(0), head.seq).await
    }

    /// The head, which must be that one, says that records are owed.
    async fn owe_records(&self, stream: &StreamId, derived: &Derived) -> Result<(), CallError> {
        let head = &derived.head;
        let change = Expression::update("SET #owed_from = :none, #owed_to = :seq")
            .and_when("#seq = :seq AND #log = :log AND #chain = :chain")
            .with("none", number(0))
            .with("seq", number(head.seq.0))
            .with("log", text(&head.log.0))
            .with("chain", text(head.chain.as_str()));
        let table = self.model_table(stream);
        match self.update(&table, key(stream.as_str(), HEAD), change).await {
            Err(CallError::Condition { .. }) => Err(CallError::HeadMoved),
            owed => owed,
        }
    }

    /// The records, and the end of those that are not among them.
    async fn replacing(
        &self,
        stream: &StreamId,
        derived: &Derived,
    ) -> Result<Vec<Changed>, CallError> {
        let named: BTreeSet<&str> = derived.records.iter().map(|(name, _)| name.as_str()).collect();
        let mut records: Vec<Changed> = derived
            .records
            .iter()
            .map(|(name, record)| (name.clone(), Some(record.clone())))
            .collect();
        for item in self.record_items(stream).await? {
            let name = text_of(&item, "name")?;
            if !is_gone(&item) && !named.contains(name) {
                records.push((name.to_owned(), None));
            }
        }
        Ok(records)
    }

    /// Sets clients' numbers, and where their last events lie, as the packs say.
    async fn replace_clients(
        &self,
        stream: &StreamId,
        clients: &[(ClientId, N)],
    ) -> Result<(), CallError> {
        if clients.is_empty() {
            return Ok(());
        }
        let packs = self.last_packs(stream).await?;
        let table = self.model_table(stream);
        for (client, last) in clients {
            let pack = packs.get(client).copied().unwrap_or(Seq(0));
            let change = Expression::update("SET #last = :last, #pack = :pack")
                .and_when("attribute_not_exists(#last) OR #last <= :last OR #pack <= :pack")
                .with("last", number(last.0))
                .with("pack", number(pack.0));
            self.clients.forget(stream, client);
            match self.update(&table, client_key(stream, client), change).await {
                // It has gone on meanwhile.
                Err(CallError::Condition { .. }) => {}
                set => set?,
            }
        }
        Ok(())
    }

    async fn last_packs(&self, stream: &StreamId) -> Result<BTreeMap<ClientId, Seq>, CallError> {
        let table = self.events_table(stream);
        let keys = Expression::when("#stream = :stream").with("stream", text(stream.as_str()));
        let all = Query { only: Some("#seq, #clients"), ..Query::new(&table, keys) };
        let mut last = BTreeMap::new();
        for item in self.query_all(all).await? {
            let seq = Seq(number_of(&item, "seq")?);
            last.extend(clients_of(&item)?.into_keys().map(|client| (client, seq)));
        }
        Ok(last)
    }
}

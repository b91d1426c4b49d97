//! What a moved base leaves behind: packs and states below it, and clients that are to be forgotten.
//!
//! Each step may be done twice, so that one that was stopped is simply done again. Nobody reads
//! what is swept out: reads begin behind the base.

use twinstore_protocol::{ClientId, N, Seq, StreamId};
use twinstore_server::day::Day;

use crate::calls::{CallError, Expression, Query};
use crate::clients::{CLIENT, client_key};
use crate::item::{Item, malformed, number, number_in, text, text_of};
use crate::limits;
use crate::snapshots::snapshot_key;
use crate::store::{HEAD, Store, key};

impl Store {
    /// Does what the head says is to be swept out, if it says so.
    pub(crate) async fn sweep(&self, stream: &StreamId) -> Result<(), CallError> {
        let Some(stored) = self.head(stream).await? else { return Ok(()) };
        let Some((base, since)) = stored.start.base.zip(stored.sweep) else { return Ok(()) };
        self.sweep_packs(stream, base.seq).await?;
        self.sweep_states(stream, base.seq).await?;
        self.forget_clients(stream, base.seq, since).await?;
        let done = Expression::update("REMOVE #sweep")
            .and_when("#base = :base")
            .with("base", number(base.seq.0));
        match self.update(&self.model_table(stream), key(stream.as_str(), HEAD), done).await {
            // It has moved on: that one is swept by whoever moved it.
            Err(CallError::Condition { .. }) => Ok(()),
            done => done,
        }
    }

    async fn sweep_packs(&self, stream: &StreamId, base: Seq) -> Result<(), CallError> {
        let table = self.events_table(stream);
        let keys = Expression::when("#stream = :stream AND #seq <= :base")
            .with("stream", text(stream.as_str()))
            .with("base", number(base.0));
        let mut query = Query { only: Some("#stream, #seq"), ..in_pages(&table, keys) };
        loop {
            let (keys, next) = self.query(query.clone()).await?;
            self.delete_all(&table, keys).await?;
            if next.is_none() {
                return Ok(());
            }
            query.from = next;
        }
    }

    /// The base's own stays.
    async fn sweep_states(&self, stream: &StreamId, base: Seq) -> Result<(), CallError> {
        let table = self.model_table(stream);
        let keys = Expression::when("#stream = :stream AND #key BETWEEN :first AND :last")
            .with("stream", text(stream.as_str()))
            .with("first", text(snapshot_key(Seq(0))))
            .with("last", text(snapshot_key(Seq(base.0.saturating_sub(1)))));
        let only = Some("#stream, #key, #parts, #count");
        for old in self.query_all(Query { only, ..Query::new(&table, keys) }).await? {
            self.delete(&table, key(stream.as_str(), text_of(&old, "key")?)).await?;
            self.drop_parts(&table, stream.as_str(), &old).await?;
        }
        Ok(())
    }

    /// Forgets clients of before that moment that have no event left.
    async fn forget_clients(
        &self,
        stream: &StreamId,
        base: Seq,
        since: u64,
    ) -> Result<(), CallError> {
        let day = Day::of(since);
        let table = self.model_table(stream);
        let keys = Expression::when("#stream = :stream AND begins_with(#key, :client)")
            .with("stream", text(stream.as_str()))
            .with("client", text(CLIENT));
        let mut query = in_pages(&table, keys);
        loop {
            let (items, next) = self.query(query.clone()).await?;
            for item in &items {
                let client = text_of(item, "key")?.strip_prefix(CLIENT);
                let client = ClientId(client.ok_or_else(|| malformed("key"))?.to_owned());
                if day.forgets(&client) && is_over(item, base, since)? {
                    let last = number_in(item, "last")?.map(N);
                    self.forget_client(stream, &client, base, last).await?;
                }
            }
            if next.is_none() {
                return Ok(());
            }
            query.from = next;
        }
    }

    /// First nothing is known of it any more, then what was known goes.
    async fn forget_client(
        &self,
        stream: &StreamId,
        client: &ClientId,
        base: Seq,
        last: Option<N>,
    ) -> Result<(), CallError> {
        let (table, key) = (self.model_table(stream), client_key(stream, client));
        self.clients.forget(stream, client);
        if let Some(last) = last {
            let unknown = Expression::update(
                "SET #forgotten = :yes REMOVE #last, #pack, #subject, #gone_n, #gone_seq, #gone_at",
            )
            .and_when("#last = :last")
            .with("yes", number(1))
            .with("last", number(last.0));
            match self.update(&table, key.clone(), unknown).await {
                // It is back.
                Err(CallError::Condition { .. }) => return Ok(()),
                forgotten => forgotten?,
            }
        }
        self.drop_rejections(stream, client, base).await?;
        match self.delete_if(&table, key, Expression::when("attribute_not_exists(#last)")).await {
            Err(CallError::Condition { .. }) => Ok(()),
            gone => gone,
        }
    }
}

fn in_pages(table: &str, keys: Expression) -> Query<'_> {
    Query { limit: Some(limits::SWEPT_AT_ONCE), ..Query::new(table, keys) }
}

/// Whether a client has no event behind the base, and the last one was before that moment; or was
/// being forgotten.
fn is_over(item: &Item, base: Seq, since: u64) -> Result<bool, CallError> {
    let Some(last) = number_in(item, "last")? else {
        return Ok(item.contains_key("forgotten"));
    };
    let (n, seq) = (number_in(item, "gone_n")?, number_in(item, "gone_seq")?);
    let at = number_in(item, "gone_at")?;
    Ok(n == Some(last) && seq.is_some_and(|seq| seq <= base.0) && at.is_some_and(|at| at < since))
}

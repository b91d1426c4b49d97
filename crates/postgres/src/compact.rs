//! Moving a stream's base: a state in the place of the events up to it, in one transaction.

use deadpool_postgres::Object;
use twinstore_protocol::StreamId;
use twinstore_server::log::{BackendError, Compaction, Head, Snapshot};

use crate::derived::{PUT_SNAPSHOT, is_head};
use crate::rows::int;
use crate::text::{events_table, stored};

/// Gives how many events are gone.
pub(crate) async fn compact(
    client: &Object,
    stream: &StreamId,
    compaction: &Compaction,
) -> Result<u64, BackendError> {
    let (id, events) = (stream.as_str(), events_table(stream.model()));
    let Compaction { head: Head { seq, chain, .. }, base, forget } = compaction;
    let Snapshot { seq: place, model, state } = base;
    let place = int(place.0);
    if !is_head(client, id, *seq, chain).await? {
        return Err("the head is another one by now".into());
    }
    let moved = format!(
        "INSERT INTO twin_bases (stream, seq, chain) \
         SELECT stream, seq, chain FROM {events} WHERE stream = $1 AND seq = $2 \
         ON CONFLICT (stream) DO UPDATE SET seq = excluded.seq, chain = excluded.chain"
    );
    if client.execute(&moved, &[&id, &place]).await? == 0 {
        return Err("there is no event at that place".into());
    }
    let rejected = format!(
        "INSERT INTO twin_rejections (stream, client, n, from_n, seq, code, reason) \
         SELECT stream, client, n, from_n, seq, code, reason FROM {events} \
         WHERE stream = $1 AND seq <= $2 AND code IS NOT NULL"
    );
    client.execute(&rejected, &[&id, &place]).await?;
    let forgotten: Vec<_> = forget.iter().map(|client| stored(client.as_str())).collect();
    let reasons =
        "UPDATE twin_rejections SET reason = '' WHERE stream = $1 AND client = ANY($2::text[])";
    client.execute(reasons, &[&id, &forgotten]).await?;
    let gone = format!("DELETE FROM {events} WHERE stream = $1 AND seq <= $2");
    let gone = client.execute(&gone, &[&id, &place]).await?;
    let older = "DELETE FROM twin_snapshots WHERE stream = $1 AND seq <= $2";
    client.execute(older, &[&id, &place]).await?;
    client.execute(PUT_SNAPSHOT, &[&id, &place, model, state]).await?;
    Ok(gone)
}

/// Rewrites the tables that had what is gone: what is deleted still stands in their files.
pub(crate) async fn wipe(client: &Object, stream: &StreamId) -> Result<(), BackendError> {
    let events = events_table(stream.model());
    for table in [events.as_str(), "twin_rejections", "twin_snapshots"] {
        client.batch_execute(&format!("VACUUM (FULL) {table}")).await?;
    }
    Ok(())
}

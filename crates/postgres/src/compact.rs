//! Moving a stream's base: a state in the place of the events up to it, in one transaction.

use deadpool_postgres::Object;
use twinstore_protocol::{ClientId, StreamId};
use twinstore_server::day::Day;
use twinstore_server::log::{BackendError, Compaction, NO_PLACE, Snapshot};

use crate::derived::{PUT_SNAPSHOT, expect_head};
use crate::rows::int;
use crate::text::{events_table, read, stored};

/// Gives how many events are gone.
pub(crate) async fn compact(
    client: &Object,
    stream: &StreamId,
    compaction: &Compaction,
) -> Result<u64, BackendError> {
    let (id, events) = (stream.as_str(), events_table(stream.model()));
    let Compaction { head, base, forget, clients_since } = compaction;
    let Snapshot { seq: place, model, state } = base;
    let place = int(place.0);
    expect_head(client, stream, head).await?;
    let moved = format!(
        "INSERT INTO twin_bases (stream, seq, chain) \
         SELECT stream, seq, chain FROM {events} WHERE stream = $1 AND seq = $2 \
         ON CONFLICT (stream) DO UPDATE SET seq = excluded.seq, chain = excluded.chain"
    );
    if client.execute(&moved, &[&id, &place]).await? == 0 {
        return Err(NO_PLACE.into());
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
    let gone = let_go(client, stream, place).await?;
    forget_clients(client, stream, *clients_since).await?;
    let older = "DELETE FROM twin_snapshots WHERE stream = $1 AND seq <= $2";
    client.execute(older, &[&id, &place]).await?;
    client.execute(PUT_SNAPSHOT, &[&id, &place, model, state]).await?;
    Ok(gone)
}

/// Takes out the events up to a place. When a client had its last one there is kept. Gives how many they were.
async fn let_go(client: &Object, stream: &StreamId, place: i64) -> Result<u64, BackendError> {
    let (id, events) = (stream.as_str(), events_table(stream.model()));
    let clients = format!(
        "INSERT INTO twin_gone (stream, client, at) SELECT stream, client, max(at) \
         FROM {events} WHERE stream = $1 AND seq <= $2 GROUP BY stream, client \
         ON CONFLICT (stream, client) DO UPDATE SET at = greatest(twin_gone.at, excluded.at)"
    );
    client.execute(&clients, &[&id, &place]).await?;
    let gone = format!("DELETE FROM {events} WHERE stream = $1 AND seq <= $2");
    Ok(client.execute(&gone, &[&id, &place]).await?)
}

/// Forgets clients of before that moment that have no event left.
async fn forget_clients(
    client: &Object,
    stream: &StreamId,
    since: u64,
) -> Result<(), BackendError> {
    let (id, day) = (stream.as_str(), Day::of(since));
    let still = format!(
        "SELECT client FROM twin_gone g WHERE stream = $1 AND at < $2 AND NOT EXISTS \
         (SELECT FROM {} e WHERE e.stream = $1 AND e.client = g.client)",
        events_table(stream.model())
    );
    let still = client.query(&still, &[&id, &int(since)]).await?;
    let is_old = |name: &String| day.forgets(&ClientId(read(name.clone())));
    let old: Vec<String> = still.iter().map(|row| row.get(0)).filter(is_old).collect();
    for table in ["twin_clients", "twin_subjects", "twin_rejections", "twin_gone"] {
        let sql = format!("DELETE FROM {table} WHERE stream = $1 AND client = ANY($2::text[])");
        client.execute(&sql, &[&id, &old]).await?;
    }
    let sql = "INSERT INTO twin_forgotten (stream, clients_since) VALUES ($1, $2) \
               ON CONFLICT (stream) DO UPDATE \
               SET clients_since = greatest(twin_forgotten.clients_since, excluded.clients_since)";
    client.execute(sql, &[&id, &i64::from(day.0)]).await?;
    Ok(())
}

/// Rewrites the tables that had what is gone: what is deleted still stands in their files.
pub(crate) async fn wipe(client: &Object, stream: &StreamId) -> Result<(), BackendError> {
    let events = events_table(stream.model());
    for table in [events.as_str(), "twin_rejections", "twin_snapshots"] {
        client.batch_execute(&format!("VACUUM (FULL) {table}")).await?;
    }
    Ok(())
}

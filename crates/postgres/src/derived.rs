//! Writing what is made from events: snapshots, records, clients' numbers.

use deadpool_postgres::Object;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;
use twinstore_protocol::StreamId;
use twinstore_server::limits;
use twinstore_server::log::{BackendError, Derived, HEAD_MOVED, Head, Snapshot};

use crate::rows::int;
use crate::text::{records_table, stored};
use crate::transaction::{Columns, PUT_CLIENTS, put_records};

/// Puts a snapshot and drops the oldest beyond those kept.
pub(crate) async fn put_snapshot(
    client: &Object,
    stream: &str,
    snapshot: &Snapshot,
) -> Result<(), Error> {
    let Snapshot { seq, model, state } = snapshot;
    let put = client.prepare_cached(PUT_SNAPSHOT).await?;
    client.execute(&put, &[&stream, &int(seq.0), model, state]).await?;
    let drop_old = client.prepare_cached(DROP_SNAPSHOTS).await?;
    client.execute(&drop_old, &[&stream, &i64::from(limits::SNAPSHOTS_KEPT)]).await.map(drop)
}

/// Replaces all of it.
pub(crate) async fn replace(
    client: &Object,
    stream: &StreamId,
    derived: &Derived,
) -> Result<(), BackendError> {
    let (id, model) = (stream.as_str(), stream.model());
    expect_head(client, stream, &derived.head).await?;
    let gone = format!("DELETE FROM {} WHERE stream = $1", records_table(model));
    client.execute(&gone, &[&id]).await?;
    let mut columns = Columns::default();
    for (key, record) in &derived.records {
        columns.push(id, key, record, derived.head.seq);
    }
    put_records(client, model, &columns).await?;
    let ids: Vec<_> = derived.clients.iter().map(|(client, _)| stored(client.as_str())).collect();
    let ns: Vec<i64> = derived.clients.iter().map(|(_, n)| int(n.0)).collect();
    // Set, whatever stood there.
    client
        .execute("DELETE FROM twin_clients WHERE stream = $1 AND client = ANY($2)", &[&id, &ids])
        .await?;
    client.execute(PUT_CLIENTS, &[&vec![id; ids.len()], &ids, &ns]).await?;
    client.execute("DELETE FROM twin_snapshots WHERE stream = $1", &[&id]).await?;
    for Snapshot { seq, model, state } in &derived.snapshots {
        client.execute(PUT_SNAPSHOT, &[&id, &int(seq.0), model, state]).await?;
    }
    Ok(())
}

/// Fails where the stream stands elsewhere; else nobody moves it before the transaction ends.
pub(crate) async fn expect_head(
    client: &Object,
    stream: &StreamId,
    Head { seq, chain, .. }: &Head,
) -> Result<(), BackendError> {
    let sql =
        "SELECT 1 FROM twin_streams WHERE stream = $1 AND head = $2 AND chain = $3 FOR UPDATE";
    let keys: [&(dyn ToSql + Sync); 3] = [&stream.as_str(), &int(seq.0), &chain.as_str()];
    let found = client.query_opt(sql, &keys).await?;
    found.map(drop).ok_or_else(|| HEAD_MOVED.into())
}

pub(crate) const PUT_SNAPSHOT: &str = "INSERT INTO twin_snapshots (stream, seq, model, state) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (stream, seq) \
     DO UPDATE SET model = excluded.model, state = excluded.state";

/// What stands in for events that are gone stays.
const DROP_SNAPSHOTS: &str = "DELETE FROM twin_snapshots WHERE stream = $1 AND seq NOT IN \
     (SELECT seq FROM twin_snapshots WHERE stream = $1 ORDER BY seq DESC LIMIT $2) \
     AND seq NOT IN (SELECT seq FROM twin_bases WHERE stream = $1)";

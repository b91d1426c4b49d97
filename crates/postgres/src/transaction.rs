//! One transaction for the appends of several streams: lock their heads, compare, write.
//!
//! Keeps I8. Heads are locked in the order of their names, so that two processes never wait for
//! each other. However many appends there are, all that is sent goes in three round trips.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use deadpool_postgres::Object;
use futures_util::future::try_join_all;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;
use twinstore_protocol::{Seq, StreamId};
use twinstore_server::event::StoredEvent;
use twinstore_server::log::{Append, AppendError, Head};

use crate::rows::{int, uint};
use crate::text::{events_table, record_id, records_table, stored};

/// Why a transaction did not succeed.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Nothing was written.
    Before(Error),
    /// It was committed or not.
    AtCommit(Error),
}

/// Writes the appends whose stream is at the head that they expect; an outcome for each.
///
/// After an error the connection may be in the middle of a transaction: it must not be used again.
pub(crate) async fn write(
    client: &Object,
    appends: &[&Append],
) -> Result<Vec<Result<Head, AppendError>>, Broken> {
    let heads = lock(client, appends).await.map_err(Broken::Before)?;
    commit(client, appends, heads).await
}

/// Begins a transaction in which nobody else moves the stream's head.
pub(crate) async fn lock_one(client: &Object, stream: &StreamId) -> Result<(), Error> {
    let lock = client.prepare_cached(LOCK_HEADS).await?;
    let streams = [stream.as_str()];
    let keys: [&(dyn ToSql + Sync); 1] = [&streams.as_slice()];
    tokio::try_join!(client.batch_execute(BEGIN), client.query(&lock, &keys))?;
    Ok(())
}

/// Writes an append in the transaction that [`lock_one`] began.
pub(crate) async fn write_locked(
    client: &Object,
    append: &Append,
) -> Result<Result<Head, AppendError>, Broken> {
    let heads = heads_of(client, &[append]).await.map_err(Broken::Before)?;
    let mut outcomes = commit(client, &[append], heads).await?;
    Ok(outcomes.remove(0))
}

async fn commit(
    client: &Object,
    appends: &[&Append],
    heads: Heads,
) -> Result<Vec<Result<Head, AppendError>>, Broken> {
    let taken = take(client, appends, heads).await.map_err(Broken::Before)?;
    client.batch_execute("COMMIT").await.map_err(Broken::AtCommit)?;
    let outcome = |(append, taken): (&&Append, bool)| match taken {
        true => Ok(append.head()),
        false => Err(AppendError::Conflict { expected: append.after.0 }),
    };
    Ok(appends.iter().zip(taken).map(outcome).collect())
}

async fn take(client: &Object, appends: &[&Append], mut heads: Heads) -> Result<Vec<bool>, Error> {
    let taken: Vec<bool> = appends.iter().map(|append| is_next(&mut heads, append)).collect();
    let written: Vec<&Append> = appends
        .iter()
        .zip(&taken)
        .filter(|(_, taken)| **taken)
        .map(|(append, _)| *append)
        .collect();
    insert(client, &written).await?;
    Ok(taken)
}

/// Where streams stand: which log, which place.
type Heads = BTreeMap<String, (String, Seq)>;

/// Begins a transaction, with the stored heads, which nobody else moves from here on.
async fn lock(client: &Object, appends: &[&Append]) -> Result<Heads, Error> {
    let (begun, heads) = tokio::try_join!(client.batch_execute(BEGIN), heads_of(client, appends))?;
    let () = begun;
    Ok(heads)
}

async fn heads_of(client: &Object, appends: &[&Append]) -> Result<Heads, Error> {
    let (make, lock) =
        tokio::try_join!(client.prepare_cached(MAKE_HEADS), client.prepare_cached(LOCK_HEADS))?;
    let new: Vec<_> = appends.iter().filter(|append| append.after == Seq(0)).collect();
    let new_streams: Vec<&str> = new.iter().map(|append| append.stream.as_str()).collect();
    let new_logs: Vec<&str> = new.iter().map(|append| append.log.as_str()).collect();
    let streams: Vec<&str> = appends.iter().map(|append| append.stream.as_str()).collect();
    let keys: [&(dyn ToSql + Sync); 2] = [&new_streams, &new_logs];
    let lock_keys: [&(dyn ToSql + Sync); 1] = [&streams];
    let (_, rows) =
        tokio::try_join!(client.execute(&make, &keys), client.query(&lock, &lock_keys))?;
    Ok(rows.iter().map(|row| (row.get(0), (row.get(1), Seq(uint(row, 2))))).collect())
}

/// I8. A stream without events has no log yet, whoever made its row.
fn is_next(heads: &mut Heads, append: &Append) -> bool {
    let Some((log, seq)) = heads.get_mut(append.stream.as_str()) else { return false };
    if *seq != append.after || (*seq > Seq(0) && log != append.log.as_str()) {
        return false;
    }
    (*log, *seq) = (append.log.as_str().to_owned(), append.head().seq);
    true
}

/// One statement for each table, none waits for another's answer.
async fn insert(client: &Object, appends: &[&Append]) -> Result<(), Error> {
    if appends.is_empty() {
        return Ok(());
    }
    let mut models: BTreeMap<&str, Vec<&Append>> = BTreeMap::new();
    for append in appends {
        models.entry(append.stream.model()).or_default().push(append);
    }
    let mut all: Vec<Sent<'_>> = vec![Box::pin(heads(client, appends))];
    all.push(Box::pin(clients(client, appends)));
    all.push(Box::pin(subjects(client, appends)));
    for (model, appends) in models {
        all.push(Box::pin(events(client, model, appends.clone())));
        all.push(Box::pin(records(client, model, appends)));
    }
    try_join_all(all).await.map(drop)
}

type Sent<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

async fn heads(client: &Object, appends: &[&Append]) -> Result<(), Error> {
    // Of several appends to one stream the last says where it stands.
    let last: BTreeMap<&str, Head> =
        appends.iter().map(|append| (append.stream.as_str(), append.head())).collect();
    let streams: Vec<&str> = last.keys().copied().collect();
    let logs: Vec<&str> = last.values().map(|head| head.log.as_str()).collect();
    let seqs: Vec<i64> = last.values().map(|head| int(head.seq.0)).collect();
    let chains: Vec<&str> = last.values().map(|head| head.chain.as_str()).collect();
    let statement = client.prepare_cached(MOVE_HEADS).await?;
    client.execute(&statement, &[&streams, &logs, &seqs, &chains]).await.map(drop)
}

async fn clients(client: &Object, appends: &[&Append]) -> Result<(), Error> {
    let mut last = BTreeMap::new();
    for append in appends {
        for event in &append.events {
            let key = (append.stream.as_str(), event.client.as_str());
            let n = last.entry(key).or_insert(0);
            *n = (*n).max(int(event.n.0));
        }
    }
    let streams: Vec<&str> = last.keys().map(|(stream, _)| *stream).collect();
    let ids: Vec<_> = last.keys().map(|(_, client)| stored(client)).collect();
    let ns: Vec<i64> = last.values().copied().collect();
    let statement = client.prepare_cached(PUT_CLIENTS).await?;
    client.execute(&statement, &[&streams, &ids, &ns]).await.map(drop)
}

/// Only first entries bind: mostly there is nothing to be sent.
async fn subjects(client: &Object, appends: &[&Append]) -> Result<(), Error> {
    let bound = appends.iter().flat_map(|a| a.bound.iter().map(|row| (a.stream.as_str(), row)));
    let rows: Vec<_> = bound.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let streams: Vec<&str> = rows.iter().map(|(stream, _)| *stream).collect();
    let ids: Vec<_> = rows.iter().map(|(_, (client, _))| stored(client.as_str())).collect();
    let subjects: Vec<_> = rows.iter().map(|(_, (_, subject))| stored(subject)).collect();
    let statement = client.prepare_cached(BIND_CLIENTS).await?;
    client.execute(&statement, &[&streams, &ids, &subjects]).await.map(drop)
}

async fn events(client: &Object, model: &str, appends: Vec<&Append>) -> Result<(), Error> {
    let all =
        || appends.iter().flat_map(|a| a.events.iter().map(|event| (a.stream.as_str(), event)));
    let streams: Vec<&str> = all().map(|(stream, _)| stream).collect();
    let events: Vec<&StoredEvent> = all().map(|(_, event)| event).collect();
    let of = |column: fn(&StoredEvent) -> u64| -> Vec<i64> {
        events.iter().map(|event| int(column(event))).collect()
    };
    let (seqs, ns, ats) = (of(|e| e.seq.0), of(|e| e.n.0), of(|e| e.at));
    let froms: Vec<Option<i64>> = events.iter().map(|e| e.from.map(|n| int(n.0))).collect();
    let ids: Vec<_> = events.iter().map(|e| stored(e.client.as_str())).collect();
    let kinds: Vec<_> = events.iter().map(|e| stored(&e.kind)).collect();
    let hashes: Vec<&str> = events.iter().map(|e| e.model.as_str()).collect();
    let schemas = of(|e| e.schema.into());
    let codes: Vec<_> = events.iter().map(|e| e.error.as_ref().map(|r| stored(&r.code))).collect();
    let reasons: Vec<_> =
        events.iter().map(|e| e.error.as_ref().map(|r| stored(&r.reason))).collect();
    let bodies: Vec<&str> = events.iter().map(|e| e.body.as_str()).collect();
    let chains: Vec<&str> = events.iter().map(|e| e.chain.as_str()).collect();
    let asides: Vec<_> = events.iter().map(|e| e.aside.as_deref()).collect();
    let sql = format!(
        "INSERT INTO {} (stream, seq, client, n, from_n, at, type, model, schema, code, reason, \
         body, chain, aside) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], \
         $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::bigint[], \
         $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])",
        events_table(model)
    );
    let statement = client.prepare_cached(&sql).await?;
    let row: [&(dyn ToSql + Sync); 14] = [
        &streams, &seqs, &ids, &ns, &froms, &ats, &kinds, &hashes, &schemas, &codes, &reasons,
        &bodies, &chains, &asides,
    ];
    client.execute(&statement, &row).await.map(drop)
}

async fn records(client: &Object, model: &str, appends: Vec<&Append>) -> Result<(), Error> {
    let mut last = BTreeMap::new();
    for append in appends {
        for (key, record) in &append.records {
            let change = (record.as_deref(), append.head().seq);
            last.insert((append.stream.as_str(), key.as_str()), change);
        }
    }
    let (mut put, mut gone) = (Columns::default(), (Vec::new(), Vec::new()));
    for ((stream, key), (record, seq)) in last {
        match record {
            Some(record) => put.push(stream, key, record, seq),
            None => {
                gone.0.push(stream);
                gone.1.push(record_id(key));
            }
        }
    }
    put_records(client, model, &put).await?;
    if gone.0.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "DELETE FROM {} AS r USING unnest($1::text[], $2::text[]) AS gone (stream, id) \
         WHERE r.stream = gone.stream AND r.id = gone.id",
        records_table(model)
    );
    let statement = client.prepare_cached(&sql).await?;
    client.execute(&statement, &[&gone.0, &gone.1]).await.map(drop)
}

/// Records, by column.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    streams: Vec<&'a str>,
    ids: Vec<std::borrow::Cow<'a, str>>,
    keys: Vec<std::borrow::Cow<'a, str>>,
    records: Vec<&'a str>,
    seqs: Vec<i64>,
}

impl<'a> Columns<'a> {
    pub(crate) fn push(&mut self, stream: &'a str, key: &'a str, record: &'a str, seq: Seq) {
        self.streams.push(stream);
        self.ids.push(record_id(key));
        self.keys.push(stored(key));
        self.records.push(record);
        self.seqs.push(int(seq.0));
    }
}

/// Puts records whose keys differ.
pub(crate) async fn put_records(
    client: &Object,
    model: &str,
    put: &Columns<'_>,
) -> Result<(), Error> {
    if put.streams.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO {} (stream, id, key, record, seq) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) \
         ON CONFLICT (stream, id) DO UPDATE SET record = excluded.record, seq = excluded.seq",
        records_table(model)
    );
    let statement = client.prepare_cached(&sql).await?;
    let row: [&(dyn ToSql + Sync); 5] =
        [&put.streams, &put.ids, &put.keys, &put.records, &put.seqs];
    client.execute(&statement, &row).await.map(drop)
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

const MAKE_HEADS: &str = "INSERT INTO twin_streams (stream, log, head, chain) \
     SELECT stream, log, 0, '' FROM unnest($1::text[], $2::text[]) AS new (stream, log) \
     ORDER BY stream COLLATE \"C\" ON CONFLICT DO NOTHING";

const LOCK_HEADS: &str = "SELECT stream, log, head FROM twin_streams WHERE stream = ANY($1::text[]) \
     ORDER BY stream FOR UPDATE";

const MOVE_HEADS: &str = "UPDATE twin_streams AS t SET log = new.log, head = new.head, \
     chain = new.chain FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) \
     AS new (stream, log, head, chain) WHERE t.stream = new.stream";

const BIND_CLIENTS: &str = "INSERT INTO twin_subjects (stream, client, subject) \
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[])";

/// Also for what is rebuilt.
pub(crate) const PUT_CLIENTS: &str = "INSERT INTO twin_clients AS c (stream, client, last) \
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) ON CONFLICT (stream, client) \
     DO UPDATE SET last = greatest(c.last, excluded.last)";

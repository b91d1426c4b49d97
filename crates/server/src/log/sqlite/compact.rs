//! Compaction: a state takes the place of events, and what only they said of clients is kept beside it.

use rusqlite::{Connection, Transaction, params};
use twinstore_protocol::{ClientId, Seq, StreamId};

use super::int;
use super::writer::{expect_head, insert_snapshot};
use crate::day::Day;
use crate::log::{BackendError, Compaction, NO_PLACE};

/// One transaction; gives how many events are gone.
pub(super) fn compact(
    connection: &mut Connection,
    stream: &StreamId,
    compaction: &Compaction,
) -> Result<u64, BackendError> {
    let (model, id) = (stream.model(), stream.as_str());
    let Compaction { head, base, forget, clients_since } = compaction;
    let place = params![id, int(base.seq.0)];
    let transaction = connection.transaction()?;
    expect_head(&transaction, stream, head)?;
    let moved = transaction.execute(
        &format!(
            "INSERT OR REPLACE INTO twin_bases (stream, seq, chain) \
             SELECT stream, seq, chain FROM \"{model}_events\" WHERE stream = ?1 AND seq = ?2"
        ),
        place,
    )?;
    if moved == 0 {
        return Err(NO_PLACE.into());
    }
    transaction.execute(
        &format!(
            "INSERT INTO twin_rejections (stream, client, n, from_n, seq, code, reason) \
             SELECT stream, client, n, from_n, seq, code, reason FROM \"{model}_events\" \
             WHERE stream = ?1 AND seq <= ?2 AND code IS NOT NULL"
        ),
        place,
    )?;
    for client in forget {
        let sql = "UPDATE twin_rejections SET reason = '' WHERE stream = ?1 AND client = ?2";
        transaction.prepare_cached(sql)?.execute(params![id, client.as_str()])?;
    }
    let gone = let_go(&transaction, stream, base.seq)?;
    forget_clients(&transaction, stream, *clients_since)?;
    let older = "DELETE FROM twin_snapshots WHERE stream = ?1 AND seq <= ?2";
    transaction.execute(older, place)?;
    insert_snapshot(&transaction, stream, base)?;
    transaction.commit()?;
    if !forget.is_empty() {
        // Pages that are free still hold what was there.
        connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
    }
    Ok(gone as u64)
}

/// Takes out the events up to a place. When a client had its last one there is kept. Gives how many they were.
fn let_go(transaction: &Transaction<'_>, stream: &StreamId, to: Seq) -> rusqlite::Result<usize> {
    let (events, place) =
        (format!("{}_events", stream.model()), params![stream.as_str(), int(to.0)]);
    let clients = format!(
        "INSERT INTO twin_gone (stream, client, at) SELECT stream, client, max(at) \
         FROM \"{events}\" WHERE stream = ?1 AND seq <= ?2 GROUP BY client \
         ON CONFLICT DO UPDATE SET at = max(at, excluded.at)"
    );
    transaction.execute(&clients, place)?;
    transaction.execute(&format!("DELETE FROM \"{events}\" WHERE stream = ?1 AND seq <= ?2"), place)
}

/// Forgets clients of before that moment that have no event left.
fn forget_clients(
    transaction: &Transaction<'_>,
    stream: &StreamId,
    since: u64,
) -> rusqlite::Result<()> {
    let (id, day) = (stream.as_str(), Day::of(since));
    let old = format!(
        "SELECT client FROM twin_gone WHERE stream = ?1 AND at < ?2 AND NOT EXISTS \
         (SELECT 1 FROM \"{}_events\" e WHERE e.stream = ?1 AND e.client = twin_gone.client)",
        stream.model()
    );
    let mut old = transaction.prepare(&old)?;
    let old = old.query_map(params![id, int(since)], |row| row.get(0).map(ClientId))?;
    let old: Vec<_> = old.collect::<Result<_, _>>()?;
    for client in old.iter().filter(|client| day.forgets(client)) {
        for table in ["twin_clients", "twin_subjects", "twin_rejections", "twin_gone"] {
            let sql = format!("DELETE FROM {table} WHERE stream = ?1 AND client = ?2");
            transaction.prepare_cached(&sql)?.execute(params![id, client.as_str()])?;
        }
    }
    let sql = "INSERT INTO twin_forgotten (stream, clients_since) VALUES (?1, ?2) \
               ON CONFLICT DO UPDATE SET clients_since = max(clients_since, excluded.clients_since)";
    transaction.execute(sql, params![id, day.0]).map(drop)
}

//! Rows as the server knows them.

use tokio_postgres::Row;
use twinstore_protocol::{
    Chain, ClientId, LogId, N, Rejection, RejectionRow, Seq, StreamId, StreamIdError,
};
use twinstore_server::day::Day;
use twinstore_server::event::StoredEvent;
use twinstore_server::log::{Base, Head, Snapshot, StoredModel, Verdict};

use crate::text;

/// The columns of [`event`].
pub(crate) const EVENT: &str =
    "seq, client, n, from_n, at, type, model, schema, code, reason, body, chain, aside";

pub(crate) fn event(row: &Row) -> StoredEvent {
    StoredEvent {
        seq: Seq(uint(row, 0)),
        client: ClientId(text::read(row.get(1))),
        n: N(uint(row, 2)),
        from: row.get::<_, Option<i64>>(3).map(|n| N(unsigned(n))),
        at: uint(row, 4),
        kind: text::read(row.get(5)),
        model: row.get(6),
        schema: u32::try_from(row.get::<_, i64>(7)).unwrap_or_default(),
        error: rejection(row, 8),
        body: row.get(10),
        chain: Chain(row.get(11)),
        aside: row.get(12),
    }
}

pub(crate) fn stream(row: &Row) -> Result<(StreamId, Seq), StreamIdError> {
    Ok((StreamId::parse(row.get(0))?, Seq(uint(row, 1))))
}

pub(crate) fn head(row: &Row) -> Head {
    Head { log: LogId(row.get(0)), seq: Seq(uint(row, 1)), chain: Chain(row.get(2)) }
}

pub(crate) fn rejection_row(row: &Row) -> Option<RejectionRow> {
    Some(RejectionRow { n: N(uint(row, 0)), seq: Seq(uint(row, 1)), error: rejection(row, 2)? })
}

/// With the first number that the event settled.
pub(crate) fn verdict(row: &Row) -> (Verdict, N) {
    let n = N(uint(row, 0));
    let first = row.get::<_, Option<i64>>(4).map_or(n, |n| N(unsigned(n)));
    (Verdict { n, seq: Seq(uint(row, 1)), error: rejection(row, 2) }, first)
}

pub(crate) fn base(row: &Row) -> Base {
    Base { seq: Seq(uint(row, 0)), chain: Chain(row.get(1)) }
}

pub(crate) fn day(row: &Row) -> Day {
    Day(u32::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}

pub(crate) fn record(row: &Row) -> (String, String) {
    (text::read(row.get(0)), row.get(1))
}

pub(crate) fn snapshot(row: &Row) -> Snapshot {
    Snapshot { seq: Seq(uint(row, 0)), model: row.get(1), state: row.get(2) }
}

pub(crate) fn model(row: &Row) -> StoredModel {
    StoredModel {
        hash: row.get(0),
        name: row.get(1),
        schema: u32::try_from(row.get::<_, i64>(2)).unwrap_or_default(),
        source: text::read(row.get(3)),
    }
}

pub(crate) fn uint(row: &Row, column: usize) -> u64 {
    unsigned(row.get(column))
}

/// PostgreSQL's integers are signed; all of ours are below 2^53.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn rejection(row: &Row, column: usize) -> Option<Rejection> {
    let code: Option<String> = row.get(column);
    let reason: Option<String> = row.get(column + 1);
    code.map(|code| Rejection { code, reason: text::read(reason.unwrap_or_default()) })
}

//! Every limit of this log (I7), most of them DynamoDB's own.

use std::time::Duration;

/// Threads that speak with the service.
pub const THREADS: usize = 2;

/// Items of one transaction.
pub const TRANSACTION_ITEMS: usize = 100;

/// Bytes of one transaction: 4 MB, and room for keys and names.
pub const TRANSACTION_BYTES: usize = 3 << 20;

/// Clients that one append may have events of: each is an item of the transaction.
pub const APPEND_CLIENTS: usize = 64;

/// Bytes of text in one item: 400 KB, and room for what stands beside it.
pub const ITEM_BYTES: usize = 340 << 10;

/// Bytes of a text up to which it is stored as it is: with its keys it takes one unit either way.
pub const PLAIN_BYTES: usize = 768;

/// Bytes that a compressed text of one item may become: one event more than an item of texts holds.
pub const TEXT_BYTES: usize = ITEM_BYTES + (32 << 10);

/// Bytes of a record's key that become part of an item's key, of 1,024.
pub const KEY_BYTES: usize = 900;

/// Tries of a transaction that others were in the way of.
pub const TRIES: u32 = 8;

/// The first pause between them; each is up to twice the one before.
pub const PAUSE: Duration = Duration::from_millis(20);

/// The longest pause.
pub const PAUSE_MOST: Duration = Duration::from_secs(1);

/// Tries of one call by the SDK: throttled, or without an answer.
pub const CALL_TRIES: u32 = 4;

/// How long one try of a call may take.
pub const CALL_TIME: Duration = Duration::from_secs(5);

/// How long a connection may take.
pub const CONNECT_TIME: Duration = Duration::from_secs(3);

/// How long a new table may take.
pub const TABLE_TIME: Duration = Duration::from_secs(60);

/// Items that are written at once where no transaction holds them.
pub const WRITES_AT_ONCE: usize = 16;

/// Keys of one batch of reads.
pub const BATCH_KEYS: usize = 100;

/// Items of one batch of writes.
pub const BATCH_WRITES: usize = 25;

/// Events that are looked at in one go where a stream is compacted.
pub const COMPACTED_AT_ONCE: usize = 1_000;

/// Items that are swept out in one go.
pub const SWEPT_AT_ONCE: usize = 500;

/// Clients whose last pack is kept in memory.
pub const CLIENTS_CACHED: usize = 10_000;

/// Streams whose beginning is kept in memory.
pub const STREAMS_CACHED: usize = 10_000;

/// How often a server that serves others' streams as well looks at their heads.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long a deleted record's item keeps older writes away.
pub const GONE_FOR: Duration = Duration::from_secs(24 * 3_600);

/// How long a message of the inbox stays. A table's stream brings it for a day.
pub const INBOX_FOR: Duration = Duration::from_secs(24 * 3_600);

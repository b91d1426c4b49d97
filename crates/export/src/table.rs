//! Events as a Parquet table: a row an event, one column a field, the action as JSON text.

use std::fs::File;
use std::io;
use std::mem::take;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use twinstore_server::analysis::dispatched;
use twinstore_server::event::StoredEvent;

use crate::columns::{Column, Values};

/// The columns, in the order of [`Group::columns`].
const SCHEMA: &str = "message event {
  required binary stream (STRING);
  required int64 seq;
  required binary client (STRING);
  required int64 n;
  optional int64 from_n;
  required int64 at (TIMESTAMP(MILLIS, true));
  optional int64 dispatched_at (TIMESTAMP(MILLIS, true));
  required binary type (STRING);
  required binary model (STRING);
  required int32 schema;
  optional binary code (STRING);
  optional binary reason (STRING);
  required binary action (STRING);
  required binary chain (STRING);
}";

/// How much may wait for one row group: this bounds the memory of an export.
#[derive(Clone, Copy, Debug)]
struct GroupLimits {
    rows: usize,
    bytes: usize,
}

const GROUP: GroupLimits = GroupLimits { rows: 50_000, bytes: 16 << 20 };

/// A table under way.
pub(crate) struct Table {
    writer: SerializedFileWriter<File>,
    stream: ByteArray,
    group: Group,
    limits: GroupLimits,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("rows", &self.group.rows).finish_non_exhaustive()
    }
}

impl Table {
    pub(crate) fn new(out: File, stream: &str) -> io::Result<Self> {
        Self::with_limits(out, stream, GROUP)
    }

    fn with_limits(out: File, stream: &str, limits: GroupLimits) -> io::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA).expect("the schema is well formed"));
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties));
        let stream = ByteArray::from(stream);
        Ok(Self { writer: writer.map_err(io_error)?, stream, group: Group::default(), limits })
    }

    pub(crate) fn put(&mut self, event: &StoredEvent) -> io::Result<()> {
        self.group.put(&self.stream, event);
        match self.group.rows >= self.limits.rows || self.group.bytes >= self.limits.bytes {
            true => self.write_group().map_err(io_error),
            false => Ok(()),
        }
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.group.rows > 0 {
            self.write_group().map_err(io_error)?;
        }
        self.writer.close().map(drop).map_err(io_error)
    }

    fn write_group(&mut self) -> Result<()> {
        let group = take(&mut self.group);
        let mut writer = self.writer.next_row_group()?;
        for values in group.columns() {
            let mut column = writer.next_column()?.expect("as many columns as in the schema");
            values.write(column.untyped())?;
            column.close()?;
        }
        writer.close().map(drop)
    }
}

/// The rows that wait to be written.
#[derive(Debug, Default)]
struct Group {
    rows: usize,
    bytes: usize,
    stream: Column<ByteArray>,
    seq: Column<i64>,
    client: Column<ByteArray>,
    n: Column<i64>,
    from_n: Column<i64>,
    at: Column<i64>,
    dispatched_at: Column<i64>,
    kind: Column<ByteArray>,
    model: Column<ByteArray>,
    schema: Column<i32>,
    code: Column<ByteArray>,
    reason: Column<ByteArray>,
    action: Column<ByteArray>,
    chain: Column<ByteArray>,
}

impl Group {
    fn put(&mut self, stream: &ByteArray, event: &StoredEvent) {
        let text = |text: &str| Some(ByteArray::from(text));
        let error = event.error.as_ref();
        let action = event.decided();
        self.rows += 1;
        self.bytes += action.len() + event.kind.len() + error.map_or(0, |e| e.reason.len());
        self.stream.put(Some(stream.clone()));
        self.seq.put(Some(long(event.seq.0)));
        self.client.put(text(event.client.as_str()));
        self.n.put(Some(long(event.n.0)));
        self.from_n.put(event.from.map(|n| long(n.0)));
        self.at.put(Some(long(event.at)));
        self.dispatched_at.put(dispatched(event).map(long));
        self.kind.put(text(&event.kind));
        self.model.put(text(&event.model));
        self.schema.put(Some(i32::try_from(event.schema).unwrap_or(i32::MAX)));
        self.code.put(error.and_then(|error| text(&error.code)));
        self.reason.put(error.and_then(|error| text(&error.reason)));
        self.action.put(text(action));
        self.chain.put(text(event.chain.as_str()));
    }

    /// In the order of [`SCHEMA`].
    fn columns(&self) -> [Values<'_>; 14] {
        [
            Values::Text(&self.stream),
            Values::Long(&self.seq),
            Values::Text(&self.client),
            Values::Long(&self.n),
            Values::Long(&self.from_n),
            Values::Long(&self.at),
            Values::Long(&self.dispatched_at),
            Values::Text(&self.kind),
            Values::Text(&self.model),
            Values::Int(&self.schema),
            Values::Text(&self.code),
            Values::Text(&self.reason),
            Values::Text(&self.action),
            Values::Text(&self.chain),
        ]
    }
}

/// All of ours are below 2^53.
fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What the disk said is told as it is.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    use twinstore_server::log::conformance::Sample;

    fn table(limits: GroupLimits, events: u64) -> SerializedFileReader<File> {
        let file = tempfile::tempfile().unwrap();
        let mut table = Table::with_limits(file.try_clone().unwrap(), "m/x", limits).unwrap();
        for event in Sample::new("m/x").append(events).events {
            table.put(&event).unwrap();
        }
        table.finish().unwrap();
        SerializedFileReader::new(file).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let reader = table(GROUP, 3);
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 3);
        let expect = [
            "stream",
            "seq",
            "client",
            "n",
            "from_n",
            "at",
            "dispatched_at",
            "type",
            "model",
            "schema",
            "code",
            "reason",
            "action",
            "chain",
        ];
        let names: Vec<_> = rows[0].get_column_iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, expect);
        let text = |row: usize, column| rows[row].get_string(column).ok().map(String::as_str);
        assert_eq!((text(0, 0), text(0, 2)), (Some("m/x"), Some("20261123-a")));
        assert_eq!(rows[1].get_long(1).unwrap(), 2);
        assert_eq!((rows[1].get_long(3).unwrap(), rows[1].get_long(4).unwrap()), (4, 3));
        assert_eq!(rows[1].get_timestamp_millis(5).unwrap(), 1_002);
        assert!(rows[1].get_timestamp_millis(6).is_err(), "no client said");
        assert_eq!((text(1, 10), text(1, 11)), (None, None));
        assert_eq!((text(2, 10), text(2, 11)), (Some("invalid"), Some("event 3")));
        assert_eq!(text(2, 12), Some(r#"{"type":"sample","text":"ü\ud800"}"#));
    }

    #[test]
    fn row_groups_are_bounded_by_rows_and_by_bytes() {
        let groups = |rows, bytes| {
            let reader = table(GroupLimits { rows, bytes }, 10);
            let groups = reader.metadata().row_groups().iter().map(|group| group.num_rows());
            groups.collect::<Vec<_>>()
        };
        assert_eq!(groups(4, usize::MAX), [4, 4, 2]);
        assert_eq!(groups(5, usize::MAX), [5, 5]);
        assert_eq!(groups(100, 1), [1; 10]);
        assert_eq!(table(GROUP, 0).metadata().num_row_groups(), 0);
    }
}

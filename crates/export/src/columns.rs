//! The values of one row group, column by column.

use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::Result;

/// A column's values, and for each row whether it has one.
#[derive(Debug)]
pub(crate) struct Column<T> {
    values: Vec<T>,
    /// 1 where the row has a value, 0 where it has none.
    present: Vec<i16>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { values: Vec::new(), present: Vec::new() }
    }
}

impl<T> Column<T> {
    pub(crate) fn put(&mut self, value: Option<T>) {
        self.present.push(i16::from(value.is_some()));
        self.values.extend(value);
    }
}

/// A column of any type.
#[derive(Debug)]
pub(crate) enum Values<'a> {
    Text(&'a Column<ByteArray>),
    Long(&'a Column<i64>),
    Int(&'a Column<i32>),
}

impl Values<'_> {
    pub(crate) fn write(&self, writer: &mut ColumnWriter<'_>) -> Result<()> {
        match (self, writer) {
            (Self::Text(column), ColumnWriter::ByteArrayColumnWriter(writer)) => {
                writer.write_batch(&column.values, Some(&column.present), None)
            }
            (Self::Long(column), ColumnWriter::Int64ColumnWriter(writer)) => {
                writer.write_batch(&column.values, Some(&column.present), None)
            }
            (Self::Int(column), ColumnWriter::Int32ColumnWriter(writer)) => {
                writer.write_batch(&column.values, Some(&column.present), None)
            }
            _ => panic!("columns are listed in the order of the schema"),
        }?;
        Ok(())
    }
}

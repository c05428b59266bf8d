//! From a row to an entry. What is not what the ledger writes is `Corrupt`.

use bytes::Bytes;
use ledger_core::{ContentType, Error, Metadata, RawEntry, Record, Result, StreamName, Timestamp};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row};

use crate::error::{convert, corrupt};

/// Reads the columns of a page in the order of the statements in `sql`.
pub(crate) fn record(row: &SqliteRow) -> Result<Record<i64>> {
    let id: i64 = get(row, 0)?;
    entry(row, id).map_err(|e| e.with("table", "entries").with("id", id))
}

fn entry(row: &SqliteRow, id: i64) -> Result<Record<i64>> {
    let content_type =
        ContentType::parse(get(row, 3)?).map_err(|e| corrupt("not a content type").caused_by(e))?;
    let schema_version = number(row, 2, "not a schema version")?;
    let payload: &[u8] = get(row, 8)?;
    let mut entry = RawEntry::new(
        content_type,
        schema_version,
        Bytes::copy_from_slice(payload),
    );
    entry.order_key = get(row, 5)?;
    entry.dedup_key = get(row, 6)?;
    if let Some(text) = get::<Option<&str>>(row, 7)? {
        entry.metadata = metadata_from(text)?;
    }
    let at = Timestamp::from_micros(get(row, 4)?).ok_or_else(|| corrupt("not a timestamp"))?;
    Ok(Record::new(id, number(row, 1, "not a version")?, at, entry))
}

/// A positive number.
fn number<N: TryFrom<i64>>(row: &SqliteRow, column: usize, not: &'static str) -> Result<N> {
    let number: i64 = get(row, column)?;
    let positive = (number > 0).then_some(number);
    positive
        .and_then(|n| N::try_from(n).ok())
        .ok_or_else(|| corrupt(not))
}

/// The version of a stream: how many entries were ever appended.
pub(crate) fn version(row: &SqliteRow, column: usize) -> Result<u64> {
    number(row, column, "not a version")
}

/// The name of a stream.
pub(crate) fn stream_name(row: &SqliteRow, column: usize) -> Result<StreamName> {
    let name: Option<&str> = get(row, column)?;
    let name = name.ok_or_else(|| corrupt("an entry of a stream that does not exist"))?;
    StreamName::new(name).map_err(|e| corrupt("not a name of a stream").caused_by(e))
}

/// A column by its index, without a look-up of names or types: the tables are
/// STRICT.
pub(crate) fn get<'r, T: Decode<'r, Sqlite>>(row: &'r SqliteRow, column: usize) -> Result<T> {
    row.try_get_unchecked(column).map_err(convert)
}

/// The text of metadata as it is stored; nothing for none.
pub(crate) fn metadata_to(metadata: &Metadata) -> Result<Option<String>> {
    if metadata.is_empty() {
        return Ok(None);
    }
    let text = serde_json::to_string(metadata);
    text.map(Some)
        .map_err(|e| Error::new(ledger_core::Kind::Encode, "metadata").caused_by(e))
}

fn metadata_from(text: &str) -> Result<Metadata> {
    // The message of serde_json may quote what it found.
    serde_json::from_str(text).map_err(|e| {
        let place = format!("at column {}", e.column());
        corrupt("metadata is not JSON of text to text").with("place", place)
    })
}

//! Values of columns. What is not what the ledger writes is `Corrupt`.

use ledger_core::{Error, Metadata, Result};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row};

use crate::error::{convert, corrupt};

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

/// Metadata from the text that is stored.
pub(crate) fn metadata_from(text: &str) -> Result<Metadata> {
    // The message of serde_json may quote what it found.
    serde_json::from_str(text).map_err(|e| {
        let place = format!("at column {}", e.column());
        corrupt("metadata is not JSON of text to text").with("place", place)
    })
}

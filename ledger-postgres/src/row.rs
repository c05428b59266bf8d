//! From rows to entries.
//!
//! A page is read value by value, without the check of each column's type that
//! [`get`] makes: that takes longer than the rest. Rows come in binary form,
//! since all statements are prepared, and what does not have the form of its
//! type is an error all the same.

use bytes::Bytes;
use futures_util::TryStreamExt;
use ledger_core::{ContentType, Limits, Metadata, RawEntry, Record, Result, StreamName, Timestamp};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::query::Query;
use sqlx::{Decode, PgConnection, Postgres, Row, Type, ValueRef};

use crate::error::{During, bad_row, convert, corrupt};

/// The columns of an entry, in the order that [`record`] reads them.
pub(crate) const COLUMNS: &str = "e.pos, e.seq, e.recorded_at, e.schema_version, \
     e.content_type, e.order_key, e.dedup_key, e.metadata::text, e.payload, e.stream_id";

/// The last of them, which [`record`] does not read.
const STREAM: usize = 9;

/// A `timestamptz`, in microseconds since 1970.
pub(crate) struct Micros(pub(crate) i64);

/// Seconds from 1970 to 2000, where PostgreSQL begins to count.
const EPOCH: i64 = 946_684_800;

impl Type<Postgres> for Micros {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("timestamptz")
    }
}

impl Decode<'_, Postgres> for Micros {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("a time in text form".into());
        }
        let since_2000 = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        Ok(Self::since_2000(since_2000))
    }
}

impl Micros {
    fn since_2000(micros: i64) -> Self {
        Self(micros.saturating_add(EPOCH * 1_000_000))
    }
}

pub(crate) fn get<'r, T>(row: &'r PgRow, index: usize) -> Result<T>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(index).map_err(|e| bad_row(&e))
}

/// A count or a version, which the tables keep as `bigint`.
pub(crate) fn unsigned(n: i64) -> Result<u64> {
    u64::try_from(n).map_err(|_| corrupt("a negative number"))
}

/// A value as the server sent it; `None` for NULL.
fn raw(row: &PgRow, index: usize) -> Result<Option<&[u8]>> {
    let value = row.try_get_raw(index).map_err(|e| bad_row(&e))?;
    match (value.is_null(), value.format()) {
        (true, _) => Ok(None),
        (false, PgValueFormat::Binary) => value
            .as_bytes()
            .map(Some)
            .map_err(|_| corrupt("a value that cannot be read")),
        (false, PgValueFormat::Text) => Err(corrupt("a value in text form")),
    }
}

fn bytes(row: &PgRow, index: usize) -> Result<&[u8]> {
    raw(row, index)?.ok_or_else(|| corrupt("a value is missing"))
}

fn number<const N: usize>(row: &PgRow, index: usize) -> Result<[u8; N]> {
    let bytes = bytes(row, index)?.try_into();
    bytes.map_err(|_| corrupt("a number of another size"))
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| corrupt("a text that is not UTF-8"))
}

/// The entry of a row whose columns are [`COLUMNS`].
pub(crate) fn record(row: &PgRow) -> Result<Record<i64>> {
    let id = i64::from_be_bytes(number(row, 0)?);
    let at = |e: ledger_core::Error| e.with("id", id);
    let read = || {
        let version = unsigned(i64::from_be_bytes(number(row, 1)?))?;
        let Micros(micros) = Micros::since_2000(i64::from_be_bytes(number(row, 2)?));
        let recorded_at = Timestamp::from_micros(micros);
        let recorded_at = recorded_at.ok_or_else(|| corrupt("a time out of range"))?;
        let schema_version = u32::try_from(i32::from_be_bytes(number(row, 3)?));
        let schema_version = schema_version.map_err(|_| corrupt("a schema version"))?;
        let content_type = ContentType::parse(text(bytes(row, 4)?)?);
        let content_type = content_type.map_err(|e| corrupt("a content type").caused_by(e))?;
        let order_key = text(bytes(row, 5)?)?;
        let payload = Bytes::copy_from_slice(bytes(row, 8)?);
        let mut entry = RawEntry::new(content_type, schema_version, payload);
        entry.order_key = (!order_key.is_empty()).then(|| order_key.to_owned());
        let dedup_key = raw(row, 6)?.map(text).transpose()?;
        entry.dedup_key = dedup_key.map(str::to_owned);
        if let Some(json) = raw(row, 7)? {
            let metadata = serde_json::from_slice::<Metadata>(json);
            entry.metadata = metadata.map_err(|_| corrupt("metadata that is not text to text"))?;
        }
        Ok(Record::new(id, version, recorded_at, entry))
    };
    read().map_err(at)
}

/// The number of the stream of such a row.
pub(crate) fn stream_number(row: &PgRow) -> Result<i64> {
    number(row, STREAM).map(i64::from_be_bytes)
}

pub(crate) fn stream_name(text: &str) -> Result<StreamName> {
    StreamName::new(text).map_err(|e| corrupt("a stream name").caused_by(e))
}

/// What a query brought, and whether it was cut.
pub(crate) struct Taken<R> {
    pub(crate) records: Vec<R>,
    /// More than the limit was there, or the page was full.
    pub(crate) more: bool,
    /// Rows were left on the connection.
    pub(crate) cut: bool,
}

/// Takes a page: at most `limit` records, and no more once they reach the
/// bytes of a page; always one, if there is one. The query asks for one row
/// more than the limit.
///
/// A page that is full by its bytes leaves rows behind; reading them off could
/// take gigabytes, so the connection is better closed.
pub(crate) async fn take<R>(
    connection: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
    limit: usize,
    during: During,
    read: impl Fn(&PgRow) -> Result<(R, usize)>,
) -> Result<Taken<R>> {
    let mut rows = query.fetch(connection);
    let mut records = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await.map_err(|e| convert(&e, during))? {
        if records.len() == limit {
            // The last row: the answer ends here, after the stream is at its
            // end.
            let cut = rows.try_next().await.map_err(|e| convert(&e, during))?;
            return Ok(Taken {
                records,
                more: true,
                cut: cut.is_some(),
            });
        }
        let (record, size) = read(&row)?;
        bytes += size as u64;
        if bytes > Limits::TABLE.page_bytes && !records.is_empty() {
            return Ok(Taken {
                records,
                more: true,
                cut: true,
            });
        }
        records.push(record);
    }
    Ok(Taken {
        records,
        more: false,
        cut: false,
    })
}

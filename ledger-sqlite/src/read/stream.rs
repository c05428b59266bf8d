//! Pages of a stream.

use ledger_core::backend::check_id;
use ledger_core::{Error, Kind, Page, PageEnd, Read, Record, Result, StreamName};
use sqlx::SqliteConnection;

use super::Reader;
use super::collected::Collected;
use super::lookup::meta;
use super::page::Ask;
use crate::error::convert;
use crate::row;
use crate::sql::Sql;

/// The ids that a read is bounded by: after one, up to another.
struct Bounds {
    after: i64,
    up_to: i64,
}

/// Checks the ids of a request; no I/O.
pub(crate) fn check(read: &Read<i64>) -> Result<()> {
    for (field, id) in [("after", read.after()), ("before", read.before())] {
        check_id(field, id.copied().unwrap_or(0))?;
    }
    Ok(())
}

impl Reader {
    pub(crate) async fn page(
        self,
        stream: StreamName,
        read: Read<i64>,
    ) -> Result<Page<Record<i64>>> {
        let mut conn = self.connection().await?;
        let collected = self.connections.collected();
        let page = page(&self.sql, collected, &mut conn, &stream, &read).await?;
        conn.done();
        Ok(page)
    }
}

/// A page of a stream.
pub(crate) async fn page(
    sql: &Sql,
    collected: Option<&Collected>,
    conn: &mut SqliteConnection,
    stream: &StreamName,
    read: &Read<i64>,
) -> Result<Page<Record<i64>>> {
    let page = match bounds(sql, conn, stream, read).await? {
        Some(bounds) => rows(sql, collected, conn, stream, read, bounds).await?,
        None => Page::empty(),
    };
    let after = read.after().copied().unwrap_or(0);
    // Nothing follows an id that was never assigned, so only an empty page
    // can hide one.
    if page.records.is_empty() && after > 0 && after > meta(sql, conn).await?.last_id {
        let ahead = Error::new(Kind::InvalidCursor, "an id ahead of the store");
        return Err(ahead.with("after", after));
    }
    Ok(page)
}

async fn rows(
    sql: &Sql,
    collected: Option<&Collected>,
    conn: &mut SqliteConnection,
    stream: &StreamName,
    read: &Read<i64>,
    bounds: Bounds,
) -> Result<Page<Record<i64>>> {
    let pages = sql.pages(collected.is_some());
    let (statements, names) = match read.order_key() {
        Some(key) => (&pages.order_key, &[stream.as_str(), key][..]),
        None => (&pages.stream, &[stream.as_str()][..]),
    };
    let ask = Ask {
        statement: &statements[usize::from(read.is_descending())],
        collected,
        names,
        after: bounds.after,
        up_to: bounds.up_to,
        limit: read.limit(),
        descending: read.is_descending(),
    };
    let (mut records, mut end) = ask
        .take(conn, |packed| {
            packed.record().map_err(|e| e.with("stream", stream))
        })
        .await?;
    // Where no entry had a version of the range yet, its id stands for the last
    // one before. Whatever came since may wait for the next page.
    records.retain(|record| read.versions().contains(&record.version));
    if records.is_empty() {
        end = PageEnd::CaughtUp;
    }
    Ok(Page::new(records, end))
}

/// Turns versions into ids.
async fn bounds(
    sql: &Sql,
    conn: &mut SqliteConnection,
    stream: &StreamName,
    read: &Read<i64>,
) -> Result<Option<Bounds>> {
    let clamp = |version: u64| i64::try_from(version).unwrap_or(i64::MAX);
    let (first, last) = (*read.versions().start(), *read.versions().end());
    let mut bounds = Bounds {
        after: read.after().copied().unwrap_or(0),
        up_to: read.before().map_or(i64::MAX, |before| before - 1),
    };
    if first > last || bounds.after >= bounds.up_to {
        return Ok(None);
    }
    if first > 1 {
        let Some(id) = id_of(sql, conn, stream, clamp(first)).await? else {
            return Ok(None);
        };
        bounds.after = bounds.after.max(id.saturating_sub(1));
    }
    if last < i64::MAX as u64 {
        let Some(id) = id_of(sql, conn, stream, clamp(last)).await? else {
            return Ok(None);
        };
        bounds.up_to = bounds.up_to.min(id);
    }
    Ok(Some(bounds))
}

/// The id of the first retained entry at this version or above it, or the
/// stream's last id; `None` if there is no such stream.
async fn id_of(
    sql: &Sql,
    conn: &mut SqliteConnection,
    stream: &StreamName,
    version: i64,
) -> Result<Option<i64>> {
    let query = sql.id_of_version.query();
    let query = query.bind(stream.as_str().to_owned()).bind(version);
    let row = query.fetch_optional(conn).await.map_err(convert)?;
    row.map(|row| row::get(&row, 0)).transpose()
}

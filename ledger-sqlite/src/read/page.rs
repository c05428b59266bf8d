//! The rows of a page, and how it ends.

use futures_util::TryStreamExt;
use ledger_core::{Limits, PageEnd, Result};
use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};

use crate::error::convert;

/// Takes a page of at most `limit` items from a statement that was asked for
/// one more; no more once their sizes reach the bytes of a page, but always at
/// least one, if there is one.
pub(super) async fn take<T>(
    conn: &mut SqliteConnection,
    query: Query<'static, Sqlite, SqliteArguments>,
    limit: usize,
    mut item: impl FnMut(&SqliteRow) -> Result<(T, usize)>,
) -> Result<(Vec<T>, PageEnd)> {
    let mut rows = query.fetch(conn);
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await.map_err(convert)? {
        let (next, size) = item(&row)?;
        bytes += size as u64;
        let full = page.len() == limit || bytes > Limits::TABLE.page_bytes;
        if full && !page.is_empty() {
            return Ok((page, PageEnd::More));
        }
        page.push(next);
    }
    Ok((page, PageEnd::CaughtUp))
}

/// One more than a limit, to see whether something follows.
pub(super) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

//! Small questions: the head of the store, the state of a stream, its names.

use ledger_core::backend::StoreId;
use ledger_core::{ListStreams, Page, PageEnd, Result, StreamName, StreamStat};
use sqlx::SqliteConnection;

use super::Reader;
use super::pack::stream_name;
use crate::error::{convert, corrupt};
use crate::sql::Sql;
use crate::{row, schema};

/// What the store says of itself.
pub(crate) struct Meta {
    /// The highest id ever assigned.
    pub(crate) last_id: i64,
    pub(crate) store: StoreId,
}

/// Reads the row that says the format.
pub(crate) async fn meta(sql: &Sql, conn: &mut SqliteConnection) -> Result<Meta> {
    let found = sql.meta.query().fetch_optional(conn).await;
    let missing = || corrupt("the row that says the format is missing").with("table", "meta");
    let row = found.map_err(convert)?.ok_or_else(missing)?;
    schema::check_format(row::get(&row, 0)?)?;
    Ok(Meta {
        last_id: row::get(&row, 1)?,
        store: row::get::<&str>(&row, 2)?.parse()?,
    })
}

/// The state of a stream.
pub(crate) async fn stat(
    sql: &Sql,
    conn: &mut SqliteConnection,
    stream: &StreamName,
) -> Result<Option<StreamStat<i64>>> {
    let query = sql.stat.query().bind(stream.as_str().to_owned());
    let Some(row) = query.fetch_optional(conn).await.map_err(convert)? else {
        return Ok(None);
    };
    let damaged = || corrupt("versions are not those of the stream").with("stream", stream);
    let last_version = row::version(&row, 0).map_err(|e| e.with("stream", stream))?;
    let (first, last): (Option<i64>, Option<i64>) = (row::get(&row, 1)?, row::get(&row, 2)?);
    // Versions have no gaps and only the oldest entries are ever removed.
    let retained = match first {
        Some(_) => (last_version + 1)
            .checked_sub(row::version(&row, 3)?)
            .ok_or_else(damaged)?,
        None => 0,
    };
    Ok(Some(StreamStat::new(first, last, last_version, retained)))
}

impl Reader {
    /// The highest id ever assigned.
    pub(crate) async fn last_id(self) -> Result<i64> {
        let mut conn = self.connection().await?;
        let meta = meta(&self.sql, &mut conn).await?;
        conn.done();
        Ok(meta.last_id)
    }

    pub(crate) async fn stat(self, stream: StreamName) -> Result<Option<StreamStat<i64>>> {
        let mut conn = self.connection().await?;
        let stat = stat(&self.sql, &mut conn, &stream).await?;
        conn.done();
        Ok(stat)
    }

    pub(crate) async fn list(self, list: ListStreams) -> Result<Page<StreamName>> {
        let mut conn = self.connection().await?;
        // No name is empty, so that "" is before all of them.
        let after = list.after().map_or("", StreamName::as_str).to_owned();
        let query = self
            .sql
            .list
            .query()
            .bind(after)
            // One more tells whether something follows.
            .bind(i64::try_from(list.limit()).unwrap_or(i64::MAX) + 1);
        let mut rows = query.fetch_all(&mut *conn).await.map_err(convert)?;
        conn.done();
        let end = match rows.len() > list.limit() {
            true => PageEnd::More,
            false => PageEnd::CaughtUp,
        };
        rows.truncate(list.limit());
        let names = rows.iter().map(|row| stream_name(row::get(row, 0)?));
        Ok(Page::new(names.collect::<Result<_>>()?, end))
    }
}

//! Facts about streams and the store: stat, list, health.

use ledger_core::{ListStreams, Page, PageEnd, Result, StreamName, StreamStat};
use sqlx::PgConnection;

use crate::error::{During, convert};
use crate::row::{get, stream_name, unsigned};
use crate::schema::Names;

pub(crate) async fn stat(
    connection: &mut PgConnection,
    names: &Names,
    stream: &StreamName,
    during: During,
) -> Result<Option<StreamStat<i64>>> {
    let Names {
        streams, entries, ..
    } = names;
    // A row whose head is 0 was left by an append that came to nothing.
    let query = names.statement(format!(
        "SELECT s.head, f.seq, f.pos, l.pos FROM {streams} s \
         LEFT JOIN LATERAL (SELECT seq, pos FROM {entries} WHERE stream_id = s.id \
                            ORDER BY seq LIMIT 1) f ON true \
         LEFT JOIN LATERAL (SELECT pos FROM {entries} WHERE stream_id = s.id \
                            ORDER BY seq DESC LIMIT 1) l ON true \
         WHERE s.name = $1 AND s.head > 0"
    ));
    let row = query
        .query()
        .bind(stream.as_str())
        .fetch_optional(connection)
        .await;
    let Some(row) = row.map_err(|e| convert(&e, during))? else {
        return Ok(None);
    };
    let head = unsigned(get(&row, 0)?)?;
    let retained = match get::<Option<i64>>(&row, 1)? {
        Some(first) => head.saturating_sub(unsigned(first)?) + 1,
        None => 0,
    };
    Ok(Some(StreamStat::new(
        get(&row, 2)?,
        get(&row, 3)?,
        head,
        retained,
    )))
}

pub(crate) async fn list(
    connection: &mut PgConnection,
    names: &Names,
    list: &ListStreams,
) -> Result<Page<StreamName>> {
    let query = names.statement(format!(
        "SELECT name FROM {} WHERE name > $1 AND head > 0 ORDER BY name LIMIT {}",
        names.streams,
        list.limit() + 1
    ));
    let after = list.after().map_or("", StreamName::as_str);
    let rows = query.query().bind(after).fetch_all(connection).await;
    let rows = rows.map_err(|e| convert(&e, During::Read))?;
    let end = if rows.len() > list.limit() {
        PageEnd::More
    } else {
        PageEnd::CaughtUp
    };
    let names = rows
        .iter()
        .take(list.limit())
        .map(|row| stream_name(get(row, 0)?));
    Ok(Page::new(names.collect::<Result<_>>()?, end))
}

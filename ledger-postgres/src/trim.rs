//! Removing old entries, in steps.

use ledger_core::{Result, StreamName};
use sqlx::PgConnection;

use crate::call::Call;
use crate::error::{During, convert};
use crate::read::first_above;
use crate::row::{get, unsigned};
use crate::schema::Names;

/// Removes the entries up to an id, oldest first.
///
/// Each step is a transaction of its own: it holds the lock that readers of
/// the whole store wait for. It also keeps the highest id it removed, so that
/// a sequence that fell behind is found out although the entry is gone.
pub(crate) async fn trim(
    connection: &mut PgConnection,
    names: &Names,
    stream: &StreamName,
    through: i64,
    chunk: u32,
    call: &Call,
) -> Result<u64> {
    let Names {
        streams,
        entries,
        meta,
        ..
    } = names;
    let failed = |e: sqlx::Error| convert(&e, During::Read);
    let bound = names.statement(format!("SELECT {}", first_above(names, 2)));
    let query = bound.query().bind(stream.as_str()).bind(through);
    let rows = call.fetch_alone(&mut *connection, query).await;
    let rows = rows.map_err(failed)?;
    let Some(row) = rows.first() else {
        return Ok(0);
    };
    // Nothing is retained, or there is no such stream.
    let Some(bound) = get::<Option<i64>>(row, 0)? else {
        return Ok(0);
    };
    let step = names.statement(format!(
        "WITH doomed AS MATERIALIZED (\
           SELECT e.stream_id, e.seq FROM {entries} e \
           WHERE e.stream_id = (SELECT id FROM {streams} WHERE name = $1) AND e.seq < $2 \
           ORDER BY e.seq LIMIT {chunk}), \
         gone AS (\
           DELETE FROM {entries} e USING doomed d \
           WHERE e.stream_id = d.stream_id AND e.seq = d.seq RETURNING e.pos), \
         mark AS (\
           UPDATE {meta} SET trimmed = greatest(trimmed, (SELECT max(pos) FROM gone)) \
           WHERE trimmed < (SELECT max(pos) FROM gone)) \
         SELECT (SELECT count(*) FROM doomed), (SELECT count(*) FROM gone)"
    ));
    let mut removed = 0;
    loop {
        let query = step.query().bind(stream.as_str()).bind(bound);
        let rows = call
            .writing(call.fetch_alone(&mut *connection, query))
            .await;
        let rows = rows.map_err(|e| convert(&e, During::Write))?;
        let Some(row) = rows.first() else {
            return Ok(removed);
        };
        // Another trim may have been faster with the same entries.
        let doomed = unsigned(get(row, 0)?)?;
        removed += unsigned(get(row, 1)?)?;
        if doomed < u64::from(chunk) || call.is_abandoned() {
            return Ok(removed);
        }
    }
}

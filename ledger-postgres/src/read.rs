//! Pages of one stream, by version.

use std::sync::atomic::{AtomicI64, Ordering};

use ledger_core::{Error, Kind, Page, PageEnd, Read, Record, Result, StreamName};
use sqlx::PgConnection;

use crate::error::{During, convert};
use crate::row::{COLUMNS, get, record, take};
use crate::schema::Names;
use crate::statement::Statement;

/// The highest id that this handle knows to have been assigned. Ids are never
/// taken back, so that what is below needs no question.
#[derive(Debug)]
pub(crate) struct Assigned {
    known: AtomicI64,
    ask: Statement,
}

impl Assigned {
    pub(crate) fn new(names: &Names) -> Self {
        // Before its first use a sequence shows the number it will give.
        let ask = format!(
            "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}",
            names.pos
        );
        Self {
            known: AtomicI64::new(0),
            ask: names.statement(ask),
        }
    }

    /// Notes an id that was seen.
    pub(crate) fn saw(&self, id: i64) {
        self.known.fetch_max(id, Ordering::Relaxed);
    }

    /// # Errors
    ///
    /// `InvalidCursor` for an id that was never assigned: the store was
    /// replaced by an older one, or the id is of another.
    pub(crate) async fn check(
        &self,
        connection: &mut PgConnection,
        id: i64,
        during: During,
    ) -> Result<()> {
        if id <= self.known.load(Ordering::Relaxed) {
            return Ok(());
        }
        let row = self.ask.query().fetch_one(connection).await;
        let row = row.map_err(|e| convert(&e, during))?;
        self.saw(get(&row, 0)?);
        let known = self.known.load(Ordering::Relaxed);
        if id <= known {
            return Ok(());
        }
        let ahead = Error::new(Kind::InvalidCursor, "an id ahead of the store");
        Err(ahead.with("after", id).with("highest", known))
    }
}

/// The first version of the stream `$1` whose id is greater than `$n`, or one
/// beyond the last.
///
/// If `$n` is the id of an entry of the stream, one probe of the index finds
/// it. Otherwise the entry was trimmed, or the id is another's: since ids and
/// versions grow together, bisection finds the place. A filter on the ids
/// instead reads the whole stream up to the place for each page.
pub(crate) fn first_above(names: &Names, n: usize) -> String {
    let Names {
        streams, entries, ..
    } = names;
    let stream = format!("(SELECT id FROM {streams} WHERE name = $1)");
    format!(
        "COALESCE((SELECT x.seq + 1 FROM {entries} x WHERE x.pos = ${n}::bigint \
                   AND x.stream_id = {stream}), \
         (WITH RECURSIVE b(lo, hi) AS (\
            SELECT (SELECT min(y.seq) FROM {entries} y WHERE y.stream_id = s.id), \
                   least(s.head, 9223372036854775806) + 1 \
            FROM {streams} s WHERE s.name = $1 \
            UNION ALL \
            SELECT CASE WHEN m.pos > ${n} THEN b.lo ELSE m.mid + 1 END, \
                   CASE WHEN m.pos > ${n} THEN m.mid ELSE b.hi END \
            FROM b CROSS JOIN LATERAL (\
              SELECT c.mid, (SELECT z.pos FROM {entries} z \
                             WHERE z.stream_id = {stream} AND z.seq = c.mid) AS pos \
              FROM (SELECT b.lo + (b.hi - b.lo) / 2 AS mid) c) m \
            WHERE b.lo < b.hi AND m.pos IS NOT NULL) \
          SELECT lo FROM b WHERE lo = hi))"
    )
}

/// The text depends on which parts are asked for, and on the limit: written as
/// a number it lets the server keep one plan.
fn statement(names: &Names, read: &Read<i64>) -> Statement {
    let Names {
        streams, entries, ..
    } = names;
    let mut text = format!(
        "SELECT {COLUMNS} FROM {entries} e \
         WHERE e.stream_id = (SELECT id FROM {streams} WHERE name = $1) \
         AND e.seq >= $2 AND e.seq <= $3"
    );
    let mut n = 3;
    if read.after().is_some() {
        n += 1;
        text += &format!(" AND e.seq >= {}", first_above(names, n));
    }
    if read.before().is_some() {
        n += 1;
        text += &format!(" AND e.seq < {}", first_above(names, n));
    }
    if read.order_key().is_some() {
        n += 1;
        // The second half says nothing new, but only with it can a plan for
        // any key use the index, which leaves out the entries without one.
        text += &format!(" AND e.order_key = ${n} AND e.order_key <> ''");
    }
    let order = if read.is_descending() { "DESC" } else { "ASC" };
    text += &format!(" ORDER BY e.seq {order} LIMIT {}", read.limit() + 1);
    names.statement(text)
}

/// Reads a page. The second part of the answer: rows were left on the
/// connection.
pub(crate) async fn read(
    connection: &mut PgConnection,
    names: &Names,
    assigned: &Assigned,
    stream: &StreamName,
    read: &Read<i64>,
    during: During,
) -> Result<(Page<Record<i64>>, bool)> {
    let after = read.after().copied().unwrap_or(0);
    assigned.check(connection, after, during).await?;
    let (from, to) = (*read.versions().start(), *read.versions().end());
    let most = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    if after >= read.before().copied().unwrap_or(i64::MAX) || from > to {
        return Ok((Page::empty(), false));
    }
    let mut query = statement(names, read)
        .query()
        .bind(stream.as_str())
        .bind(most(from))
        .bind(most(to));
    if read.after().is_some() {
        query = query.bind(after);
    }
    if let Some(before) = read.before() {
        query = query.bind(before - 1);
    }
    if let Some(key) = read.order_key() {
        query = query.bind(key);
    }
    let entry = |row: &_| {
        let record = record(row).map_err(|e| e.with("stream", stream))?;
        let size = record.entry.size();
        Ok((record, size))
    };
    let taken = take(connection, query, read.limit(), during, entry).await?;
    for record in &taken.records {
        assigned.saw(record.id);
    }
    let end = if taken.more {
        PageEnd::More
    } else {
        PageEnd::CaughtUp
    };
    Ok((Page::new(taken.records, end), taken.cut))
}

//! Pages of the whole store, behind the fence.

use ledger_core::backend::{PositionCursor, StoreId};
use ledger_core::{
    Direction, Error, Holdup, Kind, PageEnd, ReadAll, Result, StoreCursor, StorePage, StoreRecord,
};
use sqlx::{PgConnection, SqlStr};

use crate::call::Call;
use crate::error::{During, convert};
use crate::fence::Fence;
use crate::read::Assigned;
use crate::row::{COLUMNS, NEXT_COLUMN, Taken, get, record, stream_name, take};
use crate::schema::{Names, sql};

/// The position of a descending cursor that has not begun: its reader starts
/// at the settled end, wherever that will be.
const NOT_BEGUN: i64 = i64::MAX;

/// What a reader of the whole store needs.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) names: &'a Names,
    pub(crate) store: StoreId,
    pub(crate) fence: &'a Fence,
    pub(crate) assigned: &'a Assigned,
}

impl Reader<'_> {
    /// Reads a page. The second part of the answer: rows were left on the
    /// connection.
    pub(crate) async fn page(
        &self,
        connection: &mut PgConnection,
        read: &ReadAll,
    ) -> Result<(StorePage<i64>, bool)> {
        let from = match read.after() {
            None => None,
            Some(cursor) => {
                let cursor = PositionCursor::of(cursor, self.store, read.direction())?;
                Some(cursor.position)
            }
        };
        match read.direction() {
            Direction::Ascending => {
                self.ascending(connection, from.unwrap_or(0), read.limit())
                    .await
            }
            Direction::Descending => {
                let from = from.filter(|from| *from != NOT_BEGUN);
                self.descending(connection, from, read.limit()).await
            }
        }
    }

    async fn ascending(
        &self,
        connection: &mut PgConnection,
        from: i64,
        limit: usize,
    ) -> Result<(StorePage<i64>, bool)> {
        self.assigned.check(connection, from, During::Read).await?;
        self.fence.check(connection).await?;
        let mut again = true;
        loop {
            // Before the entries are read: what is settled by now, their
            // snapshot sees.
            let settled = self.fence.settled().unwrap_or(0);
            let mut taken = self.take(connection, from, None, limit).await?;
            let decided = decided(&taken.records, from, settled);
            if decided > 0 || taken.records.is_empty() {
                let undecided = decided < taken.records.len();
                taken.records.truncate(decided);
                let end = match taken.more || undecided {
                    true => PageEnd::More,
                    false => PageEnd::CaughtUp,
                };
                return Ok((
                    self.finish(taken.records, Direction::Ascending, from, end),
                    taken.cut,
                ));
            }
            // An id is missing before the first entry.
            if taken.cut || !again {
                self.fence.waited();
                let page = self.finish(Vec::new(), Direction::Ascending, from, PageEnd::Undecided);
                return Ok((page, taken.cut));
            }
            self.fence.raise(connection, from).await?;
            self.fence.check(connection).await?;
            again = false;
        }
    }

    async fn descending(
        &self,
        connection: &mut PgConnection,
        from: Option<i64>,
        limit: usize,
    ) -> Result<(StorePage<i64>, bool)> {
        let below = match from {
            Some(from) => {
                self.assigned.check(connection, from, During::Read).await?;
                from - 1
            }
            None => match self.settle(connection).await? {
                Some(settled) => settled,
                None => {
                    self.fence.waited();
                    let end = PageEnd::Undecided;
                    return Ok((
                        self.finish(Vec::new(), Direction::Descending, NOT_BEGUN, end),
                        false,
                    ));
                }
            },
        };
        let taken = self.take(connection, 0, Some(below), limit).await?;
        let end = if taken.more {
            PageEnd::More
        } else {
            PageEnd::CaughtUp
        };
        let start = from.unwrap_or(below);
        Ok((
            self.finish(taken.records, Direction::Descending, start, end),
            taken.cut,
        ))
    }

    /// The settled end as it is now, or where it was when the last fence
    /// cleared; `None` if none ever has.
    async fn settle(&self, connection: &mut PgConnection) -> Result<Option<i64>> {
        self.fence.check(connection).await?;
        if self.fence.pending().is_none() {
            self.fence.raise(connection, 0).await?;
            self.fence.check(connection).await?;
        }
        Ok(self.fence.settled())
    }

    /// The settled end. Waits until a first fence has cleared.
    pub(crate) async fn head(
        &self,
        connection: &mut PgConnection,
        call: &Call,
    ) -> Result<StoreCursor> {
        let mut attempt = 0;
        loop {
            if let Some(settled) = self.settle(connection).await? {
                return Ok(self.cursor(Direction::Ascending, settled));
            }
            if call.is_abandoned() {
                return Err(Error::new(Kind::Timeout, "nobody waits for the answer"));
            }
            attempt += 1;
            self.fence.waited();
            call.back_off(attempt).await;
        }
    }

    /// Who keeps the end undecided.
    pub(crate) async fn explain(&self, connection: &mut PgConnection) -> Result<Vec<Holdup>> {
        let settled = self.settle(connection).await?.unwrap_or(0);
        let Some((through, holders)) = self.fence.pending() else {
            return Ok(Vec::new());
        };
        let pids: Vec<i32> = holders.iter().filter_map(|h| h.pid).collect();
        // Without pg_read_all_stats the server shows another role's sessions
        // without these.
        let rows = sqlx::query(
            "SELECT pid, state, xact_start::text FROM pg_stat_activity WHERE pid = ANY($1)",
        );
        let rows = rows.bind(&pids).fetch_all(connection).await;
        let rows = rows.map_err(|e| convert(&e, During::Read))?;
        let mut sessions = Vec::with_capacity(rows.len());
        for row in &rows {
            let state: Option<String> = get(row, 1)?;
            let began: Option<String> = get(row, 2)?;
            sessions.push((get::<i32>(row, 0)?, state, began));
        }
        let holdup = |holder: &crate::fence::Holder| {
            let who = match holder.pid {
                Some(pid) => format!("pid {pid}"),
                None => "a prepared transaction (see pg_prepared_xacts)".to_owned(),
            };
            let mut holdup = Holdup::new(who, holder.seen_for()).with(
                "undecided",
                format!("ids {} to {through}", settled.saturating_add(1)),
            );
            let session = sessions.iter().find(|(pid, ..)| Some(*pid) == holder.pid);
            if let Some((_, state, began)) = session {
                if let Some(state) = state {
                    holdup = holdup.with("state", state.clone());
                }
                if let Some(began) = began {
                    holdup = holdup.with("transaction began", began.clone());
                }
            }
            holdup
        };
        Ok(holders.iter().map(holdup).collect())
    }

    async fn take(
        &self,
        connection: &mut PgConnection,
        above: i64,
        through: Option<i64>,
        limit: usize,
    ) -> Result<Taken<StoreRecord<i64>>> {
        let statement = self.statement(through.is_some(), limit);
        let mut query = sqlx::query(statement).bind(above);
        if let Some(through) = through {
            query = query.bind(through);
        }
        let entry = |row: &_| {
            let stream = stream_name(get(row, NEXT_COLUMN)?)?;
            let record = record(row).map_err(|e| e.with("stream", &stream))?;
            let size = record.entry.size();
            Ok((StoreRecord::new(stream, record), size))
        };
        let taken = take(connection, query, limit, During::Read, entry).await?;
        for found in &taken.records {
            self.assigned.saw(found.record.id);
        }
        Ok(taken)
    }

    fn statement(&self, descending: bool, limit: usize) -> SqlStr {
        let Names {
            streams, entries, ..
        } = self.names;
        let (bound, order) = match descending {
            true => (" AND i.pos <= $2", "DESC"),
            false => ("", "ASC"),
        };
        let limit = limit + 1;
        // First the page, then the names: as one join, the server may read all
        // entries and sort them.
        sql(format!(
            "SELECT {COLUMNS}, s.name FROM (\
               SELECT * FROM {entries} i WHERE i.pos > $1{bound} ORDER BY i.pos {order} LIMIT {limit}) e \
             JOIN {streams} s ON s.id = e.stream_id ORDER BY e.pos {order}"
        ))
    }

    fn finish(
        &self,
        records: Vec<StoreRecord<i64>>,
        direction: Direction,
        start: i64,
        end: PageEnd,
    ) -> StorePage<i64> {
        let position = records.last().map_or(start, |last| last.record.id);
        StorePage::new(records, self.cursor(direction, position), end)
    }

    pub(crate) fn cursor(&self, direction: Direction, position: i64) -> StoreCursor {
        let store = self.store;
        PositionCursor {
            store,
            direction,
            position,
        }
        .encode()
    }
}

/// How many of the records, read behind `from`, have their final place: those
/// up to the settled end, and those that follow without a gap.
fn decided(records: &[StoreRecord<i64>], from: i64, settled: i64) -> usize {
    let mut last = from;
    for (nth, found) in records.iter().enumerate() {
        let id = found.record.id;
        if id > settled && id - 1 != last.max(settled) {
            return nth;
        }
        last = id;
    }
    records.len()
}

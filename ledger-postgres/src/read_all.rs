//! Pages of the whole store, behind the fence.

use std::collections::HashMap;

use ledger_core::backend::{PositionCursor, StoreId};
use ledger_core::{
    Direction, Error, Holdup, Kind, PageEnd, ReadAll, Record, Result, StoreCursor, StorePage,
    StoreRecord, StreamName,
};
use sqlx::PgConnection;

use crate::call::Call;
use crate::error::{During, convert, corrupt};
use crate::fence::Fence;
use crate::read::Assigned;
use crate::row::{COLUMNS, Taken, get, record, stream_name, stream_number, take};
use crate::schema::Names;
use crate::statement::Statement;

/// The position of a descending cursor that has not begun: its reader starts
/// at the settled end, wherever that will be.
const NOT_BEGUN: i64 = i64::MAX;

/// A page whose entries do not have the names of their streams yet.
pub(crate) struct Nameless {
    records: Vec<(i64, Record<i64>)>,
    next: StoreCursor,
    end: PageEnd,
    /// Rows were left on the connection, which is no good for another
    /// statement then.
    pub(crate) cut: bool,
}

impl Nameless {
    /// The numbers of the streams, each once.
    pub(crate) fn streams(&self) -> Vec<i64> {
        let mut streams: Vec<i64> = self.records.iter().map(|(stream, _)| *stream).collect();
        streams.sort_unstable();
        streams.dedup();
        streams
    }

    pub(crate) fn named(self, names: &HashMap<i64, StreamName>) -> Result<StorePage<i64>> {
        let named = |(stream, record): (i64, Record<i64>)| match names.get(&stream) {
            Some(name) => Ok(StoreRecord::new(name.clone(), record)),
            None => Err(corrupt("an entry of a stream that has no row").with("id", record.id)),
        };
        let records = self.records.into_iter().map(named).collect::<Result<_>>()?;
        Ok(StorePage::new(records, self.next, self.end))
    }
}

/// What a reader of the whole store needs.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) names: &'a Names,
    pub(crate) store: StoreId,
    pub(crate) fence: &'a Fence,
    pub(crate) assigned: &'a Assigned,
}

impl Reader<'_> {
    /// Reads a page.
    pub(crate) async fn page(
        &self,
        connection: &mut PgConnection,
        read: &ReadAll,
    ) -> Result<Nameless> {
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
    ) -> Result<Nameless> {
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
                let direction = Direction::Ascending;
                return Ok(self.finish(taken.records, direction, from, end, taken.cut));
            }
            // An id is missing before the first entry.
            if taken.cut || !again {
                self.fence.waited();
                let (direction, end) = (Direction::Ascending, PageEnd::Undecided);
                return Ok(self.finish(Vec::new(), direction, from, end, taken.cut));
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
    ) -> Result<Nameless> {
        let below = match from {
            Some(from) => {
                self.assigned.check(connection, from, During::Read).await?;
                from - 1
            }
            None => match self.settle(connection).await? {
                Some(settled) => settled,
                None => {
                    self.fence.waited();
                    let (direction, end) = (Direction::Descending, PageEnd::Undecided);
                    return Ok(self.finish(Vec::new(), direction, NOT_BEGUN, end, false));
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
        let direction = Direction::Descending;
        Ok(self.finish(taken.records, direction, start, end, taken.cut))
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
        let sessions = self.names.statement(
            "SELECT pid, state, xact_start::text FROM pg_stat_activity WHERE pid = ANY($1)".into(),
        );
        let rows = sessions.query().bind(&pids).fetch_all(connection).await;
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
    ) -> Result<Taken<(i64, Record<i64>)>> {
        let statement = self.statement(through.is_some(), limit);
        let mut query = statement.query().bind(above);
        if let Some(through) = through {
            query = query.bind(through);
        }
        let entry = |row: &_| {
            let record = record(row)?;
            let size = record.entry.size();
            Ok(((stream_number(row)?, record), size))
        };
        let taken = take(connection, query, limit, During::Read, entry).await?;
        for (_, record) in &taken.records {
            self.assigned.saw(record.id);
        }
        Ok(taken)
    }

    fn statement(&self, descending: bool, limit: usize) -> Statement {
        let (bound, order) = match descending {
            true => (" AND e.pos <= $2", "DESC"),
            false => ("", "ASC"),
        };
        self.names.statement(format!(
            "SELECT {COLUMNS} FROM {} e WHERE e.pos > $1{bound} ORDER BY e.pos {order} LIMIT {}",
            self.names.entries,
            limit + 1
        ))
    }

    fn finish(
        &self,
        records: Vec<(i64, Record<i64>)>,
        direction: Direction,
        start: i64,
        end: PageEnd,
        cut: bool,
    ) -> Nameless {
        let position = records.last().map_or(start, |(_, last)| last.id);
        Nameless {
            records,
            next: self.cursor(direction, position),
            end,
            cut,
        }
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

/// The names of streams. A row of a stream is never removed, and neither is
/// its number given to another one; but the tables of another time may be
/// restored under an open handle, so no name is kept from page to page.
pub(crate) async fn names_of(
    connection: &mut PgConnection,
    names: &Names,
    streams: &[i64],
) -> Result<HashMap<i64, StreamName>> {
    if streams.is_empty() {
        return Ok(HashMap::new());
    }
    let text = format!("SELECT id, name FROM {} WHERE id = ANY($1)", names.streams);
    let rows = names
        .statement(text)
        .query()
        .bind(streams)
        .fetch_all(connection);
    let rows = rows.await.map_err(|e| convert(&e, During::Read))?;
    let named = |row| Ok((get(row, 0)?, stream_name(get(row, 1)?)?));
    rows.iter().map(named).collect()
}

/// How many of the records, read behind `from`, have their final place: those
/// up to the settled end, and those that follow without a gap.
fn decided(records: &[(i64, Record<i64>)], from: i64, settled: i64) -> usize {
    let mut last = from;
    for (nth, (_, record)) in records.iter().enumerate() {
        let id = record.id;
        if id > settled && id - 1 != last.max(settled) {
            return nth;
        }
        last = id;
    }
    records.len()
}

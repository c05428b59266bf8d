//! Pages of the whole store. Ids are its order, since they are assigned by
//! writers that hold the database's one write lock until they commit.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use ledger_core::backend::{PositionCursor, StoreId};
use ledger_core::{Direction, ReadAll, Result, StorePage, StoreRecord, StreamName};

use super::Reader;
use super::lookup::meta;
use super::page::{one_more, take};
use crate::row;

impl Reader {
    pub(crate) async fn page_of_all(self, store: StoreId, read: ReadAll) -> Result<StorePage<i64>> {
        let (way, limit) = (read.direction(), read.limit());
        let from = match read.after() {
            Some(cursor) => Some(PositionCursor::of(cursor, store, way)?),
            None => None,
        };
        let mut conn = self.connection().await?;
        // A descending read starts at the end that was settled before.
        let head = match way {
            Direction::Ascending => None,
            Direction::Descending => Some(meta(&self.sql, &mut conn).await?.last_id),
        };
        if let (Some(cursor), Some(head)) = (&from, head) {
            cursor.check_head(head)?;
        }
        let start = from.map(|c| c.position).or(head).unwrap_or(0);
        let (after, up_to) = match (way, from) {
            (Direction::Ascending, _) => (start, i64::MAX),
            (Direction::Descending, Some(_)) => (0, start - 1),
            (Direction::Descending, None) => (0, start),
        };
        let query = self.sql.page_of_all[usize::from(way == Direction::Descending)]
            .query()
            .bind(after)
            .bind(up_to)
            .bind(one_more(limit));
        let mut names = HashMap::new();
        let (records, end) = take(&mut conn, query, limit, |row| {
            let record = row::record(row)?;
            let (size, id) = (record.entry.size(), record.id);
            let stream =
                name(&mut names, row).map_err(|e| e.with("table", "streams").with("id", id))?;
            Ok((StoreRecord::new(stream, record), size))
        })
        .await?;
        // Ascending, nothing follows a place that the store never reached.
        if let (true, None, Some(cursor)) = (records.is_empty(), head, &from) {
            cursor.check_head(meta(&self.sql, &mut conn).await?.last_id)?;
        }
        let position = records.last().map_or(start, |last| last.record.id);
        let next = PositionCursor {
            store,
            direction: way,
            position,
        }
        .encode();
        Ok(StorePage::new(records, next, end))
    }
}

/// The name of the row's stream, built once for a page.
fn name(names: &mut HashMap<i64, StreamName>, row: &sqlx::sqlite::SqliteRow) -> Result<StreamName> {
    match names.entry(row::get(row, 9)?) {
        Slot::Occupied(known) => Ok(known.get().clone()),
        Slot::Vacant(slot) => Ok(slot.insert(row::stream_name(row, 10)?).clone()),
    }
}

//! Pages of the whole store. Ids are its order, since they are assigned by
//! writers that hold the database's one write lock until they commit.

use std::collections::HashMap;

use ledger_core::backend::{PositionCursor, StoreId};
use ledger_core::{Direction, ReadAll, Result, StorePage, StoreRecord, StreamName};

use super::Reader;
use super::lookup::meta;
use super::pack::stream_name;
use super::page::Ask;

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
        let descending = way == Direction::Descending;
        let collected = self.connections.collected();
        let pages = self.sql.pages(collected.is_some());
        let ask = Ask {
            statement: &pages.all[usize::from(descending)],
            collected,
            names: &[],
            after,
            up_to,
            limit,
            descending,
        };
        let mut names = Names::default();
        let (records, end) = ask
            .take(&mut conn, |packed| {
                let stream = names.get(packed.stream());
                let stream =
                    stream.map_err(|e| e.with("table", "streams").with("id", packed.id))?;
                Ok(StoreRecord::new(stream, packed.record()?))
            })
            .await?;
        // Ascending, nothing follows a place that the store never reached.
        if let (true, None, Some(cursor)) = (records.is_empty(), head, &from) {
            cursor.check_head(meta(&self.sql, &mut conn).await?.last_id)?;
        }
        conn.done();
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

/// The names of streams, each built once for a page.
#[derive(Default)]
struct Names(HashMap<Vec<u8>, StreamName>);

impl Names {
    fn get(&mut self, stored: Option<&[u8]>) -> Result<StreamName> {
        if let Some(known) = stored.and_then(|stored| self.0.get(stored)) {
            return Ok(known.clone());
        }
        let name = stream_name(stored)?;
        self.0
            .insert(name.as_str().as_bytes().to_vec(), name.clone());
        Ok(name)
    }
}

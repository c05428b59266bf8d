//! What a group writes.

use std::collections::HashMap;

use ledger_core::backend::{Original, plan};
use ledger_core::{Error, Kind, RawEntry, Receipts, Result, Timestamp};
use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};

use super::Request;
use super::heads::{Head, Heads};
use super::originals::{Key, Originals};
use crate::error::convert;
use crate::row::metadata_to;
use crate::sql::Sql;

/// An entry that will be written.
#[derive(Debug)]
struct Fresh<'g> {
    id: i64,
    stream_id: i64,
    version: u64,
    at: Timestamp,
    entry: &'g RawEntry,
}

/// The entries that a group writes. A refused request adds none.
#[derive(Debug)]
pub(super) struct Draft<'g> {
    now: Timestamp,
    fresh: Vec<Fresh<'g>>,
    /// By dedup key, for the later requests of the group.
    by_key: HashMap<Key<'g>, usize>,
}

impl<'g> Draft<'g> {
    /// `now` has to be read under the write lock.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            fresh: Vec::new(),
            by_key: HashMap::new(),
        }
    }

    /// Decides a request on top of the ones before it.
    pub(super) fn add(
        &mut self,
        nth: usize,
        request: Request<'g>,
        heads: &mut Heads<'g>,
        originals: &Originals<'g>,
    ) -> Result<Receipts<i64>> {
        let stream = heads.index_of(request.stream);
        let entries = request.batch.entries();
        let plan = plan(request.batch, heads.get(stream).version, |index, entry| {
            let Some(key) = entries[index].dedup_key.as_deref().map(|key| (stream, key)) else {
                return Ok(None);
            };
            let of_group = self.by_key.get(&key).map(|nth| &self.fresh[*nth]);
            let of_group = of_group.map(|fresh| Original {
                id: fresh.id,
                version: fresh.version,
                same_content: fresh.entry.same_content(entry),
            });
            Ok(of_group.or_else(|| originals.of(key, (nth, index))))
        })?;
        let (first_id, first_version) = (heads.last_id, heads.get(stream).version);
        let count = i64::try_from(plan.fresh.len()).unwrap_or(i64::MAX);
        let last_id = first_id
            .checked_add(count)
            .ok_or_else(|| Error::new(Kind::LimitReached, "the store has reached its last id"))?;
        let place = |nth: usize| (first_id + 1 + nth as i64, first_version + 1 + nth as u64);
        let receipts = plan.receipts(place);
        if count > 0 {
            heads.last_id = last_id;
            let (head, stream_id) = heads.change(stream);
            let at = head.last_at.map_or(self.now, |last| last.max(self.now));
            (head.last_id, head.version) = place(plan.fresh.len() - 1);
            head.last_at = Some(at);
            for (nth, index) in plan.fresh.iter().enumerate() {
                let (entry, (id, version)) = (&entries[*index], place(nth));
                if let Some(key) = entry.dedup_key.as_deref() {
                    self.by_key.insert((stream, key), self.fresh.len());
                }
                self.fresh.push(Fresh {
                    id,
                    stream_id,
                    version,
                    at,
                    entry,
                });
            }
        }
        Ok(receipts)
    }

    /// Writes the entries, then the heads of their streams and of the store.
    pub(super) async fn write(
        &self,
        conn: &mut SqliteConnection,
        sql: &Sql,
        heads: &Heads<'g>,
    ) -> Result<()> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        let changed: Vec<_> = heads.changed().collect();
        let mut fresh = self.fresh.as_slice();
        while !fresh.is_empty() {
            let (insert, count) = sql.insert_entries.fitting(fresh.len());
            let (now, later) = fresh.split_at(count);
            if let (true, [head]) = (later.is_empty(), &changed[..]) {
                let (insert, _) = sql.insert_last.fitting(count);
                let insert = now.iter().try_fold(insert.query(), bind_entry)?;
                let last = bind_head(insert, head).bind(heads.last_id);
                last.execute(conn).await.map_err(convert)?;
                return Ok(());
            }
            let insert = now.iter().try_fold(insert.query(), bind_entry)?;
            insert.execute(&mut *conn).await.map_err(convert)?;
            fresh = later;
        }
        let mut changed = changed.as_slice();
        while !changed.is_empty() {
            let (upsert, count) = sql.upsert_streams.fitting(changed.len());
            let (now, later) = changed.split_at(count);
            let upsert = now
                .iter()
                .fold(upsert.query(), |q, head| bind_head(q, head));
            let upsert = upsert.bind(heads.last_id);
            upsert.execute(&mut *conn).await.map_err(convert)?;
            changed = later;
        }
        Ok(())
    }
}

type Bound = Query<'static, Sqlite, SqliteArguments>;

fn bind_entry(query: Bound, fresh: &Fresh<'_>) -> Result<Bound> {
    let entry = fresh.entry;
    Ok(query
        .bind(fresh.id)
        .bind(fresh.stream_id)
        .bind(fresh.version.cast_signed())
        .bind(entry.schema_version)
        .bind(entry.content_type.as_str().to_owned())
        .bind(fresh.at.as_micros())
        .bind(entry.order_key.clone())
        .bind(entry.dedup_key.clone())
        .bind(metadata_to(&entry.metadata)?)
        .bind(entry.payload.to_vec()))
}

fn bind_head(query: Bound, head: &Head<'_>) -> Bound {
    query
        .bind(head.stream_id)
        .bind(head.name.as_str().to_owned())
        .bind(head.version.cast_signed())
        .bind(head.last_id)
        .bind(head.last_at.map(Timestamp::as_micros))
}

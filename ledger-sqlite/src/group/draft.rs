//! What a group writes.

use std::collections::HashMap;

use ledger_core::backend::{Original, plan};
use ledger_core::{Error, Kind, RawEntry, Receipts, Result, Timestamp};
use sqlx::SqliteConnection;

use super::Request;
use super::heads::{Head, Heads};
use super::originals::{Key, Originals};
use crate::error::convert;
use crate::row::metadata_to;
use crate::sql::{Bound, CHUNK, GroupSql};

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

    /// Writes the entries, the heads of their streams and of the store, and
    /// commits if it is told to.
    pub(super) async fn write(
        &self,
        conn: &mut SqliteConnection,
        sql: &GroupSql,
        heads: &Heads<'g>,
        commit: bool,
    ) -> Result<()> {
        if self.fresh.is_empty() {
            if commit {
                run(conn, sql.commit.query()).await?;
            }
            return Ok(());
        }
        let changed: Vec<_> = heads.changed().collect();
        let (mut fresh, mut changed) = (self.fresh.as_slice(), changed.as_slice());
        while fresh.len() > CHUNK {
            let (now, later) = fresh.split_at(CHUNK);
            let insert = now.iter().try_fold(sql.insert_chunk.query(), bind_entry)?;
            run(conn, insert).await?;
            fresh = later;
        }
        while changed.len() > CHUNK {
            let (now, later) = changed.split_at(CHUNK);
            let upsert = now
                .iter()
                .map(Some)
                .fold(sql.upsert_chunk.query(), bind_head);
            run(conn, upsert).await?;
            changed = later;
        }
        let (ending, count) = sql.ending(changed.len(), fresh.len(), commit);
        let padded = (0..count).map(|nth| changed.get(nth));
        let heads = padded.fold(ending.query(), bind_head).bind(heads.last_id);
        run(conn, fresh.iter().try_fold(heads, bind_entry)?).await
    }
}

async fn run(conn: &mut SqliteConnection, query: Bound) -> Result<()> {
    query.execute(conn).await.map_err(convert)?;
    Ok(())
}

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

/// Nothing is padding.
fn bind_head(query: Bound, head: Option<&&Head<'_>>) -> Bound {
    let at = head.and_then(|head| head.last_at);
    query
        .bind(head.and_then(|head| head.stream_id))
        .bind(head.map(|head| head.name.as_str().to_owned()))
        .bind(head.map(|head| head.version.cast_signed()))
        .bind(head.map(|head| head.last_id))
        .bind(at.map(Timestamp::as_micros))
}

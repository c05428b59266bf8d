//! The stored entries whose dedup keys a group repeats, looked up in bulk.

use std::collections::{HashMap, HashSet};

use ledger_core::backend::Original;
use ledger_core::{RawEntry, Result};
use sqlx::SqliteConnection;

use super::Request;
use super::heads::Heads;
use crate::error::convert;
use crate::row::{get, version};
use crate::sql::Sql;

/// A stream of the group, by its place in [`Heads`], and a dedup key.
pub(super) type Key<'g> = (usize, &'g str);

/// An entry of the group: which request, which entry of it.
type Place = (usize, usize);

/// The stored entries that a group repeats.
#[derive(Debug, Default)]
pub(super) struct Originals<'g> {
    stored: HashMap<Key<'g>, (i64, u64)>,
    /// The entries of the group that equal their originals. Looked at only
    /// where a request asks for it.
    same: HashSet<Place>,
}

impl<'g> Originals<'g> {
    pub(super) async fn load(
        conn: &mut SqliteConnection,
        sql: &Sql,
        heads: &Heads<'g>,
        group: &[Request<'g>],
    ) -> Result<Self> {
        let mut this = Self::default();
        let mut keys = Vec::new();
        for request in group {
            let nth = heads.index_of(request.stream);
            if let Some(stream_id) = heads.get(nth).stream_id {
                let with_key = request
                    .batch
                    .entries()
                    .iter()
                    .filter_map(|e| e.dedup_key.as_deref());
                keys.extend(with_key.map(|key| (nth, stream_id, key)));
            }
        }
        this.find(conn, sql, &keys).await?;
        if this.stored.is_empty() {
            return Ok(this);
        }
        let mut repeats = Vec::new();
        for (place, request) in group.iter().enumerate() {
            if request.batch.verifies_duplicates() {
                let nth = heads.index_of(request.stream);
                for (index, entry) in request.batch.entries().iter().enumerate() {
                    let key = entry.dedup_key.as_deref();
                    if let Some((id, _)) = key.and_then(|key| this.stored.get(&(nth, key))) {
                        repeats.push(((place, index), *id, entry));
                    }
                }
            }
        }
        this.compare(conn, sql, &repeats).await?;
        Ok(this)
    }

    async fn find(
        &mut self,
        conn: &mut SqliteConnection,
        sql: &Sql,
        mut keys: &[(usize, i64, &'g str)],
    ) -> Result<()> {
        while !keys.is_empty() {
            let (statement, length) = sql.originals.fitting(keys.len());
            let mut query = statement.query();
            for nth in 0..length {
                let key = keys.get(nth);
                query = query
                    .bind(key.map(|k| k.1))
                    .bind(key.map(|k| k.2.to_owned()));
            }
            for row in query.fetch_all(&mut *conn).await.map_err(convert)? {
                if let Some((head, _, key)) = nth_of(&row, keys)? {
                    self.stored
                        .insert((*head, key), (get(&row, 1)?, version(&row, 2)?));
                }
            }
            keys = keys.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// Compares in the database, so that payloads are sent but never fetched.
    async fn compare(
        &mut self,
        conn: &mut SqliteConnection,
        sql: &Sql,
        mut repeats: &[(Place, i64, &'g RawEntry)],
    ) -> Result<()> {
        while !repeats.is_empty() {
            let (statement, length) = sql.same_content.fitting(repeats.len());
            let mut query = statement.query();
            for nth in 0..length {
                let (id, entry) = repeats.get(nth).map(|r| (r.1, r.2)).unzip();
                query = query
                    .bind(id)
                    .bind(entry.map(|e| e.payload.to_vec()))
                    .bind(entry.map(|e| e.content_type.as_str().to_owned()))
                    .bind(entry.map(|e| e.schema_version));
            }
            for row in query.fetch_all(&mut *conn).await.map_err(convert)? {
                if let Some((place, ..)) = nth_of(&row, repeats)? {
                    self.same.insert(*place);
                }
            }
            repeats = repeats.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// The stored original of an entry of the group.
    pub(super) fn of(&self, key: Key<'g>, place: Place) -> Option<Original<i64>> {
        let (id, version) = *self.stored.get(&key)?;
        Some(Original {
            id,
            version,
            same_content: self.same.contains(&place),
        })
    }
}

/// What the number in front of a row stands for.
fn nth_of<'l, T>(row: &sqlx::sqlite::SqliteRow, list: &'l [T]) -> Result<Option<&'l T>> {
    let nth: i64 = get(row, 0)?;
    Ok(usize::try_from(nth).ok().and_then(|nth| list.get(nth)))
}

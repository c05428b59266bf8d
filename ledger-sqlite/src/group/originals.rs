//! The stored entries whose dedup keys a group repeats, looked up in bulk.

use std::collections::{HashMap, HashSet};

use ledger_core::backend::Original;
use ledger_core::{RawEntry, Result};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::Request;
use super::heads::Heads;
use crate::error::convert;
use crate::row::{get, version};
use crate::sql::GroupSql;

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

/// The dedup keys of a group.
pub(super) fn keys_of<'g>(heads: &Heads<'g>, group: &[Request<'g>]) -> Vec<Key<'g>> {
    let keys = group.iter().flat_map(|request| {
        let nth = heads.index_of(request.stream);
        let keys = request.batch.entries().iter();
        let keys = keys.filter_map(|entry| entry.dedup_key.as_deref());
        keys.map(move |key| (nth, key))
    });
    keys.collect()
}

impl<'g> Originals<'g> {
    /// Of the rows that are taken.
    pub(super) const COLUMNS: usize = 3;

    /// Looks up the entries that have these keys.
    pub(super) async fn find(
        &mut self,
        conn: &mut SqliteConnection,
        sql: &GroupSql,
        heads: &Heads<'g>,
        keys: &[Key<'g>],
    ) -> Result<()> {
        // A stream that does not exist has no entries.
        let exists = |key: &&Key<'g>| heads.get(key.0).stream_id.is_some();
        let keys: Vec<Key<'g>> = keys.iter().filter(exists).copied().collect();
        let mut keys = keys.as_slice();
        while !keys.is_empty() {
            let (statement, length) = sql.originals.fitting(keys.len());
            let query = (0..length).fold(statement.query(), |query, nth| {
                let key = keys.get(nth);
                query
                    .bind(key.and_then(|key| heads.get(key.0).stream_id))
                    .bind(key.map(|key| key.1.to_owned()))
            });
            for row in query.fetch_all(&mut *conn).await.map_err(convert)? {
                self.take(&row, keys)?;
            }
            keys = keys.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes a row of the entries that have one of these keys.
    pub(super) fn take(&mut self, row: &SqliteRow, keys: &[Key<'g>]) -> Result<()> {
        if let Some(key) = nth_of(row, keys)? {
            self.stored.insert(*key, (get(row, 1)?, version(row, 2)?));
        }
        Ok(())
    }

    /// Compares the repeats with their originals, where that is asked for.
    pub(super) async fn verify(
        &mut self,
        conn: &mut SqliteConnection,
        sql: &GroupSql,
        heads: &Heads<'g>,
        group: &[Request<'g>],
    ) -> Result<()> {
        if self.stored.is_empty() {
            return Ok(());
        }
        let mut repeats = Vec::new();
        for (place, request) in group.iter().enumerate() {
            if request.batch.verifies_duplicates() {
                let nth = heads.index_of(request.stream);
                for (index, entry) in request.batch.entries().iter().enumerate() {
                    let key = entry.dedup_key.as_deref();
                    if let Some((id, _)) = key.and_then(|key| self.stored.get(&(nth, key))) {
                        repeats.push(((place, index), *id, entry));
                    }
                }
            }
        }
        self.compare(conn, sql, &repeats).await
    }

    /// Compares in the database, so that payloads are sent but never fetched.
    async fn compare(
        &mut self,
        conn: &mut SqliteConnection,
        sql: &GroupSql,
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
fn nth_of<'l, T>(row: &SqliteRow, list: &'l [T]) -> Result<Option<&'l T>> {
    let nth: i64 = get(row, 0)?;
    Ok(usize::try_from(nth).ok().and_then(|nth| list.get(nth)))
}

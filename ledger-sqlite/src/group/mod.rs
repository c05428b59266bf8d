//! What a group of appends does, decided and written on a connection that
//! holds the write lock: the writer's, or one in a caller's transaction.

mod draft;
mod heads;
mod originals;

use ledger_core::backend::Clock;
use ledger_core::{Batch, Receipts, Result, StreamName};
use sqlx::SqliteConnection;

use self::draft::Draft;
use self::heads::Heads;
use self::originals::{Originals, keys_of};
use crate::error::convert;
use crate::options::Durability;
use crate::sql::GroupSql;

/// One append of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'g> {
    pub(crate) stream: &'g StreamName,
    pub(crate) batch: &'g Batch,
}

/// What a group is decided by, read under the write lock.
#[derive(Debug)]
pub(crate) struct Known<'g> {
    heads: Heads<'g>,
    originals: Originals<'g>,
}

/// Decides all requests of a group in their order, each on top of the ones
/// before it, and writes what they store, on a connection that holds the write
/// lock. Checks the settings of the connection too, if it is told what to
/// expect.
///
/// An answer that is an error has written nothing; if the call itself fails,
/// something may be written and has to be undone.
pub(crate) async fn write(
    conn: &mut SqliteConnection,
    sql: &GroupSql,
    check: Option<Durability>,
    clock: &dyn Clock,
    group: &[Request<'_>],
) -> Result<Vec<Result<Receipts<i64>>>> {
    let mut heads = Heads::of(group);
    heads.load(conn, sql, check, 0).await?;
    let mut originals = Originals::default();
    let keys = keys_of(&heads, group);
    originals.find(conn, sql, &heads, &keys).await?;
    originals.verify(conn, sql, &heads, group).await?;
    let known = Known { heads, originals };
    let members: Vec<_> = group.iter().copied().enumerate().collect();
    known.write(conn, sql, clock, &members, false).await
}

/// Takes the write lock, and reads what the group is decided by: all of it in
/// one command, if it is not too large. If this fails, the connection may be in
/// a transaction.
pub(crate) async fn begin<'g>(
    conn: &mut SqliteConnection,
    sql: &GroupSql,
    group: &[Request<'g>],
) -> Result<Known<'g>> {
    let (mut heads, mut originals) = (Heads::of(group), Originals::default());
    let keys = keys_of(&heads, group);
    let (opening, names_read, keys_read) = sql.opening(heads.len(), keys.len());
    let mut query = heads.bind(opening.query(), 0, names_read);
    let first = &keys[..keys.len().min(keys_read)];
    for (head, key) in first {
        query = query
            .bind(heads.get(*head).name.as_str().to_owned())
            .bind((*key).to_owned());
    }
    let rows = query.fetch_all(&mut *conn).await.map_err(convert)?;
    for row in &rows {
        match sqlx::Row::len(row) {
            Originals::COLUMNS => originals.take(row, first)?,
            _ => heads.take(row, 0)?,
        }
    }
    heads.load(conn, sql, None, names_read).await?;
    let rest = &keys[first.len()..];
    originals.find(conn, sql, &heads, rest).await?;
    originals.verify(conn, sql, &heads, group).await?;
    Ok(Known { heads, originals })
}

impl<'g> Known<'g> {
    /// Decides some requests of the group, by their places in it, writes what
    /// they store, and commits.
    pub(crate) async fn commit(
        self,
        conn: &mut SqliteConnection,
        sql: &GroupSql,
        clock: &dyn Clock,
        members: &[(usize, Request<'g>)],
    ) -> Result<Vec<Result<Receipts<i64>>>> {
        self.write(conn, sql, clock, members, true).await
    }

    async fn write(
        mut self,
        conn: &mut SqliteConnection,
        sql: &GroupSql,
        clock: &dyn Clock,
        members: &[(usize, Request<'g>)],
        commit: bool,
    ) -> Result<Vec<Result<Receipts<i64>>>> {
        let mut draft = Draft::new(clock.now());
        let answers = members
            .iter()
            .map(|(nth, request)| draft.add(*nth, *request, &mut self.heads, &self.originals))
            .collect();
        draft.write(conn, sql, &self.heads, commit).await?;
        Ok(answers)
    }
}

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
use self::originals::Originals;
use crate::options::Durability;
use crate::sql::Sql;

/// One append of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'g> {
    pub(crate) stream: &'g StreamName,
    pub(crate) batch: &'g Batch,
}

/// Decides all requests of a group in their order, each on top of the ones
/// before it, and writes what they store. Checks the settings of the
/// connection too, if it is told what to expect.
///
/// An answer that is an error has written nothing; if the call itself fails,
/// something may be written and has to be undone.
pub(crate) async fn write(
    conn: &mut SqliteConnection,
    sql: &Sql,
    check: Option<Durability>,
    clock: &dyn Clock,
    group: &[Request<'_>],
) -> Result<Vec<Result<Receipts<i64>>>> {
    let mut heads = Heads::load(conn, sql, check, group).await?;
    let originals = Originals::load(conn, sql, &heads, group).await?;
    let mut draft = Draft::new(clock.now());
    let answers = group
        .iter()
        .enumerate()
        .map(|(nth, request)| draft.add(nth, *request, &mut heads, &originals))
        .collect();
    draft.write(conn, sql, &heads).await?;
    Ok(answers)
}

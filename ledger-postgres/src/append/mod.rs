//! Appending: one statement in the usual case, and what follows when it
//! refuses.

mod request;
mod sql;

use ledger_core::backend::event;
use ledger_core::{Error, Kind, Receipts, Result};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

pub(crate) use request::Request;
pub(crate) use sql::{AppendSql, EXISTS};

use crate::BACKEND;
use crate::call::Call;
use crate::error::{During, convert, is_duplicate, weak_commit};

/// What to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The statement without a look for repeats.
    Lean,
    /// The statement that looks for repeats.
    One,
    /// A look at the stream: why was nothing written?
    Look,
}

/// What came of a statement that writes.
enum Wrote {
    /// Everything that was fresh.
    All(Receipts<i64>),
    /// Nothing: the version, or the setting.
    Nothing,
    /// Nothing, and an error: a key is there that the statement did not see.
    Repeat,
}

/// Where the append runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    /// Each statement commits on its own.
    Autocommit,
    /// The caller's transaction, where any error ends all.
    Transaction,
}

/// Appends.
///
/// A statement that refuses says nothing final. It took its snapshot before it
/// waited for the lock of the stream, so the very entries it repeats may have
/// been committed meanwhile: only a fresh look decides between duplicates and
/// a conflict, on keys and head of one snapshot.
pub(crate) async fn append(
    connection: &mut PgConnection,
    sql: &AppendSql,
    request: &Request,
    call: &Call,
    within: Within,
) -> Result<Receipts<i64>> {
    let mut step = match request.contradicts {
        true => Step::Look,
        false => Step::Lean,
    };
    if within == Within::Transaction && request.keyed {
        lock(connection, sql, request, call).await?;
        if step == Step::Lean {
            step = Step::One;
        }
    }
    let (mut attempt, mut born) = (0, within == Within::Transaction);
    loop {
        attempt += 1;
        let done = match step {
            Step::Lean => lean(connection, sql, request, call, within).await,
            Step::One => one(connection, sql, request, call, within).await,
            Step::Look => {
                let seen = look(connection, sql, request, call, within).await?;
                if !sql.durability.accepts(&seen.setting) && request.has_fresh(&seen) {
                    return Err(weak_commit(&seen.setting));
                }
                let unseen = seen.head.is_none() && request.keyed && request.expects_something();
                if unseen && !born {
                    // The stream, and in it the originals, may be on their way.
                    wait_for_birth(connection, sql, request, call).await?;
                    born = true;
                    continue;
                }
                if let Some(receipts) = request.decide(&seen)? {
                    return Ok(receipts);
                }
                step = if request.keyed { Step::One } else { Step::Lean };
                call.back_off(attempt.min(4)).await;
                continue;
            }
        };
        let refused = match done {
            Ok(Wrote::All(receipts)) => return Ok(receipts),
            Ok(Wrote::Nothing) if step == Step::Lean && request.keyed => Step::One,
            Ok(Wrote::Nothing) => Step::Look,
            Ok(Wrote::Repeat) => Step::One,
            // Behind the last version nothing fits, but a repeat needs no place.
            Err(e) if *e.kind() == Kind::LimitReached && step == Step::Lean && request.keyed => {
                Step::Look
            }
            Err(e) if again(&e, within) => {
                event::retrying(BACKEND, "append", attempt, &e);
                call.back_off(attempt).await;
                step
            }
            Err(e) => return Err(e),
        };
        step = refused;
    }
}

/// Whether a statement that was certainly not applied may be sent again.
fn again(error: &Error, within: Within) -> bool {
    within == Within::Autocommit
        && *error.kind() == Kind::Contention
        && error.applied() == ledger_core::Applied::No
}

async fn lean(
    connection: &mut PgConnection,
    sql: &AppendSql,
    request: &Request,
    call: &Call,
    within: Within,
) -> Result<Wrote> {
    let statement = request.lean(&sql.lean_any, &sql.lean);
    // All rows are fetched: the server commits only after the last one, and an
    // answer taken from the first row would be an acknowledgement too early.
    let rows = call.writing(call.fetch_alone(connection, statement)).await;
    match wrote(rows, sql, within)? {
        Some(rows) => Ok(request
            .lean_receipts(&rows)?
            .map_or(Wrote::Nothing, Wrote::All)),
        None => Ok(Wrote::Repeat),
    }
}

async fn one(
    connection: &mut PgConnection,
    sql: &AppendSql,
    request: &Request,
    call: &Call,
    within: Within,
) -> Result<Wrote> {
    let statement = request.one(&sql.one);
    let rows = call.writing(call.fetch_alone(connection, statement)).await;
    match wrote(rows, sql, within)? {
        Some(rows) => Ok(request
            .one_receipts(&rows)?
            .map_or(Wrote::Nothing, Wrote::All)),
        None => Ok(Wrote::Repeat),
    }
}

fn wrote(
    rows: Result<Vec<PgRow>, sqlx::Error>,
    sql: &AppendSql,
    within: Within,
) -> Result<Option<Vec<PgRow>>> {
    match rows {
        Ok(rows) => Ok(Some(rows)),
        Err(e) if within == Within::Autocommit && is_duplicate(&e, &sql.dedup_index) => Ok(None),
        Err(e) => Err(convert(&e, during(within))),
    }
}

fn during(within: Within) -> During {
    match within {
        Within::Autocommit => During::Write,
        Within::Transaction => During::Transaction,
    }
}

async fn look(
    connection: &mut PgConnection,
    sql: &AppendSql,
    request: &Request,
    call: &Call,
    within: Within,
) -> Result<request::Seen> {
    let rows = call.fetch_alone(connection, request.look(&sql.look)).await;
    let during = match within {
        // It writes nothing, and what was sent before it was not applied.
        Within::Autocommit => During::Read,
        Within::Transaction => During::Transaction,
    };
    request.seen(&rows.map_err(|e| convert(&e, during))?)
}

/// Takes the lock of the stream, so that the statement that follows sees all
/// that was committed before it and cannot run into a key it has not seen: an
/// error would end the caller's transaction.
async fn lock(
    connection: &mut PgConnection,
    sql: &AppendSql,
    request: &Request,
    call: &Call,
) -> Result<()> {
    let failed = |e: sqlx::Error| convert(&e, During::Transaction);
    for _ in 0..2 {
        let locked = sql.lock.query().bind(request.stream.as_str());
        let rows = call.writing(locked.fetch_all(&mut *connection)).await;
        if !rows.map_err(failed)?.is_empty() {
            return Ok(());
        }
        let made = sql.make.query().bind(request.stream.as_str());
        let made = call.writing(made.execute(&mut *connection)).await;
        made.map_err(failed)?;
    }
    // Under REPEATABLE READ a row of someone else stays invisible. The
    // statement that follows fails on it, or the row is our own.
    Ok(())
}

/// Waits for a transaction that is just making the stream, and leaves nothing
/// behind. It runs in a task that no dropped future cuts, so that the
/// transaction cannot be left open.
async fn wait_for_birth(
    connection: &mut PgConnection,
    sql: &AppendSql,
    request: &Request,
    call: &Call,
) -> Result<()> {
    let wait = async {
        let mut transaction = call.begin(connection, None).await?;
        let made = sql.make.query().bind(request.stream.as_str());
        let made = made.execute(&mut *transaction).await;
        transaction.rollback().await?;
        made.map(drop)
    };
    wait.await.map_err(|e| convert(&e, During::Read))
}

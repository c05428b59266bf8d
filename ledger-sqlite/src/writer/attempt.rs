//! One transaction of the writer, and what became of it.

use ledger_core::{Error, Kind, Receipts, Result};
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};

use super::Writer;
use super::append::Append;
use super::connection::Held;
use super::queue::Stage;
use crate::error::{convert, is_undone};
use crate::group::{self, Request};
use crate::sql::GroupSql;

/// What became of an attempt to commit.
pub(super) enum Outcome<T> {
    Committed(T),
    /// Others hold the write lock. Nothing was done.
    Busy(Error),
    /// Nothing is applied.
    Failed(Error),
    /// The COMMIT may or may not have reached the disk.
    Unknown(Error),
}

/// The answers to a group; nothing to those that were taken back before.
pub(super) type Answers = Vec<Option<Result<Receipts<i64>>>>;

impl Writer {
    /// Runs a group in one transaction. Whatever happens, the connection that
    /// goes back is outside of any transaction.
    pub(super) async fn attempt(&mut self, mut held: Held, group: &[Append]) -> Outcome<Answers> {
        self.stage.set(Stage::NEEDS_LOCK);
        let mut claimed = vec![false; group.len()];
        let (outcome, clean) = match held.is_own() {
            true => self.on_own(held.get(), group, &mut claimed).await,
            false => self.on_pooled(held.get(), group, &mut claimed).await,
        };
        if matches!(outcome, Outcome::Busy(_) | Outcome::Failed(_)) {
            for (append, _) in group.iter().zip(claimed).filter(|(_, claimed)| *claimed) {
                append.ticket.release();
            }
        }
        self.give_back(held, clean).await;
        outcome
    }

    pub(super) async fn give_back(&mut self, held: Held, clean: bool) {
        match clean {
            true => self.source.put(held),
            false => held.discard().await,
        }
    }

    /// Under the write lock: from here on a caller's deadline does not stop
    /// its request. The others are left out.
    fn claim<'g>(&self, group: &'g [Append], claimed: &mut [bool]) -> Vec<(usize, Request<'g>)> {
        self.stage.set(Stage::WORKING);
        let mut members = Vec::with_capacity(group.len());
        for (nth, (append, claimed)) in group.iter().zip(claimed).enumerate() {
            *claimed = append.ticket.claim();
            if *claimed {
                members.push((nth, append.request()));
            }
        }
        members
    }

    /// In as few commands as possible, with a transaction that sqlx knows
    /// nothing of. If the writer is dropped with its runtime, this connection
    /// is closed, which undoes it.
    async fn on_own(
        &self,
        conn: &mut SqliteConnection,
        group: &[Append],
        claimed: &mut [bool],
    ) -> (Outcome<Answers>, bool) {
        let sql = &self.sql.group;
        let requests: Vec<_> = group.iter().map(Append::request).collect();
        let known = match group::begin(conn, sql, &requests).await {
            Ok(known) => known,
            // A busy BEGIN has begun nothing.
            Err(e) => {
                let undone = undo(conn, sql).await;
                let clean = undone || *e.kind() == Kind::Contention;
                return (of_failure(e), clean);
            }
        };
        let members = self.claim(group, claimed);
        match known.commit(conn, sql, &*self.clock, &members).await {
            Ok(answers) => (Outcome::Committed(all_of(answers, claimed)), true),
            Err(e) => {
                // If there still is a transaction, the COMMIT was not reached,
                // or was busy.
                let undone = undo(conn, sql).await;
                match undone || is_undone(&e) {
                    true => (of_failure(e), undone),
                    false => (Outcome::Unknown(e), false),
                }
            }
        }
    }

    /// In a transaction of sqlx, which is undone if the writer itself is
    /// dropped, with its runtime, before the connection goes back to the pool.
    async fn on_pooled(
        &self,
        conn: &mut SqliteConnection,
        group: &[Append],
        claimed: &mut [bool],
    ) -> (Outcome<Answers>, bool) {
        let mut tx = match begin(conn).await {
            Ok(tx) => tx,
            Err(refused) => return refused,
        };
        let members = self.claim(group, claimed);
        let members: Vec<_> = members.into_iter().map(|(_, request)| request).collect();
        // The settings of an application's connection may change at any time.
        let check = Some(self.durability);
        let (sql, clock) = (&self.sql.group, &*self.clock);
        let written = group::write(&mut tx, sql, check, clock, &members).await;
        finish(tx, written.map(|answers| all_of(answers, claimed))).await
    }
}

/// Puts the answers to the requests that were claimed at their places.
fn all_of(answers: Vec<Result<Receipts<i64>>>, claimed: &[bool]) -> Answers {
    let mut answers = answers.into_iter();
    claimed
        .iter()
        .map(|claimed| claimed.then(|| answers.next())?)
        .collect()
}

/// Ends the transaction of a connection; whether there was one.
async fn undo(conn: &mut SqliteConnection, sql: &GroupSql) -> bool {
    sql.rollback.query().execute(conn).await.is_ok()
}

/// Takes the write lock. A transaction that begins as a reader cannot be
/// turned into a writer once somebody else has written.
pub(super) async fn begin<T>(
    conn: &mut SqliteConnection,
) -> Result<Transaction<'_, Sqlite>, (Outcome<T>, bool)> {
    conn.begin_with("BEGIN IMMEDIATE").await.map_err(|e| {
        let outcome = of_failure(convert(e));
        let clean = matches!(outcome, Outcome::Busy(_));
        (outcome, clean)
    })
}

/// Commits, or undoes what failed. Tells also whether the connection is fit
/// for another transaction.
pub(super) async fn finish<T>(
    tx: Transaction<'_, Sqlite>,
    written: Result<T>,
) -> (Outcome<T>, bool) {
    match written {
        Ok(done) => match tx.commit().await {
            Ok(()) => (Outcome::Committed(done), true),
            Err(e) => {
                let error = convert(e);
                match is_undone(&error) {
                    true => (of_failure(error), false),
                    false => (Outcome::Unknown(error), false),
                }
            }
        },
        Err(e) => {
            // After some errors SQLite has rolled back by itself, and this
            // fails: then sqlx still counts a transaction.
            let clean = tx.rollback().await.is_ok();
            (of_failure(e), clean)
        }
    }
}

fn of_failure<T>(error: Error) -> Outcome<T> {
    match error.kind() {
        Kind::Contention => Outcome::Busy(error),
        _ => Outcome::Failed(error),
    }
}

//! One transaction of the writer, and what became of it.

use ledger_core::{Error, Kind, Receipts, Result};
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};

use super::Writer;
use super::append::Append;
use super::connection::Held;
use super::queue::Stage;
use crate::error::{commit_is_undone, convert};
use crate::group::{self, Request};

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
        let (outcome, clean) = match begin(held.get()).await {
            Ok(mut tx) => {
                self.stage.set(Stage::WORKING);
                // From here on a caller's deadline does not stop its request.
                let claimed: Vec<bool> = group.iter().map(|a| a.ticket.claim()).collect();
                let written = self.write(&mut tx, group, &claimed).await;
                let (outcome, clean) = finish(tx, written).await;
                if matches!(outcome, Outcome::Busy(_) | Outcome::Failed(_)) {
                    for (append, _) in group.iter().zip(claimed).filter(|(_, claimed)| *claimed) {
                        append.ticket.release();
                    }
                }
                (outcome, clean)
            }
            Err(refused) => refused,
        };
        self.give_back(held, clean).await;
        outcome
    }

    pub(super) async fn give_back(&mut self, held: Held, clean: bool) {
        match clean {
            true => self.source.put(held),
            false => held.discard().await,
        }
    }

    /// Writes the requests that were claimed.
    async fn write(
        &self,
        conn: &mut SqliteConnection,
        group: &[Append],
        claimed: &[bool],
    ) -> Result<Answers> {
        let members = group.iter().zip(claimed).filter(|(_, claimed)| **claimed);
        let members: Vec<Request<'_>> = members.map(|(append, _)| append.request()).collect();
        // The settings of an application's connection may change at any time.
        let check = self.source.is_shared().then_some(self.durability);
        let clock = &*self.clock;
        let mut answers = group::write(conn, &self.sql, check, clock, &members)
            .await?
            .into_iter();
        Ok(claimed
            .iter()
            .map(|claimed| claimed.then(|| answers.next())?)
            .collect())
    }
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
            Err(e) if commit_is_undone(&e) => (of_failure(convert(e)), false),
            Err(e) => (Outcome::Unknown(convert(e)), false),
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

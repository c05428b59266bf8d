//! Trimming: step by step, oldest first, so that appends go on meanwhile.

use std::sync::Arc;

use ledger_core::backend::event;
use ledger_core::{Error, Kind, Result, Retry, StreamName};
use sqlx::SqliteConnection;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use super::attempt::{Outcome, begin, finish};
use super::queue::{Stage, Ticket};
use super::{Writer, backoff};
use crate::BACKEND;
use crate::error::convert;

/// Entries that one step removes.
const STEP: u32 = 5_000;

/// A trim on its way through the writer.
#[derive(Debug)]
pub(crate) struct Trim {
    pub(crate) stream: StreamName,
    pub(crate) through: i64,
    pub(crate) deadline: Instant,
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) reply: oneshot::Sender<Result<u64>>,
    /// What earlier steps removed.
    pub(crate) removed: u64,
    /// Failed attempts of the running step.
    pub(crate) attempt: u32,
}

/// What a step did.
enum Step {
    Removed(u64),
    Busy(Error),
    Failed(Error),
}

impl Trim {
    fn answer(self, answer: Result<u64>) {
        event::trimmed(BACKEND, &self.stream, self.removed);
        // The caller may be gone; then nobody wants to know.
        let _ = self.reply.send(answer);
    }

    /// Ends with an error. What was removed stays removed, and the rest can
    /// be removed by the same call.
    fn fail(self, error: Error) {
        let error = match self.removed {
            0 => error,
            removed => {
                let retry = error.retry();
                error
                    .unknown_outcome()
                    .with_retry(retry)
                    .with("removed", removed)
            }
        };
        self.answer(Err(error));
    }
}

impl Writer {
    /// Does one step of the oldest trim.
    pub(super) async fn trim_step(&mut self) {
        let Some(mut trim) = self.trims.pop_front() else {
            return;
        };
        // A trim that nobody waits for may stop anywhere.
        if trim.reply.is_closed() {
            return trim.fail(Error::new(Kind::Timeout, "the caller is gone"));
        }
        if trim.deadline <= Instant::now() || (trim.removed == 0 && !trim.ticket.is_waiting()) {
            return trim.fail(self.stage.too_late());
        }
        match self.remove(&trim).await {
            Step::Removed(count) => {
                trim.removed += count;
                trim.attempt = 0;
                match count < u64::from(STEP) {
                    true => {
                        let removed = trim.removed;
                        trim.answer(Ok(removed));
                    }
                    false => self.trims.push_back(trim),
                }
            }
            Step::Busy(why) => {
                trim.attempt += 1;
                event::retrying(BACKEND, "trim", trim.attempt, &why);
                sleep(backoff(trim.attempt)).await;
                match trim.deadline <= Instant::now() {
                    true => trim.fail(self.stage.too_late()),
                    false => self.trims.push_back(trim),
                }
            }
            Step::Failed(why) => trim.fail(why),
        }
    }

    async fn remove(&mut self, trim: &Trim) -> Step {
        self.stage.set(Stage::NEEDS_CONNECTION);
        let mut held = match timeout_at(trim.deadline, self.source.take()).await {
            Ok(Ok(held)) => held,
            Ok(Err(e)) => return Step::Failed(e),
            Err(_elapsed) => return Step::Failed(self.stage.too_late()),
        };
        self.stage.set(Stage::NEEDS_LOCK);
        let (outcome, clean) = match begin(held.get()).await {
            Ok(mut tx) => {
                self.stage.set(Stage::WORKING);
                trim.ticket.claim();
                let removed = self.delete(&mut tx, trim).await;
                finish(tx, removed).await
            }
            Err(refused) => refused,
        };
        self.give_back(held, clean).await;
        match outcome {
            Outcome::Committed(removed) => Step::Removed(removed),
            Outcome::Busy(why) => Step::Busy(why),
            Outcome::Failed(why) => Step::Failed(why),
            Outcome::Unknown(why) => Step::Failed(why.unknown_outcome().with_retry(Retry::Call)),
        }
    }

    async fn delete(&self, conn: &mut SqliteConnection, trim: &Trim) -> Result<u64> {
        let query = self.sql.trim.query();
        let query = query
            .bind(trim.stream.as_str().to_owned())
            .bind(trim.through)
            .bind(STEP);
        let done = query.execute(conn).await.map_err(convert)?;
        Ok(done.rows_affected())
    }
}

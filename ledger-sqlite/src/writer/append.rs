//! Appending a group: until it is committed, or each of its requests has
//! failed on its own.

use std::sync::Arc;

use ledger_core::backend::{copy_of, event};
use ledger_core::{Batch, Error, RawEntry, Receipts, Result, StreamName};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use super::attempt::Outcome;
use super::queue::{Stage, Ticket};
use super::{Writer, backoff};
use crate::BACKEND;
use crate::group::Request;

/// One append on its way through the writer.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) stream: StreamName,
    pub(crate) batch: Batch,
    pub(crate) deadline: Instant,
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) reply: oneshot::Sender<Result<Receipts<i64>>>,
}

impl Append {
    pub(super) fn request(&self) -> Request<'_> {
        Request {
            stream: &self.stream,
            batch: &self.batch,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.batch.entries().iter().map(RawEntry::size).sum()
    }

    fn answer(self, answer: Result<Receipts<i64>>) {
        // The caller may be gone; then nobody wants to know.
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    pub(super) async fn append_group(&mut self, group: Vec<Append>) {
        let Some(group) = self.append_together(group).await else {
            return;
        };
        // Something in the group made a statement fail. Each for itself, only
        // the culprit fails.
        for one in group {
            self.append_together(vec![one]).await;
        }
    }

    /// Commits the group and answers its requests. Gives the group back,
    /// undone, if it failed and has several members.
    async fn append_together(&mut self, mut group: Vec<Append>) -> Option<Vec<Append>> {
        for attempt in 0.. {
            self.drop_late(&mut group);
            let deadline = group.iter().map(|append| append.deadline).max()?;

            self.stage.set(Stage::NEEDS_CONNECTION);
            let held = match timeout_at(deadline, self.source.take()).await {
                Ok(Ok(held)) => held,
                Ok(Err(e)) => return refuse(group, e),
                Err(_elapsed) => continue,
            };
            match self.attempt(held, &group).await {
                Outcome::Committed(answers) => {
                    for (append, answer) in group.into_iter().zip(answers) {
                        if let Some(answer) = answer {
                            append.answer(answer);
                        }
                    }
                    return None;
                }
                Outcome::Busy(why) => {
                    event::retrying(BACKEND, "append", attempt + 1, &why);
                    sleep(backoff(attempt)).await;
                }
                Outcome::Failed(why) if group.len() == 1 => return refuse(group, why),
                Outcome::Failed(why) => {
                    event::retrying(BACKEND, "append one by one", attempt + 1, &why);
                    return Some(group);
                }
                Outcome::Unknown(why) => return refuse(group, why.unknown_outcome()),
            }
        }
        None
    }

    /// Removes the requests that nobody waits for and those whose deadline has
    /// passed.
    fn drop_late(&self, group: &mut Vec<Append>) {
        let now = Instant::now();
        for append in group.extract_if(.., |a| !a.ticket.is_waiting() || a.deadline <= now) {
            if append.ticket.take_back() {
                append.answer(Err(self.stage.too_late()));
            }
        }
    }
}

/// Answers all of a group with one error.
fn refuse(mut group: Vec<Append>, why: Error) -> Option<Vec<Append>> {
    let last = group.pop();
    for append in group {
        append.answer(Err(copy_of(&why)));
    }
    last?.answer(Err(why));
    None
}

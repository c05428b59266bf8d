//! Requests to the writer, and who may still take one back.

use std::sync::{Arc, Mutex, PoisonError};

use ledger_core::backend::Clock;
use ledger_core::{Batch, Error, Kind, RawEntry, Receipts, Result, StreamName};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Queue;
use super::queue::HandleState;

/// What the writer is asked for.
#[derive(Debug)]
pub(crate) enum Job {
    Append(Arc<Slot<Append>>),
    Trim(Arc<Slot<Trim>>),
    /// Closes a handle: what it sent before is done, what comes later is not.
    Close(Arc<HandleState>, oneshot::Sender<Result<()>>),
}

#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) stream: StreamName,
    pub(crate) batch: Batch,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) handle: Arc<HandleState>,
    pub(crate) reply: oneshot::Sender<Result<Receipts<i64>>>,
}

impl Append {
    pub(crate) fn size(batch: &Batch) -> usize {
        batch.entries().iter().map(RawEntry::size).sum()
    }
}

#[derive(Debug)]
pub(crate) struct Trim {
    pub(crate) stream: StreamName,
    pub(crate) through: i64,
    pub(crate) handle: Arc<HandleState>,
    pub(crate) reply: oneshot::Sender<Result<u64>>,
}

/// A request that either the writer takes, and then it is done, or the caller
/// takes back at its deadline, and then it never is.
#[derive(Debug)]
pub(crate) struct Slot<T>(Mutex<Option<T>>);

impl<T> Slot<T> {
    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The writer's answer to a request, by the deadline. `size` is how much of the
/// queue's room the request takes.
pub(crate) async fn ask<R, T>(
    queue: &Queue,
    deadline: Instant,
    size: usize,
    request: impl FnOnce(oneshot::Sender<Result<T>>) -> R,
    job: impl FnOnce(Arc<Slot<R>>) -> Job,
) -> Result<T> {
    let (reply, answer) = oneshot::channel();
    let slot = Arc::new(Slot(Mutex::new(Some(request(reply)))));
    queue.send(job(slot.clone()), size, deadline).await?;
    let error = match timeout_at(deadline, answer).await {
        Ok(Ok(answer)) => return answer,
        Ok(Err(_dropped)) => Error::new(Kind::Unavailable, "the writer has ended"),
        Err(_elapsed) => Error::new(Kind::Timeout, "waiting for the writer"),
    };
    match slot.take() {
        Some(_) => Err(error),
        None => Err(error.unknown_outcome()),
    }
}

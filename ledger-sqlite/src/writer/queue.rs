//! The way of a request to the writer, and who may still take it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ledger_core::{Error, Kind, Result};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::Job;

/// Who holds a request: whoever changes it from `WAITING` decides.
///
/// The caller takes it back at its deadline, and then it was and will not be
/// applied. The writer claims it once it has the write lock; then the outcome
/// is unknown until the answer.
#[derive(Debug, Default)]
pub(crate) struct Ticket(AtomicU8);

impl Ticket {
    const WAITING: u8 = 0;
    const CLAIMED: u8 = 1;
    const TAKEN_BACK: u8 = 2;

    /// The writer begins to work on it.
    pub(super) fn claim(&self) -> bool {
        self.pass(Self::WAITING, Self::CLAIMED)
    }

    /// The writer has undone what it did.
    pub(super) fn release(&self) {
        self.pass(Self::CLAIMED, Self::WAITING);
    }

    /// It shall not be applied any more.
    pub(super) fn take_back(&self) -> bool {
        self.pass(Self::WAITING, Self::TAKEN_BACK)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::WAITING
    }

    fn pass(&self, from: u8, to: u8) -> bool {
        self.0
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// What the writer is doing, so that a caller whose deadline passes can tell
/// what was in the way.
#[derive(Debug, Default)]
pub(crate) struct Stage(AtomicU8);

impl Stage {
    pub(super) const WORKING: u8 = 0;
    pub(super) const NEEDS_CONNECTION: u8 = 1;
    pub(super) const NEEDS_LOCK: u8 = 2;

    pub(super) fn set(&self, stage: u8) {
        self.0.store(stage, Ordering::Release);
    }

    /// The error of a request that was taken back at its deadline.
    pub(super) fn too_late(&self) -> Error {
        match self.0.load(Ordering::Acquire) {
            Self::NEEDS_CONNECTION => Error::new(
                Kind::Unavailable,
                "no connection of the pool came free; does the caller hold one while it waits?",
            ),
            Self::NEEDS_LOCK => Error::new(
                Kind::Contention,
                "the database was locked for writing until the deadline; \
                 does the caller wait while its own write transaction is open?",
            ),
            _ => Error::new(Kind::Timeout, "waiting for earlier writes"),
        }
    }
}

/// The callers' end of the queue.
#[derive(Debug)]
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
    ended: watch::Receiver<()>,
    pub(super) stage: Arc<Stage>,
}

impl Queue {
    pub(super) fn new(
        jobs: mpsc::Sender<Job>,
        ended: watch::Receiver<()>,
        stage: Arc<Stage>,
    ) -> Self {
        Self { jobs, ended, stage }
    }

    /// Whether the writer takes requests.
    pub(crate) fn is_open(&self) -> bool {
        !self.jobs.is_closed()
    }

    /// Hands a job to the writer. On an error the job is gone.
    pub(crate) async fn send(&self, job: Job, deadline: Instant) -> Result<()> {
        match timeout_at(deadline, self.jobs.send(job)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(gone()),
            Err(_elapsed) => Err(self.stage.too_late()),
        }
    }

    /// Asks the writer to finish and waits until it has.
    pub(crate) async fn close(&self) {
        // Fails if the writer has ended already.
        let _ = self.jobs.send(Job::Close).await;
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    pub(crate) fn stage(&self) -> &Stage {
        &self.stage
    }
}

/// The writer's task was dropped by the end of its runtime.
pub(super) fn gone() -> Error {
    Error::new(
        Kind::Unavailable,
        "the writer has ended, with the runtime that opened the store",
    )
}

/// Waits for the answer to a request until its deadline.
pub(crate) async fn wait<T>(
    answer: oneshot::Receiver<Result<T>>,
    ticket: &Ticket,
    stage: &Stage,
    deadline: Instant,
) -> Result<T> {
    let error = match timeout_at(deadline, answer).await {
        Ok(Ok(answer)) => return answer,
        Ok(Err(_dropped)) => gone(),
        Err(_elapsed) if ticket.take_back() => return Err(stage.too_late()),
        Err(_elapsed) => Error::new(Kind::Timeout, "the commit was still running"),
    };
    // No one answers any more, so what is not claimed is not applied.
    match ticket.take_back() {
        true => Err(error),
        false => Err(error.unknown_outcome()),
    }
}

//! The queue in front of the writer: bounded, so that who appends faster than
//! the disk writes waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger_core::{Error, Kind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::Job;

/// How much may wait: bytes, and this much more for each request.
const ROOM: usize = 64 * 1024 * 1024;
const PER_REQUEST: usize = 1024;

/// One handle and its clones.
#[derive(Debug)]
pub(crate) struct HandleState {
    queue: Arc<Queue>,
    /// No call is taken any more.
    closed: AtomicBool,
    /// The writer takes no request any more.
    sealed: AtomicBool,
}

impl HandleState {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Tells whether this call closed it.
    pub(crate) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    pub(super) fn seal(&self) {
        if !self.sealed.swap(true, Ordering::AcqRel) {
            self.queue.release();
        }
    }
}

impl Drop for HandleState {
    fn drop(&mut self) {
        if !self.is_sealed() {
            self.queue.release();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Inner {
    jobs: VecDeque<(Job, OwnedSemaphorePermit)>,
    /// Handles that are not closed.
    handles: usize,
    /// The writer has ended, or is about to.
    ended: bool,
}

/// What there is for the writer to do.
#[derive(Debug)]
pub(super) enum Taken {
    Jobs(Vec<(Job, OwnedSemaphorePermit)>),
    /// Nothing, for as long as it was to wait.
    Idle,
    /// No handle is left.
    End,
}

impl Queue {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                jobs: VecDeque::new(),
                handles: 0,
                ended: false,
            }),
            wake: Condvar::new(),
            room: Arc::new(Semaphore::new(ROOM)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more handle; `Closed` once the last one was closed.
    pub(crate) fn handle(self: &Arc<Self>) -> Result<Arc<HandleState>> {
        let mut inner = self.lock();
        if inner.ended {
            return Err(Error::closed());
        }
        inner.handles += 1;
        Ok(Arc::new(HandleState {
            queue: self.clone(),
            closed: AtomicBool::new(false),
            sealed: AtomicBool::new(false),
        }))
    }

    fn release(&self) {
        self.lock().handles -= 1;
        self.wake.notify_one();
    }

    pub(super) fn has_handles(&self) -> bool {
        self.lock().handles > 0
    }

    /// Whether the writer takes requests.
    pub(crate) fn is_open(&self) -> bool {
        !self.lock().ended
    }

    /// Hands a job to the writer. On an error the job is gone.
    pub(crate) async fn send(&self, job: Job, size: usize, deadline: Instant) -> Result<()> {
        let size = (size + PER_REQUEST).min(ROOM);
        let permits = u32::try_from(size).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(permits);
        let room = match timeout_at(deadline, room).await {
            Ok(Ok(room)) => room,
            Ok(Err(_closed)) => return Err(ended()),
            Err(_elapsed) => {
                return Err(Error::new(
                    Kind::Timeout,
                    "waiting for room in the writer's queue",
                ));
            }
        };
        let mut inner = self.lock();
        if inner.ended {
            return Err(ended());
        }
        inner.jobs.push_back((job, room));
        drop(inner);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits for jobs; not longer than `most`, if that is given.
    pub(super) fn take(&self, most: Option<Duration>) -> Taken {
        let mut inner = self.lock();
        loop {
            if !inner.jobs.is_empty() {
                return Taken::Jobs(inner.jobs.drain(..).collect());
            }
            if inner.handles == 0 {
                inner.ended = true;
                return Taken::End;
            }
            inner = match most {
                None => self
                    .wake
                    .wait(inner)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(most) => {
                    let waited = self.wake.wait_timeout(inner, most);
                    let (inner, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && inner.jobs.is_empty() && inner.handles > 0 {
                        return Taken::Idle;
                    }
                    inner
                }
            };
        }
    }

    /// Refuses everything from now on, and drops what waits.
    pub(super) fn end(&self) {
        let jobs = {
            let mut inner = self.lock();
            inner.ended = true;
            std::mem::take(&mut inner.jobs)
        };
        self.room.close();
        drop(jobs);
    }
}

/// The writer ends when its last handle is closed, or by a panic.
fn ended() -> Error {
    Error::closed()
}

//! Reads run in tasks of their own.
//!
//! A future that nobody polls would otherwise keep its connection, and an
//! append that needs it would wait for ever: with a pool of one already the
//! loop that appends while it pages.

use std::future::Future;

use ledger_core::{Error, Kind, Result};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs `work` to its end or to the deadline, whether or not the returned
/// future is polled; dropping that future ends it.
pub(crate) async fn detached<T: Send + 'static>(
    deadline: Instant,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let work = timeout_at(deadline, work);
    let mut task = AbortOnDrop(tokio::spawn(work));
    match (&mut task.0).await {
        Ok(Ok(done)) => done,
        Ok(Err(_elapsed)) => Err(Error::new(Kind::Timeout, "reading")),
        Err(e) if e.is_cancelled() => Err(Error::new(
            Kind::Unavailable,
            "the runtime that the read ran in has ended",
        )),
        Err(e) => Err(Error::new(Kind::Internal, "a read panicked").caused_by(e)),
    }
}

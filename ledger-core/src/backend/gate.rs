//! Who is inside, so that `close` can wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};

/// More calls than can run at a time.
const ROOM: u32 = 1 << 28;

/// Counts the calls that run in a store, lets none in any more once it is
/// closed, and waits for those that are inside.
///
/// For stores whose calls run side by side. One whose calls go through a queue
/// closes by the end of the queue.
#[derive(Debug)]
pub struct Gate {
    closed: AtomicBool,
    running: Arc<Semaphore>,
}

/// A call that was let in through a [`Gate`], until it is dropped.
#[derive(Debug)]
#[must_use = "the call counts as running until this is dropped"]
pub struct Pass(#[expect(dead_code, reason = "counts until it is dropped")] OwnedSemaphorePermit);

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// An open gate.
    #[must_use]
    pub fn new() -> Self {
        Self {
            closed: AtomicBool::new(false),
            running: Arc::new(Semaphore::new(ROOM as usize)),
        }
    }

    /// Lets a call in, unless the store is closed.
    ///
    /// The order counts: first the call is counted, then it looks. One that
    /// looked before it is counted could be let in after
    /// [`drained`](Self::drained) has found nobody.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub fn enter(&self) -> Result<Pass> {
        let entered = self.running.clone().try_acquire_owned();
        let entered = entered.map_err(|_| Error::closed())?;
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::closed());
        }
        Ok(Pass(entered))
    }

    /// Lets no call in any more; whether this was the first time.
    pub fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::SeqCst)
    }

    /// Waits until no call runs. Bound it by the deadline of the call that
    /// closes. It can be dropped, and asked again.
    pub async fn drained(&self) {
        // An error would mean that the semaphore was closed, which nobody does.
        let _ = self.running.acquire_many(ROOM).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn closing_waits_for_those_inside_and_lets_nobody_in() {
        let gate = Gate::new();
        let inside = gate.enter().expect("an open gate");
        assert!(gate.close());
        assert!(!gate.close());
        assert!(gate.enter().is_err());
        let waiting = gate.drained();
        tokio::pin!(waiting);
        let early = tokio::time::timeout(std::time::Duration::ZERO, &mut waiting).await;
        assert!(early.is_err(), "nobody waited for the call inside");
        drop(inside);
        waiting.await;
    }
}

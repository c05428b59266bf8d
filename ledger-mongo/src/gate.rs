//! Who is inside, so that `close` can wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger_core::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const ROOM: u32 = 1 << 28;

/// Counts the calls that run.
#[derive(Debug)]
pub(crate) struct Gate {
    closed: AtomicBool,
    running: Arc<Semaphore>,
}

/// A call that was let in, until it is dropped.
pub(crate) type Entered = OwnedSemaphorePermit;

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            closed: AtomicBool::new(false),
            running: Arc::new(Semaphore::new(ROOM as usize)),
        }
    }

    /// Lets a call in, unless the store is closed.
    ///
    /// The order counts: first to be counted, then the look. Whoever looks
    /// before it is counted can be let in after `drained` has found nobody.
    pub(crate) fn enter(&self) -> Result<Entered> {
        let entered = self.running.clone().try_acquire_owned();
        let entered = entered.map_err(|_| Error::closed())?;
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::closed());
        }
        Ok(entered)
    }

    /// Lets no call in any more; whether this was the first time.
    pub(crate) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::SeqCst)
    }

    /// Waits until no call runs.
    pub(crate) async fn drained(&self) {
        // An error would mean that the semaphore was closed, which nobody does.
        let _ = self.running.acquire_many(ROOM).await;
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;

    #[tokio::test]
    async fn closing_waits_for_those_inside_and_lets_nobody_in() {
        let gate = Gate::new();
        let inside = gate.enter().expect("an open gate");
        assert!(gate.close());
        assert!(!gate.close());
        assert!(gate.enter().is_err());
        let mut drained = std::pin::pin!(gate.drained());
        assert!(futures_util::poll!(&mut drained).is_pending());
        drop(inside);
        drained.await;
    }
}

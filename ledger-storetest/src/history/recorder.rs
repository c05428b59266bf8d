//! Notes operations as they happen.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ledger_core::{EntryId, Result, Store};

use super::numbered::Numbered;
use super::observe::observe;
use super::op::{History, Op, What};

/// Notes what clients do, by one monotonic clock. Cheap, and shared by all of
/// them: a clone notes in the same place.
pub struct Recorder<I> {
    shared: Arc<Shared<I>>,
}

struct Shared<I> {
    started: Instant,
    numbers: AtomicU64,
    clients: AtomicU32,
    readers: AtomicU32,
    ops: Mutex<Vec<Op<I>>>,
}

impl<I> Recorder<I> {
    /// Nothing noted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::numbering_from(1)
    }

    /// Like [`new`](Self::new), with entry numbers from `first` on: for
    /// several recorders, which must not use the same.
    #[must_use]
    pub fn numbering_from(first: u64) -> Self {
        let shared = Shared {
            started: Instant::now(),
            numbers: AtomicU64::new(first),
            clients: AtomicU32::new(0),
            readers: AtomicU32::new(0),
            ops: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// A new entry.
    #[must_use]
    pub fn entry(&self) -> Numbered {
        Numbered::new(self.shared.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// What was noted up to now, without what is still running.
    #[must_use]
    pub fn ops(&self) -> Vec<Op<I>>
    where
        I: Clone,
    {
        self.lock().clone()
    }

    /// Reads what there is now, when all clients have ended, and gives the
    /// whole history.
    ///
    /// # Errors
    ///
    /// Those of the reads.
    pub async fn finish(&self, store: &dyn Store<I>) -> Result<History<I>>
    where
        I: EntryId,
    {
        let ops = self.ops();
        let streams = ops.iter().filter_map(|op| op.what.stream().cloned());
        let observed = observe(store, streams).await?;
        Ok(History {
            ops,
            observed: Some(observed),
        })
    }

    pub(super) fn next_client(&self) -> u32 {
        self.shared.clients.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn next_reader(&self) -> u32 {
        self.shared.readers.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes that an operation starts. `never` is what to note if its result
    /// is never told.
    pub(super) fn start(&self, client: u32, never: What<I>) -> Running<I> {
        Running {
            recorder: self.clone(),
            op: Some(Op {
                client,
                invoked: self.now(),
                returned: None,
                what: never,
            }),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.shared.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Op<I>>> {
        let ops = self.shared.ops.lock();
        ops.unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation without a result yet. Dropped, it is one that never returned.
pub(super) struct Running<I> {
    recorder: Recorder<I>,
    op: Option<Op<I>>,
}

impl<I> Running<I> {
    /// Notes the result. Has to be called as soon as it is there.
    pub(super) fn returned(mut self, tell: impl FnOnce(&mut What<I>)) {
        let now = self.recorder.now();
        if let Some(mut op) = self.op.take() {
            op.returned = Some(now);
            tell(&mut op.what);
            self.recorder.lock().push(op);
        }
    }
}

impl<I> Drop for Running<I> {
    fn drop(&mut self) {
        if let Some(op) = self.op.take() {
            self.recorder.lock().push(op);
        }
    }
}

impl<I> Clone for Recorder<I> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<I> Default for Recorder<I> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I> fmt::Debug for Recorder<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

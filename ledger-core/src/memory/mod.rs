//! A store in memory: the readable reference of the contract.

mod data;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use self::data::Data;
use crate::backend::{Clock, PositionCursor, SystemClock, check_id, event};
use crate::batch::Batch;
use crate::capabilities::{Capabilities, StoreOrder};
use crate::cursor::StoreCursor;
use crate::error::{Error, Result, Rule};
use crate::name::StreamName;
use crate::page::{Page, StorePage};
use crate::query::Direction;
use crate::receipt::Receipts;
use crate::record::Record;
use crate::request::{ListStreams, Read, ReadAll};
use crate::stat::{Health, StreamStat};
use crate::store::Store;

const BACKEND: &str = "memory";

/// A store in memory: for tests, for doctests, and to read.
///
/// Keeps every promise of the contract but durability: entries live as long as
/// the last handle to their data ([`reopen`](Self::reopen) makes another). A
/// clone is another handle to the same store.
///
/// One mutex guards everything and is never held across an `await`. An append
/// takes O(log n) and O(entries); a page O(log n) and what it returns, by
/// order key what it passes.
///
/// ```
/// use ledger_core::{MemoryStore, StoreExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> ledger_core::Result<()> {
/// let store = MemoryStore::new();
/// store.stream::<u64>("numbers").append(7).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    data: Arc<Mutex<Data>>,
    clock: Arc<dyn Clock>,
    closed: Arc<AtomicBool>,
}

impl MemoryStore {
    /// A new, empty store.
    #[must_use]
    pub fn new() -> Self {
        Self {
            data: Arc::new(Mutex::new(Data::new())),
            clock: Arc::new(SystemClock),
            closed: Arc::default(),
        }
    }

    /// The same store with another clock, for tests.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// A new handle to the same data, open even if this one is closed: what
    /// opening a file again is to a store on disk.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self {
            data: self.data.clone(),
            clock: self.clock.clone(),
            closed: Arc::default(),
        }
    }

    /// Makes a stream look as if so many entries had been appended to it and
    /// all of them trimmed, for tests of what happens near the last version.
    /// Without effect on a stream that has more.
    pub fn seed_version(&self, stream: &StreamName, version: u64) {
        self.lock().seed_version(stream, version);
    }

    fn open(&self) -> Result<MutexGuard<'_, Data>> {
        // The lock first: an append that saw the store open must not commit
        // after `close` has returned.
        let data = self.lock();
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        Ok(data)
    }

    fn lock(&self) -> MutexGuard<'_, Data> {
        // Nothing panics between two changes that belong together.
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store<i64> for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::Total)
            .with_list(true)
            .with_trim(true)
            .with_detached_reads(true)
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        let now = self.clock.now();
        let appended = self.open()?.append(stream, batch, now);
        appended.inspect_err(|e| event::refused(BACKEND, stream, e))
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        for (field, id) in [("after", read.after()), ("before", read.before())] {
            check_id(field, id.copied().unwrap_or(0))?;
        }
        self.open()?.read(stream, read)
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        Ok(self.open()?.stat(stream))
    }

    async fn health(&self) -> Result<Health> {
        let data = self.open()?;
        Ok(Health::new().with("memory", Ok(format!("{} streams", data.stream_count()))))
    }

    async fn close(&self) -> Result<()> {
        let data = self.lock();
        if !self.closed.swap(true, Ordering::AcqRel) {
            event::closed(BACKEND, data.id());
        }
        Ok(())
    }

    async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
        Ok(self.open()?.list(list))
    }

    async fn trim(&self, stream: &StreamName, through: &i64) -> Result<u64> {
        let through = check_id("trim id", *through)?;
        let removed = self.open()?.trim(stream, through);
        event::trimmed(BACKEND, stream, removed);
        Ok(removed)
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        self.open()?.read_all(read)
    }

    async fn store_head(&self) -> Result<StoreCursor> {
        let data = self.open()?;
        let (store, position) = (data.id(), data.last_id());
        Ok(PositionCursor {
            store,
            direction: Direction::Ascending,
            position,
        }
        .encode())
    }

    fn cursor_after(&self, read: &ReadAll, seen: &[(StreamName, i64)]) -> Result<StoreCursor> {
        let Some((_, position)) = seen.last() else {
            return Err(Error::invalid_input("entries seen", Rule::AtLeast, 1, 0));
        };
        let store = self.open()?.id();
        let cursor = PositionCursor {
            store,
            direction: read.direction(),
            position: *position,
        };
        Ok(cursor.encode())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

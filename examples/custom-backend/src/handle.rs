//! Opening, running on other threads, deadlines and closing.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger_core::backend::{Clock, StoreId, SystemClock, event};
use ledger_core::{Error, Kind, Limits, Result};
use redb::{
    CommitError, ConcurrencyMode, Database, Durability, ReadTransaction, ReadableDatabase,
    TransactionError, WriteTransaction,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::BACKEND;
use crate::append::Outcome;
use crate::error::convert;
use crate::tables;

/// Memory that redb may use to cache one file; its default is 1 GiB.
const CACHE: usize = 64 * 1024 * 1024;
/// Between two attempts to get the write lock from another handle.
const WAIT: Duration = Duration::from_micros(300);

/// A store in one file of redb. A clone is another reference to the same
/// handle; any number of handles, in any number of processes of one machine,
/// may have the file open.
#[derive(Clone)]
pub struct RedbStore {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    deadline: Duration,
}

pub(crate) struct Shared {
    pub(crate) id: StoreId,
    /// `None` once the handle is closed.
    db: Mutex<Option<Arc<Database>>>,
    /// One permit: the appends of a handle wait here, in order and without a
    /// thread, and not inside redb.
    writer: Arc<Semaphore>,
}

impl RedbStore {
    /// Opens the store in a file, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// `NewerFormat`, `Misconfigured` for a file of something else, `Locked`
    /// if the file is open in another mode, or what the file system reports.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let opening = spawn_blocking(move || -> Result<_> {
            let mut builder = Database::builder();
            builder.set_cache_size(CACHE);
            builder.set_concurrency_mode(ConcurrencyMode::MultiWriter);
            let db = builder.create(path).map_err(convert)?;
            let id = tables::prepare(&db)?;
            Ok((db, id))
        });
        let (db, id) = opening.await.map_err(panicked)??;
        event::opened(BACKEND, id);
        Ok(Self {
            shared: Arc::new(Shared {
                id,
                db: Mutex::new(Some(Arc::new(db))),
                writer: Arc::new(Semaphore::new(1)),
            }),
            clock: Arc::new(SystemClock),
            deadline: Limits::DEFAULT_DEADLINE,
        })
    }

    /// The same store with another clock, for tests.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The same store with another deadline of each call.
    ///
    /// # Errors
    ///
    /// `InvalidInput` outside 1 ms to 24 h.
    pub fn with_deadline(self, deadline: Duration) -> Result<Self> {
        let deadline = Limits::TABLE.check_deadline(deadline)?;
        Ok(Self { deadline, ..self })
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.deadline
    }

    pub(crate) fn db(&self) -> Result<Arc<Database>> {
        let db = self
            .shared
            .db
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        db.clone().ok_or_else(Error::closed)
    }

    /// Runs a read in a snapshot of its own, on another thread. If the future
    /// is dropped the thread ends by itself, and nobody waits for it.
    pub(crate) async fn read_with<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let db = self.db()?;
        let reading = spawn_blocking(move || read(&db.begin_read().map_err(convert)?));
        match timeout_at(self.deadline(), reading).await {
            Ok(done) => done.map_err(panicked)?,
            Err(_) => Err(Error::new(Kind::Timeout, "")),
        }
    }

    /// Runs a change in a write transaction, on another thread. Up to the
    /// moment when the thread starts, dropping the future means not applied;
    /// from then on the thread finishes what it began, and keeps the permit
    /// until it has.
    pub(crate) async fn write_with<T: Send + 'static>(
        &self,
        deadline: Instant,
        change: impl FnOnce(&WriteTransaction) -> Result<Outcome<T>> + Send + 'static,
    ) -> Result<T> {
        let db = self.db()?;
        let permit = timeout_at(deadline, self.shared.writer.clone().acquire_owned()).await;
        let permit = permit
            .map_err(|_| contended())?
            .map_err(|_| Error::closed())?;
        let begun = Arc::new(AtomicBool::new(false));
        let claim = begun.clone();
        let writing = spawn_blocking(move || {
            let done = commit(&db, deadline, &claim, change);
            drop(db);
            drop(permit);
            done
        });
        match timeout_at(deadline, writing).await {
            Ok(done) => done.map_err(|e| panicked(e).unknown_outcome())?,
            // Whoever is first: the thread does not begin what was given up here.
            Err(_) if !begun.swap(true, Ordering::AcqRel) => Err(contended()),
            Err(_) => Err(Error::new(Kind::Timeout, "").unknown_outcome()),
        }
    }

    /// Waits for what was accepted, then closes.
    pub(crate) async fn shut(&self) -> Result<()> {
        let db = self.shared.take();
        let waited = timeout_at(self.deadline(), self.shared.writer.acquire()).await;
        let Some(db) = db else { return Ok(()) };
        let closed = spawn_blocking(move || match Arc::try_unwrap(db) {
            Ok(db) => db.close().map_err(convert),
            // A read is still running; it closes the file when it ends.
            Err(_) => Ok(()),
        });
        let closed = closed.await.map_err(panicked)?;
        event::closed(BACKEND, self.shared.id);
        waited
            .map_err(|_| Error::new(Kind::Timeout, "waiting for running appends"))?
            .ok();
        closed
    }
}

impl Shared {
    fn take(&self) -> Option<Arc<Database>> {
        self.db
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Drop for Shared {
    /// Closing a file takes a flush, which is no work for a thread of the
    /// runtime.
    fn drop(&mut self) {
        if let (Some(db), Ok(runtime)) = (self.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(db));
        }
    }
}

/// The transaction around a change. Nothing before the commit is applied; a
/// commit that failed may have reached the disk all the same.
fn commit<T>(
    db: &Database,
    deadline: Instant,
    begun: &AtomicBool,
    change: impl FnOnce(&WriteTransaction) -> Result<Outcome<T>>,
) -> Result<T> {
    let mut tx = loop {
        match db.try_begin_write() {
            Ok(tx) => break tx,
            Err(TransactionError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(WAIT);
            }
            Err(TransactionError::WouldBlock) => return Err(contended()),
            Err(e) => return Err(convert(e)),
        }
    };
    if begun.swap(true, Ordering::AcqRel) {
        return Err(contended());
    }
    tx.set_durability(Durability::Immediate).map_err(convert)?;
    match change(&tx)? {
        Outcome::Unchanged(answer) => Ok(answer),
        Outcome::Changed(answer) => match tx.commit() {
            Ok(()) => Ok(answer),
            Err(e @ CommitError::TransactionPoisoned) => Err(convert(e)),
            Err(e) => Err(convert(e).unknown_outcome()),
        },
    }
}

fn contended() -> Error {
    Error::new(Kind::Contention, "others held the write lock")
}

fn panicked(error: tokio::task::JoinError) -> Error {
    Error::new(Kind::Internal, "the thread of a call ended early").caused_by(error)
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore")
            .field("id", &self.shared.id)
            .finish_non_exhaustive()
    }
}

//! The handle, and how it is come by.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger_core::backend::{Clock, PositionCursor};
use ledger_core::{Direction, Error, Kind, Limits, Result, StoreCursor};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::error::{convert, misconfigured};
use crate::fs::{Fs, OsFs};
use crate::log::{self, Background, Cut, Log, Settings, Verified};
use crate::options::FileOptions;
use crate::thread::{self, HandleState, Queue};

/// A store in a folder of its own.
///
/// A clone is another handle to the same store, closed with it;
/// [`another`](Self::another) makes one that is closed on its own.
///
/// Appends go through one thread, which writes and flushes whatever is queued
/// as a group, so that many concurrent appends share a flush. Dropping the last
/// handle does not block: what was accepted is still written, and the folder is
/// free soon after. [`close`](ledger_core::Store::close) waits for it.
#[derive(Clone)]
pub struct FileStore {
    pub(crate) log: Arc<Log>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) handle: Arc<HandleState>,
    pub(crate) clock: Arc<dyn Clock>,
    deadline: Duration,
}

impl FileStore {
    /// Opens the store in a folder, and makes both if they are not there.
    ///
    /// ```
    /// use ledger_core::{Query, StoreExt};
    /// use ledger_file::FileStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let folder = dir.path().join("events");
    /// let store = FileStore::open(&folder).await?;
    /// let greetings = store.stream::<String>("greetings");
    /// greetings.append("hello".to_owned()).await?;
    /// assert_eq!(greetings.read(Query::new()).await?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Locked` if the store is open elsewhere, in this process or another;
    /// `Corrupt`, with the file and the byte; `NewerFormat`; `Misconfigured`,
    /// naming the fix, for a folder that cannot be made or written; `DiskFull`.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(folder, FileOptions::new()).await
    }

    /// Opens a store with options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `InvalidInput` for an option outside its limits.
    pub async fn open_with(folder: impl AsRef<Path>, options: FileOptions) -> Result<Self> {
        options.check()?;
        let fs = OsFs::new(folder.as_ref());
        let create = options.create;
        let fs = move || {
            if create {
                fs.make().map_err(|e| match e.kind() {
                    std::io::ErrorKind::NotFound => {
                        misconfigured("the folder above the store's is missing; make it")
                            .caused_by(e)
                    }
                    _ => convert(e, "."),
                })?;
            }
            Ok(Arc::new(fs) as Arc<dyn Fs>)
        };
        Self::start(fs, options, Background::Thread, u64::MAX).await
    }

    /// Opens a store that has to exist already: never makes a file or folder.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `Misconfigured` if there is no such store.
    pub async fn open_existing(folder: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(folder, FileOptions::new().with_create(false)).await
    }

    pub(crate) async fn start(
        fs: impl FnOnce() -> Result<Arc<dyn Fs>> + Send + 'static,
        options: FileOptions,
        background: Background,
        hash_mask: u64,
    ) -> Result<Self> {
        let settings = Settings {
            background,
            hash_mask,
            ..Self::settings(&options)
        };
        let opening = blocking(Instant::now() + options.deadline, move || {
            log::open(fs()?, &settings).map_err(|e| match e.kind() {
                Kind::Io if crate::segment::is_missing(&e) => {
                    misconfigured("there is no store in this folder, or no such folder")
                        .caused_by(e)
                }
                _ => e,
            })
        });
        let (log, appender) = opening.await?;
        let queue = Queue::new();
        let handle = queue.handle()?;
        thread::start(queue.clone(), appender)?;
        Ok(Self {
            log,
            queue,
            handle,
            clock: options.clock,
            deadline: options.deadline,
        })
    }

    pub(crate) fn settings(options: &FileOptions) -> Settings {
        Settings {
            create: options.create,
            segment_bytes: options.segment_bytes,
            durability: options.durability,
            background: Background::Thread,
            hash_mask: u64::MAX,
        }
    }

    /// Another handle to the same open store, with its own clock and deadline,
    /// and closed on its own: the store is closed with the last of them. The
    /// other options are those that the store was opened with.
    ///
    /// # Errors
    ///
    /// `Closed` once the last handle was closed; `InvalidInput` for an option
    /// outside its limits.
    pub fn another(&self, options: FileOptions) -> Result<Self> {
        options.check()?;
        Ok(Self {
            log: self.log.clone(),
            queue: self.queue.clone(),
            handle: self.queue.handle()?,
            clock: options.clock,
            deadline: options.deadline,
        })
    }

    /// The same handle with calls that take at most this long, 1 ms to 24 h.
    ///
    /// # Errors
    ///
    /// `InvalidInput` outside the limits.
    pub fn with_deadline(&self, deadline: Duration) -> Result<Self> {
        Ok(Self {
            deadline: Limits::TABLE.check_deadline(deadline)?,
            ..self.clone()
        })
    }

    /// What was left out at the end of the log when it was opened: part of a
    /// group of appends that a crash had cut short. None of them was ever
    /// acknowledged.
    #[must_use]
    pub fn cut(&self) -> Option<&Cut> {
        self.log.cut.as_ref()
    }

    /// Reads every byte of the store and checks it. Takes as long as reading
    /// all files does; appends and reads go on meanwhile. The deadline does not
    /// apply. Dropping the future lets it run to its end.
    ///
    /// Opening checks the segment that is written and the ends of the others;
    /// reading an entry checks that entry.
    ///
    /// # Errors
    ///
    /// `Corrupt`, with the file and the byte, of the first damage found.
    pub async fn verify(&self) -> Result<Verified> {
        self.check_open()?;
        let log = self.log.clone();
        joined(spawn_blocking(move || log.verify()).await)
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.deadline
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        match self.handle.is_closed() {
            true => Err(Error::closed()),
            false => Ok(()),
        }
    }

    /// Runs a read on a thread that may block. It holds nothing that another
    /// call needs, and goes on if the future is dropped.
    pub(crate) async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Log) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.check_open()?;
        let log = self.log.clone();
        blocking(self.deadline(), move || read(&log)).await
    }

    pub(crate) fn cursor(&self, direction: Direction, position: i64) -> StoreCursor {
        let store = self.log.env.store;
        PositionCursor {
            store,
            direction,
            position,
        }
        .encode()
    }
}

async fn blocking<T: Send + 'static>(
    deadline: Instant,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match timeout_at(deadline, spawn_blocking(work)).await {
        Ok(done) => joined(done),
        Err(_elapsed) => Err(Error::new(Kind::Timeout, "reading")),
    }
}

fn joined<T>(done: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    match done {
        Ok(done) => done,
        Err(e) if e.is_cancelled() => Err(Error::new(
            Kind::Unavailable,
            "the runtime of the call has ended",
        )),
        Err(e) => Err(Error::new(Kind::Internal, "a thread panicked").caused_by(e)),
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("id", &self.log.env.store)
            .field("deadline", &self.deadline)
            .field("closed", &self.handle.is_closed())
            .finish_non_exhaustive()
    }
}

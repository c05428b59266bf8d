//! The handle, and how it is come by.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledger_core::backend::{Clock, PositionCursor, StoreId};
use ledger_core::{Direction, Error, Limits, Result, StoreCursor};
use sqlx::SqlitePool;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::location::Location;
use crate::open;
use crate::options::{Durability, SqliteOptions};
use crate::read::{Connections, Reader};
use crate::sql::Sql;
use crate::writer::{Job, Queue, Ticket, wait};

/// What opening produces.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) id: StoreId,
    pub(crate) sql: Arc<Sql>,
    pub(crate) connections: Connections,
    pub(crate) queue: Queue,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: StoreId,
    pub(crate) reader: Reader,
    pub(crate) queue: Queue,
    pub(crate) durability: Durability,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) closed: AtomicBool,
}

/// A store in a SQLite database.
///
/// A clone is another handle to the same store and shares its writer and its
/// connections. The handle belongs to the runtime that it was opened in.
///
/// Appends go through one task that commits whatever is queued as a group, so
/// that many concurrent appends share a flush. Other handles and other
/// processes may write to the same file; they take turns.
///
/// Dropping the last handle does not block: what was accepted is still
/// committed while the runtime lives. [`close`](ledger_core::Store::close) waits for it.
#[derive(Clone)]
pub struct SqliteStore {
    pub(crate) shared: Arc<Shared>,
    deadline: Duration,
}

impl SqliteStore {
    /// Opens a database file, and creates it and the tables if they are not
    /// there.
    ///
    /// Takes a path, or an URL: `sqlite:app.db`, `sqlite:///var/lib/app.db`,
    /// with `?mode=rw` (never create) or `?mode=rwc`, percent-encoded. The file
    /// is put into WAL mode; it has to be on a local file system.
    ///
    /// ```
    /// use ledger_core::{Query, StoreExt};
    /// use ledger_sqlite::SqliteStore;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("app.db");
    /// let store = SqliteStore::open(&path).await?;
    /// let greetings = store.stream::<String>("greetings");
    /// greetings.append("hello".to_owned()).await?;
    /// assert_eq!(greetings.read(Query::new()).await?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Misconfigured` that names the fix: a missing directory, a file that
    /// cannot be written, `:memory:`, another encoding than UTF-8, an SQLite
    /// before 3.51.3. `Corrupt` for a file that is not a database or has lost
    /// tables; `NewerFormat`; `Contention` if others hold the database until
    /// the deadline.
    pub async fn open(location: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(location, SqliteOptions::new()).await
    }

    /// Opens a database file with options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `InvalidInput` for an option outside its
    /// limits.
    pub async fn open_with(location: impl AsRef<Path>, options: SqliteOptions) -> Result<Self> {
        let location = Location::parse(location.as_ref())?;
        let parts = open::in_time(&options, open::file(location, &options)).await?;
        Ok(Self::new(parts, &options))
    }

    /// Opens a store that has to exist already: never creates a file or a
    /// table.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `Misconfigured` if there is no such store.
    pub async fn open_existing(location: impl AsRef<Path>) -> Result<Self> {
        let options = SqliteOptions::new().with_create(false);
        let mut location = Location::parse(location.as_ref())?;
        location.create = Some(false);
        let parts = open::in_time(&options, open::file(location, &options)).await?;
        Ok(Self::new(parts, &options))
    }

    /// A store among the tables of an application's own database, over its
    /// pool.
    ///
    /// The writer takes a connection for each group and gives it back;
    /// [`close`](ledger_core::Store::close) leaves the pool open. The database has to be in
    /// WAL mode, and its connections as durable as the options ask. While
    /// another connection holds the write lock, an append waits as long as the
    /// pool's own `busy_timeout` before it looks at deadlines again.
    ///
    /// **Do not** await an append while you hold a write transaction of the
    /// same database open, or the last connection of the pool: it waits for
    /// you, until its deadline.
    ///
    /// ```
    /// use ledger_core::StoreExt;
    /// use ledger_sqlite::{SqliteOptions, SqliteStore};
    /// use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("app.db");
    /// let connect = SqliteConnectOptions::new()
    ///     .filename(&path)
    ///     .create_if_missing(true)
    ///     .journal_mode(SqliteJournalMode::Wal);
    /// let pool = SqlitePool::connect_with(connect).await?;
    ///
    /// let store = SqliteStore::with_pool(pool.clone(), SqliteOptions::new()).await?;
    /// store.stream::<u64>("numbers").append(7).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn with_pool(pool: SqlitePool, options: SqliteOptions) -> Result<Self> {
        let parts = open::in_time(&options, open::pool(pool, &options)).await?;
        Ok(Self::new(parts, &options))
    }

    /// Creates the tables in an application's database, where none of them
    /// exist, or brings older ones to the format of this release. The
    /// statements can be printed with [`schema_sql`](crate::schema_sql).
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn migrate(pool: &SqlitePool, options: &SqliteOptions) -> Result<()> {
        open::check(options)?;
        open::in_time(options, open::ensure_in(pool, options, true)).await?;
        Ok(())
    }

    fn new(parts: Parts, options: &SqliteOptions) -> Self {
        let Parts {
            id,
            sql,
            connections,
            queue,
        } = parts;
        let shared = Shared {
            id,
            reader: Reader { sql, connections },
            queue,
            durability: options.durability,
            clock: options.clock.clone(),
            closed: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            deadline: options.deadline,
        }
    }

    /// Another handle to the same store whose calls take at most this long,
    /// 1 ms to 24 h.
    ///
    /// # Errors
    ///
    /// `InvalidInput` outside the limits.
    pub fn with_deadline(&self, deadline: Duration) -> Result<Self> {
        Ok(Self {
            shared: self.shared.clone(),
            deadline: Limits::TABLE.check_deadline(deadline)?,
        })
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.deadline
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        match self.shared.closed.load(Ordering::Acquire) {
            true => Err(Error::closed()),
            false => Ok(()),
        }
    }

    /// A reader, for a call of its own.
    pub(crate) fn reader(&self) -> Result<Reader> {
        self.check_open()?;
        Ok(self.shared.reader.clone())
    }

    /// The writer's answer to a job, by the deadline.
    pub(crate) async fn ask<T>(
        &self,
        deadline: Instant,
        job: impl FnOnce(Arc<Ticket>, oneshot::Sender<Result<T>>) -> Job,
    ) -> Result<T> {
        self.check_open()?;
        let ticket = Arc::new(Ticket::default());
        let (reply, answer) = oneshot::channel();
        let queue = &self.shared.queue;
        if let Err(e) = queue.send(job(ticket.clone(), reply), deadline).await {
            self.check_open()?;
            return Err(e);
        }
        wait(answer, &ticket, queue.stage(), deadline).await
    }

    pub(crate) fn cursor(&self, direction: Direction, position: i64) -> StoreCursor {
        let store = self.shared.id;
        PositionCursor {
            store,
            direction,
            position,
        }
        .encode()
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("id", &self.shared.id)
            .field("deadline", &self.deadline)
            .field("closed", &self.shared.closed)
            .finish_non_exhaustive()
    }
}

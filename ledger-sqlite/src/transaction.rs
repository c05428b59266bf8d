//! The store inside a transaction of the application.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::backend::event;
use ledger_core::{
    Applied, Batch, Capabilities, Error, Health, Kind, Page, Read, Receipts, Record, Result, Retry,
    Store, StreamName, StreamStat,
};
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};

use crate::BACKEND;
use crate::error::{convert, misconfigured};
use crate::group::{self, Request};
use crate::handle::{Shared, SqliteStore};
use crate::read;
use crate::settings::Settings;

/// The store, bound to a transaction of the application: what is appended is
/// committed, or rolled back, with everything else the transaction does.
///
/// It offers appends, reads of single streams and their state; everything else
/// is [`Unsupported`](Kind::Unsupported). Reads see what the transaction has
/// appended. Until the commit all of it is provisional: after a rollback the
/// entries are not there, their dedup keys are free again, and the ids in the
/// receipts will be given to others.
///
/// A refused append, such as one that met a conflict, has no effect and leaves
/// the transaction usable. A **dropped** append (by a timeout, or a `select!`)
/// is wholly there or not at all, and nobody knows which. From then on this
/// value refuses everything with [`Retry::Transaction`]: roll back.
///
/// The statements run one after the other on the one connection of the
/// transaction, so appends here do not share a commit with others, and a read
/// that nobody polls keeps the other calls of this value waiting.
pub struct InTransaction<'t> {
    bound: Mutex<Bound<'t>>,
    store: SqliteStore,
}

/// The connection of the transaction, and what is known about it.
struct Bound<'t> {
    conn: &'t mut SqliteConnection,
    shared: Arc<Shared>,
    /// It is the store's database, with the settings the store rests on.
    checked: bool,
    /// It holds the write lock, which it keeps until it ends.
    locked: bool,
    /// An append has begun and not ended, or the transaction is gone.
    broken: bool,
}

impl SqliteStore {
    /// Binds the store to a transaction of the application, so that entries
    /// are committed with the application's own rows.
    ///
    /// Begin the transaction with `BEGIN IMMEDIATE`. With sqlx's plain
    /// `begin()` it starts as a reader, and if anybody writes between its
    /// first read and its first append, SQLite refuses to let it write: that
    /// is [`Contention`](Kind::Contention) with [`Retry::Transaction`], as is a
    /// write lock that others hold for longer than the connection's
    /// `busy_timeout`.
    ///
    /// While the transaction is open, appends through the store itself wait.
    /// Never await one of those inside of it.
    ///
    /// ```
    /// use ledger_core::{Query, StoreExt};
    /// use ledger_sqlite::{SqliteOptions, SqliteStore};
    /// # use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let connect = SqliteConnectOptions::new()
    /// #     .filename(dir.path().join("app.db"))
    /// #     .create_if_missing(true)
    /// #     .journal_mode(SqliteJournalMode::Wal);
    /// # let pool = SqlitePool::connect_with(connect).await?;
    /// # sqlx::raw_sql("CREATE TABLE orders (id INTEGER)").execute(&pool).await?;
    /// let store = SqliteStore::with_pool(pool.clone(), SqliteOptions::new()).await?;
    /// let events = store.stream::<String>("orders");
    ///
    /// let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    /// sqlx::query("INSERT INTO orders VALUES (1)").execute(&mut *tx).await?;
    /// events.via(&store.in_transaction(&mut tx)).append("placed".to_owned()).await?;
    /// tx.commit().await?;
    /// assert_eq!(events.read(Query::new()).await?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The transaction has to be on the store's database; any connection to it
    /// will do, of whatever pool. The first call checks that, and that the
    /// connection is as durable as the store's options ask: `Misconfigured`.
    pub fn in_transaction<'t>(&self, tx: &'t mut Transaction<'_, Sqlite>) -> InTransaction<'t> {
        let bound = Bound {
            conn: tx,
            shared: self.shared.clone(),
            checked: false,
            locked: false,
            broken: false,
        };
        InTransaction {
            bound: Mutex::new(bound),
            store: self.clone(),
        }
    }
}

impl<'t> InTransaction<'t> {
    /// The connection, once earlier calls are done with it.
    async fn bound(&self, deadline: Instant) -> Result<MutexGuard<'_, Bound<'t>>> {
        self.store.check_open()?;
        let bound = in_time(deadline, async { Ok(self.bound.lock().await) }).await?;
        match bound.broken {
            true => Err(broken()),
            false => Ok(bound),
        }
    }
}

impl Bound<'_> {
    /// Checks the database behind the connection, once.
    async fn check(&mut self) -> Result<()> {
        if !self.checked {
            let meta = read::meta(&self.shared.reader.sql, self.conn).await?;
            if meta.store != self.shared.id {
                return Err(misconfigured(
                    "the transaction is not on the database of this store",
                ));
            }
            let settings = Settings::read(self.conn).await?;
            settings.check(self.shared.durability)?;
            self.checked = true;
        }
        Ok(())
    }

    /// Takes the write lock before anything is read: what an append decides
    /// by, the clock included, has to be read under it.
    async fn lock(&mut self) -> Result<()> {
        if !self.locked {
            let lock = self.shared.reader.sql.lock.query();
            lock.execute(&mut *self.conn).await.map_err(convert)?;
            self.locked = true;
        }
        self.check().await
    }

    /// Appends inside a savepoint, which makes it all or nothing: sqlx rolls
    /// it back if this future is dropped.
    async fn append(&mut self, request: Request<'_>) -> Result<Receipts<i64>> {
        self.broken = true;
        let mut savepoint = self.conn.begin().await.map_err(convert)?;
        let (sql, clock) = (&self.shared.reader.sql.group, &*self.shared.clock);
        let written = group::write(&mut savepoint, sql, None, clock, &[request]).await;
        let answer = match written {
            Ok(answers) => {
                let released = savepoint.commit().await;
                released.map_err(|e| convert(e).unknown_outcome())?;
                answers.into_iter().next().unwrap_or_else(|| Err(broken()))
            }
            Err(e) => {
                // After some errors SQLite has rolled back the whole
                // transaction, and then there is no savepoint any more.
                if savepoint.rollback().await.is_err() {
                    return Err(e.with_retry(Retry::Transaction));
                }
                Err(e)
            }
        };
        self.broken = false;
        answer
    }
}

#[async_trait]
impl Store<i64> for InTransaction<'_> {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        let deadline = self.store.deadline();
        let mut bound = self.bound(deadline).await?;
        if batch.is_empty() {
            return Ok(Vec::new().into());
        }
        let locked = in_time(deadline, bound.lock()).await;
        locked.map_err(of_transaction)?;
        let request = Request {
            stream,
            batch: &batch,
        };
        let appended = in_time(deadline, bound.append(request)).await;
        appended
            .map_err(|e| match (bound.broken, e.kind()) {
                (true, Kind::Timeout) => e.unknown_outcome(),
                _ => e,
            })
            .map_err(of_transaction)
            .inspect_err(|e| event::refused(BACKEND, stream, e))
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        read::check(read)?;
        let deadline = self.store.deadline();
        let mut bound = self.bound(deadline).await?;
        let page = async {
            bound.check().await?;
            let sql = self.store.shared.reader.sql.clone();
            // The connection is the application's.
            read::page(&sql, None, bound.conn, stream, read).await
        };
        in_time(deadline, page).await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        let deadline = self.store.deadline();
        let mut bound = self.bound(deadline).await?;
        let stat = async {
            bound.check().await?;
            let sql = self.store.shared.reader.sql.clone();
            read::stat(&sql, bound.conn, stream).await
        };
        in_time(deadline, stat).await
    }

    /// Unsupported: ask the store itself.
    async fn health(&self) -> Result<Health> {
        Err(Error::unsupported("health"))
    }

    /// Unsupported: the transaction ends by its own `commit` or `rollback`.
    async fn close(&self) -> Result<()> {
        Err(Error::unsupported("close"))
    }
}

async fn in_time<T>(deadline: Instant, work: impl Future<Output = Result<T>>) -> Result<T> {
    match timeout_at(deadline, work).await {
        Ok(done) => done,
        Err(_elapsed) => Err(Error::new(Kind::Timeout, "inside a transaction")),
    }
}

/// What a retry has to repeat where the call alone cannot succeed any more.
fn of_transaction(error: Error) -> Error {
    let lost = error.applied() == Applied::Unknown;
    match error.kind() {
        Kind::Contention => error.with_retry(Retry::Transaction),
        _ if lost => error.with_retry(Retry::Transaction),
        _ => error,
    }
}

fn broken() -> Error {
    let error = Error::new(
        Kind::Unavailable,
        "an append in this transaction was dropped or undone half-way; roll the transaction back",
    );
    error.with_retry(Retry::Transaction)
}

impl fmt::Debug for InTransaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTransaction")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

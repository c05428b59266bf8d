//! Running work on a connection: deadlines, dropped futures, closing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use ledger_core::backend::{Gate, event};
use ledger_core::{Error, Kind, Result};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};
use tokio::time::{Instant, timeout_at};

use crate::BACKEND;
use crate::config::Config;
use crate::error::{During, convert};
use crate::schema::sql;

/// Where statements run that read: in a transaction, if their session would
/// be another one otherwise.
pub(crate) enum Span<'c> {
    Plain(&'c mut PgConnection),
    Transaction(Transaction<'c, Postgres>),
}

impl Span<'_> {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        match self {
            Self::Plain(connection) => connection,
            Self::Transaction(transaction) => transaction,
        }
    }

    pub(crate) async fn end(self) -> Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Transaction(transaction) => {
                let ended = transaction.commit().await;
                ended.map_err(|e| convert(&e, During::Read))
            }
        }
    }
}

/// What a piece of work knows about its call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// When it has to be over.
    pub(crate) deadline: Instant,
    /// Whether a writing statement is on its way whose answer is not known.
    writing: Arc<AtomicBool>,
    /// Whether nobody waits for the answer any more.
    abandoned: Arc<AtomicBool>,
    /// Whether rows were left on the connection.
    littered: Arc<AtomicBool>,
    sessions: Sessions,
}

/// What a session is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sessions {
    /// It stays the same, with what was set in it.
    Own,
    /// It is another one after each transaction.
    Pooled,
}

impl Sessions {
    pub(crate) fn of(config: &Config) -> Self {
        match config.transaction_pooler {
            true => Self::Pooled,
            false => Self::Own,
        }
    }

    /// Where statements run that read.
    pub(crate) async fn span<'c>(
        self,
        connection: &'c mut PgConnection,
        deadline: Instant,
    ) -> Result<Span<'c>> {
        match self {
            Self::Own => Ok(Span::Plain(connection)),
            Self::Pooled => {
                let begun = self.begin(connection, deadline, None).await;
                let begun = begun.map_err(|e| convert(&e, During::Read));
                begun.map(Span::Transaction)
            }
        }
    }

    /// Opens a transaction whose statements have a snapshot each. It ends by
    /// itself if this process stops, and where sessions have no settings, also
    /// if a statement takes longer than the deadline.
    pub(crate) async fn begin<'c>(
        self,
        connection: &'c mut PgConnection,
        deadline: Instant,
        lock_timeout: Option<Duration>,
    ) -> Result<Transaction<'c, Postgres>, sqlx::Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        let millis = left.as_millis().max(1);
        let mut begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; \
             SET LOCAL idle_in_transaction_session_timeout = {millis}"
        );
        if self == Self::Pooled {
            begin += &format!("; SET LOCAL statement_timeout = {millis}");
        }
        if let Some(patience) = lock_timeout {
            begin += &format!("; SET LOCAL lock_timeout = {}", patience.as_millis());
        }
        connection.begin_with(sql(begin)).await
    }
}

impl Call {
    /// A call on sessions that stay the same, or in the caller's transaction.
    pub(crate) fn new(deadline: Duration) -> Self {
        Self::until(Instant::now() + deadline, Sessions::Own)
    }

    pub(crate) fn until(deadline: Instant, sessions: Sessions) -> Self {
        Self {
            deadline,
            sessions,
            writing: Arc::default(),
            abandoned: Arc::default(),
            littered: Arc::default(),
        }
    }

    /// Whether the caller has dropped its future.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// Notes that rows may be left on the connection, which is then closed
    /// instead of read to the end.
    pub(crate) fn leaves_rows(&self, some: bool) {
        self.littered.fetch_or(some, Ordering::AcqRel);
    }

    /// Runs a statement that writes. If the deadline interrupts it, the
    /// outcome of the call is unknown; between such statements it is not.
    pub(crate) async fn writing<T>(&self, statement: impl Future<Output = T>) -> T {
        self.writing.store(true, Ordering::Release);
        let answer = statement.await;
        self.writing.store(false, Ordering::Release);
        answer
    }

    /// Opens a transaction.
    pub(crate) async fn begin<'c>(
        &self,
        connection: &'c mut PgConnection,
        lock_timeout: Option<Duration>,
    ) -> Result<Transaction<'c, Postgres>, sqlx::Error> {
        let begun = self.sessions.begin(connection, self.deadline, lock_timeout);
        begun.await
    }

    /// Fetches all rows of a statement that stands alone: as a transaction of
    /// its own where its session would be another one otherwise.
    pub(crate) async fn fetch_alone(
        &self,
        connection: &mut PgConnection,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        if self.sessions == Sessions::Own {
            return query.fetch_all(connection).await;
        }
        let mut transaction = self.begin(connection, None).await?;
        let rows = query.fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// The error of a call whose deadline has passed.
    pub(crate) fn timeout(&self) -> Error {
        if self.writing.load(Ordering::Acquire) {
            Error::new(Kind::Timeout, "the server has not answered").unknown_outcome()
        } else {
            Error::new(Kind::Timeout, "the deadline of the call has passed")
        }
    }

    /// Waits a moment before another try, longer each time.
    pub(crate) async fn back_off(&self, attempt: u32) {
        tokio::time::sleep(pause(attempt)).await;
    }
}

/// How long to wait before another try: longer each time.
pub(crate) fn pause(attempt: u32) -> Duration {
    Duration::from_millis(1 << attempt.min(6))
}

/// Tells the task when its caller goes away.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Work on a connection that can be repeated, with what it was asked.
pub(crate) trait Work<S, T>:
    for<'c> Fn(&'c S, &'c mut PgConnection, &'c Call) -> BoxFuture<'c, Result<T>>
    + Send
    + Sync
    + 'static
{
}

impl<S, T, W> Work<S, T> for W where
    W: for<'c> Fn(&'c S, &'c mut PgConnection, &'c Call) -> BoxFuture<'c, Result<T>>
        + Send
        + Sync
        + 'static
{
}

/// How often a read whose connection broke is repeated.
const READ_ATTEMPTS: u32 = 5;

/// Runs work on a connection of the pool, in a task of its own.
///
/// The task goes on when the future of the caller is dropped or not polled, so
/// that no statement is cut in the middle and no connection is held by someone
/// who is not looking. Work that was abandoned before it got a connection is
/// not begun.
pub(crate) async fn run<S: Send + Sync + 'static, T: Send + 'static>(
    pool: &PgPool,
    gate: &Gate,
    call: Call,
    during: During,
    asked: S,
    work: impl Work<S, T>,
) -> Result<T> {
    let permit = gate.enter()?;
    let _abandon = Abandon(call.abandoned.clone());
    let pool = pool.clone();
    let task = tokio::spawn(async move {
        let _permit = permit;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let error = match once(&pool, &call, during, &asked, &work).await {
                Err(error) => error,
                done => return done,
            };
            let again = during == During::Read
                && matches!(error.kind(), Kind::Unavailable | Kind::Contention)
                && error.context("pool").is_none()
                && attempt < READ_ATTEMPTS
                && Instant::now() < call.deadline
                && !call.is_abandoned();
            if !again {
                return Err(error);
            }
            event::retrying(BACKEND, "read", attempt, &error);
            call.back_off(attempt).await;
        }
    });
    match task.await {
        Ok(answer) => answer,
        Err(e) => {
            let gone = Error::new(Kind::Internal, "the task of a call ended early").caused_by(e);
            Err(if during == During::Write {
                gone.unknown_outcome()
            } else {
                gone
            })
        }
    }
}

/// A connection of the pool, by the deadline.
pub(crate) async fn connect(pool: &PgPool, call: &Call) -> Result<PoolConnection<Postgres>> {
    let failed = match timeout_at(call.deadline, pool.acquire()).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(e)) => convert(&e, During::Read),
        Err(_) => Error::new(Kind::Unavailable, "no connection within the deadline"),
    };
    Err(failed.with("pool", "no connection"))
}

/// Whether the connection is not used again after such an error.
pub(crate) fn spoils(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::Unavailable | Kind::Contention | Kind::Internal
    )
}

/// Runs work on a connection of the pool, by the deadline.
pub(crate) async fn once<S: Sync, T>(
    pool: &PgPool,
    call: &Call,
    during: During,
    asked: &S,
    work: &impl Work<S, T>,
) -> Result<T> {
    let mut connection = connect(pool, call).await?;
    if call.is_abandoned() {
        return Err(Error::new(Kind::Timeout, "nobody waits for the answer"));
    }
    let worked = async {
        if during != During::Read {
            return work(asked, &mut connection, call).await;
        }
        let mut span = call.sessions.span(&mut connection, call.deadline).await?;
        let answer = work(asked, span.connection(), call).await?;
        if !call.littered.load(Ordering::Acquire) {
            span.end().await?;
        }
        Ok(answer)
    };
    match timeout_at(call.deadline, worked).await {
        Ok(Ok(answer)) => {
            if call.littered.load(Ordering::Acquire) {
                connection.close_on_drop();
            }
            Ok(answer)
        }
        Ok(Err(e)) => {
            if spoils(&e) {
                connection.close_on_drop();
            }
            Err(e)
        }
        // A statement is still running on it, and may for long. What waits for
        // it is the connection, not the pool.
        Err(_) => {
            connection.close_on_drop();
            Err(call.timeout())
        }
    }
}

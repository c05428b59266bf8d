//! The store: every method checks, and delegates to the room of its subject.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use ledger_core::backend::{Gate, StoreId, check_id, event};
use ledger_core::{
    Batch, Capabilities, Error, Health, Holdup, Kind, ListStreams, Page, Read, ReadAll, Receipts,
    Record, Result, Rule, Store, StoreCursor, StoreOrder, StorePage, StreamName, StreamStat,
};
use sqlx::{PgPool, Postgres, Transaction};
use tokio::time::{Instant, timeout_at};

use crate::append::{AppendSql, Request, Within, append};
use crate::call::{Call, Sessions, Work, run};
use crate::config::Config;
use crate::error::During;
use crate::fence::{Fence, FenceStats};
use crate::group::{self, GroupSql, GroupStats, Groups};
use crate::read::Assigned;
use crate::read_all::{Reader, names_of};
use crate::schema::{self, Names};
use crate::transaction::InTransaction;
use crate::{BACKEND, inspect, read, trim};

/// A store in PostgreSQL. A clone is another handle to the same pool and the
/// same fence, and closes with it.
///
/// See the [crate](crate) for what it promises, and for the grants it needs.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) pool: PgPool,
    pub(crate) own_pool: bool,
    pub(crate) config: Config,
    pub(crate) names: Arc<Names>,
    pub(crate) id: StoreId,
    pub(crate) append: AppendSql,
    pub(crate) group: GroupSql,
    pub(crate) groups: Groups,
    pub(crate) fence: Fence,
    pub(crate) assigned: Assigned,
    pub(crate) gate: Gate,
}

impl PostgresStore {
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Appends and reads in the caller's transaction: entries become visible
    /// with its commit, and leave no trace with its rollback.
    ///
    /// What it gives is a [`Store`] for append, reads of single streams and
    /// `stat`. Everything else answers `Unsupported`: behind the snapshot of a
    /// caller's transaction, a read of the whole store would skip entries.
    ///
    /// * An append holds the lock of its stream until the transaction ends,
    ///   and readers of the whole store wait behind its ids: append last.
    /// * Transactions that append to several streams deadlock unless they all
    ///   take them in the same order, such as that of their names.
    /// * `Conflict` and `DedupMismatch` leave the transaction usable. After any
    ///   error with [`Retry::Transaction`](ledger_core::Retry::Transaction) it
    ///   is fit for rollback only.
    /// * If the future of an append is dropped, the transaction is fit for
    ///   rollback only, and the value refuses everything from then on.
    /// * At REPEATABLE READ or SERIALIZABLE an append to a stream that moved
    ///   since the snapshot is `Contention`: repeat the transaction.
    ///
    /// ```no_run
    /// use ledger_core::{NewEntry, StoreExt};
    /// use ledger_postgres::PostgresStore;
    ///
    /// # async fn example(pool: sqlx::PgPool, store: PostgresStore) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut transaction = pool.begin().await?;
    /// sqlx::query("UPDATE accounts SET cents = cents - 100").execute(&mut *transaction).await?;
    /// let ledger = store.in_transaction(&mut transaction);
    /// (&ledger).stream::<String>("payments").append("paid".to_owned()).await?;
    /// drop(ledger);
    /// transaction.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn in_transaction<'t>(
        &self,
        transaction: &'t mut Transaction<'_, Postgres>,
    ) -> InTransaction<'t> {
        InTransaction::new(self.inner.clone(), &mut *transaction)
    }

    /// How often readers of the whole store met an undecided place, since this
    /// handle was opened.
    #[must_use]
    pub fn fence_stats(&self) -> FenceStats {
        self.inner.fence.stats()
    }

    /// How the small appends went, since this handle was opened: alone, or in
    /// groups that shared a commit.
    #[must_use]
    pub fn group_stats(&self) -> GroupStats {
        self.inner.groups.stats()
    }
}

/// What a piece of work is about: the store, and the request.
type Asked<R> = (Arc<Inner>, R);

impl Inner {
    /// Runs work on a connection of the pool; see [`run`].
    async fn run<R: Send + Sync + 'static, T: Send + 'static>(
        self: &Arc<Self>,
        during: During,
        request: R,
        work: impl Work<Asked<R>, T>,
    ) -> Result<T> {
        let deadline = Instant::now() + self.config.deadline;
        self.run_by(deadline, during, request, work).await
    }

    /// The same, by a deadline.
    async fn run_by<R: Send + Sync + 'static, T: Send + 'static>(
        self: &Arc<Self>,
        deadline: Instant,
        during: During,
        request: R,
        work: impl Work<Asked<R>, T>,
    ) -> Result<T> {
        let call = self.call(deadline);
        let asked = (self.clone(), request);
        run(&self.pool, &self.gate, call, during, asked, work).await
    }

    /// A call on a connection of the pool.
    pub(crate) fn call(&self, deadline: Instant) -> Call {
        Call::until(deadline, Sessions::of(&self.config))
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader {
            names: &self.names,
            store: self.id,
            fence: &self.fence,
            assigned: &self.assigned,
        }
    }
}

pub(crate) fn check_ids(read: &Read<i64>) -> Result<()> {
    for (field, id) in [("after", read.after()), ("before", read.before())] {
        check_id(field, id.copied().unwrap_or(0))?;
    }
    Ok(())
}

#[async_trait]
impl Store<i64> for PostgresStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::Total)
            .with_list(true)
            .with_trim(true)
            .with_detached_reads(true)
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        if batch.is_empty() {
            return self.inner.gate.enter().map(|_| Vec::new().into());
        }
        let request = Request::new(stream.clone(), batch)?;
        if Groups::takes(&request) {
            let appended = group::append(&self.inner, request).await;
            return appended.inspect_err(|e| event::refused(BACKEND, stream, e));
        }
        let appended = self.inner.run(
            During::Write,
            request,
            |(inner, request), connection, call| {
                append(connection, &inner.append, request, call, Within::Autocommit).boxed()
            },
        );
        let appended = appended.await;
        appended.inspect_err(|e| event::refused(BACKEND, stream, e))
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        check_ids(read)?;
        let asked = (stream.clone(), read.clone());
        let page = self
            .inner
            .run(During::Read, asked, |(inner, asked), connection, call| {
                async move {
                    let (names, assigned) = (&inner.names, &inner.assigned);
                    let (stream, read) = asked;
                    let read = read::read(connection, names, assigned, stream, read, During::Read);
                    let (page, cut) = read.await?;
                    call.leaves_rows(cut);
                    Ok(page)
                }
                .boxed()
            });
        page.await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        let stat = self.inner.run(
            During::Read,
            stream.clone(),
            |(inner, stream), connection, _| {
                inspect::stat(connection, &inner.names, stream, During::Read).boxed()
            },
        );
        stat.await
    }

    async fn health(&self) -> Result<Health> {
        let found = self
            .inner
            .run(During::Read, (), |(inner, ()), connection, _| {
                async {
                    match schema::look(connection, &inner.names).await? {
                        schema::Found::Store { format, id } if id == inner.id => {
                            schema::check_format(format).map(|()| format!("format {format}"))
                        }
                        _ => Err(Error::new(Kind::Misconfigured, "the tables are not there")),
                    }
                }
                .boxed()
            });
        match found.await {
            Err(e) if *e.kind() == Kind::Closed => Err(e),
            found => Ok(Health::new().with("read", found.map_err(|e| e.to_string()))),
        }
    }

    async fn close(&self) -> Result<()> {
        let first = self.inner.gate.close();
        let call = Call::new(self.inner.config.deadline);
        let late = |_| Error::new(Kind::Timeout, "calls are still running");
        let drained = timeout_at(call.deadline, self.inner.gate.drained()).await;
        if self.inner.own_pool {
            // Given up by the deadline, the pool closes all the same.
            let _ = timeout_at(call.deadline, self.inner.pool.close()).await;
        }
        if first {
            event::closed(BACKEND, self.inner.id);
        }
        drained.map_err(late)
    }

    async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
        let page = self.inner.run(
            During::Read,
            list.clone(),
            |(inner, list), connection, _| inspect::list(connection, &inner.names, list).boxed(),
        );
        page.await
    }

    async fn trim(&self, stream: &StreamName, through: &i64) -> Result<u64> {
        let through = check_id("trim id", *through)?;
        let asked = (stream.clone(), through);
        let trimmed = self
            .inner
            .run(During::Write, asked, |(inner, asked), connection, call| {
                let chunk = inner.config.trim_chunk;
                trim::trim(connection, &inner.names, &asked.0, asked.1, chunk, call).boxed()
            });
        trimmed
            .await
            .inspect(|removed| event::trimmed(BACKEND, stream, *removed))
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        let deadline = Instant::now() + self.inner.config.deadline;
        let page = self.inner.run_by(
            deadline,
            During::Read,
            read.clone(),
            |(inner, read), connection, call| {
                async move {
                    let page = inner.reader().page(&mut *connection, read).await?;
                    call.leaves_rows(page.cut);
                    if page.cut {
                        return Ok((page, None));
                    }
                    let streams = page.streams();
                    let names = names_of(connection, &inner.names, &streams).await?;
                    Ok((page, Some(names)))
                }
                .boxed()
            },
        );
        let (page, names) = page.await?;
        if let Some(names) = names {
            return page.named(&names);
        }
        let names = self.inner.run_by(
            deadline,
            During::Read,
            page.streams(),
            |(inner, streams), connection, _| names_of(connection, &inner.names, streams).boxed(),
        );
        page.named(&names.await?)
    }

    async fn store_head(&self) -> Result<StoreCursor> {
        let head = self
            .inner
            .run(During::Read, (), |(inner, ()), connection, call| {
                async move { inner.reader().head(connection, call).await }.boxed()
            });
        head.await
    }

    fn cursor_after(&self, read: &ReadAll, seen: &[(StreamName, i64)]) -> Result<StoreCursor> {
        let Some((_, position)) = seen.last() else {
            return Err(Error::invalid_input("entries seen", Rule::AtLeast, 1, 0));
        };
        let _open = self.inner.gate.enter()?;
        let position = check_id("entry seen", *position)?;
        Ok(self.inner.reader().cursor(read.direction(), position))
    }

    async fn explain_head(&self) -> Result<Vec<Holdup>> {
        let holdups = self
            .inner
            .run(During::Read, (), |(inner, ()), connection, _| {
                async move { inner.reader().explain(connection).await }.boxed()
            });
        holdups.await
    }
}

impl fmt::Debug for PostgresStore {
    /// Never the URL: it has a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("store", &self.inner.id)
            .field("schema", &self.inner.config.schema)
            .field("prefix", &self.inner.config.prefix)
            .finish_non_exhaustive()
    }
}

//! A store that is part of the caller's transaction.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use ledger_core::backend::event;
use ledger_core::{
    Batch, Capabilities, Error, Health, Kind, Page, Read, Receipts, Record, Result, Retry, Store,
    StreamName, StreamStat,
};
use sqlx::PgConnection;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout_at;

use crate::append::{Request, Within, append};
use crate::call::Call;
use crate::error::During;
use crate::store::{Inner, check_ids};
use crate::{BACKEND, inspect, read};

/// Append, reads of single streams and `stat`, in the caller's transaction:
/// what [`PostgresStore::in_transaction`](crate::PostgresStore::in_transaction)
/// gives. Everything else answers `Unsupported`.
pub struct InTransaction<'t> {
    inner: Arc<Inner>,
    connection: Mutex<&'t mut PgConnection>,
    /// An append was dropped, or ended in an error of the server: the
    /// transaction can only be rolled back.
    spoilt: AtomicBool,
}

impl<'t> InTransaction<'t> {
    pub(crate) fn new(inner: Arc<Inner>, connection: &'t mut PgConnection) -> Self {
        Self {
            inner,
            connection: Mutex::new(connection),
            spoilt: AtomicBool::new(false),
        }
    }

    /// The connection, unless the transaction is lost.
    async fn connection(&self) -> Result<MutexGuard<'_, &'t mut PgConnection>> {
        let connection = self.connection.lock().await;
        if self.spoilt.load(Ordering::Acquire) {
            let lost = Error::new(
                Kind::Unavailable,
                "an earlier append in this transaction was cut off or failed; roll it back",
            );
            return Err(lost.with_retry(Retry::Transaction));
        }
        Ok(connection)
    }

    /// Runs a piece of work by the deadline of a call. What does not come to
    /// its end, because it fails, or its future is dropped, spoils the
    /// transaction.
    async fn within<T>(&self, call: &Call, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.spoilt.store(true, Ordering::Release);
        let done = match timeout_at(call.deadline, work).await {
            Ok(done) => done,
            Err(_) => Err(call.timeout().with_retry(Retry::Transaction)),
        };
        let usable = done
            .as_ref()
            .map_or_else(|e| e.retry() != Retry::Transaction, |_| true);
        if usable {
            self.spoilt.store(false, Ordering::Release);
        }
        done
    }
}

#[async_trait]
impl Store<i64> for InTransaction<'_> {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        let _open = self.inner.gate.enter()?;
        let mut connection = self.connection().await?;
        if batch.is_empty() {
            return Ok(Vec::new().into());
        }
        let request = Request::new(stream.clone(), batch)?;
        let call = Call::new(self.inner.config.deadline);
        let sql = &self.inner.append;
        let work = append(&mut connection, sql, &request, &call, Within::Transaction);
        let appended = self.within(&call, work).await;
        appended.inspect_err(|e| event::refused(BACKEND, stream, e))
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        check_ids(read)?;
        let _open = self.inner.gate.enter()?;
        let mut connection = self.connection().await?;
        let call = Call::new(self.inner.config.deadline);
        let (names, assigned) = (&self.inner.names, &self.inner.assigned);
        let during = During::Transaction;
        let work = read::read(&mut connection, names, assigned, stream, read, during);
        match timeout_at(call.deadline, work).await {
            Ok(page) => Ok(page?.0),
            Err(_) => Err(call.timeout().with_retry(Retry::Transaction)),
        }
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        let _open = self.inner.gate.enter()?;
        let mut connection = self.connection().await?;
        let call = Call::new(self.inner.config.deadline);
        let work = inspect::stat(
            &mut connection,
            &self.inner.names,
            stream,
            During::Transaction,
        );
        match timeout_at(call.deadline, work).await {
            Ok(stat) => stat,
            Err(_) => Err(call.timeout().with_retry(Retry::Transaction)),
        }
    }

    async fn health(&self) -> Result<Health> {
        Err(Error::unsupported("health"))
    }

    async fn close(&self) -> Result<()> {
        Err(Error::unsupported("close"))
    }
}

impl fmt::Debug for InTransaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTransaction")
            .field("store", &self.inner.id)
            .finish_non_exhaustive()
    }
}

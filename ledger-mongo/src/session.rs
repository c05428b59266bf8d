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
use mongodb::ClientSession;
use mongodb::error::ErrorKind;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};

use crate::append::{Originals, Request, in_session};
use crate::error::{During, late};
use crate::handle::Inner;
use crate::id::MongoId;
use crate::read::check_ids;
use crate::{BACKEND, inspect, read};

/// Append, reads of single streams and `stat`, in the caller's transaction:
/// what [`MongoStore::in_session`](crate::MongoStore::in_session) gives.
/// Everything else answers `Unsupported`.
pub struct InSession<'t> {
    inner: Arc<Inner>,
    session: Mutex<&'t mut ClientSession>,
    /// An append was dropped, or ended in an error of the server: the
    /// transaction can only be aborted.
    spoilt: AtomicBool,
}

impl<'t> InSession<'t> {
    pub(crate) fn new(inner: Arc<Inner>, session: &'t mut ClientSession) -> Self {
        Self {
            inner,
            session: Mutex::new(session),
            spoilt: AtomicBool::new(false),
        }
    }

    /// The session, unless the transaction is lost or was never started.
    async fn session(&self) -> Result<MutexGuard<'_, &'t mut ClientSession>> {
        let mut session = self.session.lock().await;
        if self.spoilt.load(Ordering::Acquire) {
            let lost = Error::new(
                Kind::Unavailable,
                "an earlier append in this transaction was cut off or failed; abort it",
            );
            return Err(lost.with_retry(Retry::Transaction));
        }
        // The driver does not tell whether a transaction is running, but it
        // refuses to start a second one, without asking the server. Operations
        // in a session without one would each be on its own.
        match session.start_transaction().await {
            Err(e) if matches!(*e.kind, ErrorKind::Transaction { .. }) => Ok(session),
            Err(e) => Err(crate::error::convert(&e, During::Session)),
            Ok(()) => {
                let _ = session.abort_transaction().await;
                Err(Error::new(
                    Kind::Misconfigured,
                    "the session has no transaction: start one with \
                     session.start_transaction().with_options(ledger_mongo::transaction_options())",
                ))
            }
        }
    }

    /// Runs a piece of work by the deadline of a call. What does not come to
    /// its end, because it fails, or its future is dropped, spoils the
    /// transaction.
    async fn within<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.spoilt.store(true, Ordering::Release);
        let done = match timeout_at(deadline, work).await {
            Ok(done) => done,
            Err(_) => Err(late().with_retry(Retry::Transaction)),
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
impl Store<MongoId> for InSession<'_> {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<MongoId>> {
        let entered = self.inner.gate.enter()?;
        let mut session = self.session().await?;
        if batch.is_empty() {
            return Ok(Vec::new().into());
        }
        let deadline = self.inner.deadline();
        let copies = self.inner.config.json_copies;
        let request = Request::new(stream.clone(), batch, copies, deadline, entered);
        let work = in_session(&self.inner, &mut session, &request, Originals::default());
        let appended = self.within(deadline, work).await;
        appended.inspect_err(|e| event::refused(BACKEND, stream, e))
    }

    async fn read(
        &self,
        stream: &StreamName,
        read: &Read<MongoId>,
    ) -> Result<Page<Record<MongoId>>> {
        check_ids(read)?;
        let _entered = self.inner.gate.enter()?;
        let mut session = self.session().await?;
        let work = read::read(&self.inner, &mut session, stream, read, During::Session);
        self.within(self.inner.deadline(), work).await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<MongoId>>> {
        let _entered = self.inner.gate.enter()?;
        let mut session = self.session().await?;
        let work = inspect::stat(&self.inner, &mut session, stream, During::Session);
        self.within(self.inner.deadline(), work).await
    }

    async fn health(&self) -> Result<Health> {
        Err(Error::unsupported("health"))
    }

    async fn close(&self) -> Result<()> {
        Err(Error::unsupported("close"))
    }
}

impl fmt::Debug for InSession<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InSession")
            .field("store", &self.inner.id)
            .finish_non_exhaustive()
    }
}

//! The store: every method checks, and delegates to the room of its subject.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::backend::event;
use ledger_core::{
    Batch, Capabilities, Error, Health, Kind, ListStreams, Page, Read, ReadAll, Receipts, Record,
    Result, Rule, Store, StoreCursor, StoreOrder, StorePage, StreamName, StreamStat,
};
use mongodb::ClientSession;
use tokio::time::timeout_at;

use crate::append::{Request, append};
use crate::error::During;
use crate::handle::Inner;
use crate::id::MongoId;
use crate::read::check_ids;
use crate::session::InSession;
use crate::{BACKEND, all, inspect, read, schema, trim};

/// A store in MongoDB. A clone is another handle to the same client, and closes
/// with it.
///
/// See the [crate](crate) for what it promises, and what it needs.
#[derive(Clone)]
pub struct MongoStore {
    inner: Arc<Inner>,
}

impl MongoStore {
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Appends and reads in the caller's transaction: entries become visible
    /// with its commit, and leave no trace with its abort.
    ///
    /// The session has to be of the store's own client, and in a transaction
    /// that was started with
    /// [`transaction_options`](crate::transaction_options): with a weaker write
    /// concern its commit could be lost again, which the ledger has no way to
    /// see.
    ///
    /// What it gives is a [`Store`] for append, reads of single streams and
    /// `stat`. Everything else answers `Unsupported`.
    ///
    /// * An append locks the head of its stream until the transaction ends.
    ///   Other appends to the stream repeat until then, and a trim of it waits:
    ///   append last, and keep it short.
    /// * An append to a stream that has moved since the transaction began is
    ///   `Contention` with [`Retry::Transaction`](ledger_core::Retry::Transaction):
    ///   abort, and repeat all of it. A stream that the append makes keeps other
    ///   appends to it waiting until the transaction ends.
    /// * `Conflict` and `DedupMismatch` are judged by what the transaction sees,
    ///   and leave it usable. After any error with `Retry::Transaction` it can
    ///   only be aborted.
    /// * If the future of an append is dropped, the transaction can only be
    ///   aborted, and the value refuses everything from then on.
    ///
    /// ```no_run
    /// use ledger_core::{NewEntry, StoreExt};
    /// use ledger_mongo::{MongoStore, mongodb, transaction_options};
    /// use mongodb::bson::{Document, doc};
    ///
    /// # async fn example(database: mongodb::Database, store: MongoStore) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut session = database.client().start_session().await?;
    /// session.start_transaction().with_options(transaction_options()).await?;
    /// let accounts = database.collection::<Document>("accounts");
    /// let cheaper = doc! { "$inc": { "cents": -100 } };
    /// accounts.update_one(doc! { "_id": "ann" }, cheaper).session(&mut session).await?;
    /// let ledger = store.in_session(&mut session);
    /// (&ledger).stream::<String>("payments").append("paid".to_owned()).await?;
    /// drop(ledger);
    /// session.commit_transaction().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn in_session<'t>(&self, session: &'t mut ClientSession) -> InSession<'t> {
        InSession::new(self.inner.clone(), session)
    }
}

#[async_trait]
impl Store<MongoId> for MongoStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::PerStream)
            .with_list(true)
            .with_trim(true)
            .with_detached_reads(true)
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<MongoId>> {
        let entered = self.inner.gate.enter()?;
        if batch.is_empty() {
            return Ok(Vec::new().into());
        }
        let deadline = self.inner.deadline();
        let copies = self.inner.config.json_copies;
        let request = Request::new(stream.clone(), batch, copies, deadline, entered);
        let appended = append(&self.inner, Arc::new(request)).await;
        appended.inspect_err(|e| event::refused(BACKEND, stream, e))
    }

    async fn read(
        &self,
        stream: &StreamName,
        read: &Read<MongoId>,
    ) -> Result<Page<Record<MongoId>>> {
        check_ids(read)?;
        let asked = (stream.clone(), read.clone());
        let page = self.inner.read(move |inner| {
            let (stream, read) = asked.clone();
            async move {
                let mut session = inner.session().await?;
                read::read(&inner, &mut session, &stream, &read, During::Read).await
            }
        });
        page.await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<MongoId>>> {
        let stream = stream.clone();
        let stat = self.inner.read(move |inner| {
            let stream = stream.clone();
            async move {
                let mut session = inner.session().await?;
                inspect::stat(&inner, &mut session, &stream, During::Read).await
            }
        });
        stat.await
    }

    async fn health(&self) -> Result<Health> {
        let found = self.inner.read(|inner| async move {
            match schema::look(&inner.database, &inner.names).await? {
                Some(id) if id == inner.id => Ok(format!("format {}", schema::FORMAT)),
                _ => Err(Error::new(
                    Kind::Misconfigured,
                    "the collections are not there, or another store's",
                )),
            }
        });
        match found.await {
            Err(e) if *e.kind() == Kind::Closed => Err(e),
            found => Ok(Health::new().with("read", found.map_err(|e| e.to_string()))),
        }
    }

    async fn close(&self) -> Result<()> {
        let first = self.inner.gate.close();
        let deadline = self.inner.deadline();
        let drained = timeout_at(deadline, self.inner.gate.drained()).await;
        if first && self.inner.own_client {
            // Given up by the deadline, the client ends all the same.
            let end = self.inner.client.clone().shutdown().immediate(true);
            let _ = timeout_at(deadline, async { end.await }).await;
        }
        if first {
            event::closed(BACKEND, self.inner.id);
        }
        drained.map_err(|_| Error::new(Kind::Timeout, "calls are still running"))
    }

    async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
        let list = list.clone();
        let page = self.inner.read(move |inner| {
            let list = list.clone();
            async move {
                let mut session = inner.session().await?;
                inspect::list(&inner, &mut session, &list).await
            }
        });
        page.await
    }

    async fn trim(&self, stream: &StreamName, through: &MongoId) -> Result<u64> {
        let through = through.check("trim id")?;
        let (inner, name) = (self.inner.clone(), stream.clone());
        let deadline = inner.deadline();
        let trimmed = self
            .inner
            .write(async move { trim::trim(&inner, &name, through, deadline).await });
        trimmed
            .await
            .inspect(|removed| event::trimmed(BACKEND, stream, *removed))
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<MongoId>> {
        if read.is_descending() {
            return Err(Error::unsupported("a descending read of the whole store"));
        }
        let read = read.clone();
        let page = self.inner.read(move |inner| {
            let read = read.clone();
            async move { all::page(&inner, &read).await }
        });
        page.await
    }

    async fn store_head(&self) -> Result<StoreCursor> {
        let head = self
            .inner
            .read(|inner| async move { all::head(&inner).await });
        head.await
    }

    fn cursor_after(&self, read: &ReadAll, seen: &[(StreamName, MongoId)]) -> Result<StoreCursor> {
        if seen.is_empty() {
            return Err(Error::invalid_input("entries seen", Rule::AtLeast, 1, 0));
        }
        if read.is_descending() {
            return Err(Error::unsupported("a descending read of the whole store"));
        }
        let _entered = self.inner.gate.enter()?;
        let mut place = match read.after() {
            Some(cursor) => all::Place::decode(cursor, self.inner.id)?,
            // Earlier than the page was read, which is safe: what the events
            // then bring a second time is told apart by its version.
            None => all::Place::beginning(self.inner.id, self.inner.opened_at),
        };
        place.seen = place.seen.max(self.inner.seen.highest());
        for (_, id) in seen {
            id.check("entry seen")?;
            place.advance(id.stream_number(), id.version(), place.seen);
            // What the events brought is of streams that the sweep has passed.
            if place
                .sweep
                .is_some_and(|sweep| id.stream_number() >= sweep.stream_number())
            {
                place.sweep = Some(*id);
            }
        }
        Ok(place.encode())
    }
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

//! The store, each call handed on.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use ledger_core::backend::{check_id, event};
use ledger_core::{
    Applied, Batch, Capabilities, Direction, Error, Health, Kind, ListStreams, Page, Read, ReadAll,
    Receipts, Record, Result, Retry, Rule, Store, StoreCursor, StoreOrder, StorePage, StreamName,
    StreamStat,
};
use tokio::time::timeout_at;

use crate::BACKEND;
use crate::handle::SqliteStore;
use crate::read::{self, detached};
use crate::writer::{Append, Job, Trim};

#[async_trait]
impl Store<i64> for SqliteStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::Total)
            .with_list(true)
            .with_trim(true)
            .with_detached_reads(true)
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        self.check_open()?;
        if batch.is_empty() {
            return Ok(Vec::new().into());
        }
        let (stream, deadline) = (stream.clone(), self.deadline());
        let appended = self.ask(deadline, |ticket, reply| {
            let stream = stream.clone();
            Job::Append(Append {
                stream,
                batch,
                deadline,
                ticket,
                reply,
            })
        });
        appended
            .await
            .inspect_err(|e| event::refused(BACKEND, &stream, e))
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        read::check(read)?;
        let page = self.reader()?.page(stream.clone(), read.clone());
        detached(self.deadline(), page).await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        let stat = self.reader()?.stat(stream.clone());
        detached(self.deadline(), stat).await
    }

    async fn health(&self) -> Result<Health> {
        let reader = self.reader()?;
        let writes = self.shared.queue.is_open();
        Ok(reader.health(self.shared.id, self.deadline(), writes).await)
    }

    async fn close(&self) -> Result<()> {
        let first = !self.shared.closed.swap(true, Ordering::AcqRel);
        let closing = async {
            self.shared.queue.close().await;
            self.shared.reader.connections.close().await;
        };
        timeout_at(self.deadline(), closing)
            .await
            .map_err(|_elapsed| Error::new(Kind::Timeout, "waiting for running calls"))?;
        if first {
            event::closed(BACKEND, self.shared.id);
        }
        Ok(())
    }

    async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
        let list = self.reader()?.list(list.clone());
        detached(self.deadline(), list).await
    }

    async fn trim(&self, stream: &StreamName, through: &i64) -> Result<u64> {
        let (stream, through) = (stream.clone(), check_id("trim id", *through)?);
        let deadline = self.deadline();
        let trimmed = self.ask(deadline, |ticket, reply| {
            Job::Trim(Trim {
                stream,
                through,
                deadline,
                ticket,
                reply,
                removed: 0,
                attempt: 0,
            })
        });
        // Repeating a trim never removes more.
        trimmed.await.map_err(|e| match e.applied() {
            Applied::Unknown => e.with_retry(Retry::Call),
            Applied::No => e,
        })
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        let page = self.reader()?.page_of_all(self.shared.id, read.clone());
        detached(self.deadline(), page).await
    }

    async fn store_head(&self) -> Result<StoreCursor> {
        let head = detached(self.deadline(), self.reader()?.last_id()).await?;
        Ok(self.cursor(Direction::Ascending, head))
    }

    fn cursor_after(&self, read: &ReadAll, seen: &[(StreamName, i64)]) -> Result<StoreCursor> {
        let Some((_, position)) = seen.last() else {
            return Err(Error::invalid_input("entries seen", Rule::AtLeast, 1, 0));
        };
        self.check_open()?;
        Ok(self.cursor(read.direction(), *position))
    }
}

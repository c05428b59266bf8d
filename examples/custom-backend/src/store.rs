//! The store, each call handed on.

use async_trait::async_trait;
use ledger_core::backend::{PositionCursor, check_id, event};
use ledger_core::{
    Applied, Batch, Capabilities, Direction, Error, Health, ListStreams, Page, Read, ReadAll,
    Receipts, Record, Result, Retry, Rule, Store, StoreCursor, StoreOrder, StorePage, StreamName,
    StreamStat,
};
use tokio::task::spawn_blocking;

use crate::append::{self, TRIM_STEP};
use crate::error::corrupt;
use crate::{BACKEND, RedbStore, read, tables};

#[async_trait]
impl Store<i64> for RedbStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::Total)
            .with_list(true)
            .with_trim(true)
            .with_detached_reads(true)
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        if batch.is_empty() {
            return self.db().map(|_| Vec::new().into());
        }
        let (name, clock) = (stream.clone(), self.clock.clone());
        let append = self.write_with(self.deadline(), move |tx| {
            append::append(tx, &name, &batch, &*clock)
        });
        append
            .await
            .inspect_err(|e| event::refused(BACKEND, stream, e))
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        for (field, id) in [("after", read.after()), ("before", read.before())] {
            check_id(field, id.copied().unwrap_or(0))?;
        }
        let (stream, read) = (stream.clone(), read.clone());
        self.read_with(move |tx| read::page(tx, &stream, &read))
            .await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        let stream = stream.clone();
        self.read_with(move |tx| read::stat(tx, &stream)).await
    }

    async fn health(&self) -> Result<Health> {
        let (db, id) = (self.db()?, self.shared.id);
        let found = spawn_blocking(move || match tables::check(&db)? {
            Some(found) if found == id => Ok(format!("store {id}")),
            _ => Err(corrupt("the file holds another store")),
        });
        let outcome = match found.await {
            Ok(found) => found.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        Ok(Health::new().with("read", outcome))
    }

    async fn close(&self) -> Result<()> {
        self.shut().await
    }

    async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
        let list = list.clone();
        self.read_with(move |tx| read::list(tx, &list)).await
    }

    async fn trim(&self, stream: &StreamName, through: &i64) -> Result<u64> {
        let through = check_id("trim id", *through)?;
        let (mut removed, deadline) = (0, self.deadline());
        loop {
            let name = stream.clone();
            let step = self.write_with(deadline, move |tx| append::trim(tx, &name, through));
            // Repeating a trim never removes more.
            let step = step.await.map_err(|e| match e.applied() {
                Applied::Unknown => e.with_retry(Retry::Call),
                Applied::No => e,
            })?;
            removed += step;
            if step < TRIM_STEP {
                event::trimmed(BACKEND, stream, removed);
                return Ok(removed);
            }
        }
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        let read = read.clone();
        self.read_with(move |tx| read::page_of_all(tx, &read)).await
    }

    async fn store_head(&self) -> Result<StoreCursor> {
        let head = self.read_with(read::meta).await?.last_id;
        Ok(self.cursor(Direction::Ascending, head))
    }

    fn cursor_after(&self, read: &ReadAll, seen: &[(StreamName, i64)]) -> Result<StoreCursor> {
        let Some((_, position)) = seen.last() else {
            return Err(Error::invalid_input("entries seen", Rule::AtLeast, 1, 0));
        };
        self.db()?;
        Ok(self.cursor(read.direction(), *position))
    }
}

impl RedbStore {
    fn cursor(&self, direction: Direction, position: i64) -> StoreCursor {
        PositionCursor {
            store: self.shared.id,
            direction,
            position,
        }
        .encode()
    }
}

//! The store, each call handed on.

use async_trait::async_trait;
use ledger_core::backend::{check_id, event};
use ledger_core::{
    Applied, Batch, Capabilities, Direction, Error, Health, Kind, ListStreams, Page, PageEnd, Read,
    ReadAll, Receipts, Record, Result, Retry, Rule, Store, StoreCursor, StoreOrder, StorePage,
    StreamName, StreamStat,
};
use std::ops::Bound;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::BACKEND;
use crate::handle::FileStore;
use crate::log::Log;
use crate::read::{page_of_all, page_of_stream};
use crate::thread::{Append, Job, Trim, ask};

#[async_trait]
impl Store<i64> for FileStore {
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
        let size = Append::size(&batch);
        let request = |reply| Append {
            stream: stream.clone(),
            batch,
            clock: self.clock.clone(),
            handle: self.handle.clone(),
            reply,
        };
        let appended = ask(&self.queue, self.deadline(), size, request, Job::Append).await;
        appended.inspect_err(|e| event::refused(BACKEND, stream, e))
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        for (field, id) in [("after", read.after()), ("before", read.before())] {
            check_id(field, id.copied().unwrap_or(0))?;
        }
        let (stream, read) = (stream.clone(), read.clone());
        let page = move |log: &Log| {
            page_of_stream(log, &stream, &read).map_err(|e| e.with("stream", &stream))
        };
        self.reading(page).await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        self.check_open()?;
        let state = self.log.read();
        let head = state
            .facts
            .number_of(stream)
            .and_then(|number| state.facts.head(number));
        Ok(head.map(|head| {
            let first = (head.first_id > 0).then_some(head.first_id);
            let last = first.and(Some(head.last_id));
            StreamStat::new(first, last, head.version, head.version - head.trimmed)
        }))
    }

    async fn health(&self) -> Result<Health> {
        self.check_open()?;
        let writer = match (self.queue.is_open(), self.log.is_poisoned()) {
            (true, false) => Ok("running".to_owned()),
            (true, true) => Err("a write or flush failed; open the store again".to_owned()),
            (false, _) => Err("has ended".to_owned()),
        };
        let files = self.reading(Log::health).await;
        Ok(Health::new()
            .with("writer", writer)
            .with("files", files.map_err(|e| e.to_string())))
    }

    async fn close(&self) -> Result<()> {
        let deadline = self.deadline();
        self.handle.close();
        let (reply, closed) = oneshot::channel();
        let job = Job::Close(self.handle.clone(), reply);
        match self.queue.send(job, 0, deadline).await {
            Err(e) if *e.kind() == Kind::Closed => return Ok(()),
            sent => sent?,
        }
        match timeout_at(deadline, closed).await {
            // Without an answer the writer has ended already.
            Ok(closed) => closed.unwrap_or(Ok(())),
            Err(_elapsed) => Err(Error::new(Kind::Timeout, "waiting for running calls")),
        }
    }

    async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
        self.check_open()?;
        let state = self.log.read();
        let from = list.after().map_or(Bound::Unbounded, Bound::Excluded);
        let names = state
            .facts
            .names()
            .range::<StreamName, _>((from, Bound::Unbounded));
        let mut names = names.map(|(name, _)| name);
        let page: Vec<StreamName> = names.by_ref().take(list.limit()).cloned().collect();
        let end = match names.next() {
            Some(_) => PageEnd::More,
            None => PageEnd::CaughtUp,
        };
        Ok(Page::new(page, end))
    }

    async fn trim(&self, stream: &StreamName, through: &i64) -> Result<u64> {
        let through = check_id("trim id", *through)?;
        self.check_open()?;
        let request = |reply| Trim {
            stream: stream.clone(),
            through,
            handle: self.handle.clone(),
            reply,
        };
        let trimmed = ask(&self.queue, self.deadline(), 0, request, Job::Trim).await;
        // Repeating a trim never removes more.
        let trimmed = trimmed.map_err(|e| match e.applied() {
            Applied::Unknown => e.with_retry(Retry::Call),
            Applied::No => e,
        });
        trimmed.inspect(|removed| event::trimmed(BACKEND, stream, *removed))
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        let read = read.clone();
        self.reading(move |log| page_of_all(log, &read)).await
    }

    async fn store_head(&self) -> Result<StoreCursor> {
        self.check_open()?;
        let head = self.log.read().facts.last_id();
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

//! Ours: the calls of [`Store`], as an application's task makes them.

use std::sync::Arc;

use anyhow::{Result, ensure};
use futures_util::TryStreamExt;
use ledger_core::{
    AllQuery, Batch, Limits, Query, RawEntry, Read, ReadAll, Store, StoreCursor, StoreExt,
    StreamName,
};

use crate::work::Work;
use crate::workload::{Entries, streams};

/// Appends batches to streams by chance.
pub(crate) struct Appender<S> {
    store: S,
    entries: Entries,
    batch: usize,
    streams: Arc<[StreamName]>,
}

impl<S: Store<i64> + Clone> Appender<S> {
    pub(crate) fn new(store: &S, entries: Entries, batch: usize, count: usize) -> Result<Self> {
        Ok(Self {
            store: store.clone(),
            entries,
            batch,
            streams: streams(count)?,
        })
    }
}

impl<S: Store<i64> + 'static> Work for Appender<S> {
    type Input = (usize, Vec<RawEntry>);

    fn prepare(&mut self) -> Result<Self::Input> {
        let stream = self.entries.below(self.streams.len());
        Ok((stream, self.entries.many(self.batch)))
    }

    async fn run(&mut self, (stream, entries): Self::Input) -> Result<usize> {
        let batch = Batch::new(entries, &Limits::TABLE)?;
        let receipts = self.store.append(&self.streams[stream], batch).await?;
        ensure!(receipts.appended() == self.batch, "a duplicate");
        Ok(self.batch)
    }
}

/// Reads the first stream page by page, again and again.
pub(crate) struct StreamPages<S> {
    store: S,
    stream: StreamName,
    limit: usize,
    key: Option<String>,
    after: i64,
}

impl<S: Store<i64> + Clone> StreamPages<S> {
    pub(crate) fn new(store: &S, limit: usize, key: Option<String>) -> Result<Self> {
        Ok(Self {
            store: store.clone(),
            stream: streams(1)?[0].clone(),
            limit,
            key,
            after: 0,
        })
    }
}

impl<S: Store<i64> + 'static> Work for StreamPages<S> {
    type Input = Read<i64>;

    fn prepare(&mut self) -> Result<Read<i64>> {
        let mut query = Query::new().limit(self.limit);
        if self.after > 0 {
            query = query.after(self.after);
        }
        if let Some(key) = &self.key {
            query = query.order_key(key.clone());
        }
        Ok(Read::new(query, &Limits::TABLE)?)
    }

    async fn run(&mut self, read: Read<i64>) -> Result<usize> {
        let page = self.store.read(&self.stream, &read).await?;
        let full = page.records.len() == self.limit;
        let last = page.records.last().map_or(0, |last| last.id);
        self.after = if full { last } else { 0 };
        Ok(page.records.len())
    }
}

/// Reads the whole store page by page, again and again.
pub(crate) struct StorePages<S> {
    store: S,
    limit: usize,
    after: Option<StoreCursor>,
}

impl<S: Clone> StorePages<S> {
    pub(crate) fn new(store: &S, limit: usize) -> Self {
        Self {
            store: store.clone(),
            limit,
            after: None,
        }
    }
}

impl<S: Store<i64> + 'static> Work for StorePages<S> {
    type Input = ReadAll;

    fn prepare(&mut self) -> Result<ReadAll> {
        let mut query = AllQuery::new().limit(self.limit);
        if let Some(after) = self.after.take() {
            query = query.after(after);
        }
        Ok(ReadAll::new(query, &Limits::TABLE)?)
    }

    async fn run(&mut self, read: ReadAll) -> Result<usize> {
        let page = self.store.read_all(&read).await?;
        self.after = (page.records.len() == self.limit).then_some(page.next);
        Ok(page.records.len())
    }
}

/// Reads all entries of the store, as [`StoreExt::all`] gives them.
pub(crate) struct Scan<S>(S);

impl<S: Clone> Scan<S> {
    pub(crate) fn new(store: &S) -> Self {
        Self(store.clone())
    }
}

impl<S: Store<i64> + Clone + 'static> Work for Scan<S> {
    type Input = ();

    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    async fn run(&mut self, (): ()) -> Result<usize> {
        let mut all = self.0.all(AllQuery::new());
        let mut entries = 0;
        while let Some(found) = all.try_next().await? {
            std::hint::black_box(&found);
            entries += 1;
        }
        Ok(entries)
    }
}

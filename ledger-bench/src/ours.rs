//! Ours: the calls of [`Store`], as an application's task makes them.

use std::marker::PhantomData;
use std::sync::Arc;

use anyhow::{Result, ensure};
use futures_util::TryStreamExt;
use ledger_core::{
    AllQuery, Batch, EntryId, Limits, Query, RawEntry, Read, ReadAll, Store, StoreCursor, StoreExt,
    StreamName,
};

use crate::work::Work;
use crate::workload::{Entries, streams};

/// Appends batches to streams by chance.
pub(crate) struct Appender<I, S> {
    store: S,
    entries: Entries,
    batch: usize,
    streams: Arc<[StreamName]>,
    id: PhantomData<I>,
}

impl<I: EntryId, S: Store<I> + Clone> Appender<I, S> {
    pub(crate) fn new(store: &S, entries: Entries, batch: usize, count: usize) -> Result<Self> {
        Ok(Self {
            store: store.clone(),
            entries,
            batch,
            streams: streams(count)?,
            id: PhantomData,
        })
    }
}

/// Many of them, each with entries of its own.
pub(crate) fn appenders<I: EntryId, S: Store<I> + Clone>(
    store: &S,
    entries: &Entries,
    tasks: u32,
    batch: usize,
    count: usize,
) -> Result<Vec<Appender<I, S>>> {
    (0..u64::from(tasks))
        .map(|n| Appender::new(store, entries.seeded(1_000 + n), batch, count))
        .collect()
}

impl<I: EntryId, S: Store<I> + 'static> Work for Appender<I, S> {
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
pub(crate) struct StreamPages<I, S> {
    store: S,
    stream: StreamName,
    limit: usize,
    key: Option<String>,
    after: Option<I>,
}

impl<I: EntryId, S: Store<I> + Clone> StreamPages<I, S> {
    pub(crate) fn new(store: &S, limit: usize, key: Option<String>) -> Result<Self> {
        Ok(Self {
            store: store.clone(),
            stream: streams(1)?[0].clone(),
            limit,
            key,
            after: None,
        })
    }
}

impl<I: EntryId, S: Store<I> + 'static> Work for StreamPages<I, S> {
    type Input = Read<I>;

    fn prepare(&mut self) -> Result<Read<I>> {
        let mut query = Query::new().limit(self.limit);
        if let Some(after) = self.after.take() {
            query = query.after(after);
        }
        if let Some(key) = &self.key {
            query = query.order_key(key.clone());
        }
        Ok(Read::new(query, &Limits::TABLE)?)
    }

    async fn run(&mut self, read: Read<I>) -> Result<usize> {
        let page = self.store.read(&self.stream, &read).await?;
        let full = page.records.len() == self.limit;
        let last = page.records.last().filter(|_| full);
        self.after = last.map(|last| last.id.clone());
        Ok(page.records.len())
    }
}

/// Reads the whole store page by page, again and again.
pub(crate) struct StorePages<I, S> {
    store: S,
    limit: usize,
    after: Option<StoreCursor>,
    id: PhantomData<I>,
}

impl<I: EntryId, S: Store<I> + Clone> StorePages<I, S> {
    pub(crate) fn new(store: &S, limit: usize) -> Self {
        Self {
            store: store.clone(),
            limit,
            after: None,
            id: PhantomData,
        }
    }
}

impl<I: EntryId, S: Store<I> + 'static> Work for StorePages<I, S> {
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

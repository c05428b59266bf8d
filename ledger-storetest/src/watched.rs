//! A handle whose calls are counted, so that a case which is slow can be told
//! from one which hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ledger_core::{
    Batch, Capabilities, EntryId, Health, Holdup, Limits, ListStreams, Page, Read, ReadAll,
    Receipts, Record, Result, Store, StoreCursor, StorePage, StreamName, StreamStat,
};

use crate::lab::Handle;

/// Counts what moves in a case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moves(Arc<AtomicU64>);

impl Moves {
    pub(crate) fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A handle that counts the calls that return.
pub(crate) struct Watched<I> {
    store: Handle<I>,
    moves: Moves,
}

impl<I> Watched<I> {
    pub(crate) fn new(store: Handle<I>, moves: Moves) -> Self {
        Self { store, moves }
    }

    fn returned<T>(&self, outcome: T) -> T {
        self.moves.one();
        outcome
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<I: EntryId> Store<I> for Watched<I> {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn limits(&self) -> &Limits {
        self.store.limits()
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<I>> {
        self.returned(self.store.append(stream, batch).await)
    }

    async fn read(&self, stream: &StreamName, read: &Read<I>) -> Result<Page<Record<I>>> {
        self.returned(self.store.read(stream, read).await)
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<I>>> {
        self.returned(self.store.stat(stream).await)
    }

    async fn health(&self) -> Result<Health> {
        self.returned(self.store.health().await)
    }

    async fn close(&self) -> Result<()> {
        self.returned(self.store.close().await)
    }

    async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
        self.returned(self.store.list(list).await)
    }

    async fn trim(&self, stream: &StreamName, through: &I) -> Result<u64> {
        self.returned(self.store.trim(stream, through).await)
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<I>> {
        self.returned(self.store.read_all(read).await)
    }

    async fn store_head(&self) -> Result<StoreCursor> {
        self.returned(self.store.store_head().await)
    }

    fn cursor_after(&self, read: &ReadAll, seen: &[(StreamName, I)]) -> Result<StoreCursor> {
        self.store.cursor_after(read, seen)
    }

    async fn explain_head(&self) -> Result<Vec<Holdup>> {
        self.returned(self.store.explain_head().await)
    }
}

//! A handle whose appends end in every way that an unreliable line can give
//! them, in turn, so that each occurs however short the run is.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use ledger_core::{
    Batch, Capabilities, EntryId, Error, Health, Holdup, Kind, Limits, ListStreams, Page, Read,
    ReadAll, Receipts, Record, Result, Store, StoreCursor, StorePage, StreamName, StreamStat,
};

use crate::give_up::give_up;
use crate::lab::Handle;

/// One round of endings.
const ROUND: u64 = 12;

pub(crate) struct Unsure<I> {
    store: Handle<I>,
    appends: AtomicU64,
    /// Answers that are still to be lost.
    to_lose: AtomicU64,
}

impl<I> Unsure<I> {
    pub(crate) fn new(store: Handle<I>) -> Self {
        Self {
            store,
            appends: AtomicU64::new(0),
            to_lose: AtomicU64::new(0),
        }
    }
}

fn unknown(text: &'static str) -> Error {
    Error::new(Kind::Io, text).unknown_outcome()
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<I: EntryId> Store<I> for Unsure<I> {
    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<I>> {
        let nth = self.appends.fetch_add(1, Ordering::Relaxed);
        match nth % ROUND {
            2 => {
                let text = "the request was not sent";
                return Err(Error::new(Kind::Unavailable, text));
            }
            4 => return Err(unknown("the request was lost")),
            6 | 9 => {
                let polls = 1 + u32::try_from(nth / ROUND % 4).unwrap_or(0);
                let ended = give_up(self.store.append(stream, batch), polls).await;
                return ended.unwrap_or_else(|| Err(unknown("the line was cut")));
            }
            7 | 11 => {
                self.to_lose.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        let receipts = self.store.append(stream, batch).await?;
        // What stored nothing is acknowledged: its loss would prove nothing.
        let less = |left: u64| left.checked_sub(1);
        if receipts.appended() > 0
            && self
                .to_lose
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
                .is_ok()
        {
            return Err(unknown("the answer was lost"));
        }
        Ok(receipts)
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn limits(&self) -> &Limits {
        self.store.limits()
    }

    async fn read(&self, stream: &StreamName, read: &Read<I>) -> Result<Page<Record<I>>> {
        self.store.read(stream, read).await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<I>>> {
        self.store.stat(stream).await
    }

    async fn health(&self) -> Result<Health> {
        self.store.health().await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }

    async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
        self.store.list(list).await
    }

    async fn trim(&self, stream: &StreamName, through: &I) -> Result<u64> {
        self.store.trim(stream, through).await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<I>> {
        self.store.read_all(read).await
    }

    async fn store_head(&self) -> Result<StoreCursor> {
        self.store.store_head().await
    }

    fn cursor_after(&self, read: &ReadAll, seen: &[(StreamName, I)]) -> Result<StoreCursor> {
        self.store.cursor_after(read, seen)
    }

    async fn explain_head(&self) -> Result<Vec<Holdup>> {
        self.store.explain_head().await
    }
}

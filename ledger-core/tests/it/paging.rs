//! Iterating: pages, totals, read-ahead, cursors, undecided ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use ledger_core::{
    AllQuery, Batch, Capabilities, Direction, Health, MemoryStore, Page, PageEnd, Query, Read,
    ReadAll, Receipts, Record, Result, Store, StoreCursor, StoreExt, StorePage, StreamName,
    StreamStat,
};
use tokio::sync::{Semaphore, SemaphorePermit};

async fn filled(count: u64) -> MemoryStore {
    let store = MemoryStore::new();
    for n in 0..count {
        let stream = if n % 2 == 0 { "even" } else { "odd" };
        store.stream::<u64>(stream).append(n).await.unwrap();
        store.stream::<u64>("all").append(n).await.unwrap();
    }
    store
}

async fn values(store: &MemoryStore, query: Query<i64>) -> Vec<u64> {
    let entries = store.stream::<u64>("all").entries(query);
    entries
        .map_ok(|entry| entry.value)
        .try_collect()
        .await
        .unwrap()
}

#[tokio::test]
async fn entries_cross_pages_in_both_directions_and_a_limit_is_a_total() {
    let store = filled(2_500).await;
    let all: Vec<u64> = (0..2_500).collect();
    assert_eq!(values(&store, Query::new()).await, all);
    let backwards: Vec<u64> = all.iter().copied().rev().collect();
    assert_eq!(values(&store, Query::new().desc()).await, backwards);
    assert_eq!(
        values(&store, Query::new().limit(1_700)).await,
        all[..1_700]
    );
    assert_eq!(
        values(&store, Query::new().limit(1_000)).await,
        all[..1_000]
    );
    assert_eq!(
        values(&store, Query::new().desc().limit(3)).await,
        [2_499, 2_498, 2_497]
    );
    // More than a page may hold.
    assert_eq!(values(&store, Query::new().limit(20_000)).await, all);
}

#[tokio::test]
async fn the_cursor_of_a_whole_store_iteration_is_right_after_every_entry() {
    let store = filled(700).await;
    for desc in [false, true] {
        let query = || {
            if desc {
                AllQuery::new().desc()
            } else {
                AllQuery::new()
            }
        };
        let whole: Vec<_> = store.all(query()).try_collect().await.unwrap();
        assert_eq!(whole.len(), 1_400);

        let mut walk = store.all(query());
        assert_eq!(walk.cursor().unwrap(), None);
        for taken in 1..=whole.len() {
            walk.try_next().await.unwrap().unwrap();
            if taken % 97 != 0 && taken != 1_000 && taken != whole.len() {
                continue;
            }
            let cursor = walk.cursor().unwrap().unwrap();
            let stored: StoreCursor = cursor.to_string().parse().unwrap();
            let rest: Vec<_> = store
                .all(query().after(stored))
                .try_collect()
                .await
                .unwrap();
            assert_eq!(rest, whole[taken..], "after {taken}, descending: {desc}");
        }
    }
}

/// A store over a pool of one connection whose reads hold it while they are
/// not polled, and which says so by not claiming detached reads.
#[derive(Clone)]
struct PoolOfOne {
    inner: MemoryStore,
    pool: Arc<Semaphore>,
    read_calls: Arc<AtomicUsize>,
}

impl PoolOfOne {
    async fn connection(&self) -> SemaphorePermit<'_> {
        self.pool.acquire().await.unwrap()
    }
}

#[async_trait]
impl Store<i64> for PoolOfOne {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities().with_detached_reads(false)
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        let _connection = self.connection().await;
        self.inner.append(stream, batch).await
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        let _connection = self.connection().await;
        self.read_calls.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.inner.read(stream, read).await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        self.inner.stat(stream).await
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

/// One page read ahead as a plain future deadlocks here: it holds the only
/// connection while the consumer appends and does not poll it.
#[tokio::test]
async fn appending_while_iterating_works_with_a_pool_of_one() {
    let store = PoolOfOne {
        inner: filled(2_500).await,
        pool: Arc::new(Semaphore::new(1)),
        read_calls: Arc::default(),
    };
    let mut entries = store.stream::<u64>("all").entries(Query::new());
    let copy = store.stream::<u64>("copy");
    let copying = async {
        while let Some(entry) = entries.try_next().await.unwrap() {
            copy.append(entry.value).await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), copying)
        .await
        .expect("a deadlock");
    assert_eq!(copy.count().await.unwrap(), 2_500);
    assert_eq!(store.read_calls.load(Ordering::Relaxed), 3);
}

/// Answers pages of one record, and says `Undecided` before each.
#[derive(Clone)]
struct Hesitant {
    inner: MemoryStore,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl Store<i64> for Hesitant {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        self.inner.append(stream, batch).await
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        self.inner.read(stream, read).await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        self.inner.stat(stream).await
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        let mut query = AllQuery::new().limit(1);
        if read.direction() == Direction::Descending {
            query = query.desc();
        }
        if let Some(cursor) = read.after() {
            query = query.after(cursor.clone());
        }
        let one = ReadAll::new(query, self.limits())?;
        let mut page = self.inner.read_all(&one).await?;
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            let here = match read.after() {
                Some(cursor) => cursor.clone(),
                None => self
                    .inner
                    .cursor_after(read, &[(StreamName::from_static("x"), 0)])?,
            };
            page = StorePage::new(Vec::new(), here, PageEnd::Undecided);
        }
        Ok(page)
    }
}

/// An iteration that takes an undecided end for the end loses what follows.
#[tokio::test]
async fn an_iteration_waits_where_the_order_is_undecided() {
    let store = Hesitant {
        inner: filled(5).await,
        asked: Arc::default(),
    };
    let whole: Vec<_> = store.all(AllQuery::new()).try_collect().await.unwrap();
    assert_eq!(whole.len(), 10);
    let limited: Vec<_> = store
        .all(AllQuery::new().limit(7))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(limited, whole[..7]);
}

/// An error of the store ends the iteration instead of repeating for ever.
#[tokio::test]
async fn a_store_error_is_told_once() {
    let store = filled(5).await;
    let entries = store.stream::<u64>("all").entries(Query::new());
    store.close().await.unwrap();
    let found: Vec<_> = entries.collect().await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        *found[0].as_ref().unwrap_err().kind(),
        ledger_core::Kind::Closed
    );
}

#[tokio::test]
async fn a_pending_next_can_be_dropped_without_losing_an_entry() {
    let store = PoolOfOne {
        inner: filled(5).await,
        pool: Arc::new(Semaphore::new(1)),
        read_calls: Arc::default(),
    };
    let mut entries = store.stream::<u64>("all").entries(Query::new());
    let mut found = Vec::new();
    while found.len() < 5 {
        // `now_or_never` polls once and drops the future.
        if let Some(next) = futures_util::FutureExt::now_or_never(entries.try_next()) {
            found.push(next.unwrap().unwrap().value);
        }
    }
    assert_eq!(found, [0, 1, 2, 3, 4]);
    assert!(entries.try_next().await.unwrap().is_none());
}

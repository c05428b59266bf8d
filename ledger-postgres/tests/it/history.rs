//! The history checker, over what only this backend has: slow transactions of
//! the caller, roll-backs, and sessions that are ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ledger_core::{
    Applied, Batch, Capabilities, Error, Expected, Health, Kind, Page, PageEnd, Read, ReadAll,
    Receipt, Receipts, Record, Result, Store, StoreOrder, StorePage, StreamName, StreamStat,
};
use ledger_postgres::{GroupStats, PostgresStore};
use ledger_storetest::history::{Client, Recorder, check};
use sqlx::{AssertSqlSafe, Executor, PgPool};

use crate::load::Load;
use crate::support::{Patience, Place, name};

/// Appends in a transaction of its own, and takes its time.
struct Slow {
    store: PostgresStore,
    pool: PgPool,
}

#[async_trait]
impl Store<i64> for Slow {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        let lost = |_| Error::new(Kind::Unavailable, "no transaction");
        let mut open = self.pool.begin().await.map_err(lost)?;
        let receipts = self
            .store
            .in_transaction(&mut open)
            .append(stream, batch)
            .await?;
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..5_000))).await;
        if fastrand::u8(0..8) == 0 {
            let _ = open.rollback().await;
            return Err(Error::new(Kind::Contention, "rolled back on purpose"));
        }
        let committed = open.commit().await;
        committed.map_err(|e| lost(e).unknown_outcome())?;
        Ok(receipts)
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        self.store.read(stream, read).await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        self.store.stat(stream).await
    }

    async fn health(&self) -> Result<Health> {
        self.store.health().await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        self.store.read_all(read).await
    }
}

/// How often what the test is about has happened.
#[derive(Debug, Default)]
struct Reached {
    appends: AtomicU64,
    unknown: AtomicU64,
    undecided: AtomicU64,
    duplicates: AtomicU64,
}

impl Reached {
    fn enough(&self) -> bool {
        let at_least = |count: &AtomicU64, least| count.load(Ordering::Relaxed) >= least;
        at_least(&self.appends, 800)
            && at_least(&self.unknown, 3)
            && at_least(&self.undecided, 20)
            && at_least(&self.duplicates, 20)
    }
}

/// Catches whatever breaks a promise while sessions are ended under load, and
/// transactions of callers commit late or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_with_slow_transactions_and_ended_sessions_is_legal() {
    let place = Place::fresh().await;
    let recorder = Recorder::new();
    let reached = Arc::new(Reached::default());
    let patience = Patience::new();
    let mut tasks = Vec::new();
    for n in 0..8 {
        let store = place.open().await;
        let store: Arc<dyn Store<i64>> = if n % 2 == 0 {
            Arc::new(store)
        } else {
            let pool = PgPool::connect(&place.url()).await.unwrap();
            Arc::new(Slow { store, pool })
        };
        let client = Client::new(&recorder, store);
        let reached = reached.clone();
        tasks.push(tokio::spawn(async move {
            let mut rng = fastrand::Rng::with_seed(n);
            while !reached.enough() {
                patience.check(&reached);
                let stream = name(&format!("s{}", rng.u32(0..3)));
                let mut entries = vec![client.recorder().entry()];
                if rng.bool() {
                    let key = format!("k{}", rng.u32(0..60));
                    entries.push(client.recorder().entry().with_key(key));
                }
                let expected = match rng.u32(0..4) {
                    0 => match client.stat(&stream).await {
                        Ok(stat) => Expected::Exactly(stat.map_or(0, |s| s.last_version)),
                        Err(_) => Expected::Any,
                    },
                    _ => Expected::Any,
                };
                match client.append(&stream, &entries, expected).await {
                    Ok(receipts) if receipts.iter().any(Receipt::is_duplicate) => {
                        reached.duplicates.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(e) if e.applied() == Applied::Unknown => {
                        reached.unknown.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {}
                }
                reached.appends.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for _ in 0..2 {
        let client = Client::new(&recorder, Arc::new(place.open().await));
        let reached = reached.clone();
        tasks.push(tokio::spawn(async move {
            let mut tail = client.tail(20);
            let stream = name("s0");
            let mut stream = client.stream_tail(&stream, 20);
            while !reached.enough() {
                if let Ok(page) = tail.next().await
                    && page.end == PageEnd::Undecided
                {
                    reached.undecided.fetch_add(1, Ordering::Relaxed);
                }
                let _ = stream.next().await;
            }
        }));
    }
    let mut killer = place.schema.database.connect().await.unwrap();
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%\"{}\".%' \
         AND state = 'active' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1",
        place.schema.name
    );
    while !reached.enough() {
        killer.execute(AssertSqlSafe(kill.clone())).await.unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    let store = place.open().await;
    let history = recorder.finish(&store).await.unwrap();
    let summary = check(&history, StoreOrder::Total).unwrap_or_else(|e| panic!("{e}"));
    println!("{summary:?}");
    assert!(summary.unknown_present + summary.unknown_absent > 0);
    assert!(summary.undecided_pages > 0 && summary.duplicates > 0);
}

/// Catches a group that loses an answer, acknowledges before its commit, or
/// tells somebody the wrong outcome when its session ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_of_groups_with_ended_sessions_is_legal() {
    let place = Place::fresh().await;
    let config = place.config.clone().with_max_connections(5);
    let store = PostgresStore::open_with(&place.url(), config)
        .await
        .unwrap();
    let load = Load::start(&store, &place.open().await, 24);
    let mut killer = place.schema.database.connect().await.unwrap();
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE query LIKE '%\"{}\".%' AND pid <> pg_backend_pid() \
         AND state IN ('active', 'idle in transaction') ORDER BY random() LIMIT 1",
        place.schema.name
    );
    let enough = |stats: GroupStats| {
        stats.unknown >= 3 && stats.statements >= 50 && stats.transactions >= 50
    };
    let patience = Patience::new();
    while !enough(store.group_stats()) {
        patience.check(store.group_stats());
        killer.execute(AssertSqlSafe(kill.clone())).await.unwrap();
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let stats = store.group_stats();
    let summary = load.check(&place.open().await).await;
    println!("{stats:?} {summary:?}");
    assert!(
        summary.duplicates > 0
            && summary.conflicts > 0
            && summary.unknown_present + summary.unknown_absent > 0,
        "not put to the test"
    );
}

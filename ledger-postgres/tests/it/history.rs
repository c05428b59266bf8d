//! The history checker, over what only this backend has: slow transactions of
//! the caller, roll-backs, and sessions that are ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ledger_core::{
    Batch, Capabilities, Error, Expected, Health, Kind, Page, Read, ReadAll, Receipts, Record,
    Result, Store, StoreOrder, StorePage, StreamName, StreamStat,
};
use ledger_postgres::PostgresStore;
use ledger_storetest::history::{Client, Recorder, check};
use sqlx::{AssertSqlSafe, Executor, PgPool};

use crate::support::{Place, name};

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

/// Catches whatever breaks a promise while sessions are ended under load, and
/// transactions of callers commit late or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_with_slow_transactions_and_ended_sessions_is_legal() {
    let place = Place::fresh().await;
    let recorder = Recorder::new();
    let end = Instant::now() + Duration::from_secs(4);
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
        tasks.push(tokio::spawn(async move {
            let mut rng = fastrand::Rng::with_seed(n);
            while Instant::now() < end {
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
                let _ = client.append(&stream, &entries, expected).await;
            }
        }));
    }
    for _ in 0..2 {
        let client = Client::new(&recorder, Arc::new(place.open().await));
        tasks.push(tokio::spawn(async move {
            let mut tail = client.tail(20);
            let stream = name("s0");
            let mut stream = client.stream_tail(&stream, 20);
            while Instant::now() < end {
                let _ = tail.next().await;
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
    while Instant::now() < end {
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
    assert!(
        summary.unknown_present + summary.unknown_absent > 0,
        "no session was ended in time"
    );
    assert!(
        summary.undecided_pages > 0 && summary.duplicates > 0,
        "not put to the test"
    );
}

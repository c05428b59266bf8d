//! Futures that are dropped, connections that are cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use ledger_core::{AllQuery, Applied, Query, ReadAll, Store};
use ledger_postgres::PostgresStore;
use ledger_testkit::Postgres;
use sqlx::Executor;

use crate::support::{
    Patience, Place, all_page, append, batch, entry, everything, keyed, name, page, scalar,
};

/// Catches a `BEGIN` cut in the middle, which poisons the connection of a
/// pool, and half a batch.
#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_dropped_futures_leave_a_pool_of_one_in_order() {
    let place = Place::fresh().await;
    let config = place.config.clone().with_max_connections(1);
    let store = PostgresStore::open_with(&place.url(), config)
        .await
        .unwrap();
    let mut rng = fastrand::Rng::with_seed(11);
    for n in 0..400_u32 {
        let micros = Duration::from_micros(rng.u64(0..1_500));
        let key = format!("k{}", n / 2);
        let sent = batch(vec![keyed(&key), entry("pair"), entry("pair")]);
        let stream = name(&format!("s{}", n % 5));
        let cut = async {
            match n % 4 {
                0 => drop(everything(&store).await),
                1 => drop(store.stat(&stream).await),
                _ => drop(store.append(&stream, sent).await),
            }
        };
        let _ = tokio::time::timeout(micros, cut).await;
    }
    append(&store, "s0", "after").await.unwrap();
    let idle = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' \
                AND query LIKE '%{s}%'";
    assert_eq!(scalar(&place, idle).await, 0);
    for n in 0..5 {
        let found = page(&store, &format!("s{n}"), Query::new().limit(10_000))
            .await
            .records;
        assert!(
            found
                .iter()
                .zip(1..)
                .all(|(r, version)| r.version == version)
        );
        // Whole batches: a pair, and the keyed one before it if it was new.
        let pairs = found
            .iter()
            .filter(|r| &*r.entry.payload == b"pair")
            .count();
        assert_eq!(pairs % 2, 0);
        let mut keys: Vec<_> = found
            .iter()
            .filter_map(|r| r.entry.dedup_key.clone())
            .collect();
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
    store.close().await.unwrap();
}

/// Catches a read that keeps the only connection while nobody polls it.
#[tokio::test]
async fn an_append_while_a_read_is_not_polled() {
    let place = Place::fresh().await;
    let config = place.config.clone().with_max_connections(1);
    let config = config.with_deadline(Duration::from_secs(5));
    let store = PostgresStore::open_with(&place.url(), config)
        .await
        .unwrap();
    append(&store, "a", "1").await.unwrap();
    let read = ReadAll::new(AllQuery::new(), store.limits()).unwrap();
    let mut unpolled = std::pin::pin!(store.read_all(&read));
    assert!((&mut unpolled).now_or_never().is_none());
    append(&store, "a", "2").await.unwrap();
    assert!(!unpolled.await.unwrap().records.is_empty());
}

/// Catches a lost connection that is reported as "not applied", and a retry on
/// the library's own account of what may have been applied.
#[tokio::test(flavor = "multi_thread")]
async fn terminated_backends_lose_no_acknowledged_entry_and_store_none_twice() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let unknown = Arc::new(AtomicU64::new(0));
    let writers = (0..6).map(|w| {
        let (store, unknown) = (store.clone(), unknown.clone());
        tokio::spawn(async move {
            let (mut acked, mut refused) = (Vec::new(), Vec::new());
            let patience = Patience::new();
            for n in 0.. {
                // Until a connection was cut while it mattered.
                if n >= 80 && unknown.load(Ordering::Relaxed) > 0 {
                    break;
                }
                patience.check(n);
                let text = format!("{w}-{n}");
                match append(&store, &format!("s{}", w % 3), &text).await {
                    Ok(receipts) => acked.push((receipts[0].id, text)),
                    Err(e) if e.applied() == Applied::Unknown => {
                        unknown.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(_) => refused.push(text),
                }
            }
            (acked, refused)
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut killer = place.schema.database.connect().await.unwrap();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE query LIKE '%\"{s}\".%' AND pid <> pg_backend_pid() \
                    AND state = 'active' ORDER BY random() LIMIT 1";
        let kill = kill.replace("{s}", &place.schema.name);
        killer.execute(sqlx::AssertSqlSafe(kill)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    let fresh = place.open().await;
    let all = everything(&fresh).await;
    let mut acks = 0;
    for writer in writers {
        let (acked, refused) = writer.await.unwrap();
        acks += acked.len();
        for ack in acked {
            assert!(all.contains(&ack), "{ack:?} was acknowledged");
        }
        for text in refused {
            assert!(!all.iter().any(|(_, t)| *t == text), "{text} was refused");
        }
    }
    let mut texts: Vec<_> = all.iter().map(|(_, text)| text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), all.len(), "stored twice");
    let unknown = unknown.load(Ordering::Relaxed);
    println!(
        "{acks} acknowledged, {unknown} unknown, {} stored",
        all.len()
    );
}

/// Catches a store that does not come back when the server does, and an
/// acknowledgement that a crash takes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_server_loses_nothing_and_the_handle_goes_on() {
    let server = Postgres::private(&[]).await.unwrap();
    let place = Place::on(&server).await.unwrap();
    let store = place.open().await;
    for n in 0..20 {
        append(&store, "a", &n.to_string()).await.unwrap();
    }
    let before = all_page(&store, AllQuery::new().limit(10)).await;
    server.crash().await.unwrap();
    let after = all_page(&store, AllQuery::new().after(before.next)).await;
    assert_eq!(after.records.len(), 10);
    assert_eq!(append(&store, "a", "after").await.unwrap()[0].version, 21);
}

/// Catches a call that goes on after `close`, and a pool of the application
/// that is closed with the store.
#[tokio::test(flavor = "multi_thread")]
async fn close_waits_for_appends_and_leaves_the_pool_of_the_application() {
    let place = Place::fresh().await;
    let pool = sqlx::PgPool::connect(&place.url()).await.unwrap();
    let store = PostgresStore::with_pool(pool.clone(), place.config.clone())
        .await
        .unwrap();
    let running: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { append(&store, "a", &n.to_string()).await })
        })
        .collect();
    append(&store, "a", "first").await.unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    let mut stored = 1;
    for append in running {
        match append.await.unwrap() {
            Ok(_) => stored += 1,
            Err(e) => assert_eq!(*e.kind(), ledger_core::Kind::Closed),
        }
    }
    assert!(append(&store, "a", "late").await.is_err());
    assert!(!pool.is_closed());
    assert_eq!(
        scalar(&place, "SELECT count(*) FROM {s}.ledger_entries").await,
        stored
    );
}

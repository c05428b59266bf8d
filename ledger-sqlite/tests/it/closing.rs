//! The end of a handle.

use futures_util::FutureExt;
use futures_util::future::join_all;
use ledger_core::{AllQuery, Kind, Limits, ListStreams, Query, ReadAll, Store};

use crate::helpers::{Patience, Place, S, append, everything, kind, read};

/// Catches a close that cuts what is queued, one that closes a single clone,
/// and calls that get through to a closed pool.
#[tokio::test(flavor = "multi_thread")]
async fn close_waits_for_appends_and_then_every_call_answers_closed() {
    let place = Place::new();
    let store = place.open().await;
    let running: Vec<_> = (0..200)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { append(&store, &S, &n.to_string()).await })
        })
        .collect();
    append(&store, &S, "before").await.unwrap();
    let clone = store.clone();
    store.close().await.unwrap();
    let mut acknowledged = 1;
    for answer in join_all(running).await {
        match answer.unwrap() {
            Ok(_) => acknowledged += 1,
            Err(e) => assert_eq!(*e.kind(), Kind::Closed),
        }
    }

    let limits = &Limits::TABLE;
    let head = place.open().await.store_head().await.unwrap();
    let all = ReadAll::new(AllQuery::new().after(head), limits).unwrap();
    for store in [store, clone] {
        assert_eq!(kind(append(&store, &S, "x").await), Kind::Closed);
        assert_eq!(kind(read(&store, &S, Query::new()).await), Kind::Closed);
        assert_eq!(kind(store.read_all(&all).await), Kind::Closed);
        assert_eq!(kind(store.store_head().await), Kind::Closed);
        assert_eq!(
            kind(store.cursor_after(&all, &[(S.clone(), 1)])),
            Kind::Closed
        );
        assert_eq!(
            kind(
                store
                    .list(&ListStreams::new(None, 1, limits).unwrap())
                    .await
            ),
            Kind::Closed
        );
        assert_eq!(kind(store.stat(&S).await), Kind::Closed);
        assert_eq!(kind(store.trim(&S, &1).await), Kind::Closed);
        assert_eq!(kind(store.health().await), Kind::Closed);
        store.close().await.unwrap();
    }
    assert_eq!(
        everything(&place.open().await, &S).await.len(),
        acknowledged
    );
}

/// Catches a second close that does not wait for the first.
#[tokio::test(flavor = "multi_thread")]
async fn two_closes_at_once_both_wait() {
    let place = Place::new();
    let store = place.open().await;
    let clone = store.clone();
    let appending = tokio::spawn({
        let store = store.clone();
        async move { append(&store, &S, "1").await }
    });
    let (one, two) = tokio::join!(store.close(), clone.close());
    one.unwrap();
    two.unwrap();
    let _ = appending.await.unwrap();
    // With the last connection the write-ahead log is gone.
    assert!(!place.dir.path().join("test.db-wal").exists());
}

/// Catches a store whose accepted appends die with the last handle.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_committed_after_all_handles_are_dropped() {
    let place = Place::new();
    let store = place.open().await;
    for n in 0..100 {
        let mut appending = Box::pin(append(&store, &S, "x"));
        // Polled once, it is in the queue.
        assert!((&mut appending).now_or_never().is_none(), "{n}");
    }
    drop(store);
    let store = place.open().await;
    let patience = Patience::new();
    loop {
        let there = everything(&store, &S).await.len();
        if there == 100 {
            return;
        }
        patience.check(there);
        tokio::time::sleep(crate::helpers::millis(10)).await;
    }
}

/// Catches a health that fails instead of telling, or that says yes to a store
/// that cannot work.
#[tokio::test]
async fn health_tells_what_is_broken() {
    let place = Place::new();
    let store = place.open().await;
    let health = store.health().await.unwrap();
    assert!(health.ok, "{health:?}");
    let pool = place.pool(1).await;
    sqlx::raw_sql("DROP TABLE ledger_streams")
        .execute(&pool)
        .await
        .unwrap();
    let health = store.health().await.unwrap();
    assert!(!health.ok, "{health:?}");
    assert_eq!(kind(append(&store, &S, "x").await), Kind::Corrupt);
}

/// Catches calls that wait for ever, or claim success, after the runtime that
/// the writer lived in is gone.
#[test]
fn the_end_of_the_runtime_is_told_apart_from_a_close() {
    let place = Place::new();
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let store = first.block_on(place.open());
    drop(first);
    let error = runtime().block_on(append(&store, &S, "x")).unwrap_err();
    assert_eq!(*error.kind(), Kind::Unavailable);
    assert_eq!(error.applied(), ledger_core::Applied::No);
}

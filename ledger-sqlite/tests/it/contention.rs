//! Others that hold the write lock.

use futures_util::future::join_all;
use ledger_core::{Applied, Kind, Retry, Store};
use sqlx::Connection;

use crate::helpers::{Place, S, append, everything, kind, millis, within_a_minute};

/// Catches an instant BUSY, an append reported as not applied that appears
/// later, and one that waits beyond its deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_until_the_deadline_is_contention_and_the_append_never_appears() {
    let place = Place::new();
    let store = place.open().await;
    let pool = place.pool(1).await;
    let mut other = pool.acquire().await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let short = store.with_deadline(millis(1_000)).unwrap();
    let patient = tokio::spawn({
        let store = store.clone();
        async move { append(&store, &S, "patient").await }
    });
    // Those that wait for the lock wait for ever.
    let refused = join_all((0..10).map(|_| append(&short, &S, "refused")));
    for refused in within_a_minute(refused).await {
        let error = refused.unwrap_err();
        assert_eq!(*error.kind(), Kind::Contention);
        assert_eq!((error.applied(), error.retry()), (Applied::No, Retry::Call));
        assert!(
            error.to_string().contains("own write transaction"),
            "{error}"
        );
    }
    assert_eq!(kind(short.trim(&S, &1).await), Kind::Contention);
    lock.rollback().await.unwrap();
    assert_eq!(patient.await.unwrap().unwrap().last_version(), Some(1));
    tokio::time::sleep(millis(200)).await;
    assert_eq!(everything(&store, &S).await.len(), 1);
}

/// Catches readers that wait for writers.
#[tokio::test]
async fn reading_goes_on_while_another_connection_writes() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, &S, "1").await.unwrap();
    let pool = place.pool(1).await;
    let mut other = pool.acquire().await.unwrap();
    let _lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let short = store.with_deadline(millis(10_000)).unwrap();
    assert_eq!(everything(&short, &S).await.len(), 1);
    assert!(short.health().await.unwrap().ok);
}

/// Catches an opening that fails because another one is creating the tables,
/// and two openings that create two stores.
#[tokio::test(flavor = "multi_thread")]
async fn many_openings_of_a_fresh_file_end_in_one_store() {
    for _ in 0..5 {
        let place = Place::new();
        let stores = join_all((0..8).map(|_| {
            let file = place.file();
            tokio::spawn(ledger_sqlite::SqliteStore::open(file))
        }))
        .await;
        let mut heads = Vec::new();
        for store in stores {
            heads.push(store.unwrap().unwrap().store_head().await.unwrap());
        }
        assert!(heads.windows(2).all(|two| two[0] == two[1]));
    }
}

/// Catches a deadline that is not the deadline of the opening.
#[tokio::test]
async fn an_opening_that_has_to_wait_ends_at_its_deadline() {
    let place = Place::new();
    let pool = place.pool(1).await;
    let mut other = pool.acquire().await.unwrap();
    let _lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let options = ledger_sqlite::SqliteOptions::new().with_deadline(millis(200));
    let refused = ledger_sqlite::SqliteStore::open_with(place.file(), options);
    assert_eq!(kind(within_a_minute(refused).await), Kind::Contention);
}

//! The application's own database and pool.

use futures_util::TryStreamExt;
use ledger_core::{Identifier, Kind, Query, Store, StoreExt};
use ledger_sqlite::{SqliteOptions, SqliteStore};

use crate::helpers::{Place, S, append, everything, kind, millis};

/// Catches a reader that keeps the only connection while the loop body waits
/// for an append, and a writer that keeps it between groups.
#[tokio::test]
async fn appending_while_paging_works_with_a_pool_of_one() {
    let place = Place::new();
    let pool = place.pool(1).await;
    let store = SqliteStore::with_pool(pool.clone(), SqliteOptions::new())
        .await
        .unwrap();
    let store = store.with_deadline(millis(5_000)).unwrap();
    let numbers = store.stream::<u64>("numbers");
    for n in 0..50 {
        numbers.append(n).await.unwrap();
    }
    let copies = store.stream::<u64>("copies");
    let mut entries = Box::pin(numbers.entries(Query::new()));
    while let Some(entry) = entries.try_next().await.unwrap() {
        copies.append(entry.value).await.unwrap();
        sqlx::query("SELECT 1").execute(&pool).await.unwrap();
    }
    assert_eq!(copies.read(Query::new()).await.unwrap().len(), 50);
}

/// Catches a close that takes the application's pool along, and one that does
/// not close the handle.
#[tokio::test]
async fn closing_the_store_leaves_the_pool_open() {
    let place = Place::new();
    let pool = place.pool(2).await;
    let store = SqliteStore::with_pool(pool.clone(), SqliteOptions::new())
        .await
        .unwrap();
    append(&store, &S, "1").await.unwrap();
    store.close().await.unwrap();
    assert_eq!(kind(append(&store, &S, "2").await), Kind::Closed);
    sqlx::query("SELECT count(*) FROM ledger_entries")
        .execute(&pool)
        .await
        .unwrap();
}

/// Catches tables that collide: with the application's, or of two stores.
#[tokio::test]
async fn a_database_is_shared_with_the_application_and_another_store() {
    let place = Place::new();
    let pool = place.pool(4).await;
    sqlx::raw_sql("CREATE TABLE entries (x); INSERT INTO entries VALUES (1)")
        .execute(&pool)
        .await
        .unwrap();
    let open = |prefix| {
        let options = SqliteOptions::new().with_prefix(Identifier::prefix(prefix).unwrap());
        SqliteStore::with_pool(pool.clone(), options)
    };
    let (a, b) = (open("a").await.unwrap(), open("select").await.unwrap());
    append(&a, &S, "1").await.unwrap();
    append(&b, &S, "2").await.unwrap();
    assert_eq!(everything(&a, &S).await[0].entry.payload, "1");
    assert_eq!(everything(&b, &S).await[0].entry.payload, "2");
    // A cursor of one is not one of the other.
    let cursor = a.store_head().await.unwrap();
    let query = ledger_core::AllQuery::new().after(cursor);
    let query = ledger_core::ReadAll::new(query, b.limits()).unwrap();
    assert_eq!(kind(b.read_all(&query).await), Kind::InvalidCursor);
    sqlx::query("DELETE FROM entries")
        .execute(&pool)
        .await
        .unwrap();
}

/// Catches a call that waits for ever for itself, and an error that does not
/// tell why.
#[tokio::test]
async fn waiting_for_oneself_ends_at_the_deadline_with_the_reason() {
    let place = Place::new();
    let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(2);
    let pool = options
        .connect_with(place.connect().busy_timeout(millis(100)))
        .await
        .unwrap();
    let store = SqliteStore::with_pool(pool.clone(), SqliteOptions::new())
        .await
        .unwrap();
    let short = store.with_deadline(millis(1_000)).unwrap();
    let own = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = append(&short, &S, "x").await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Contention);
    assert!(
        error.to_string().contains("own write transaction"),
        "{error}"
    );
    own.rollback().await.unwrap();

    let (one, two) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    let error = append(&short, &S, "x").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.applied()),
        (&Kind::Unavailable, ledger_core::Applied::No)
    );
    assert!(error.to_string().contains("pool"), "{error}");
    let read = crate::helpers::read(&short, &S, Query::new()).await;
    assert_eq!(kind(read), Kind::Timeout);
    drop((one, two));
    append(&store, &S, "y").await.unwrap();
    assert_eq!(everything(&store, &S).await.len(), 1);
}

//! A database that may not grow.

use ledger_core::{Applied, Kind};
use ledger_sqlite::{SqliteOptions, SqliteStore};
use sqlx::sqlite::SqlitePoolOptions;

use crate::helpers::{Place, S, batch, entry, everything};
use ledger_core::Store;

/// Catches half a batch that stays, reads that stop working, an error that
/// leaves the outcome open, and a store that does not recover.
#[tokio::test]
async fn a_full_database_refuses_appends_whole_and_works_again_with_space() {
    let place = Place::new();
    let options = SqlitePoolOptions::new().max_connections(1);
    let pool = options
        .connect_with(place.connect().pragma("max_page_count", "40"))
        .await
        .unwrap();
    let store = SqliteStore::with_pool(pool.clone(), SqliteOptions::new())
        .await
        .unwrap();
    let three = || batch((0..3).map(|_| entry(vec![1; 5_000])));
    let mut appended = 0;
    let error = loop {
        match store.append(&S, three()).await {
            Ok(_) => appended += 3,
            Err(e) => break e,
        }
        assert!(appended < 100);
    };
    assert_eq!(
        (error.kind(), error.applied()),
        (&Kind::DiskFull, Applied::No)
    );
    let found = everything(&store, &S).await;
    assert_eq!(found.len(), appended);
    assert!(store.append(&S, three()).await.is_err());

    sqlx::raw_sql("PRAGMA max_page_count = 4000")
        .execute(&pool)
        .await
        .unwrap();
    let receipts = store.append(&S, three()).await.unwrap();
    assert_eq!(receipts[0].version, appended as u64 + 1);
    assert_eq!(everything(&store, &S).await.len(), appended + 3);
}

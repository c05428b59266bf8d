//! The write-ahead log beside readers.

use futures_util::TryStreamExt;
use ledger_core::{Query, Store, StoreExt};
use ledger_sqlite::SqliteStore;

use crate::helpers::{Patience, Place, S, batch, entry};

const MEGABYTE: u64 = 1 << 20;
/// What the log is cut to when it begins anew.
const LIMIT: u64 = 64 * MEGABYTE;

fn size(place: &Place) -> u64 {
    let log = place.dir.path().join("test.db-wal");
    std::fs::metadata(log).map_or(0, |log| log.len())
}

async fn write(store: &SqliteStore, megabytes: u64) {
    for _ in 0..megabytes {
        let large = batch([entry(vec![1; 1 << 20])]);
        store.append(&S, large).await.unwrap();
    }
}

/// Catches reads of ours that keep the log from being used again.
#[tokio::test(flavor = "multi_thread")]
async fn our_own_paging_never_pins_the_log() {
    let place = Place::new();
    let store = place.open().await;
    let numbers = store.stream::<u64>("numbers");
    numbers.append_all(0..5_000).await.unwrap();
    // Halfway through a stream, and never polled again.
    let mut paging = Box::pin(numbers.entries(Query::new()));
    paging.try_next().await.unwrap();
    write(&store, 40).await;
    assert!(size(&place) < 20 * MEGABYTE, "{}", size(&place));
    paging.try_next().await.unwrap();
}

/// Catches a log that stays as large as a long reader made it, and tells what
/// a transaction that an application leaves open costs.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_that_a_long_reader_made_grow_is_cut_after_its_end() {
    let place = Place::new();
    let store = place.open().await;
    write(&store, 1).await;
    let pool = place.pool(1).await;
    let mut long = pool.begin().await.unwrap();
    let look = sqlx::query("SELECT count(*) FROM ledger_entries");
    look.execute(&mut *long).await.unwrap();
    write(&store, 72).await;
    assert!(size(&place) > LIMIT + 4 * MEGABYTE, "{}", size(&place));
    long.rollback().await.unwrap();
    let patience = Patience::new();
    // One commit copies the log into the file, the next begins it anew.
    while size(&place) > LIMIT {
        patience.check(size(&place));
        write(&store, 1).await;
    }
    let cut = size(&place);
    write(&store, 20).await;
    assert!(size(&place) <= cut.max(LIMIT), "{}", size(&place));
}

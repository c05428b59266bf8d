//! What is kept in the file, and what a clock may do.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger_core::backend::Clock;
use ledger_core::{AllQuery, Expected, Kind, Limits, Query, ReadAll, Store, Timestamp};
use ledger_sqlite::SqliteOptions;

use crate::helpers::{Place, S, append, batch, entry, everything, ids, kind, name, read};

/// Catches ids taken from the greatest one present, which restart after a trim
/// of the newest entry and hide what follows from a reader that has passed
/// them.
#[tokio::test]
async fn ids_and_versions_go_on_after_a_trim_of_everything_and_a_reopening() {
    let place = Place::new();
    let store = place.open().await;
    store
        .append(&S, batch([entry("1"), entry("2"), entry("3")]))
        .await
        .unwrap();
    assert_eq!(store.trim(&S, &i64::MAX).await.unwrap(), 3);
    let cursor = store.store_head().await.unwrap();
    store.close().await.unwrap();

    let store = place.open().await;
    let stat = store.stat(&S).await.unwrap().unwrap();
    assert_eq!(
        (stat.first, stat.last, stat.last_version, stat.retained),
        (None, None, 3, 0)
    );
    let receipt = append(&store, &S, "4").await.unwrap()[0];
    assert_eq!((receipt.id, receipt.version), (4, 4));
    assert_eq!(
        ids(&read(&store, &S, Query::new().after(3)).await.unwrap()),
        [4]
    );
    let all = ReadAll::new(AllQuery::new().after(cursor), &Limits::TABLE).unwrap();
    assert_eq!(store.read_all(&all).await.unwrap().records.len(), 1);
}

/// Catches heads, keys or the identity of the store kept in memory.
#[tokio::test]
async fn heads_keys_and_cursors_survive_a_reopening() {
    let place = Place::new();
    let store = place.open().await;
    let keyed = |payload: &str| batch([entry(payload).with_dedup_key("k")]);
    store.append(&S, keyed("1")).await.unwrap();
    let (head, written) = (
        store.store_head().await.unwrap(),
        everything(&store, &S).await,
    );
    // Dropped, not closed.
    drop(store);

    let store = place.open().await;
    assert_eq!(everything(&store, &S).await, written);
    assert_eq!(store.store_head().await.unwrap(), head);
    let repeated = store
        .append(&S, keyed("1").with_expected(Expected::NoStream))
        .await
        .unwrap();
    assert!(repeated[0].is_duplicate());
    let verified = keyed("other").with_verified_duplicates(true);
    let mismatch = Kind::DedupMismatch {
        index: 0,
        original: Some(1),
    };
    assert_eq!(kind(store.append(&S, verified).await), mismatch);
    let same = keyed("1").with_verified_duplicates(true);
    assert!(store.append(&S, same).await.unwrap()[0].is_duplicate());
    let conflict = Kind::Conflict {
        expected: Expected::Exactly(5),
        actual: 1,
    };
    assert_eq!(
        kind(store.append(&S, batch([entry("x")]).with_expected(5)).await),
        conflict
    );

    // The key is free once its entry is gone.
    store.trim(&S, &1).await.unwrap();
    assert!(!store.append(&S, keyed("1")).await.unwrap()[0].is_duplicate());
}

#[derive(Debug)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// Catches times that follow a clock back, and clamping that forgets the last
/// time after a trim or a reopening, or mixes up streams.
#[tokio::test]
async fn a_clock_that_runs_backwards_takes_no_stream_with_it() {
    let place = Place::new();
    let clock = Arc::new(Hands(AtomicI64::new(1_000)));
    let options = || SqliteOptions::new().with_clock(clock.clone());
    let store = place.open_with(options()).await;
    append(&store, &S, "1").await.unwrap();
    clock.0.store(400, Ordering::SeqCst);
    append(&store, &S, "2").await.unwrap();
    let times = |records: Vec<ledger_core::Record<i64>>| -> Vec<i64> {
        records.iter().map(|r| r.recorded_at.as_micros()).collect()
    };
    assert_eq!(times(everything(&store, &S).await), [1_000, 1_000]);
    store.trim(&S, &2).await.unwrap();
    store.close().await.unwrap();

    let store = place.open_with(options()).await;
    append(&store, &S, "3").await.unwrap();
    append(&store, &name("other"), "1").await.unwrap();
    assert_eq!(times(everything(&store, &S).await), [1_000]);
    assert_eq!(times(everything(&store, &name("other")).await), [400]);
}

//! Futures that are dropped.

use futures_util::FutureExt;
use ledger_core::{Query, Store};

use crate::helpers::{Place, S, append, batch, entry, everything, millis, read};

/// Catches half batches, gaps, a lock that a dropped append left behind, and a
/// writer that dies with its caller.
#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_dropped_appends_leave_whole_batches_and_a_working_store() {
    let place = Place::new();
    let store = place.open().await;
    let mut retried = 0;
    for n in 0..400u64 {
        let key = format!("k{n}");
        let three = || {
            let entries = (0..3).map(|i| entry(format!("{n}.{i}")));
            batch(
                entries
                    .enumerate()
                    .map(|(i, e)| e.with_dedup_key(format!("{key}.{i}"))),
            )
        };
        let appending = store.append(&S, three());
        let micros = n * 7 % 1500;
        if tokio::time::timeout(std::time::Duration::from_micros(micros), appending)
            .await
            .is_err()
            && n % 2 == 0
        {
            let receipts = store.append(&S, three()).await.unwrap();
            assert!(receipts.appended() == 0 || receipts.appended() == 3);
            retried += 1;
        }
    }
    assert!(retried > 0);
    append(&store, &S, "last").await.unwrap();
    let found = everything(&store, &S).await;
    let versions: Vec<u64> = found.iter().map(|r| r.version).collect();
    assert_eq!(versions, (1..=found.len() as u64).collect::<Vec<_>>());
    let (batches, last) = found.split_at(found.len() - 1);
    assert_eq!(&last[0].entry.payload[..], b"last");
    for three in batches.chunks(3) {
        let texts: Vec<_> = three
            .iter()
            .map(|r| String::from_utf8_lossy(&r.entry.payload))
            .collect();
        let of = texts[0].split('.').next().unwrap();
        assert_eq!(
            texts,
            [format!("{of}.0"), format!("{of}.1"), format!("{of}.2")]
        );
    }
}

/// Catches a read that keeps its connection while nobody polls it, and a
/// dropped one that never gives it back.
#[tokio::test(flavor = "multi_thread")]
async fn unpolled_and_dropped_reads_hold_nothing() {
    let place = Place::new();
    let options = ledger_sqlite::SqliteOptions::new().with_readers(1);
    let store = place.open_with(options).await;
    let many = (0..2000).map(|_| entry(vec![1; 2000]));
    store.append(&S, batch(many)).await.unwrap();
    let mut sleeping = Box::pin(read(&store, &S, Query::new().limit(2000)));
    assert!((&mut sleeping).now_or_never().is_none());
    let short = store.with_deadline(millis(30_000)).unwrap();
    for _ in 0..200 {
        let dropped = read(&short, &S, Query::new().limit(2000));
        let _ = tokio::time::timeout(std::time::Duration::from_micros(300), dropped).await;
    }
    assert_eq!(
        read(&short, &S, Query::new()).await.unwrap().records.len(),
        100
    );
    assert_eq!(sleeping.await.unwrap().records.len(), 2000);
}

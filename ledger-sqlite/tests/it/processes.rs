//! Several handles and several processes on one file.

use futures_util::future::join_all;
use ledger_core::{Kind, Record, Store};
use ledger_sqlite::SqliteStore;

use crate::children::{Ack, Writing};
use crate::helpers::{Patience, Place, S, append, batch, entry, everything};

/// Every pair is there as a whole, what was acknowledged at its place, and
/// nothing twice.
fn check(found: &[Record<i64>], acks: &[Ack]) {
    let in_order =
        |(record, n): (&Record<i64>, i64)| (record.version, record.id) == (n.cast_unsigned(), n);
    assert!(found.iter().zip(1..).all(in_order));
    let mut pairs = std::collections::HashSet::new();
    for two in found.chunks(2) {
        assert!(two.len() == 2 && two[0].entry == two[1].entry, "{two:?}");
        assert!(pairs.insert(&two[0].entry.payload), "twice: {two:?}");
    }
    for (payload, id) in acks {
        let record = &found[usize::try_from(id - 1).unwrap()];
        assert_eq!(record.entry.payload, payload);
    }
}

async fn integrity(place: &Place) -> String {
    let pool = place.pool(1).await;
    let check = sqlx::query("PRAGMA integrity_check").fetch_all(&pool).await;
    sqlx::Row::get(&check.unwrap()[0], 0)
}

/// Catches heads that are cached between groups, an instant BUSY, a process
/// that starves until the deadline, and two that create the same file at once
/// and end up with two stores.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_saturate_one_file_all_get_on_and_lose_nothing() {
    let place = Place::new();
    let mut writers: Vec<_> = (0..2).map(|_| Writing::start(&place.file(), 8)).collect();
    for writer in &mut writers {
        writer.wait_for(1).await;
    }
    // From here on both write without a pause, and we with them.
    let store = place.open().await;
    let already: Vec<_> = writers.iter().map(Writing::acknowledged).collect();
    for n in 0..20 {
        let two = batch([entry(format!("here-{n}")), entry(format!("here-{n}"))]);
        store.append(&S, two).await.unwrap();
    }
    for (writer, already) in writers.iter_mut().zip(already) {
        writer.wait_for(already + 200).await;
    }
    let acks: Vec<_> = writers.into_iter().flat_map(Writing::end).collect();
    let found = everything(&store, &S).await;
    // What a process was not told of is not there either: none of them failed.
    assert_eq!(found.len(), 2 * (20 + acks.len()));
    check(&found, &acks);
    assert_eq!(integrity(&place).await, "ok");
}

/// How often a process is killed; LEDGER_LONG=1 does it more often.
fn kills() -> usize {
    match std::env::var_os("LEDGER_LONG") {
        Some(_) => 200,
        None => 12,
    }
}

/// Catches an acknowledgement before the commit, half a batch after a kill,
/// and a file that is damaged by one.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_had_acknowledged_is_there() {
    let place = Place::new();
    place.open().await.close().await.unwrap();
    let (mut acks, mut unknown) = (Vec::new(), 0);
    let patience = Patience::new();
    for round in 0.. {
        let mut writer = Writing::start(&place.file(), 4);
        // Killed after another number of appends each time.
        writer.wait_for(1 + round * 7 % 23).await;
        acks.extend(writer.kill());
        let store = SqliteStore::open_existing(place.file()).await.unwrap();
        let found = everything(&store, &S).await;
        check(&found, &acks);
        unknown = found.len() / 2 - acks.len();
        store.close().await.unwrap();
        // Some kill has to hit a commit that nobody was told of.
        if round >= kills() && unknown > 0 {
            break;
        }
        if round >= kills() {
            patience.check(unknown);
        }
    }
    println!("{} acknowledged, {unknown} of unknown outcome", acks.len());
    assert_eq!(integrity(&place).await, "ok");
    let store = SqliteStore::open_existing(place.file()).await.unwrap();
    append(&store, &S, "after").await.unwrap();
}

/// Catches an expected version that is checked outside the write lock.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_handles_that_expect_the_same_version_one_wins() {
    let place = Place::new();
    let handles = join_all((0..4).map(|_| place.open())).await;
    for version in 0..20u64 {
        let tries = handles.iter().map(|store| {
            let entry = batch([entry("x")]).with_expected(version);
            store.append(&S, entry)
        });
        let mut won = 0;
        for tried in join_all(tries).await {
            match tried {
                Ok(_) => won += 1,
                Err(e) => {
                    assert!(matches!(e.kind(), Kind::Conflict { actual, .. } if *actual > version));
                }
            }
        }
        assert_eq!(won, 1, "version {version}");
    }
}

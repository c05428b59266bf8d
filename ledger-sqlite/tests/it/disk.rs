//! A disk that is full, and one that fails while a commit is written. Both are
//! real: a small file system of its own, and a limit on the size of files.

use ledger_core::{Applied, Error, Kind, Store};
use ledger_sqlite::SqliteStore;
use ledger_testkit::World;
use sqlx::Connection;

use crate::helpers::{Place, S, batch, entry, everything};

/// Appends pairs until one is refused; what was acknowledged is counted.
async fn until_refused(store: &SqliteStore, acknowledged: &mut u64) -> Error {
    loop {
        let two = batch([entry(vec![1; 9_000]), entry(vec![2; 9_000])]);
        match store.append(&S, two).await {
            Ok(receipts) => {
                *acknowledged += 1;
                assert_eq!(receipts[1].version, 2 * *acknowledged);
            }
            Err(error) => return error,
        }
        assert!(*acknowledged < 10_000, "never refused");
    }
}

/// Catches half a batch that stays, an outcome that is left open although it
/// is known, reads that stop working, and a store that does not recover.
#[test]
fn a_full_disk_refuses_appends_whole_and_they_go_on_with_space() {
    let place = Place::new();
    let Some(said) = World::SmallDisk(3 * 1024).run("disk::full", place.dir.path()) else {
        return;
    };
    assert!(said.contains("acknowledged "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests, in a process of its own"]
async fn full() {
    let Some(directory) = World::folder() else {
        return;
    };
    let filler = directory.join("filler");
    std::fs::write(&filler, vec![0; 1 << 20]).unwrap();
    let file = directory.join("test.db");
    let store = SqliteStore::open(&file).await.unwrap();
    let mut acknowledged = 0;
    for _ in 0..3 {
        let error = until_refused(&store, &mut acknowledged).await;
        let said = (error.kind(), error.applied());
        assert_eq!(said, (&Kind::DiskFull, Applied::No), "{error:?}");
        let there = everything(&store, &S).await.len();
        assert_eq!(there as u64, 2 * acknowledged);
    }
    let before = acknowledged;
    std::fs::remove_file(&filler).unwrap();
    until_refused(&store, &mut acknowledged).await;
    assert!(acknowledged > before + 10, "{before} {acknowledged}");
    println!("acknowledged {before}, then {acknowledged}");
    store.close().await.unwrap();
    let mut conn = sqlx::SqliteConnection::connect(file.to_str().unwrap())
        .await
        .unwrap();
    let check = sqlx::query_scalar::<_, String>("PRAGMA integrity_check");
    assert_eq!(check.fetch_one(&mut conn).await.unwrap(), "ok");
}

/// Catches an I/O error in a commit that is reported as not applied, or is
/// repeated, and a store that takes no appends any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_in_the_file_is_unknown_and_the_store_goes_on() {
    let place = Place::new();
    let Some(said) = World::SmallFiles(512).run("disk::limited", place.dir.path()) else {
        return;
    };
    let number = |of: &str| -> u64 {
        let found = said.lines().find_map(|line| line.strip_prefix(of));
        found.unwrap_or_else(|| panic!("{said}")).parse().unwrap()
    };
    let (acknowledged, unknown) = (number("acknowledged "), number("unknown "));
    println!("{acknowledged} acknowledged, {unknown} unknown");
    let store = place.open().await;
    let found = everything(&store, &S).await;
    let pairs = found.len() as u64 / 2;
    assert!(
        (acknowledged..=acknowledged + unknown).contains(&pairs),
        "{acknowledged} {unknown} {pairs}"
    );
    for (two, n) in found.chunks(2).zip(0..) {
        let versions: Vec<_> = two.iter().map(|record| record.version).collect();
        assert_eq!(versions, [2 * n + 1, 2 * n + 2]);
    }
    let two = batch([entry("after"), entry("after")]);
    store.append(&S, two).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests, in a process of its own"]
async fn limited() {
    let Some(directory) = World::folder() else {
        return;
    };
    let store = SqliteStore::open(directory.join("test.db")).await.unwrap();
    let (mut acknowledged, mut unknown) = (0, 0);
    while unknown < 3 {
        let error = until_refused(&store, &mut acknowledged).await;
        assert_eq!(*error.kind(), Kind::Io, "{error:?}");
        assert_eq!(error.applied(), Applied::Unknown, "{error:?}");
        unknown += 1;
        let there = everything(&store, &S).await.len() as u64;
        // Where it was applied after all, it counts from here on.
        assert!(there == 2 * acknowledged || there == 2 * (acknowledged + 1));
        acknowledged = there / 2;
    }
    println!("\nacknowledged {acknowledged}\nunknown {unknown}");
}

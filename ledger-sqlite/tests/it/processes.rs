//! Several handles and several processes on one file.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use futures_util::future::join_all;
use ledger_core::{Kind, Store};
use ledger_sqlite::SqliteStore;

use crate::helpers::{Place, S, append, batch, entry, everything, millis};

/// Each of these appends as one of several; the names of the variables are
/// their parameters.
const FILE: &str = "LEDGER_SQLITE_TEST_FILE";
const APPENDS: &str = "LEDGER_SQLITE_TEST_APPENDS";

/// Not a test of its own: what the other processes run. Prints what was
/// acknowledged.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests, in a process of its own"]
async fn child() {
    let Ok(file) = std::env::var(FILE) else {
        return;
    };
    let count: u64 = std::env::var(APPENDS).unwrap().parse().unwrap();
    let store = SqliteStore::open(file).await.unwrap();
    for n in 0..count {
        let payload = format!("{}-{n}", std::process::id());
        let two = batch([entry(payload.clone()), entry(payload.clone())]);
        let receipts = store.append(&S, two).await.unwrap();
        println!("\nack {payload} {}", receipts[0].id);
    }
}

fn spawn(place: &Place, appends: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::child", "--ignored", "--nocapture"])
        .env(FILE, place.file())
        .env(APPENDS, appends.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a process acknowledged.
fn acknowledged(child: &mut Child) -> Vec<(String, i64)> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acks = lines.map_while(Result::ok).filter_map(|line| {
        let (payload, id) = line.strip_prefix("ack ")?.split_once(' ')?;
        // The last line of a killed process may be cut.
        Some((payload.to_owned(), id.parse().ok()?))
    });
    acks.collect()
}

/// Catches heads that are cached between groups, an instant BUSY, and two
/// processes that create the same file at once and end up with two stores.
#[tokio::test(flavor = "multi_thread")]
async fn processes_take_turns_and_lose_nothing() {
    let place = Place::new();
    let mut children: Vec<_> = (0..3).map(|_| spawn(&place, 60)).collect();
    let store = place.open().await;
    for n in 0..60 {
        append(&store, &S, &format!("here-{n}")).await.unwrap();
    }
    let mut acks = Vec::new();
    for child in &mut children {
        acks.extend(acknowledged(child));
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(acks.len(), 180);
    let found = everything(&store, &S).await;
    assert_eq!(found.len(), 60 + 2 * 180);
    assert!(
        found
            .iter()
            .zip(1..)
            .all(|(record, version)| record.version == version)
    );
    for (payload, id) in acks {
        let record = found.iter().find(|r| r.id == id).unwrap();
        assert_eq!(record.entry.payload, payload);
    }
}

/// Catches an acknowledgement before the commit, half a batch after a kill,
/// and a file that is damaged by one.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_had_acknowledged_is_there() {
    let place = Place::new();
    place.open().await.close().await.unwrap();
    let mut acks = Vec::new();
    for round in 0..20 {
        let mut child = spawn(&place, 1_000_000);
        tokio::time::sleep(millis(100 + round * 83 % 211)).await;
        child.kill().unwrap();
        acks.extend(acknowledged(&mut child));
        child.wait().unwrap();
    }
    assert!(acks.len() > 8, "{}", acks.len());
    let store = SqliteStore::open_existing(place.file()).await.unwrap();
    let found = everything(&store, &S).await;
    assert!(
        found
            .iter()
            .zip(1..)
            .all(|(record, version)| record.version == version)
    );
    assert!(
        found
            .chunks(2)
            .all(|two| two.len() == 2 && two[0].entry == two[1].entry)
    );
    for (payload, id) in acks {
        let record = found.iter().find(|r| r.id == id).unwrap();
        assert_eq!(record.entry.payload, payload);
    }
    append(&store, &S, "after").await.unwrap();
    let pool = place.pool(1).await;
    let check = sqlx::query("PRAGMA integrity_check").fetch_all(&pool).await;
    let said: String = sqlx::Row::get(&check.unwrap()[0], 0);
    assert_eq!(said, "ok");
}

/// Catches reads of ours that keep the write-ahead log from being used again,
/// and tells what a transaction that an application leaves open costs.
#[tokio::test(flavor = "multi_thread")]
async fn our_own_paging_never_pins_the_write_ahead_log() {
    use futures_util::TryStreamExt;
    use ledger_core::{Query, StoreExt};

    let place = Place::new();
    let store = place.open().await;
    let log = || {
        let log = place.dir.path().join("test.db-wal");
        std::fs::metadata(log).map_or(0, |log| log.len())
    };
    let write = async |megabytes: u32| {
        for _ in 0..megabytes {
            store
                .append(&S, batch([entry(vec![1; 1 << 20])]))
                .await
                .unwrap();
        }
    };
    let numbers = store.stream::<u64>("numbers");
    numbers.append_all(0..5_000).await.unwrap();
    // Halfway through a stream, and never polled again.
    let mut paging = Box::pin(numbers.entries(Query::new()));
    paging.try_next().await.unwrap();
    write(40).await;
    assert!(log() < 20 << 20, "{}", log());
    paging.try_next().await.unwrap();

    let pool = place.pool(1).await;
    let mut long = pool.begin().await.unwrap();
    let look = sqlx::query("SELECT count(*) FROM ledger_entries");
    look.execute(&mut *long).await.unwrap();
    write(40).await;
    assert!(log() > 40 << 20, "{}", log());
    long.rollback().await.unwrap();
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

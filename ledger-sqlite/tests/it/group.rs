//! Groups: what one request does to its neighbours.

use futures_util::FutureExt;
use futures_util::future::join_all;
use ledger_core::{Batch, Kind, Receipt, Receipts, Result, Store};
use ledger_sqlite::SqliteStore;
use sqlx::Connection;

use crate::helpers::{Patience, Place, S, append, batch, entry, everything, name};

/// Holds the write lock until all appends are queued, so that they are
/// committed as one group.
async fn together(
    place: &Place,
    store: &SqliteStore,
    batches: Vec<Batch>,
) -> Vec<Result<Receipts<i64>>> {
    let pool = place.pool(1).await;
    let mut other = pool.acquire().await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let mut appending: Vec<_> = batches
        .into_iter()
        .map(|batch| store.append(&S, batch))
        .collect();
    // The first one is what the writer waits with.
    for one in &mut appending {
        assert!(one.now_or_never().is_none());
    }
    let appending = join_all(appending);
    let unlock = async {
        tokio::time::sleep(crate::helpers::millis(100)).await;
        lock.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(appending, unlock);
    answers
}

/// Catches requests that are decided by what was stored before the group, and
/// refused ones that take their neighbours along.
#[tokio::test]
async fn later_requests_of_a_group_see_the_earlier_ones() {
    let place = Place::new();
    let store = place.open().await;
    let keyed = |payload: &str| batch([entry(payload).with_dedup_key("k")]);
    let batches = vec![
        batch([entry("0")]).with_expected(0),
        batch([entry("1")]).with_expected(0),
        keyed("2").with_expected(1),
        keyed("3").with_expected(1),
        keyed("4").with_verified_duplicates(true),
        batch([entry("5"), entry("6").with_dedup_key("k"), entry("7")]).with_expected(2),
    ];
    let answers = together(&place, &store, batches).await;
    let said: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(receipts) => Ok(receipts
                .iter()
                .map(|r| (r.version, r.is_duplicate()))
                .collect()),
            Err(e) => Err(e.kind().clone()),
        })
        .collect();
    let conflict = Kind::Conflict {
        expected: ledger_core::Expected::NoStream,
        actual: 1,
    };
    let expected: [Result<Vec<_>, Kind>; 6] = [
        Ok(vec![(1, false)]),
        Err(said[1].clone().unwrap_err()),
        Ok(vec![(2, false)]),
        Ok(vec![(2, true)]),
        Err(Kind::DedupMismatch {
            index: 0,
            original: Some(2),
        }),
        Ok(vec![(3, false), (2, true), (4, false)]),
    ];
    assert_eq!(said, expected);
    assert!(matches!(
        (&said[1], conflict),
        (Err(Kind::Conflict { actual: 1, .. }), _)
    ));
    let payloads: Vec<_> = everything(&store, &S)
        .await
        .into_iter()
        .map(|r| r.entry.payload)
        .collect();
    assert_eq!(payloads, ["0", "2", "5", "7"]);
}

/// Catches a group that fails as a whole because of one of its requests, and
/// rows of the failed one that stay.
#[tokio::test]
async fn a_request_whose_statement_fails_fails_alone() {
    let place = Place::new();
    let store = place.open().await;
    let pool = place.pool(1).await;
    let trigger = "CREATE TRIGGER bad BEFORE INSERT ON ledger_entries WHEN NEW.payload = x'626164' \
                   BEGIN SELECT RAISE(ABORT, 'bad'); END";
    sqlx::raw_sql(trigger).execute(&pool).await.unwrap();
    let batches = (0..20).map(|n| match n {
        7 => batch([entry("half"), entry("bad")]),
        n => batch([entry(n.to_string())]),
    });
    let answers = together(&place, &store, batches.collect()).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_err(), n == 7, "{n}: {answer:?}");
    }
    let found = everything(&store, &S).await;
    assert_eq!(found.len(), 19);
    assert!(
        found
            .iter()
            .zip(1..)
            .all(|(r, version)| r.version == version && r.entry.payload != "half")
    );
}

/// Catches receipts that belong to a neighbour, and lists cut into chunks at
/// the wrong place.
#[tokio::test(flavor = "multi_thread")]
async fn many_concurrent_appends_to_many_streams_get_their_own_receipts() {
    let place = Place::new();
    let store = place.open().await;
    let tasks = (0..300u32).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let stream = name(&format!("s{}", n % 90));
            let keyed = |i| entry(format!("{n}.{i}")).with_dedup_key(format!("{n}.{i}"));
            let entries: Vec<_> = (0..n % 150).map(keyed).collect();
            let receipts = store.append(&stream, batch(entries.clone())).await.unwrap();
            let repeated = store.append(&stream, batch(entries)).await.unwrap();
            assert!(repeated.iter().all(Receipt::is_duplicate));
            let places =
                |r: &Receipts<i64>| r.iter().map(|r| (r.id, r.version)).collect::<Vec<_>>();
            assert_eq!(places(&receipts), places(&repeated));
            (n, stream, receipts)
        })
    });
    for done in join_all(tasks).await {
        let (n, stream, receipts) = done.unwrap();
        let found = everything(&store, &stream).await;
        for (i, receipt) in receipts.iter().enumerate() {
            let record = &found[usize::try_from(receipt.version).unwrap() - 1];
            assert_eq!((record.id, record.version), (receipt.id, receipt.version));
            assert_eq!(record.entry.payload, format!("{n}.{i}"));
        }
    }
}

/// Catches a long trim that stops appends until it is done.
#[tokio::test(flavor = "multi_thread")]
async fn appends_go_on_while_a_long_trim_runs() {
    let place = Place::new();
    let store = place.open().await;
    let patience = Patience::new();
    // One that stops them lets at most two through, the one before it and the
    // one that waited; a task that got no time may append none.
    loop {
        let mut last = 0;
        for _ in 0..6 {
            let many = batch((0..10_000).map(|_| entry("x")));
            let receipts = store.append(&S, many).await.unwrap();
            last = receipts[9_999].id;
        }
        let before = store.stat(&S).await.unwrap().unwrap().retained;
        let trimming = tokio::spawn({
            let store = store.clone();
            async move { store.trim(&S, &last).await }
        });
        let mut meanwhile = 0;
        while !trimming.is_finished() {
            append(&store, &S, "y").await.unwrap();
            meanwhile += 1;
        }
        assert_eq!(trimming.await.unwrap().unwrap(), before);
        assert_eq!(everything(&store, &S).await.len(), meanwhile);
        if meanwhile > 3 {
            break;
        }
        patience.check(meanwhile);
    }
}

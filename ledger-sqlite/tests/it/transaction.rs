//! Inside a transaction of the application.

use std::sync::Arc;

use ledger_core::{
    AllQuery, Applied, Capabilities, Expected, Kind, Limits, ListStreams, Query, Read, ReadAll,
    Retry, Store, StoreExt,
};
use ledger_sqlite::{Durability, SqliteOptions, SqliteStore};
use sqlx::sqlite::{SqliteSynchronous, SqliteTransaction};
use sqlx::{Row, SqlitePool};

use crate::helpers::{
    Patience, Place, S, append, batch, entry, everything, kind, millis, name, polled, read,
};

/// A store in an application's database that has a table of its own.
async fn application(place: &Place) -> (SqlitePool, SqliteStore) {
    let pool = place.pool(4).await;
    let table = sqlx::raw_sql("CREATE TABLE orders (id INTEGER)");
    table.execute(&pool).await.unwrap();
    let store = SqliteStore::with_pool(pool.clone(), SqliteOptions::new());
    (pool, store.await.unwrap())
}

async fn begin(pool: &SqlitePool) -> SqliteTransaction<'static> {
    pool.begin_with("BEGIN IMMEDIATE").await.unwrap()
}

async fn order(tx: &mut SqliteTransaction<'_>, id: i64) {
    let insert = sqlx::query("INSERT INTO orders VALUES (?)").bind(id);
    insert.execute(&mut **tx).await.unwrap();
}

async fn orders(pool: &SqlitePool) -> i64 {
    let count = sqlx::query("SELECT count(*) FROM orders");
    count.fetch_one(pool).await.unwrap().get(0)
}

fn all() -> Read<i64> {
    Read::new(Query::new(), &Limits::TABLE).unwrap()
}

/// Catches entries that are committed without the rows, rows without the
/// entries, and a rollback that leaves a key, a version or an id behind.
#[tokio::test]
async fn entries_are_committed_or_rolled_back_with_the_rows() {
    let place = Place::new();
    let (pool, store) = application(&place).await;
    let keyed = |key: &str| batch([entry(key).with_dedup_key(key)]);
    store.append(&S, keyed("before")).await.unwrap();
    for (commit, count) in [(false, 1), (true, 4), (false, 4)] {
        let mut tx = begin(&pool).await;
        order(&mut tx, 1).await;
        let bound = store.in_transaction(&mut tx);
        let receipts = bound.append(&S, keyed("a")).await.unwrap();
        let two = batch([entry("b").with_dedup_key("b"), entry("c")]);
        let more = bound.append(&S, two).await.unwrap();
        // The keys of what was rolled back are free, those of what was not are
        // taken.
        assert_eq!(receipts[0].is_duplicate(), count == 4 && !commit);
        assert_eq!(bound.append(&S, keyed("before")).await.unwrap()[0].id, 1);
        if commit {
            assert_eq!((receipts[0].version, more[1].version), (2, 4));
            order(&mut tx, 2).await;
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
        let found = everything(&store, &S).await;
        assert!(
            found
                .iter()
                .zip(1..)
                .all(|(r, version)| r.version == version)
        );
        assert_eq!(found.len(), count);
        assert_eq!(orders(&pool).await, if count == 1 { 0 } else { 2 });
    }
    // The store's own writer goes on behind all of it.
    assert_eq!(
        append(&store, &S, "d").await.unwrap().last_version(),
        Some(5)
    );
}

/// Catches reads that see only what is committed, and a conflict, an expected
/// version or a stat that is decided without the transaction's own entries.
#[tokio::test]
async fn the_transaction_sees_itself_and_nobody_else_does() {
    let place = Place::new();
    let (pool, store) = application(&place).await;
    append(&store, &S, "1").await.unwrap();
    let mut tx = begin(&pool).await;
    let bound = store.in_transaction(&mut tx);
    let expecting = |version: u64| batch([entry("x")]).with_expected(version);
    bound.append(&S, expecting(1)).await.unwrap();
    let refused = bound.append(&S, expecting(1)).await.unwrap_err();
    let conflict = Kind::Conflict {
        expected: Expected::Exactly(1),
        actual: 2,
    };
    assert_eq!(
        (refused.kind(), refused.applied()),
        (&conflict, Applied::No)
    );
    bound.append(&S, expecting(2)).await.unwrap();
    let fresh = batch([entry("y")]).with_expected(Expected::NoStream);
    bound.append(&name("new"), fresh).await.unwrap();
    assert_eq!(bound.read(&S, &all()).await.unwrap().records.len(), 3);
    assert_eq!(bound.stat(&S).await.unwrap().unwrap().last_version, 3);
    assert_eq!(bound.stat(&name("none")).await.unwrap(), None);
    let ahead = Read::new(Query::new().after(1_000), &Limits::TABLE).unwrap();
    assert_eq!(kind(bound.read(&S, &ahead).await), Kind::InvalidCursor);

    assert_eq!(everything(&store, &S).await.len(), 1);
    assert_eq!(store.stat(&name("new")).await.unwrap(), None);
    tx.commit().await.unwrap();
    assert_eq!(everything(&store, &S).await.len(), 3);
}

/// Catches capabilities that promise what a snapshot cannot keep.
#[tokio::test]
async fn everything_else_is_unsupported_and_not_claimed() {
    let place = Place::new();
    let (pool, store) = application(&place).await;
    let mut tx = begin(&pool).await;
    let bound = store.in_transaction(&mut tx);
    assert_eq!(bound.capabilities(), Capabilities::new());
    let everything = ReadAll::new(AllQuery::new(), &Limits::TABLE).unwrap();
    let list = ListStreams::new(None, 1, &Limits::TABLE).unwrap();
    let kinds = [
        kind(bound.trim(&S, &1).await),
        kind(bound.list(&list).await),
        kind(bound.read_all(&everything).await),
        kind(bound.store_head().await),
        kind(bound.health().await),
        kind(bound.close().await),
    ];
    for kind in kinds {
        assert!(matches!(kind, Kind::Unsupported { .. }), "{kind:?}");
    }
    bound.append(&S, batch([])).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(kind(bound.stat(&S).await), Kind::Closed);
}

/// Catches a typed stream that cannot be bound, a future that cannot be sent,
/// and a transaction that stays borrowed.
#[tokio::test(flavor = "multi_thread")]
async fn typed_streams_are_bound_and_spawned() {
    let place = Place::new();
    let (pool, store) = application(&place).await;
    let numbers = store.stream::<u64>("numbers");
    let task = tokio::spawn({
        let (pool, store, numbers) = (pool.clone(), store.clone(), numbers.clone());
        async move {
            let mut tx = begin(&pool).await;
            for n in 0..10 {
                let bound = store.in_transaction(&mut tx);
                numbers.via(&bound).append(n).await.unwrap();
                order(&mut tx, 1).await;
            }
            let bound = store.in_transaction(&mut tx);
            let dynamic: &dyn Store<i64> = &bound;
            let seen = numbers.via(dynamic).read(Query::new()).await.unwrap();
            assert_eq!(seen.len(), 10);
            tx.commit().await.unwrap();
        }
    });
    task.await.unwrap();
    assert_eq!(numbers.read(Query::new()).await.unwrap().len(), 10);
    assert_eq!(orders(&pool).await, 10);
}

/// Catches half an append that is committed, and a value that works on as if
/// nothing had happened.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_append_is_whole_or_absent_and_ends_the_use_of_the_value() {
    let place = Place::new();
    let (pool, store) = application(&place).await;
    let (mut whole, mut refused) = (0, 0);
    let patience = Patience::new();
    // Dropped at each place that it waits at, and not at all, again and again: an
    // answer that is there at once is a place less.
    for round in 0.. {
        patience.check((refused, whole));
        let stream = name(&format!("s{round}"));
        let mut tx = begin(&pool).await;
        let bound = store.in_transaction(&mut tx);
        let seven = batch((0..7).map(|n| entry(n.to_string())));
        let mut appending = Box::pin(bound.append(&stream, seven));
        let done = polled(appending.as_mut(), round % 16).await.is_some();
        drop(appending);
        if let Err(error) = bound.read(&stream, &all()).await {
            assert_eq!(error.retry(), Retry::Transaction);
            let again = bound.append(&stream, batch([entry("x")])).await;
            assert_eq!(again.unwrap_err().retry(), Retry::Transaction);
            assert!(bound.stat(&stream).await.is_err());
            refused += 1;
        }
        drop(bound);
        // Against all advice.
        tx.commit().await.unwrap();
        let found = everything(&store, &stream).await.len();
        assert!(found == 0 || found == 7, "{round}: {found}");
        assert!(found == 7 || !done);
        whole += found / 7;
        if refused > 2 && whole > 2 {
            break;
        }
    }
    append(&store, &S, "after").await.unwrap();
}

/// Catches a failed statement that leaves rows, or takes the transaction
/// along.
#[tokio::test]
async fn a_failed_append_leaves_the_transaction_usable() {
    let place = Place::new();
    let (pool, store) = application(&place).await;
    let trigger = "CREATE TRIGGER bad BEFORE INSERT ON ledger_entries WHEN NEW.payload = x'626164' \
                   BEGIN SELECT RAISE(ABORT, 'bad'); END";
    sqlx::raw_sql(trigger).execute(&pool).await.unwrap();
    let mut tx = begin(&pool).await;
    let bound = store.in_transaction(&mut tx);
    let bad = batch(["1", "2", "3", "4", "bad"].map(entry));
    assert_eq!(
        bound.append(&S, bad).await.unwrap_err().applied(),
        Applied::No
    );
    bound.append(&S, batch([entry("good")])).await.unwrap();
    tx.commit().await.unwrap();
    let found = everything(&store, &S).await;
    assert_eq!((found.len(), found[0].version), (1, 1));
}

/// Catches a writer that fails, or deadlocks, while a transaction is open, and
/// one that goes on with heads from before it.
#[tokio::test(flavor = "multi_thread")]
async fn the_stores_own_appends_wait_for_the_transaction() {
    let place = Place::new();
    let (pool, store) = application(&place).await;
    for commit in [true, false] {
        let mut tx = begin(&pool).await;
        let bound = store.in_transaction(&mut tx);
        let inside = bound.append(&S, batch([entry("in")])).await.unwrap();
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { append(&store, &S, "out").await.unwrap() })
            })
            .collect();
        tokio::time::sleep(millis(100)).await;
        assert!(waiting.iter().all(|w| !w.is_finished()));
        bound.append(&S, batch([entry("in")])).await.unwrap();
        match commit {
            true => tx.commit().await.unwrap(),
            false => tx.rollback().await.unwrap(),
        }
        for waiting in waiting {
            let receipts = waiting.await.unwrap();
            assert!(!commit || receipts[0].id > inside[0].id + 1);
        }
    }
    let found = everything(&store, &S).await;
    assert_eq!(found.len(), 42);
    assert!(
        found
            .iter()
            .zip(1..)
            .all(|(r, n)| r.version == n && r.id == n as i64)
    );
}

/// Catches a stale snapshot that is reported as something to repeat at once,
/// and a decision taken on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_began_as_a_reader_may_have_to_be_repeated() {
    let place = Place::new();
    let (pool, store) = application(&place).await;
    append(&store, &S, "1").await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    let bound = store.in_transaction(&mut tx);
    assert_eq!(bound.read(&S, &all()).await.unwrap().records.len(), 1);
    append(&store, &S, "2").await.unwrap();
    let stale = batch([entry("3")]).with_expected(1);
    let error = bound.append(&S, stale.clone()).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Contention);
    let said = (error.applied(), error.retry());
    assert_eq!(said, (Applied::No, Retry::Transaction));
    tx.rollback().await.unwrap();

    // One that writes first of all takes the lock, also for what it refuses.
    let mut tx = pool.begin().await.unwrap();
    let bound = store.in_transaction(&mut tx);
    assert!(bound.append(&S, stale).await.unwrap_err().is_conflict());
    let short = store.with_deadline(millis(200)).unwrap();
    assert_eq!(kind(append(&short, &S, "3").await), Kind::Contention);
    bound
        .append(&S, batch([entry("3")]).with_expected(2))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(everything(&store, &S).await.len(), 3);
}

/// Catches appends to a database that is not the store's, or that is less
/// durable than the store promises.
#[tokio::test]
async fn the_connection_is_checked() {
    let (place, other) = (Place::new(), Place::new());
    let (_, store) = application(&place).await;
    let (foreign, _) = application(&other).await;
    let weak = place.connect().synchronous(SqliteSynchronous::Off);
    let weak = SqlitePool::connect_with(weak).await.unwrap();
    let empty = SqlitePool::connect("sqlite::memory:").await.unwrap();
    for pool in [foreign, weak.clone()] {
        let mut tx = begin(&pool).await;
        let bound = store.in_transaction(&mut tx);
        let refused = bound.append(&S, batch([entry("x")])).await;
        assert_eq!(kind(refused), Kind::Misconfigured);
        assert_eq!(kind(bound.read(&S, &all()).await), Kind::Misconfigured);
    }
    let mut tx = begin(&empty).await;
    let bound = store.in_transaction(&mut tx);
    assert_eq!(kind(bound.stat(&S).await), Kind::Corrupt);
    let options = SqliteOptions::new().with_durability(Durability::Off);
    let relaxed = place.open_with(options).await;
    let mut tx = begin(&weak).await;
    let bound = Arc::new(relaxed.in_transaction(&mut tx));
    bound.append(&S, batch([entry("x")])).await.unwrap();
    drop(bound);
    tx.commit().await.unwrap();
    assert_eq!(
        read(&store, &S, Query::new()).await.unwrap().records.len(),
        1
    );
}

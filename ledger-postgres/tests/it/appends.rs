//! What only PostgreSQL can get wrong about appends. Each test names the wrong
//! implementation it catches.

use std::time::Duration;

use ledger_core::{Applied, Expected, Kind, Query, Retry, Store};
use ledger_postgres::PostgresStore;
use sqlx::{Connection, Executor, Row};

use crate::support::{Place, append, batch, blocked, entry, keyed, name, page, raw, scalar, text};

const S: &str = "s";

/// Catches a conflict answered from the statement that found it: it ran after
/// the reply was lost, and knows nothing of the keys.
#[tokio::test]
async fn the_retry_of_a_lost_reply_is_a_success_whatever_it_expected() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let first = batch(vec![keyed("k1"), keyed("k2")]).with_expected(0);
    store.append(&name(S), first.clone()).await.unwrap();
    append(&store, S, "later").await.unwrap();
    for expected in [
        Expected::NoStream,
        Expected::Exactly(0),
        Expected::Exactly(2),
        Expected::Exactly(77),
    ] {
        let again = first.clone().with_expected(expected);
        let receipts = store.append(&name(S), again).await.unwrap();
        assert_eq!(receipts.duplicates(), 2, "{expected}");
        assert_eq!((receipts[0].version, receipts[1].version), (1, 2));
    }
    // The naive statement says that nothing was written, and no more.
    let naive = raw(
        &place,
        "INSERT INTO {s}.ledger_streams AS t (name, head) VALUES ('s', 2) ON CONFLICT (name) \
         DO UPDATE SET head = t.head + 2 WHERE t.head = 0 RETURNING t.head",
    );
    assert_eq!(naive.await.len(), 0);
}

/// Catches a conflict decided while the original is still being committed by
/// someone else, on a stream that is there, and on one that is just born.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_waits_for_an_original_that_is_still_open() {
    for (born_before, expected) in [
        (true, Expected::Exactly(1)),
        (true, Expected::NoStream),
        (false, Expected::NoStream),
        (false, Expected::Exactly(5)),
        (false, Expected::StreamExists),
    ] {
        let place = Place::fresh().await;
        let store = place.open().await;
        if born_before {
            append(&store, S, "before").await.unwrap();
        }
        let mut other = place.schema.database.connect().await.unwrap();
        let mut open = other.begin().await.unwrap();
        let sent = batch(vec![keyed("k1"), keyed("k2")]);
        {
            let inside = store.in_transaction(&mut open);
            inside.append(&name(S), sent.clone()).await.unwrap();
        }
        let retry = {
            let (store, sent) = (store.clone(), sent.with_expected(expected));
            tokio::spawn(async move { store.append(&name(S), sent).await })
        };
        // The naive retry waits as well, and then says that nothing was
        // written: a conflict, although both of its entries are stored.
        let naive = async {
            if expected != Expected::Exactly(1) {
                return 0;
            }
            let statement = "INSERT INTO {s}.ledger_streams AS t (name, head) VALUES ('s', 2) \
                 ON CONFLICT (name) DO UPDATE SET head = t.head + 2 WHERE t.head = 1 \
                 RETURNING t.head";
            raw(&place, statement).await.len()
        };
        let waiting = if expected == Expected::Exactly(1) {
            2
        } else {
            1
        };
        let (naive, ()) = tokio::join!(naive, async {
            blocked(&place, waiting).await;
            open.commit().await.unwrap();
        });
        assert_eq!(naive, 0);
        let receipts = retry.await.unwrap().unwrap();
        assert_eq!(receipts.duplicates(), 2, "{born_before} {expected}");
    }
}

/// Catches a statement that looks for duplicates in the snapshot it took
/// before it waited, with `ON CONFLICT DO NOTHING` behind: it swallows the
/// entry, moves the head, and leaves a hole.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_committed_while_waiting_is_a_duplicate_and_burns_no_version() {
    let naive = "WITH st AS (UPDATE {s}.ledger_streams SET head = head + 1 WHERE name = 's' \
                 RETURNING id, head), ins AS (INSERT INTO {s}.ledger_entries (stream_id, seq, \
                 recorded_at, schema_version, content_type, dedup_key, payload) \
                 SELECT id, head, now(), 1, 'x/y', 'w', 'p' FROM st ON CONFLICT DO NOTHING \
                 RETURNING seq) SELECT (SELECT count(*) FROM ins), (SELECT count(*) FROM \
                 {s}.ledger_entries WHERE dedup_key = 'w')";
    for naive in [None, Some(naive)] {
        let place = Place::fresh().await;
        let store = place.open().await;
        append(&store, S, "1").await.unwrap();
        let mut other = place.schema.database.connect().await.unwrap();
        let mut open = other.begin().await.unwrap();
        {
            let inside = store.in_transaction(&mut open);
            inside
                .append(&name(S), batch(vec![keyed("w")]))
                .await
                .unwrap();
        }
        if let Some(naive) = naive {
            let waiting = raw(&place, naive);
            let (rows, ()) = tokio::join!(waiting, async {
                blocked(&place, 1).await;
                open.commit().await.unwrap();
            });
            // Neither stored nor seen, and the head has moved.
            assert_eq!((rows[0].get::<i64, _>(0), rows[0].get::<i64, _>(1)), (0, 0));
            assert_eq!(
                scalar(&place, "SELECT head FROM {s}.ledger_streams").await,
                3
            );
            assert_eq!(
                scalar(&place, "SELECT max(seq) FROM {s}.ledger_entries").await,
                2
            );
            continue;
        }
        let waiting = {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .append(&name(S), batch(vec![keyed("w"), entry("new")]))
                    .await
            })
        };
        blocked(&place, 1).await;
        open.commit().await.unwrap();
        let receipts = waiting.await.unwrap().unwrap();
        let told: Vec<_> = receipts
            .iter()
            .map(|r| (r.version, r.is_duplicate()))
            .collect();
        assert_eq!(told, [(2, true), (3, false)]);
        let found = page(&store, S, Query::new()).await;
        let versions: Vec<_> = found.records.iter().map(|r| r.version).collect();
        assert_eq!(versions, [1, 2, 3]);
    }
}

/// Catches an SQLSTATE taken for a duplicate without a look at the name of the
/// index: the append would be "retried" for ever, or reported as stored.
#[tokio::test]
async fn a_unique_violation_of_another_index_is_damage_not_a_duplicate() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, S, "1").await.unwrap();
    append(&store, S, "2").await.unwrap();
    raw(&place, "UPDATE {s}.ledger_streams SET head = 1").await;
    for batch in [batch(vec![entry("x")]), batch(vec![keyed("k")])] {
        let refused = store.append(&name(S), batch).await.unwrap_err();
        assert_eq!(*refused.kind(), Kind::Corrupt);
        assert_eq!(refused.applied(), Applied::No);
        assert_eq!(refused.context("constraint"), Some("ledger_entries_pkey"));
    }
    // A store that goes by the SQLSTATE takes the second one for a repeat, and
    // answers that the entry is stored. It is not.
    let stored = "SELECT count(*) FROM {s}.ledger_entries WHERE dedup_key = 'k'";
    assert_eq!(scalar(&place, stored).await, 0);
    let mut connection = place.schema.database.connect().await.unwrap();
    let naive = format!(
        "INSERT INTO {}.ledger_entries (stream_id, seq, recorded_at, schema_version, \
         content_type, dedup_key, payload) SELECT id, 2, now(), 1, 'x/y', 'k', 'p' \
         FROM {0}.ledger_streams",
        place.schema.name
    );
    let error = connection
        .execute(sqlx::AssertSqlSafe(naive))
        .await
        .unwrap_err();
    let told = error.as_database_error().unwrap();
    assert_eq!(told.code().as_deref(), Some("23505"));
}

/// Catches the time of the statement's start, which runs backwards while
/// writers queue for the lock, and a clock that is trusted.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_at_never_runs_backwards_in_a_stream() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, S, "first").await.unwrap();
    // As if the clock of the server had been an hour ahead.
    raw(
        &place,
        "UPDATE {s}.ledger_streams SET last_at = now() + interval '1 hour'",
    )
    .await;
    let writers = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                append(&store, S, "x").await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let found = page(&store, S, Query::new().limit(1_000)).await.records;
    assert_eq!(found.len(), 161);
    assert!(
        found
            .windows(2)
            .all(|w| w[0].recorded_at <= w[1].recorded_at)
    );
    assert_eq!(found[1].recorded_at, found[160].recorded_at);
}

/// Catches arrays bound straight to `unnest`: the statement is planned anew on
/// every call.
#[tokio::test]
async fn the_plans_of_the_append_are_kept() {
    let place = Place::fresh().await;
    let options = place.schema.database.options().clone();
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options).await.unwrap();
    let store = PostgresStore::with_pool(pool.clone(), place.config.clone())
        .await
        .unwrap();
    for n in 0..20_u64 {
        append(&store, S, "any").await.unwrap();
        let expecting = batch(vec![keyed(&format!("k{n}"))]).with_expected(n * 2 + 1);
        store.append(&name(S), expecting).await.unwrap();
        // A repeat, through the statement that looks first.
        let repeat = store
            .append(&name(S), batch(vec![keyed("k0")]))
            .await
            .unwrap();
        assert_eq!(repeat.duplicates(), 1);
    }
    let rows = pool.fetch_all(
        "SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements \
         WHERE statement LIKE 'WITH a AS MATERIALIZED%'",
    );
    let rows = rows.await.unwrap();
    assert!(rows.len() >= 3, "{} statements", rows.len());
    for row in rows {
        let (statement, generic, custom): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
        assert!(
            generic >= 10 && custom <= 5,
            "{generic} generic, {custom} custom: {statement}"
        );
    }
}

/// Catches an index row that is too large for names that do not compress.
#[tokio::test]
async fn names_and_keys_of_512_bytes_that_do_not_compress() {
    let place = Place::fresh().await;
    let store = place.open().await;
    let mut rng = fastrand::Rng::with_seed(7);
    let mut random = || -> String {
        let mut text: String = std::iter::repeat_with(|| rng.char('\u{80}'..'\u{7ff}'))
            .take(256)
            .collect();
        assert_eq!(text.len(), 512);
        text.shrink_to_fit();
        text
    };
    let stream = random();
    let (order, dedup) = (random(), random());
    let sent = entry("x").with_order_key(&order).with_dedup_key(&dedup);
    store
        .append(&name(&stream), batch(vec![sent.clone()]))
        .await
        .unwrap();
    let repeat = store
        .append(&name(&stream), batch(vec![sent.clone()]))
        .await
        .unwrap();
    assert_eq!(repeat.duplicates(), 1);
    let found = page(&store, &stream, Query::new().order_key(&order)).await;
    assert_eq!(found.records[0].entry, sent);
}

/// Catches a caller's transaction that is poisoned by a conflict, a snapshot
/// that is trusted at REPEATABLE READ, and an append that leaves a trace after
/// a rollback.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_transaction_of_the_caller() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, S, "1").await.unwrap();
    let mut connection = place.schema.database.connect().await.unwrap();

    let mut open = connection.begin().await.unwrap();
    {
        let inside = store.in_transaction(&mut open);
        let wrong = batch(vec![entry("x")]).with_expected(7);
        assert!(
            inside
                .append(&name(S), wrong)
                .await
                .unwrap_err()
                .is_conflict()
        );
        let wrong = batch(vec![keyed("k")]).with_expected(Expected::NoStream);
        assert!(
            inside
                .append(&name(S), wrong)
                .await
                .unwrap_err()
                .is_conflict()
        );
        append(&inside, S, "2").await.unwrap();
        assert_eq!(page(&inside, S, Query::new()).await.records.len(), 2);
        assert_eq!(
            inside.stat(&name(S)).await.unwrap().unwrap().last_version,
            2
        );
        let unsupported = inside.trim(&name(S), &1).await.unwrap_err();
        assert!(matches!(unsupported.kind(), Kind::Unsupported { .. }));
        assert!(inside.store_head().await.is_err());
        assert!(inside.close().await.is_err());
    }
    assert_eq!(page(&store, S, Query::new()).await.records.len(), 1);
    open.rollback().await.unwrap();
    let receipts = append(&store, S, "2 again").await.unwrap();
    assert_eq!(receipts[0].version, 2);

    // The stream moves behind the back of a REPEATABLE READ transaction.
    let mut open = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    open.execute("SELECT 1 FROM pg_class").await.unwrap();
    append(&store, S, "3").await.unwrap();
    {
        let inside = store.in_transaction(&mut open);
        for batch in [batch(vec![keyed("k9")]), batch(vec![entry("x")])] {
            let moved = inside.append(&name(S), batch).await.unwrap_err();
            assert_eq!(moved.retry(), Retry::Transaction);
        }
    }
    open.rollback().await.unwrap();
    assert_eq!(page(&store, S, Query::new()).await.records.len(), 3);
}

/// Catches a dropped append that leaves the caller with half of it: the
/// transaction may only be rolled back, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_append_spoils_the_transaction() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, S, "1").await.unwrap();
    let mut blocker = place.schema.database.connect().await.unwrap();
    let mut held = blocker.begin().await.unwrap();
    append(&store.in_transaction(&mut held), S, "held")
        .await
        .unwrap();

    let mut connection = place.schema.database.connect().await.unwrap();
    let mut open = connection.begin().await.unwrap();
    {
        let inside = store.in_transaction(&mut open);
        let waiting = append(&inside, S, "cut");
        tokio::select! {
            _ = waiting => panic!("the stream is locked"),
            () = blocked(&place, 1) => {}
        }
        held.rollback().await.unwrap();
        let refused = append(&inside, S, "more").await.unwrap_err();
        assert_eq!(refused.retry(), Retry::Transaction);
        assert!(inside.stat(&name(S)).await.is_err());
    }
    open.rollback().await.unwrap();
    assert_eq!(append(&store, S, "2").await.unwrap()[0].version, 2);
}

/// Catches a conflict whose `actual` was read in another statement than the
/// keys, and an append that keeps its lock after it was refused.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_with_the_same_expectation_wins() {
    let place = Place::fresh().await;
    let store = place.open().await;
    for round in 0..10_u64 {
        let racers = (0..8).map(|n| {
            let store = store.clone();
            let key = format!("{round}-{n}");
            let sent = if n % 2 == 0 { keyed(&key) } else { entry(&key) };
            let sent = batch(vec![sent]).with_expected(round);
            tokio::spawn(async move { store.append(&name(S), sent).await })
        });
        let mut won = 0;
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                Ok(_) => won += 1,
                Err(e) => assert_eq!(
                    *e.kind(),
                    Kind::Conflict {
                        expected: Expected::Exactly(round),
                        actual: round + 1
                    }
                ),
            }
        }
        assert_eq!(won, 1);
    }
}

/// Catches verification that compares only what the client remembers: the
/// original is in the database, or on its way there.
#[tokio::test]
async fn a_verified_repeat_with_other_content_is_refused_before_a_conflict() {
    let place = Place::fresh().await;
    let store = place.open().await;
    store
        .append(&name(S), batch(vec![keyed("k")]))
        .await
        .unwrap();
    let other = entry("other content").with_dedup_key("k");
    for expected in [Expected::Any, Expected::Exactly(9)] {
        let sent = batch(vec![entry("fresh"), other.clone()]);
        let sent = sent.with_expected(expected).with_verified_duplicates(true);
        let refused = store.append(&name(S), sent).await.unwrap_err();
        let kind = Kind::DedupMismatch {
            index: 1,
            original: Some(1),
        };
        assert_eq!(*refused.kind(), kind, "{expected}");
    }
    let same = batch(vec![keyed("k")]).with_verified_duplicates(true);
    assert_eq!(store.append(&name(S), same).await.unwrap().duplicates(), 1);
    let unverified = store.append(&name(S), batch(vec![other])).await.unwrap();
    assert_eq!(unverified.duplicates(), 1);
    let found = page(&store, S, Query::new()).await.records;
    assert_eq!(found.iter().map(text).collect::<Vec<_>>(), ["k"]);
}

/// Catches an append that goes on for ever, and one that says "not applied"
/// of a statement that is on its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stays_locked_ends_by_the_deadline() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, S, "1").await.unwrap();
    let mut connection = place.schema.database.connect().await.unwrap();
    let mut held = connection.begin().await.unwrap();
    append(&store.in_transaction(&mut held), S, "held")
        .await
        .unwrap();

    let short = place
        .config
        .clone()
        .with_deadline(Duration::from_millis(1_500));
    let impatient = PostgresStore::open_with(&place.url(), short.clone())
        .await
        .unwrap();
    let late = append(&impatient, S, "late").await.unwrap_err();
    assert_eq!(*late.kind(), Kind::Timeout);
    // On a pool of the application nothing ends the statement in the server.
    let pool = sqlx::PgPool::connect(&place.url()).await.unwrap();
    let guest = PostgresStore::with_pool(pool, short).await.unwrap();
    let late = append(&guest, S, "maybe").await.unwrap_err();
    assert_eq!(
        (late.kind(), late.applied()),
        (&Kind::Timeout, Applied::Unknown)
    );
    held.rollback().await.unwrap();
    assert!(append(&store, S, "2").await.unwrap()[0].version <= 4);
}

//! What the server says, and what becomes of it.

use ledger_core::{Applied, Kind, Query, Retry, Store};
use ledger_postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Executor, Row};

use crate::support::{Place, append, batch, entry, name, page, raw};

/// Catches codes that are taken for something else, an error that quotes
/// stored data, and "not applied" said of a session that was ended.
#[tokio::test]
async fn each_sqlstate_has_its_kind_outcome_and_advice() {
    let place = Place::fresh().await;
    let store = place.open().await;
    raw(
        &place,
        "CREATE FUNCTION {s}.fail() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION 'as told' USING ERRCODE = convert_from(NEW.payload, 'UTF8'), \
         DETAIL = 'secret detail'; END$$",
    )
    .await;
    raw(
        &place,
        "CREATE TRIGGER fail BEFORE INSERT ON {s}.ledger_entries FOR EACH ROW \
         WHEN (length(NEW.payload) = 5) EXECUTE FUNCTION {s}.fail()",
    )
    .await;
    append(&store, "a", "before").await.unwrap();
    let short = std::time::Duration::from_millis(1_500);
    let impatient = place.config.clone().with_deadline(short);
    let impatient = PostgresStore::open_with(&place.url(), impatient)
        .await
        .unwrap();
    for (code, kind, retry) in [
        ("53100", Kind::DiskFull, Retry::Call),
        ("53200", Kind::Unavailable, Retry::Call),
        ("53300", Kind::Unavailable, Retry::Call),
        ("57014", Kind::Timeout, Retry::Call),
        ("25006", Kind::Unavailable, Retry::Call),
        ("42501", Kind::Misconfigured, Retry::No),
        ("42P01", Kind::Misconfigured, Retry::No),
        ("22003", Kind::LimitReached, Retry::No),
        ("2200H", Kind::LimitReached, Retry::No),
        ("23505", Kind::Corrupt, Retry::No),
        ("23514", Kind::Corrupt, Retry::No),
        ("XX001", Kind::Corrupt, Retry::No),
        ("22021", Kind::Internal, Retry::No),
        ("54000", Kind::Internal, Retry::No),
    ] {
        let error = append(&store, "a", code).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{code}");
        assert_eq!(
            (error.applied(), error.retry()),
            (Applied::No, retry),
            "{code}"
        );
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.to_string().contains(code), "{source}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    // These are repeated until the deadline, and were never applied. If the
    // deadline comes in the middle of a statement, the call cannot know.
    for code in ["40001", "40P01", "55P03"] {
        let error = append(&impatient, "a", code).await.unwrap_err();
        match error.kind() {
            Kind::Timeout => {}
            Kind::Contention => assert_eq!(error.applied(), Applied::No, "{code}"),
            _ => panic!("{code}: {error}"),
        }
    }
    // In a caller's transaction each of them ends the transaction.
    let pool = sqlx::PgPool::connect(&place.url()).await.unwrap();
    for code in ["40001", "53100", "22003"] {
        let mut open = pool.begin().await.unwrap();
        let inside = store.in_transaction(&mut open);
        let error = append(&inside, "a", code).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Transaction, "{code}");
        assert_eq!(error.applied(), Applied::No, "{code}");
    }
    assert_eq!(append(&store, "a", "at last").await.unwrap()[0].version, 2);
}

/// Catches versions and ids that wrap, or that end as an internal error.
#[tokio::test]
async fn ids_and_versions_end_instead_of_wrapping() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, "a", "1").await.unwrap();
    raw(
        &place,
        "UPDATE {s}.ledger_streams SET head = 9223372036854775806",
    )
    .await;
    let two = store
        .append(&name("a"), batch(vec![entry("x"), entry("y")]))
        .await;
    assert_eq!(*two.unwrap_err().kind(), Kind::LimitReached);
    let last = append(&store, "a", "last").await.unwrap();
    assert_eq!(last[0].version, u64::MAX / 2);
    let beyond = append(&store, "a", "beyond").await.unwrap_err();
    assert_eq!(
        (beyond.kind(), beyond.applied()),
        (&Kind::LimitReached, Applied::No)
    );

    raw(
        &place,
        "SELECT setval('{s}.ledger_pos', 9223372036854775806)",
    )
    .await;
    assert_eq!(append(&store, "b", "last").await.unwrap()[0].id, i64::MAX);
    let beyond = append(&store, "b", "beyond").await.unwrap_err();
    assert_eq!(*beyond.kind(), Kind::LimitReached);
}

/// Catches pages that read what they do not return: filtering by id inside a
/// stream, and a plan for any order key that cannot use the partial index.
#[tokio::test]
async fn pages_are_read_from_an_index_whatever_the_plan() {
    let place = Place::fresh().await;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1);
    let pool = pool.connect(&place.url()).await.unwrap();
    let store = PostgresStore::with_pool(pool.clone(), place.config.clone())
        .await
        .unwrap();
    for stream in ["a", "b"] {
        let entries = (0..4_000).map(|n| entry("x").with_order_key(format!("k{}", n % 50)));
        store
            .append(&name(stream), batch(entries.collect()))
            .await
            .unwrap();
    }
    raw(&place, "ANALYZE {s}.ledger_entries").await;
    page(&store, "a", Query::new().after(2_000).limit(20)).await;
    page(&store, "a", Query::new().order_key("k7").limit(20)).await;
    pool.execute("SET plan_cache_mode = force_generic_plan")
        .await
        .unwrap();
    let statements = "SELECT name, statement FROM pg_prepared_statements \
                      WHERE statement LIKE 'SELECT e.pos%LIMIT 21'";
    let statements = pool.fetch_all(statements).await.unwrap();
    assert_eq!(statements.len(), 2);
    for row in statements {
        let (prepared, text): (String, String) = (row.get(0), row.get(1));
        let by_key = text.contains("order_key = $");
        let (fourth, index) = match by_key {
            true => ("'k7'", "ledger_entries_order_key"),
            false => ("2000", "ledger_entries_pkey"),
        };
        let explain = format!(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) \
             EXECUTE {prepared} ('a', 1, 9223372036854775807, {fourth})"
        );
        let rows = pool
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(explain)))
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(index), "{plan}");
        assert!(
            !plan.contains("Removed by Filter") && !plan.contains("Seq Scan on ledger_entries"),
            "{plan}"
        );
    }
}

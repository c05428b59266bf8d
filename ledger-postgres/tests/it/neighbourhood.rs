//! What stands around the server: poolers, TLS, a pool that the application
//! uses too.

mod pooler;
mod tls;

use std::collections::HashSet;

use futures_util::future::join_all;
use ledger_core::{Query, Store};
use ledger_postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Row};

use crate::support::{Place, append, batch, entry, name, page, scalar};

/// Catches a store that leaves something behind in the sessions of the
/// application: settings, open transactions, locks, and one that keeps
/// connections to itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_the_application_uses_too_stays_as_it_is() {
    let place = Place::fresh().await;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(3);
    let pool = pool.connect(&place.url()).await.unwrap();
    let config = place.config.clone();
    let store = PostgresStore::with_pool(pool.clone(), config)
        .await
        .unwrap();
    let table = format!("{}.accounts", place.schema.name);
    let make = format!("CREATE TABLE {table} (id int PRIMARY KEY, cents bigint)");
    sqlx::query(AssertSqlSafe(make))
        .execute(&pool)
        .await
        .unwrap();
    let fill = format!("INSERT INTO {table} SELECT n, 0 FROM generate_series(0, 9) n");
    sqlx::query(AssertSqlSafe(fill))
        .execute(&pool)
        .await
        .unwrap();

    let work = (0..120_i32).map(|n| {
        let (store, pool, table) = (store.clone(), pool.clone(), table.clone());
        tokio::spawn(async move {
            let stream = format!("s{}", n % 4);
            match n % 4 {
                0 => {
                    let mut open = pool.begin().await.unwrap();
                    let add = format!("UPDATE {table} SET cents = cents + 1 WHERE id = $1");
                    let add = sqlx::query(AssertSqlSafe(add)).bind(n % 10);
                    add.execute(&mut *open).await.unwrap();
                    let inside = store.in_transaction(&mut open);
                    append(&inside, "paid", "x").await.unwrap();
                    drop(inside);
                    open.commit().await.unwrap();
                }
                1 => {
                    // A version behind others, so that groups are decided in a
                    // transaction too.
                    let sent = batch(vec![entry("x")]).with_expected(1_000_000);
                    let refused = store.append(&name(&stream), sent).await.unwrap_err();
                    assert!(refused.is_conflict());
                }
                _ => drop(append(&store, &stream, "x").await.unwrap()),
            }
        })
    });
    for done in join_all(work.collect::<Vec<_>>()).await {
        done.unwrap();
    }
    let stats = store.group_stats();
    assert!(stats.statements + stats.transactions > 0, "{stats:?}");
    assert_eq!(page(&store, "paid", Query::new()).await.records.len(), 30);

    // Every session of the pool at once.
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(pool.acquire().await.unwrap());
    }
    let mut pids = HashSet::new();
    for session in &mut sessions {
        let row = sqlx::query(
            "SELECT pg_backend_pid(), current_setting('lock_timeout'), \
                    current_setting('statement_timeout'), \
                    current_setting('idle_in_transaction_session_timeout'), \
                    (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() \
                       AND locktype IN ('advisory', 'tuple'))",
        )
        .fetch_one(&mut **session)
        .await
        .unwrap();
        pids.insert(row.get::<i32, _>(0));
        let settings: Vec<String> = (1..4).map(|n| row.get(n)).collect();
        assert_eq!(settings, ["0", "0", "0"]);
        assert_eq!(row.get::<i64, _>(4), 0);
    }
    assert_eq!(pids.len(), 3);
    let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
    let open = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND pid IN ({})",
        pids.join(", ")
    );
    assert_eq!(
        scalar(&place, &open).await,
        0,
        "a transaction was left open"
    );
    drop(sessions);
    store.close().await.unwrap();
    assert!(!pool.is_closed());
}

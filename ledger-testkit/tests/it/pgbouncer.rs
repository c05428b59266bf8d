//! PgBouncer in front of a server.

use ledger_testkit::{PgBouncer, Postgres};
use sqlx::{ConnectOptions, Connection, Executor, Row};

/// Catches a pooler that gives each client a server connection of its own: then
/// nothing behind it would be tested.
#[tokio::test]
async fn clients_share_one_connection_transaction_by_transaction() {
    let server = Postgres::private(&[]).await.unwrap();
    let pooler = PgBouncer::start(&server, &["default_pool_size = 1"])
        .await
        .unwrap();
    let database = server.fresh_database().await.unwrap();
    let options = pooler.options().clone().database(database.name());
    let mut one = options.connect().await.unwrap();
    let mut two = options.connect().await.unwrap();
    let mut pids = Vec::new();
    for _ in 0..3 {
        for client in [&mut one, &mut two] {
            let mut tx = client.begin().await.unwrap();
            let row = tx.fetch_one("SELECT pg_backend_pid()").await.unwrap();
            pids.push(row.get::<i32, _>(0));
            tx.commit().await.unwrap();
        }
    }
    pids.dedup();
    assert_eq!(pids.len(), 1, "{pids:?}");
}

/// Catches an error that hides what was wrong.
#[tokio::test]
async fn a_wrong_setting_is_told() {
    let server = Postgres::private(&[]).await.unwrap();
    let refused = PgBouncer::start(&server, &["pool_mode = none"])
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("pool_mode"), "{refused}");
}

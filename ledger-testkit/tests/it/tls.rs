//! A server that speaks TLS.

use ledger_testkit::Postgres;
use sqlx::postgres::PgSslMode;
use sqlx::{ConnectOptions, Executor, Row};

/// Catches a connection that is not encrypted after all, an authority that is
/// not asked, and a name that is not looked at.
#[tokio::test]
async fn only_the_right_authority_vouches_for_the_right_name() {
    let (server, authorities) = Postgres::private_with_tls(&[]).await.unwrap();
    let options = server.options().clone().ssl_mode(PgSslMode::VerifyFull);
    let right = options.clone().ssl_root_cert(&authorities.right);
    let mut connection = right.clone().host("localhost").connect().await.unwrap();
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = connection.fetch_one(sql).await.unwrap();
    assert!(row.get::<bool, _>(0));
    assert!(right.host("127.0.0.1").connect().await.is_err());
    let wrong = options.host("localhost").ssl_root_cert(&authorities.wrong);
    assert!(wrong.connect().await.is_err());
    server.restart().await.unwrap();
}

//! A server in a container.

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::{answers, local};
use crate::PATIENCE;
use crate::container::{self, Wanted};
use crate::error::Result;

const PASSWORD: &str = "only-for-tests";

pub(super) async fn start(forced: bool) -> Result<PgConnectOptions> {
    let wanted = Wanted {
        image: ("LEDGER_POSTGRES_IMAGE", "postgres:15"),
        port: 5432,
        published: None,
        environment: vec![
            ("POSTGRES_PASSWORD", PASSWORD),
            ("POSTGRES_HOST_AUTH_METHOD", "password"),
        ],
        arguments: vec!["-c".into(), "max_prepared_transactions=20".into()],
    };
    let only_way = forced || local::binaries().is_err();
    let (host, port) = container::start(wanted, only_way).await?;
    let options = PgConnectOptions::new_without_pgpass()
        .host(&host)
        .port(port)
        .username("postgres")
        .password(PASSWORD)
        .database("postgres")
        .disable_statement_logging();
    answers(&options, 6 * PATIENCE).await?;
    Ok(options)
}

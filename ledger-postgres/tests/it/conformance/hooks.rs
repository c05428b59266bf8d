//! What the suite cannot do through a store.

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::{Error, Kind, Result, Store, StreamName};
use ledger_postgres::PostgresStore;
use ledger_storetest::{Application, Harness, Hold, Obstacle, Setup, Transaction};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Postgres};

use super::{PostgresHarness, config};
use crate::support::Place;

/// An error of the test's own statements.
fn own(e: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Io, "the harness").caused_by(e)
}

async fn connect(place: &Place) -> Result<PgConnection> {
    place.schema.database.connect().await.map_err(own)
}

/// Runs a statement; `{s}` is the schema of the place.
async fn run(connection: &mut PgConnection, place: &Place, sql: &str) -> Result<()> {
    let sql = sql.replace("{s}", &place.schema.name);
    connection.execute(AssertSqlSafe(sql)).await.map_err(own)?;
    Ok(())
}

pub(crate) async fn seed(
    harness: &PostgresHarness,
    place: &Place,
    stream: &StreamName,
    version: u64,
) -> Result<()> {
    // Creates the tables.
    harness
        .open(place, &Setup::default())
        .await?
        .close()
        .await?;
    let insert = format!(
        "INSERT INTO {} (name, head) VALUES ($1, $2)",
        place.table("streams")
    );
    let mut connection = connect(place).await?;
    sqlx::query(AssertSqlSafe(insert))
        .bind(stream.as_str())
        .bind(version.cast_signed())
        .execute(&mut connection)
        .await
        .map_err(own)?;
    connection.close().await.map_err(own)
}

pub(crate) async fn application(place: &Place, setup: &Setup) -> Result<Box<dyn Application<i64>>> {
    let pool = PgPoolOptions::new().max_connections(4);
    let pool = pool.connect(&place.url()).await.map_err(own)?;
    let app = format!("{}.app", place.schema.name);
    let table = format!("CREATE TABLE IF NOT EXISTS {app} (n bigint)");
    pool.execute(AssertSqlSafe(table)).await.map_err(own)?;
    let store = PostgresStore::with_pool(pool.clone(), config(place, setup)).await?;
    Ok(Box::new(App { pool, store, app }))
}

struct App {
    pool: PgPool,
    store: PostgresStore,
    /// Its table.
    app: String,
}

struct Tx {
    store: PostgresStore,
    tx: sqlx::Transaction<'static, Postgres>,
    app: String,
}

#[async_trait]
impl Application<i64> for App {
    async fn begin(&self) -> Result<Box<dyn Transaction<i64>>> {
        let tx = self.pool.begin().await.map_err(own)?;
        Ok(Box::new(Tx {
            store: self.store.clone(),
            tx,
            app: self.app.clone(),
        }))
    }

    async fn rows(&self) -> Result<Vec<i64>> {
        let select = AssertSqlSafe(format!("SELECT n FROM {}", self.app));
        let rows = sqlx::query_scalar(select);
        rows.fetch_all(&self.pool).await.map_err(own)
    }
}

#[async_trait]
impl Transaction<i64> for Tx {
    fn store(&mut self) -> Box<dyn Store<i64> + '_> {
        Box::new(self.store.in_transaction(&mut self.tx))
    }

    async fn write(&mut self, row: i64) -> Result<()> {
        let insert = AssertSqlSafe(format!("INSERT INTO {} VALUES ($1)", self.app));
        let insert = sqlx::query(insert).bind(row);
        insert.execute(&mut *self.tx).await.map_err(own)?;
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.tx.commit().await.map_err(own)
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.tx.rollback().await.map_err(own)
    }
}

/// A lock on the streams that lets others read.
struct Lock(PgConnection);

pub(crate) async fn hold(place: &Place) -> Result<Box<dyn Hold>> {
    let mut connection = connect(place).await?;
    let lock = "BEGIN; LOCK TABLE {s}.ledger_streams IN SHARE ROW EXCLUSIVE MODE";
    let lock = lock.replace("{s}", &place.schema.name);
    let lock = sqlx::raw_sql(AssertSqlSafe(lock));
    connection.execute(lock).await.map_err(own)?;
    Ok(Box::new(Lock(connection)))
}

#[async_trait]
impl Hold for Lock {
    async fn release(mut self: Box<Self>) -> Result<()> {
        self.0.execute("ROLLBACK").await.map_err(own)?;
        self.0.close().await.map_err(own)
    }
}

pub(crate) async fn open_over(
    harness: &PostgresHarness,
    place: &Place,
    obstacle: Obstacle,
    setup: &Setup,
) -> Option<Result<Arc<dyn Store<i64>>>> {
    let sql = match obstacle {
        Obstacle::NewerFormat => "UPDATE {s}.ledger_meta SET format = 1000",
        Obstacle::MissingPart => "DROP TABLE {s}.ledger_entries",
        Obstacle::WeakSettings => return Some(open_weakly(place, setup).await),
        // Any number of processes may use the tables.
        _ => return None,
    };
    let disturb = async {
        let mut connection = connect(place).await?;
        run(&mut connection, place, sql).await
    };
    Some(match disturb.await {
        Ok(()) => harness.open(place, setup).await,
        Err(e) => Err(e),
    })
}

/// On connections of an application that do not wait for the flush.
async fn open_weakly(place: &Place, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
    let weak = place.schema.database.options().clone();
    let weak = weak.options([("synchronous_commit", "off")]);
    let pool = PgPool::connect_with(weak).await.map_err(own)?;
    let store = PostgresStore::with_pool(pool, config(place, setup)).await?;
    Ok(Arc::new(store))
}

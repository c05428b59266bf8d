//! What the suite cannot do through a store.

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::{Error, Kind, Result, Store, StreamName};
use ledger_sqlite::{SqliteOptions, SqliteStore};
use ledger_storetest::{Application, Harness, Hold, Obstacle, Setup, Transaction};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    SqliteTransaction,
};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::{Sqlite, file, options};

/// An error of the test's own statements.
fn own(e: sqlx::Error) -> Error {
    Error::new(Kind::Io, "the harness").caused_by(e)
}

fn connect(place: &TempDir) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file(place))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
}

async fn run(place: &TempDir, sql: &'static str) -> Result<()> {
    let mut conn = SqliteConnection::connect_with(&connect(place))
        .await
        .map_err(own)?;
    sqlx::raw_sql(sql).execute(&mut conn).await.map_err(own)?;
    conn.close().await.map_err(own)
}

pub(crate) async fn seed(
    harness: &Sqlite,
    place: &TempDir,
    stream: &StreamName,
    version: u64,
) -> Result<()> {
    // Creates the tables.
    harness
        .open(place, &Setup::default())
        .await?
        .close()
        .await?;
    let mut conn = SqliteConnection::connect_with(&connect(place))
        .await
        .map_err(own)?;
    let insert = "INSERT INTO ledger_streams (name, version, last_id, last_at) VALUES (?, ?, 0, 0)";
    sqlx::query(insert)
        .bind(stream.as_str())
        .bind(version.cast_signed())
        .execute(&mut conn)
        .await
        .map_err(own)?;
    conn.close().await.map_err(own)
}

pub(crate) async fn application(
    place: &TempDir,
    setup: &Setup,
) -> Result<Box<dyn Application<i64>>> {
    let pool = SqlitePoolOptions::new().max_connections(4);
    let pool = pool.connect_with(connect(place)).await.map_err(own)?;
    let table = "CREATE TABLE IF NOT EXISTS app (row INTEGER)";
    sqlx::raw_sql(table).execute(&pool).await.map_err(own)?;
    let store = SqliteStore::with_pool(pool.clone(), options(setup)).await?;
    Ok(Box::new(App { pool, store }))
}

struct App {
    pool: SqlitePool,
    store: SqliteStore,
}

struct Tx {
    store: SqliteStore,
    tx: SqliteTransaction<'static>,
}

#[async_trait]
impl Application<i64> for App {
    async fn begin(&self) -> Result<Box<dyn Transaction<i64>>> {
        let tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(own)?;
        let store = self.store.clone();
        Ok(Box::new(Tx { store, tx }))
    }

    async fn rows(&self) -> Result<Vec<i64>> {
        let rows = sqlx::query_scalar("SELECT row FROM app");
        rows.fetch_all(&self.pool).await.map_err(own)
    }
}

#[async_trait]
impl Transaction<i64> for Tx {
    fn store(&mut self) -> Box<dyn Store<i64> + '_> {
        Box::new(self.store.in_transaction(&mut self.tx))
    }

    async fn write(&mut self, row: i64) -> Result<()> {
        let insert = sqlx::query("INSERT INTO app VALUES (?)").bind(row);
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

/// The write lock of the file.
struct Lock(SqliteConnection);

pub(crate) async fn hold(place: &TempDir) -> Result<Box<dyn Hold>> {
    let mut conn = SqliteConnection::connect_with(&connect(place))
        .await
        .map_err(own)?;
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut conn)
        .await
        .map_err(own)?;
    Ok(Box::new(Lock(conn)))
}

#[async_trait]
impl Hold for Lock {
    async fn release(mut self: Box<Self>) -> Result<()> {
        sqlx::raw_sql("ROLLBACK")
            .execute(&mut self.0)
            .await
            .map_err(own)?;
        self.0.close().await.map_err(own)
    }
}

pub(crate) async fn open_over(
    harness: &Sqlite,
    place: &TempDir,
    obstacle: Obstacle,
    setup: &Setup,
) -> Option<Result<Arc<dyn Store<i64>>>> {
    let sql = match obstacle {
        Obstacle::NewerFormat => "UPDATE ledger_meta SET format = 1000",
        Obstacle::MissingPart => "DROP TABLE ledger_entries",
        Obstacle::WeakSettings => return Some(open_weakly(place).await),
        // Any number of processes may open the file.
        _ => return None,
    };
    Some(match run(place, sql).await {
        Ok(()) => harness.open(place, setup).await,
        Err(e) => Err(e),
    })
}

/// On connections of an application that do not flush.
async fn open_weakly(place: &TempDir) -> Result<Arc<dyn Store<i64>>> {
    let weak = connect(place).synchronous(SqliteSynchronous::Off);
    let pool = SqlitePool::connect_with(weak).await.map_err(own)?;
    Ok(Arc::new(
        SqliteStore::with_pool(pool, SqliteOptions::new()).await?,
    ))
}

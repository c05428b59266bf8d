//! Opening: what is checked, and what may be created.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::backend::{StoreId, event};
use ledger_core::{Error, Identifier, Kind, Limits, Result, Rule};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::{convert, misconfigured};
use crate::handle::Parts;
use crate::location::Location;
use crate::options::{Durability, SqliteOptions};
use crate::read::Connections;
use crate::settings::{Settings, check_database};
use crate::sql::Sql;
use crate::writer::{Own, Source, Writer, backoff};
use crate::{BACKEND, read, schema};

/// How long SQLite itself waits for the write lock. Short: between two
/// attempts the writer sees whose deadline has passed.
const WRITER_BUSY: Duration = Duration::from_millis(50);
/// How long SQLite itself waits for a reader, which has to wait only while
/// the write-ahead log is being recovered.
const READER_BUSY: Duration = Duration::from_secs(5);

/// Checks the options that have limits.
pub(crate) fn check(options: &SqliteOptions) -> Result<()> {
    Limits::TABLE.check_deadline(options.deadline)?;
    schema::check_prefix(&options.prefix)?;
    let readers = u64::from(options.readers);
    if readers < 1 {
        return Err(Error::invalid_input("readers", Rule::AtLeast, 1, readers));
    }
    if readers > 64 {
        return Err(Error::invalid_input("readers", Rule::AtMost, 64, readers));
    }
    Ok(())
}

/// Runs an opening within the deadline of the options.
pub(crate) async fn in_time<T>(
    options: &SqliteOptions,
    opening: impl Future<Output = Result<T>>,
) -> Result<T> {
    match timeout_at(Instant::now() + options.deadline, opening).await {
        Ok(done) => done,
        Err(_elapsed) => Err(Error::new(
            Kind::Contention,
            "the database was locked, or the pool had no connection, until the deadline",
        )),
    }
}

/// Opens a file.
pub(crate) async fn file(location: Location, options: &SqliteOptions) -> Result<Parts> {
    check(options)?;
    let create = location.create.unwrap_or(options.create);
    location.check(create)?;
    let writer = connect_options(&location, options.durability)
        // Those of a group alone are fifty, by the lengths of its lists.
        .statement_cache_capacity(256);
    let mut attempt = 0;
    let (conn, id) = loop {
        match first_connection(&writer, options, create).await {
            Err(e) if *e.kind() == Kind::Contention => wait(&mut attempt, &e).await,
            done => break done?,
        }
    };

    let readers = connect_options(&location, options.durability)
        .busy_timeout(READER_BUSY)
        .pragma("query_only", "1");
    let readers = read::Own::new(readers, options.readers);
    let own = Own {
        options: writer,
        durability: options.durability,
        idle: Some(conn),
    };
    Ok(parts(
        id,
        options,
        Connections::Own(Arc::new(readers)),
        Source::Own(Box::new(own)),
    ))
}

/// Opens the tables in an application's database.
pub(crate) async fn pool(pool: SqlitePool, options: &SqliteOptions) -> Result<Parts> {
    check(options)?;
    let id = ensure_in(&pool, options, options.create).await?;
    let connections = Connections::Pool(pool.clone());
    Ok(parts(id, options, connections, Source::Pool(pool)))
}

/// Checks an application's database, and creates the tables if it may.
pub(crate) async fn ensure_in(
    pool: &SqlitePool,
    options: &SqliteOptions,
    create: bool,
) -> Result<StoreId> {
    let mut conn = pool.acquire().await.map_err(convert)?;
    check_database(&mut conn, pool.options().get_max_connections()).await?;
    Settings::read(&mut conn).await?.check(options.durability)?;
    let mut attempt = 0;
    loop {
        match ensure(&mut conn, &options.prefix, create).await {
            Err(e) if *e.kind() == Kind::Contention => wait(&mut attempt, &e).await,
            done => return done,
        }
    }
}

/// Waits before the next attempt to open, until the deadline that
/// [`in_time`] keeps.
async fn wait(attempt: &mut u32, why: &Error) {
    event::retrying(BACKEND, "open", *attempt + 1, why);
    sleep(backoff(*attempt)).await;
    *attempt += 1;
}

fn parts(id: StoreId, options: &SqliteOptions, connections: Connections, source: Source) -> Parts {
    event::opened(BACKEND, id);
    let sql = Arc::new(Sql::new(&options.prefix));
    let queue = Writer::start(
        sql.clone(),
        source,
        options.clock.clone(),
        options.durability,
    );
    Parts {
        id,
        sql,
        connections,
        queue,
    }
}

fn connect_options(location: &Location, durability: Durability) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&location.file)
        .busy_timeout(WRITER_BUSY)
        .synchronous(match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Normal => SqliteSynchronous::Normal,
            Durability::Off => SqliteSynchronous::Off,
        })
        // There are none in the tables; checking costs all the same.
        .foreign_keys(false)
        .pragma("temp_store", "MEMORY")
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging()
}

/// The first connection to a file, checked; everything on the way may find
/// the file locked by another opening. Anything that cannot be a store is
/// refused before it is changed.
async fn first_connection(
    writer: &SqliteConnectOptions,
    options: &SqliteOptions,
    create: bool,
) -> Result<(SqliteConnection, StoreId)> {
    let connecting = writer.clone().create_if_missing(create);
    let mut conn = connecting.connect().await.map_err(cannot_open)?;
    check_database(&mut conn, options.readers + 1).await?;
    if schema::inspect(&mut conn, &options.prefix).await?.is_none() && !create {
        return Err(missing());
    }
    // Stays on in the file.
    if !Settings::read(&mut conn).await?.is_wal() {
        let wal = sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut conn);
        wal.await.map_err(convert)?;
    }
    Settings::read(&mut conn).await?.check(options.durability)?;
    let id = ensure(&mut conn, &options.prefix, create).await?;
    Ok((conn, id))
}

/// A failure to open the file is a matter of its path and permissions.
fn cannot_open(error: sqlx::Error) -> Error {
    let error = convert(error);
    match error.kind() {
        Kind::Unavailable => {
            misconfigured("the file cannot be opened; it and its directory have to be writable")
                .caused_by(error)
        }
        _ => error,
    }
}

/// The id of the store; creates the tables where none of them exist.
async fn ensure(conn: &mut SqliteConnection, prefix: &Identifier, create: bool) -> Result<StoreId> {
    if let Some(id) = schema::inspect(conn, prefix).await? {
        return Ok(id);
    }
    if !create {
        return Err(missing());
    }
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(convert)?;
    // Somebody else may have been faster.
    if let Some(id) = schema::inspect(&mut tx, prefix).await? {
        tx.rollback().await.map_err(convert)?;
        return Ok(id);
    }
    let id = schema::create(&mut tx, prefix).await?;
    tx.commit().await.map_err(convert)?;
    event::migrated(BACKEND, 0, schema::FORMAT);
    Ok(id)
}

fn missing() -> Error {
    misconfigured(
        "the database has no tables of this store, and they were not to be created; \
         check path and prefix, or create them with SqliteStore::migrate",
    )
}

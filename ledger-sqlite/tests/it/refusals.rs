//! What is not opened, and that it is left as it was.

use ledger_core::{Kind, Store};
use ledger_sqlite::{Durability, SqliteOptions, SqliteStore, schema_sql};
use sqlx::sqlite::{SqliteJournalMode, SqlitePool, SqliteSynchronous};

use crate::helpers::{Place, S, append, kind, millis};

async fn run(pool: &SqlitePool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

/// Catches writing with an old idea of the tables into newer ones.
#[tokio::test]
async fn tables_of_a_newer_format_are_refused_also_by_a_running_writer() {
    let place = Place::new();
    let store = place.open().await;
    append(&store, &S, "1").await.unwrap();
    let pool = place.pool(1).await;
    run(&pool, "UPDATE ledger_meta SET format = 7").await;
    let newer = Kind::NewerFormat { known: 1, found: 7 };
    assert_eq!(kind(SqliteStore::open(place.file()).await), newer);
    assert_eq!(
        kind(SqliteStore::with_pool(pool, SqliteOptions::new()).await),
        newer
    );
    assert_eq!(kind(append(&store, &S, "2").await), newer);
}

/// Catches `CREATE TABLE IF NOT EXISTS`, which turns a store that lost a table
/// into an empty one.
#[tokio::test]
async fn a_store_that_lost_a_part_is_not_completed() {
    for (sql, expected) in [
        ("DROP TABLE ledger_entries", Kind::Corrupt),
        ("DROP INDEX ledger_entries_dedup", Kind::Corrupt),
        ("DROP TABLE ledger_streams", Kind::Corrupt),
        ("DELETE FROM ledger_meta", Kind::Corrupt),
        ("UPDATE ledger_meta SET format = 0", Kind::Corrupt),
        ("UPDATE ledger_meta SET store_id = 'x'", Kind::Corrupt),
        ("DROP TABLE ledger_meta", Kind::Misconfigured),
        (
            "DROP TABLE ledger_meta; CREATE TABLE ledger_meta (x)",
            Kind::Misconfigured,
        ),
    ] {
        let place = Place::new();
        place.open().await.close().await.unwrap();
        run(&place.pool(1).await, sql).await;
        assert_eq!(
            kind(SqliteStore::open(place.file()).await),
            expected,
            "{sql}"
        );
    }
}

/// Catches an empty store by mistake: a wrong path or prefix that is created.
#[tokio::test]
async fn open_existing_creates_neither_file_nor_tables() {
    let place = Place::new();
    assert_eq!(
        kind(SqliteStore::open_existing(place.file()).await),
        Kind::Misconfigured
    );
    let url = format!("sqlite:{}?mode=rw", place.file().display());
    assert_eq!(kind(SqliteStore::open(url).await), Kind::Misconfigured);
    assert!(!place.file().exists());

    let pool = place.pool(1).await;
    run(&pool, "CREATE TABLE app (x)").await;
    assert_eq!(
        kind(SqliteStore::open_existing(place.file()).await),
        Kind::Misconfigured
    );
    let options = SqliteOptions::new().with_create(false);
    assert_eq!(
        kind(SqliteStore::with_pool(pool.clone(), options.clone()).await),
        Kind::Misconfigured
    );
    SqliteStore::migrate(&pool, &options).await.unwrap();
    SqliteStore::with_pool(pool, options).await.unwrap();
    SqliteStore::open_existing(place.file()).await.unwrap();
}

/// Catches a printed schema that is not the one that is created.
#[tokio::test]
async fn the_printed_schema_is_a_store() {
    let place = Place::new();
    let pool = place.pool(1).await;
    let sql = schema_sql(&ledger_core::Identifier::DEFAULT_PREFIX);
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&pool)
        .await
        .unwrap();
    let store = SqliteStore::open_existing(place.file()).await.unwrap();
    append(&store, &S, "1").await.unwrap();
}

/// Catches an I/O error where the path is what has to be fixed, and a
/// directory that is created on the way.
#[tokio::test]
async fn a_missing_directory_and_a_path_that_cannot_be_written_are_named() {
    let place = Place::new();
    let below_nothing = place.dir.path().join("no/such/dir.db");
    let error = SqliteStore::open(&below_nothing).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Misconfigured);
    assert!(error.context("directory").unwrap().ends_with("no/such"));
    assert!(!place.dir.path().join("no").exists());

    std::fs::write(place.file(), "").unwrap();
    assert_eq!(
        kind(SqliteStore::open(place.file().join("x.db")).await),
        Kind::Misconfigured
    );
    assert_eq!(
        kind(SqliteStore::open(place.dir.path()).await),
        Kind::Misconfigured
    );
}

/// Catches a store that opens and fails at its first append. A directory made
/// read-only binds everyone but root, a read-only connection root too.
#[tokio::test]
async fn what_can_only_be_read_is_refused() {
    let place = Place::new();
    let url = format!("sqlite:{}?mode=ro", place.file().display());
    assert_eq!(kind(SqliteStore::open(url).await), Kind::Misconfigured);

    place.pool(1).await.close().await;
    let pool = SqlitePool::connect_with(place.connect().read_only(true))
        .await
        .unwrap();
    let refused = SqliteStore::with_pool(pool, SqliteOptions::new()).await;
    assert_eq!(kind(refused), Kind::Misconfigured);

    let locked = place.dir.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    let mut mode = std::fs::metadata(&locked).unwrap().permissions();
    mode.set_readonly(true);
    std::fs::set_permissions(&locked, mode).unwrap();
    let is_root = std::fs::write(locked.join("probe"), "").is_ok();
    if !is_root {
        let refused = SqliteStore::open(locked.join("x.db")).await;
        assert_eq!(kind(refused), Kind::Misconfigured);
    }
}

/// Catches an encoding in which packed and compared bytes are others.
#[tokio::test]
async fn a_database_that_is_not_utf_8_is_refused_and_left_alone() {
    let place = Place::new();
    let connect = place
        .connect()
        .journal_mode(SqliteJournalMode::Delete)
        .pragma("encoding", "'UTF-16le'");
    let pool = SqlitePool::connect_with(connect).await.unwrap();
    run(&pool, "CREATE TABLE app (x)").await;
    pool.close().await;
    let before = std::fs::read(place.file()).unwrap();
    assert_eq!(
        kind(SqliteStore::open(place.file()).await),
        Kind::Misconfigured
    );
    assert!(
        std::fs::read(place.file()).unwrap() == before,
        "the file was changed"
    );
}

/// Catches overwriting a file that is no database.
#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt_and_left_alone() {
    let place = Place::new();
    let text = "These are my notes, and not a database at all. ".repeat(100);
    std::fs::write(place.file(), &text).unwrap();
    assert_eq!(kind(SqliteStore::open(place.file()).await), Kind::Corrupt);
    assert_eq!(std::fs::read_to_string(place.file()).unwrap(), text);
}

/// Catches readers that block writers, and acknowledged appends that a loss of
/// power takes away although they were asked to survive it.
#[tokio::test]
async fn a_pool_with_weaker_settings_than_asked_for_is_refused() {
    let place = Place::new();
    let connect = place.connect().journal_mode(SqliteJournalMode::Delete);
    let pool = SqlitePool::connect_with(connect).await.unwrap();
    let refused = SqliteStore::with_pool(pool.clone(), SqliteOptions::new())
        .await
        .unwrap_err();
    assert_eq!(*refused.kind(), Kind::Misconfigured);
    assert!(
        refused.to_string().contains("journal_mode = WAL"),
        "{refused}"
    );
    pool.close().await;

    let weak = |level| SqlitePool::connect_with(place.connect().synchronous(level));
    let open =
        |pool, asked| SqliteStore::with_pool(pool, SqliteOptions::new().with_durability(asked));
    let normal = weak(SqliteSynchronous::Normal).await.unwrap();
    assert_eq!(
        kind(open(normal.clone(), Durability::Full).await),
        Kind::Misconfigured
    );
    open(normal, Durability::Normal).await.unwrap();
    let off = weak(SqliteSynchronous::Off).await.unwrap();
    assert_eq!(
        kind(open(off.clone(), Durability::Normal).await),
        Kind::Misconfigured
    );
    open(off, Durability::Off).await.unwrap();
}

/// Catches settings that are checked at the opening only: a pool hands out
/// connections that something else has changed since.
#[tokio::test]
async fn the_connection_of_each_group_is_checked() {
    let place = Place::new();
    let pool = place.pool(1).await;
    let store = SqliteStore::with_pool(pool.clone(), SqliteOptions::new())
        .await
        .unwrap();
    append(&store, &S, "1").await.unwrap();
    run(&pool, "PRAGMA synchronous = OFF").await;
    assert_eq!(kind(append(&store, &S, "2").await), Kind::Misconfigured);
    run(&pool, "PRAGMA synchronous = FULL").await;
    assert_eq!(
        append(&store, &S, "3").await.unwrap().last_version(),
        Some(2)
    );
}

/// Catches a database in memory of which each connection has its own.
#[tokio::test]
async fn databases_in_memory_are_refused() {
    for location in [":memory:", "sqlite::memory:", "sqlite:x?mode=memory"] {
        assert_eq!(
            kind(SqliteStore::open(location).await),
            Kind::Misconfigured,
            "{location}"
        );
    }
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    assert_eq!(
        kind(SqliteStore::with_pool(pool, SqliteOptions::new()).await),
        Kind::Misconfigured
    );
}

#[tokio::test]
async fn options_outside_their_limits_are_refused() {
    let place = Place::new();
    let open = |options| SqliteStore::open_with(place.file(), options);
    let new = SqliteOptions::new;
    for options in [
        new().with_deadline(millis(0)),
        new().with_readers(0),
        new().with_readers(65),
    ] {
        assert!(matches!(
            kind(open(options).await),
            Kind::InvalidInput { .. }
        ));
    }
    let prefix = ledger_core::Identifier::prefix("sqlite_x").unwrap();
    assert_eq!(
        kind(open(new().with_prefix(prefix)).await),
        Kind::Misconfigured
    );
    assert!(!place.file().exists());
    assert!(place.open().await.with_deadline(millis(0)).is_err());
}

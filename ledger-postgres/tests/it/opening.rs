//! Opening: what is refused, who may, and what is never said.

use ledger_core::{Applied, Kind, Query, Store};
use ledger_postgres::{Config, Durability, PostgresStore};
use ledger_testkit::Postgres;
use sqlx::{Executor, Row};

use crate::support::{Place, append, batch, everything, keyed, name, page, raw, scalar};

async fn refused(place: &Place) -> ledger_core::Error {
    let opened = PostgresStore::open_with(&place.url(), place.config.clone()).await;
    let refused = opened.unwrap_err();
    assert_eq!(*refused.kind(), Kind::Misconfigured, "{refused}");
    refused
}

/// Catches a sequence that hands out numbers by session: an entry with a lower
/// id then comes after one with a higher id was read, and no lock tells.
#[tokio::test]
async fn a_sequence_that_caches_is_refused() {
    let place = Place::fresh().await;
    let store = place.open().await;
    raw(&place, "ALTER SEQUENCE {s}.ledger_pos CACHE 10").await;
    // The skip, shown: one session keeps 1 to 10, the other begins at 11.
    let mut one = place.schema.database.connect().await.unwrap();
    let mut two = place.schema.database.connect().await.unwrap();
    let next = sqlx::AssertSqlSafe(format!("SELECT nextval('{}')", place.table("pos")));
    let first: i64 = one.fetch_one(next).await.unwrap().get(0);
    let next = sqlx::AssertSqlSafe(format!("SELECT nextval('{}')", place.table("pos")));
    let second: i64 = two.fetch_one(next).await.unwrap().get(0);
    let next = sqlx::AssertSqlSafe(format!("SELECT nextval('{}')", place.table("pos")));
    let third: i64 = one.fetch_one(next).await.unwrap().get(0);
    assert!(third < second && first < third);
    assert!(refused(&place).await.to_string().contains("CACHE 1"));
    raw(&place, "ALTER SEQUENCE {s}.ledger_pos CACHE 1 INCREMENT 2").await;
    refused(&place).await;
    raw(&place, "ALTER SEQUENCE {s}.ledger_pos INCREMENT 1 CYCLE").await;
    refused(&place).await;
    raw(&place, "ALTER SEQUENCE {s}.ledger_pos NO CYCLE").await;
    append(&place.open().await, "a", "1").await.unwrap();
    store.close().await.unwrap();
}

/// Catches a look at the highest entry only: after a trim nothing but the
/// noted id tells that the sequence fell behind, and that readers who are
/// further would never see what is appended now.
#[tokio::test]
async fn a_sequence_that_is_behind_is_refused_also_after_a_trim() {
    let place = Place::fresh().await;
    let store = place.open().await;
    for n in 0..5 {
        append(&store, "a", &n.to_string()).await.unwrap();
    }
    raw(&place, "SELECT setval('{s}.ledger_pos', 3)").await;
    assert!(refused(&place).await.to_string().contains("setval"));
    raw(&place, "SELECT setval('{s}.ledger_pos', 5)").await;
    let store = place.open().await;
    assert_eq!(store.trim(&name("a"), &i64::MAX).await.unwrap(), 5);
    raw(&place, "SELECT setval('{s}.ledger_pos', 3)").await;
    assert_eq!(
        scalar(&place, "SELECT count(*) FROM {s}.ledger_entries").await,
        0
    );
    refused(&place).await;
    // A store that was not looked at goes on, and whoever has read up to 5
    // never sees the entry.
    append(&store, "b", "hidden").await.unwrap();
    let behind_5 = "SELECT count(*) FROM {s}.ledger_entries WHERE pos > 5";
    assert_eq!(scalar(&place, behind_5).await, 0);
    let all = "SELECT count(*) FROM {s}.ledger_entries";
    assert_eq!(scalar(&place, all).await, 1);
    raw(&place, "SELECT setval('{s}.ledger_pos', 5, false)").await;
    refused(&place).await;
    raw(&place, "SELECT setval('{s}.ledger_pos', 6, false)").await;
    assert_eq!(
        append(&place.open().await, "a", "6").await.unwrap()[0].version,
        6
    );
}

/// Catches a durability that is taken for granted: a role's setting, one of a
/// session that was opened later, and one of the caller's transaction.
#[tokio::test]
async fn a_weaker_synchronous_commit_writes_nothing() {
    let place = Place::fresh().await;
    let store = place.open().await;
    append(&store, "a", "1").await.unwrap();
    let role = format!("weak_{}", place.schema.database.name());
    raw(
        &place,
        &format!("CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'x'"),
    )
    .await;
    raw(
        &place,
        &format!("ALTER ROLE {role} SET synchronous_commit = off"),
    )
    .await;
    let options = place
        .schema
        .database
        .options()
        .clone()
        .username(&role)
        .password("x");
    let pool = sqlx::PgPool::connect_with(options.clone()).await.unwrap();
    let opened = PostgresStore::with_pool(pool.clone(), place.config.clone()).await;
    assert!(
        opened
            .unwrap_err()
            .to_string()
            .contains("synchronous_commit")
    );
    let lossy = place
        .config
        .clone()
        .with_durability(Durability::MayLoseLast);
    let lossy = PostgresStore::with_pool(pool, lossy).await.unwrap();
    append(&lossy, "a", "2").await.unwrap();
    drop(lossy);

    // The setting changes after the store was opened.
    let setting = options.options([("synchronous_commit", "on")]);
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1);
    let pool = pool.connect_with(setting).await.unwrap();
    let later = PostgresStore::with_pool(pool.clone(), place.config.clone())
        .await
        .unwrap();
    pool.execute("SET synchronous_commit = off").await.unwrap();
    for sent in [
        batch(vec![keyed("k")]),
        batch(vec![crate::support::entry("x")]),
    ] {
        let refused = later.append(&name("a"), sent).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.applied()),
            (&Kind::Misconfigured, Applied::No)
        );
    }
    pool.execute("SET synchronous_commit = on").await.unwrap();
    let mut open = pool.begin().await.unwrap();
    open.execute("SET LOCAL synchronous_commit = local")
        .await
        .unwrap();
    let refused = append(&later.in_transaction(&mut open), "a", "x")
        .await
        .unwrap_err();
    assert_eq!(*refused.kind(), Kind::Misconfigured);
    open.rollback().await.unwrap();
    assert_eq!(append(&later, "a", "3").await.unwrap()[0].version, 3);
    drop(later);
    pool.close().await;
    raw(&place, &format!("DROP ROLE {role}")).await;
}

/// Catches migrations without a lock, and a look under the lock that answers
/// from a cache of before it: of two services that start at once, one fails.
#[tokio::test(flavor = "multi_thread")]
async fn many_services_that_start_at_once_make_one_store() {
    let place = Place::fresh().await;
    let opened = (0..6).map(|_| {
        let (url, config) = (place.url(), place.config.clone());
        tokio::spawn(async move { PostgresStore::open_with(&url, config).await })
    });
    let mut heads = Vec::new();
    for opened in opened.collect::<Vec<_>>() {
        let store = opened.await.unwrap().unwrap();
        heads.push(store.store_head().await.unwrap());
    }
    assert!(
        heads.windows(2).all(|w| w[0] == w[1]),
        "one store, one identity"
    );
}

/// Catches an empty store where one was expected, tables that were made by
/// something else, and a newer release's tables read as ours.
#[tokio::test]
async fn what_is_not_there_or_not_ours_is_refused() {
    let place = Place::fresh().await;
    let missing = PostgresStore::open_existing(&place.url(), place.config.clone()).await;
    assert!(missing.unwrap_err().to_string().contains("migrate"));
    let pool = sqlx::PgPool::connect(&place.url()).await.unwrap();
    PostgresStore::migrate(&pool, &place.config).await.unwrap();
    PostgresStore::migrate(&pool, &place.config).await.unwrap();
    let store = PostgresStore::open_existing(&place.url(), place.config.clone())
        .await
        .unwrap();
    append(&store, "a", "1").await.unwrap();
    raw(&place, "UPDATE {s}.ledger_meta SET format = 2").await;
    let newer = PostgresStore::open_existing(&place.url(), place.config.clone()).await;
    assert_eq!(
        *newer.unwrap_err().kind(),
        Kind::NewerFormat { known: 1, found: 2 }
    );
    assert!(!store.health().await.unwrap().ok);
    raw(&place, "DROP TABLE {s}.ledger_meta").await;
    let pieces = refused(&place).await;
    assert!(pieces.to_string().contains("not all of them"));

    // The printed script makes the same tables; a second prefix lives beside.
    let config = place.config.clone();
    let config = config.with_prefix(ledger_core::Identifier::prefix("ledger_entries").unwrap());
    raw_script(&place, &PostgresStore::schema_sql(&config)).await;
    let beside = PostgresStore::open_existing(&place.url(), config)
        .await
        .unwrap();
    append(&beside, "a", "beside").await.unwrap();
    assert_eq!(
        scalar(&place, "SELECT count(*) FROM {s}.ledger_entries").await,
        1
    );
}

async fn raw_script(place: &Place, script: &str) {
    let mut connection = place.schema.database.connect().await.unwrap();
    let script = sqlx::AssertSqlSafe(script.to_owned());
    connection.execute(sqlx::raw_sql(script)).await.unwrap();
}

/// Catches an encoding that cannot hold every name.
#[tokio::test]
async fn a_database_that_is_not_utf_8_is_refused() {
    let server = Postgres::get().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    let database = format!("ledger_latin_{}", std::process::id());
    let make =
        format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    connection.execute(sqlx::AssertSqlSafe(make)).await.unwrap();
    let place = Place::fresh().await;
    let options = place.schema.database.options().clone().database(&database);
    let pool = sqlx::PgPool::connect_with(options).await.unwrap();
    let opened = PostgresStore::with_pool(pool.clone(), Config::new()).await;
    pool.close().await;
    let drop = format!("DROP DATABASE {database}");
    connection.execute(sqlx::AssertSqlSafe(drop)).await.unwrap();
    assert!(opened.unwrap_err().to_string().contains("UTF8"));
}

/// Catches statements that need more than the documented grants.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_append_and_read_but_not_migrate() {
    let place = Place::fresh().await;
    let role = format!("app_{}_{}", place.schema.database.name(), place.schema.name);
    raw(&place, &format!("CREATE ROLE {role} LOGIN PASSWORD 'x'")).await;
    raw(&place, &format!("GRANT USAGE ON SCHEMA {{s}} TO {role}")).await;
    let options = place
        .schema
        .database
        .options()
        .clone()
        .username(&role)
        .password("x");
    let pool = sqlx::PgPool::connect_with(options).await.unwrap();
    // It may not make the tables, and is told the step.
    let opened = PostgresStore::with_pool(pool.clone(), place.config.clone()).await;
    assert!(opened.unwrap_err().to_string().contains("migrate"));
    let owner = place.open().await;
    for grant in [
        "SELECT ON {s}.ledger_meta",
        "SELECT, INSERT, UPDATE ON {s}.ledger_streams, {s}.ledger_checkpoints",
        "SELECT, INSERT ON {s}.ledger_entries",
        "SELECT, USAGE ON SEQUENCE {s}.ledger_pos",
    ] {
        raw(&place, &format!("GRANT {grant} TO {role}")).await;
    }
    let app = PostgresStore::with_pool(pool.clone(), place.config.clone())
        .await
        .unwrap();
    append(&app, "a", "1").await.unwrap();
    app.append(&name("a"), batch(vec![keyed("k")]))
        .await
        .unwrap();
    app.append(&name("a"), batch(vec![keyed("k"), keyed("l")]))
        .await
        .unwrap();
    assert_eq!(
        page(&app, "a", Query::new().after(1)).await.records.len(),
        2
    );
    assert_eq!(everything(&app).await.len(), 3);
    let mut open = pool.begin().await.unwrap();
    let sent = app.in_transaction(&mut open);
    sent.append(&name("new"), batch(vec![keyed("k")]))
        .await
        .unwrap();
    drop(sent);
    append(&owner, "a", "fast").await.unwrap();
    // Another handle of the role: whom does it wait for?
    let other = PostgresStore::with_pool(pool.clone(), place.config.clone())
        .await
        .unwrap();
    let held = other.explain_head().await.unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    open.commit().await.unwrap();
    assert!(app.health().await.unwrap().ok);
    let trim = app.trim(&name("a"), &1).await.unwrap_err();
    assert_eq!(*trim.kind(), Kind::Misconfigured);
    for grant in [
        "DELETE ON {s}.ledger_entries",
        "UPDATE (trimmed) ON {s}.ledger_meta",
    ] {
        raw(&place, &format!("GRANT {grant} TO {role}")).await;
    }
    assert_eq!(app.trim(&name("a"), &1).await.unwrap(), 1);
    pool.close().await;
    raw(&place, &format!("DROP OWNED BY {role}")).await;
    raw(&place, &format!("DROP ROLE {role}")).await;
}

/// Catches a URL that leaks into an error or a debug print.
#[tokio::test]
async fn a_password_is_never_told() {
    let place = Place::fresh().await;
    let secret = "hunter2-and-more";
    let url = place.url();
    let (head, tail) = url.split_once('@').unwrap();
    let (user, _) = head.rsplit_once(':').unwrap();
    let wrong = format!("{user}:{secret}@{tail}");
    let short = place
        .config
        .clone()
        .with_deadline(std::time::Duration::from_millis(500));
    let mut told = Vec::new();
    for url in [
        wrong,
        format!("postgres://u:{secret}@127.0.0.1:1/x"),
        format!("postgres://u:{secret}@127.0.0.1:notaport/x"),
        format!("postgres://u:{secret}@127.0.0.1/x?sslmode={secret}"),
    ] {
        let error = PostgresStore::open_with(&url, short.clone())
            .await
            .unwrap_err();
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        while let Some(e) = source {
            told.push(format!("{e} {e:?}"));
            source = e.source();
        }
    }
    let store = place.open().await;
    told.push(format!("{store:?} {:?}", place.config));
    assert!(told.len() >= 5);
    for text in told {
        assert!(
            !text.contains(secret) && !text.contains("only-for-tests"),
            "{text}"
        );
    }
}

//! What the tests share.
#![allow(dead_code, reason = "not every test file uses every helper")]

use std::time::{Duration, Instant};

use ledger_core::Identifier;
use ledger_core::{
    AllQuery, Batch, ContentType, Limits, Page, PageEnd, Query, RawEntry, Read, ReadAll, Receipts,
    Record, Result, Store, StorePage, StreamName,
};
use ledger_postgres::{Config, PostgresStore};
use ledger_testkit::{Postgres, Proxy, Schema};

/// A store in a schema of its own.
pub(crate) struct Place {
    pub(crate) schema: Schema,
    pub(crate) config: Config,
}

impl Place {
    pub(crate) async fn fresh() -> Self {
        Self::try_fresh().await.unwrap()
    }

    pub(crate) async fn try_fresh() -> ledger_testkit::Result<Self> {
        Self::on(Postgres::get().await?).await
    }

    pub(crate) async fn on(server: &Postgres) -> ledger_testkit::Result<Self> {
        let schema = server.fresh_schema().await?;
        let config = Config::new().with_schema(Identifier::schema(&schema.name).unwrap());
        Ok(Self { schema, config })
    }

    /// The qualified name of a table.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("{}.ledger_{name}", self.schema.name)
    }

    pub(crate) fn url(&self) -> String {
        self.schema.database.url()
    }

    /// The URL through a proxy before the server, in plain bytes.
    pub(crate) fn url_through(&self, port: u16) -> String {
        use sqlx::ConnectOptions;
        use sqlx::postgres::PgSslMode;
        let options = self.schema.database.options().clone();
        let options = options.host("127.0.0.1").port(port);
        let mut url = options.ssl_mode(PgSslMode::Disable).to_url_lossy();
        url.set_query(Some("sslmode=disable"));
        url.to_string()
    }

    /// A proxy before the server.
    pub(crate) async fn proxy(&self) -> Proxy {
        let options = self.schema.database.options();
        let server = format!("{}:{}", options.get_host(), options.get_port());
        Proxy::start(server).await.unwrap()
    }

    pub(crate) async fn open(&self) -> PostgresStore {
        PostgresStore::open_with(&self.url(), self.config.clone())
            .await
            .unwrap()
    }
}

/// A minute, in which a test has to reach the state that it is about. No test
/// hopes to reach it within a time that it measures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(Instant);

impl Patience {
    pub(crate) fn new() -> Self {
        Self(Instant::now() + Duration::from_secs(60))
    }

    /// Panics with what was reached once the minute is over.
    pub(crate) fn check(self, reached: impl std::fmt::Debug) {
        assert!(Instant::now() < self.0, "after a minute: {reached:?}");
    }
}

pub(crate) fn name(text: &str) -> StreamName {
    StreamName::new(text).unwrap()
}

pub(crate) fn entry(text: &str) -> RawEntry {
    RawEntry::new(ContentType::BYTES, 1, text.as_bytes().to_vec())
}

pub(crate) fn keyed(key: &str) -> RawEntry {
    entry(key).with_dedup_key(key)
}

pub(crate) fn batch(entries: Vec<RawEntry>) -> Batch {
    Batch::new(entries, &Limits::TABLE).unwrap()
}

pub(crate) async fn append(
    store: &dyn Store<i64>,
    stream: &str,
    text: &str,
) -> Result<Receipts<i64>> {
    store.append(&name(stream), batch(vec![entry(text)])).await
}

pub(crate) async fn page(
    store: &dyn Store<i64>,
    stream: &str,
    query: Query<i64>,
) -> Page<Record<i64>> {
    let read = Read::new(query, &Limits::TABLE).unwrap();
    store.read(&name(stream), &read).await.unwrap()
}

pub(crate) async fn all_page(store: &dyn Store<i64>, query: AllQuery) -> StorePage<i64> {
    let read = ReadAll::new(query, &Limits::TABLE).unwrap();
    store.read_all(&read).await.unwrap()
}

/// The whole store, until it says that it has caught up.
pub(crate) async fn everything(store: &dyn Store<i64>) -> Vec<(i64, String)> {
    let mut query = AllQuery::new().limit(1_000);
    let mut all = Vec::new();
    loop {
        let page = all_page(store, query).await;
        all.extend(
            page.records
                .iter()
                .map(|found| (found.record.id, text(&found.record))),
        );
        match page.end {
            PageEnd::CaughtUp => return all,
            PageEnd::More => {}
            PageEnd::Undecided => tokio::task::yield_now().await,
        }
        query = AllQuery::new().limit(1_000).after(page.next);
    }
}

pub(crate) fn text(record: &Record<i64>) -> String {
    String::from_utf8(record.entry.payload.to_vec()).unwrap()
}

/// Runs a statement of the test itself; `{s}` is the schema of the place.
pub(crate) async fn raw(place: &Place, sql: &str) -> Vec<sqlx::postgres::PgRow> {
    use sqlx::{AssertSqlSafe, Executor};
    let sql = sql.replace("{s}", &place.schema.name);
    let mut connection = place.schema.database.connect().await.unwrap();
    let rows = connection.fetch_all(AssertSqlSafe(sql)).await;
    rows.unwrap()
}

/// A number that a statement of the test gives.
pub(crate) async fn scalar(place: &Place, sql: &str) -> i64 {
    use sqlx::Row;
    raw(place, sql).await[0].get(0)
}

/// Waits until so many sessions wait for a lock because of this place.
pub(crate) async fn blocked(place: &Place, sessions: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
               AND (query LIKE '%{s}\".%' OR query LIKE '%{s}.ledger%') AND pid <> pg_backend_pid()";
    while scalar(place, sql).await < sessions {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

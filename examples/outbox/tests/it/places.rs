//! Two databases, as the service and the other side would have.

use std::time::{Duration, Instant};

use ledger_core::{AllQuery, PageEnd, ReadAll, Store};
use ledger_postgres::{Config, PostgresStore};
use ledger_testkit::{Database, Postgres};
use outbox::{Mailbox, Orders, Relay};
use sqlx::{PgPool, Row};

/// Stream, version and payload, in order.
pub(crate) type Messages = Vec<(String, u64, Vec<u8>)>;

pub(crate) struct Places {
    pub(crate) service: Database,
    pub(crate) mailbox: Database,
    pub(crate) pool: PgPool,
    pub(crate) store: PostgresStore,
    pub(crate) orders: Orders,
    pub(crate) delivered: PgPool,
}

impl Places {
    pub(crate) async fn fresh() -> Self {
        let server = Postgres::get().await.unwrap();
        let service = server.fresh_database().await.unwrap();
        let mailbox = server.fresh_database().await.unwrap();
        let pool = PgPool::connect(&service.url()).await.unwrap();
        let store = PostgresStore::with_pool(pool.clone(), Config::new());
        let store = store.await.unwrap();
        let orders = Orders::open(pool.clone(), store.clone()).await.unwrap();
        let delivered = PgPool::connect(&mailbox.url()).await.unwrap();
        Mailbox::open(delivered.clone(), "orders").await.unwrap();
        Self {
            service,
            mailbox,
            pool,
            store,
            orders,
            delivered,
        }
    }

    pub(crate) async fn relay(&self) -> Relay {
        let mailbox = Mailbox::open(self.delivered.clone(), "orders");
        let mailbox = mailbox.await.unwrap();
        Relay::start(self.store.clone(), mailbox).await.unwrap()
    }

    /// What the other side has, in the order of delivery.
    pub(crate) async fn messages(&self) -> Messages {
        let rows = sqlx::query("SELECT stream, version, payload FROM messages ORDER BY place");
        let rows = rows.fetch_all(&self.delivered).await.unwrap();
        let message = |row: &sqlx::postgres::PgRow| {
            let version: i64 = row.get(1);
            (row.get(0), version.unsigned_abs(), row.get(2))
        };
        rows.iter().map(message).collect()
    }

    /// What the store has, once nobody writes any more.
    pub(crate) async fn entries(&self) -> Messages {
        let (mut found, mut query) = (Messages::new(), AllQuery::new());
        let patience = Patience::new();
        loop {
            let read = ReadAll::new(query, self.store.limits()).unwrap();
            let page = self.store.read_all(&read).await.unwrap();
            found.extend(page.records.into_iter().map(|found| {
                let payload = found.record.entry.payload.to_vec();
                (found.stream.to_string(), found.record.version, payload)
            }));
            if page.end == PageEnd::CaughtUp {
                return found;
            }
            patience.check(found.len());
            query = AllQuery::new().after(page.next);
        }
    }

    pub(crate) async fn count(&self, of: &'static str) -> i64 {
        let count = sqlx::query_scalar(of);
        count.fetch_one(&self.pool).await.unwrap()
    }
}

/// A minute, in which a test has to reach what it is about.
pub(crate) struct Patience(Instant);

impl Patience {
    pub(crate) fn new() -> Self {
        Self(Instant::now() + Duration::from_secs(60))
    }

    pub(crate) fn check(&self, reached: impl std::fmt::Debug) {
        assert!(Instant::now() < self.0, "after a minute: {reached:?}");
    }
}

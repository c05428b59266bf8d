//! What the tests share.
#![allow(dead_code, reason = "not every test file uses every helper")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ledger_core::{
    AllQuery, Batch, ContentType, Identifier, Limits, Page, PageEnd, Query, RawEntry, Read,
    ReadAll, Receipts, Record, Result, Store, StorePage, StreamName,
};
use ledger_mongo::mongodb::bson::Document;
use ledger_mongo::mongodb::{Client, Collection};
use ledger_mongo::{Config, MongoId, MongoStore};
use ledger_testkit::{Mongo, MongoDatabase};

/// Collections of one's own, in the database of this process.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) config: Config,
}

impl Place {
    pub(crate) async fn fresh() -> Self {
        Self::try_fresh().await.unwrap()
    }

    /// One database for all: making and dropping hundreds takes minutes.
    pub(crate) async fn try_fresh() -> ledger_testkit::Result<Self> {
        static DATABASE: OnceLock<MongoDatabase> = OnceLock::new();
        if DATABASE.get().is_none() {
            let server = aside(Mongo::get).await?;
            DATABASE.get_or_init(|| server.fresh_database());
        }
        let database = DATABASE.get();
        Ok(Self::in_database(database.unwrap()))
    }

    pub(crate) fn in_database(database: &MongoDatabase) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("p{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self {
            url: database.url(),
            config: Config::new().with_prefix(Identifier::prefix(prefix).unwrap()),
        }
    }

    pub(crate) async fn open(&self) -> MongoStore {
        MongoStore::open_with(&self.url, self.config.clone())
            .await
            .unwrap()
    }

    /// A client that has nothing to do with a store.
    pub(crate) async fn client(&self) -> Client {
        Client::with_uri_str(&self.url).await.unwrap()
    }

    pub(crate) async fn collection(&self, name: &str) -> Collection<Document> {
        let name = format!("{}_{name}", self.config.prefix);
        let client = self.client().await;
        client.default_database().unwrap().collection(&name)
    }
}

/// Runs what cannot move between threads on a thread of its own.
pub(crate) async fn aside<T: Send + 'static, W: Future<Output = T>>(
    work: impl FnOnce() -> W + Send + 'static,
) -> T {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(work())
    };
    tokio::task::spawn_blocking(run).await.unwrap()
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
    store: &MongoStore,
    stream: &str,
    entries: Vec<RawEntry>,
) -> Result<Receipts<MongoId>> {
    store.append(&name(stream), batch(entries)).await
}

pub(crate) async fn page(
    store: &dyn Store<MongoId>,
    stream: &str,
    query: Query<MongoId>,
) -> Result<Page<Record<MongoId>>> {
    let read = Read::new(query, &Limits::TABLE)?;
    store.read(&name(stream), &read).await
}

pub(crate) async fn page_all(store: &MongoStore, query: AllQuery) -> Result<StorePage<MongoId>> {
    store.read_all(&ReadAll::new(query, &Limits::TABLE)?).await
}

/// All of a stream, as versions and payloads.
pub(crate) async fn texts(store: &dyn Store<MongoId>, stream: &str) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    let mut query = Query::new().limit(1_000);
    loop {
        let page = page(store, stream, query).await.unwrap();
        let last = page.records.last().map(|record| record.id);
        found.extend(page.records.into_iter().map(|record| {
            let text = String::from_utf8(record.entry.payload.to_vec());
            (record.version, text.unwrap())
        }));
        match (page.end, last) {
            (PageEnd::CaughtUp, _) | (_, None) => return found,
            (_, Some(last)) => query = Query::new().limit(1_000).after(last),
        }
    }
}

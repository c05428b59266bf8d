//! Short ways to say what the tests do.

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use ledger_core::{
    Batch, ContentType, Error, Limits, Page, Query, RawEntry, Read, Receipts, Record, Result,
    Store, StreamName,
};
use ledger_sqlite::{SqliteOptions, SqliteStore};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use tempfile::TempDir;

pub(crate) use ledger_testkit::Patience;

pub(crate) static S: StreamName = StreamName::from_static("s");

/// A directory for a test and the path of a database in it.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("test.db")
    }

    pub(crate) async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.file()).await.unwrap()
    }

    pub(crate) async fn open_with(&self, options: SqliteOptions) -> SqliteStore {
        SqliteStore::open_with(self.file(), options).await.unwrap()
    }

    pub(crate) fn connect(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(self.file())
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
    }

    /// An application's pool on the file.
    pub(crate) async fn pool(&self, connections: u32) -> SqlitePool {
        let options = SqlitePoolOptions::new().max_connections(connections);
        options.connect_with(self.connect()).await.unwrap()
    }
}

pub(crate) fn name(text: &str) -> StreamName {
    StreamName::new(text).unwrap()
}

pub(crate) fn entry(payload: impl Into<Vec<u8>>) -> RawEntry {
    RawEntry::new(ContentType::BYTES, 1, payload.into())
}

pub(crate) fn batch(entries: impl IntoIterator<Item = RawEntry>) -> Batch {
    Batch::new(entries.into_iter().collect(), &Limits::TABLE).unwrap()
}

pub(crate) async fn append(
    store: &SqliteStore,
    stream: &StreamName,
    payload: &str,
) -> Result<Receipts<i64>> {
    store.append(stream, batch([entry(payload)])).await
}

pub(crate) async fn read(
    store: &SqliteStore,
    stream: &StreamName,
    query: Query<i64>,
) -> Result<Page<Record<i64>>> {
    store.read(stream, &Read::new(query, &Limits::TABLE)?).await
}

pub(crate) fn versions(page: &Page<Record<i64>>) -> Vec<u64> {
    page.records.iter().map(|r| r.version).collect()
}

pub(crate) fn ids(page: &Page<Record<i64>>) -> Vec<i64> {
    page.records.iter().map(|r| r.id).collect()
}

/// All retained entries of a stream.
pub(crate) async fn everything(store: &SqliteStore, stream: &StreamName) -> Vec<Record<i64>> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = read(store, stream, Query::new().after(after).limit(1000))
            .await
            .unwrap();
        let Some(last) = page.records.last() else {
            return found;
        };
        after = last.id;
        found.extend(page.records);
    }
}

/// Polls a future so many times, each time when it was woken, and gives up.
pub(crate) async fn polled<F: Future + ?Sized>(
    mut future: Pin<&mut F>,
    times: usize,
) -> Option<F::Output> {
    let mut left = times;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Ends a test that waits for ever.
pub(crate) async fn within_a_minute<T>(work: impl Future<Output = T>) -> T {
    let minute = Duration::from_secs(60);
    tokio::time::timeout(minute, work).await.unwrap()
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T>) -> ledger_core::Kind {
    result.map_err(|e: Error| e.kind().clone()).unwrap_err()
}

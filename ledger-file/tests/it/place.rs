//! Short ways to say what the tests of files do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_core::{
    AllQuery, Batch, ContentType, Kind, Limits, RawEntry, ReadAll, Result, Store, StoreRecord,
    StreamName,
};
use ledger_file::{FileOptions, FileStore};
use ledger_testkit::Patience;
use tempfile::TempDir;

/// A folder of a test.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// The folder of the store.
    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("store")
    }
}

/// Opens a store. A folder is given free a little after the last handle was
/// dropped.
pub(crate) async fn open_with(folder: &Path, options: FileOptions) -> Result<FileStore> {
    let patience = Patience::new();
    loop {
        match FileStore::open_with(folder, options.clone()).await {
            Err(e) if *e.kind() == Kind::Locked => {
                patience.check("locked");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            opened => return opened,
        }
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

/// All retained entries of the store, in order.
pub(crate) async fn everything(store: &FileStore) -> Result<Vec<StoreRecord<i64>>> {
    let mut found = Vec::new();
    let mut query = AllQuery::new().limit(1000);
    loop {
        let page = store
            .read_all(&ReadAll::new(query.clone(), &Limits::TABLE)?)
            .await?;
        if page.records.is_empty() {
            return Ok(found);
        }
        found.extend(page.records);
        query = query.after(page.next);
    }
}

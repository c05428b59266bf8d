//! Short ways to say what the tests of files do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger_core::{
    AllQuery, Batch, ContentType, Kind, Limits, Query, RawEntry, Read, ReadAll, Receipts, Record,
    Result, Store, StoreRecord, StreamName,
};
use ledger_file::{FileOptions, FileStore};
use ledger_testkit::Patience;
use tempfile::TempDir;

/// A folder of a test, with room beside the store's.
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
        self.beside("store")
    }

    /// Another folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Segments so short that a few entries fill one.
pub(crate) fn tiny() -> FileOptions {
    FileOptions::new().with_segment_bytes(4 * 1024)
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

/// Copies the files of a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// The names of the files of a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
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
    store: &FileStore,
    stream: &StreamName,
    entries: impl IntoIterator<Item = RawEntry>,
) -> Result<Receipts<i64>> {
    store.append(stream, batch(entries)).await
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

/// All retained entries that a query finds, whatever its limit.
pub(crate) async fn all_of(
    store: &FileStore,
    stream: &StreamName,
    query: impl Fn() -> Query<i64>,
) -> Result<Vec<Record<i64>>> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let query = query().after(after).limit(1000);
        let page = store
            .read(stream, &Read::new(query, &Limits::TABLE)?)
            .await?;
        let Some(last) = page.records.last() else {
            return Ok(found);
        };
        after = last.id;
        found.extend(page.records);
    }
}

//! What the suite does not see: deadlines, foreign files, locks, closing.

use std::time::Duration;

use custom_backend::RedbStore;
use ledger_core::{Applied, Kind, Query, Store, StoreExt};
use redb::{ConcurrencyMode, Database, TableDefinition};
use tempfile::tempdir;

fn raw(path: &std::path::Path) -> Database {
    let mut builder = Database::builder();
    builder.set_concurrency_mode(ConcurrencyMode::MultiWriter);
    builder.create(path).expect("a file that can be shared")
}

#[tokio::test]
async fn a_held_write_lock_ends_an_append_by_its_deadline_and_reads_go_on() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("held.redb");
    let store = RedbStore::open(&path).await.unwrap();
    store.stream::<u64>("s").append(1).await.unwrap();

    let other = raw(&path);
    let held = other.begin_write().unwrap();
    let hasty = store
        .clone()
        .with_deadline(Duration::from_millis(60))
        .unwrap();
    let refused = hasty.stream::<u64>("s").append(2).await.unwrap_err();
    assert_eq!(*refused.kind(), Kind::Contention);
    assert_eq!(refused.applied(), Applied::No);
    let page = store.stream::<u64>("s").read(Query::new()).await.unwrap();
    assert_eq!(page.len(), 1);
    drop(held);

    let receipt = store.stream::<u64>("s").append(3).await.unwrap();
    assert_eq!(receipt.version, 2);
}

#[tokio::test]
async fn a_file_of_something_else_and_a_newer_format_are_refused() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("foreign.redb");
    let db = raw(&path);
    let tx = db.begin_write().unwrap();
    tx.open_table(TableDefinition::<u64, u64>::new("theirs"))
        .unwrap();
    tx.commit().unwrap();
    drop(db);
    let refused = RedbStore::open(&path).await.unwrap_err();
    assert_eq!(*refused.kind(), Kind::Misconfigured);

    let path = dir.path().join("newer.redb");
    RedbStore::open(&path).await.unwrap().close().await.unwrap();
    let db = raw(&path);
    let tx = db.begin_write().unwrap();
    let format = TableDefinition::<(), u32>::new("ledger_format");
    tx.open_table(format).unwrap().insert((), 2).unwrap();
    tx.commit().unwrap();
    drop(db);
    let refused = RedbStore::open(&path).await.unwrap_err();
    assert_eq!(*refused.kind(), Kind::NewerFormat { known: 1, found: 2 });
}

#[tokio::test]
async fn a_damaged_entry_is_corrupt() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("damaged.redb");
    let store = RedbStore::open(&path).await.unwrap();
    store.stream::<u64>("s").append(1).await.unwrap();
    let db = raw(&path);
    let tx = db.begin_write().unwrap();
    let entries = TableDefinition::<i64, &[u8]>::new("ledger_entries");
    tx.open_table(entries)
        .unwrap()
        .insert(1, b"garbage".as_slice())
        .unwrap();
    tx.commit().unwrap();
    let refused = store
        .stream::<u64>("s")
        .read(Query::new())
        .await
        .unwrap_err();
    assert_eq!(*refused.kind(), Kind::Corrupt);
}

#[tokio::test]
async fn a_closed_handle_answers_closed_and_gives_the_file_free() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("closed.redb");
    let store = RedbStore::open(&path).await.unwrap();
    let clone = store.clone();
    assert!(store.health().await.unwrap().ok);
    store.close().await.unwrap();
    store.close().await.unwrap();
    let refused = clone.stream::<u64>("s").append(1).await.unwrap_err();
    assert_eq!(*refused.kind(), Kind::Closed);
    assert_eq!(*clone.health().await.unwrap_err().kind(), Kind::Closed);
    // The mode that shares the file with nobody.
    Database::create(&path).unwrap();
}

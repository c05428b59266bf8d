//! What the suite needs beyond opening stores.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use ledger_core::{Error, Kind, Result, Store, StreamName};
use ledger_file::sim::{folder, seed_version};
use ledger_file::{FileOptions, FileStore};
use ledger_storetest::{Obstacle, Setup};
use tempfile::TempDir;

/// Tries until the folder is free: a handle that was dropped gives it free a
/// little later.
pub(super) async fn seed(place: &TempDir, stream: &StreamName, version: u64) -> Result<()> {
    loop {
        match seed_version(folder(place.path()), stream, version) {
            Err(e) if *e.kind() == Kind::Locked => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            done => return done,
        }
    }
}

pub(super) async fn open_over(
    place: &TempDir,
    obstacle: Obstacle,
    setup: &Setup,
) -> Option<Result<Arc<dyn Store<i64>>>> {
    let changed = match obstacle {
        Obstacle::NewerFormat => newer(place),
        Obstacle::MissingPart => fs::remove_file(place.path().join("STORE")),
        // This is another process, as far as locks go.
        Obstacle::OtherProcess => Ok(()),
        _ => return None,
    };
    if let Err(e) = changed {
        return Some(Err(Error::new(Kind::Io, "no obstacle").caused_by(e)));
    }
    let options = FileOptions::new()
        .with_clock(setup.clock.clone())
        .with_deadline(setup.deadline);
    let opened = FileStore::open_with(place.path(), options).await;
    Some(opened.map(|store| Arc::new(store) as Arc<dyn Store<i64>>))
}

/// `STORE` says that it is of format 2.
fn newer(place: &TempDir) -> std::io::Result<()> {
    let path = place.path().join("STORE");
    let mut bytes = fs::read(&path)?;
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..508]);
    bytes[508..512].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes)
}

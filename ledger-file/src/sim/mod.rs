//! A store on a file system of the test's own. No promise of stability.

mod disk;
mod image;

use std::path::Path;
use std::sync::Arc;

use ledger_core::Result;

pub use disk::{Fault, SimDisk};
pub use image::Loss;

use crate::fs::OsFs;
pub use crate::fs::{File, Fs, LockGuard};
use crate::handle::FileStore;
use crate::log::Background;
use crate::options::FileOptions;

/// Opens a store on another file system. Everything happens on the writer's
/// thread, in one order. `hash_mask` tells which bits of the hashes of keys
/// count; few make collisions.
///
/// # Errors
///
/// As [`FileStore::open_with`].
pub async fn open(fs: Arc<dyn Fs>, options: FileOptions, hash_mask: u64) -> Result<FileStore> {
    FileStore::start(move || Ok(fs), options, Background::Inline, hash_mask).await
}

/// Opens a store in a folder of this machine, with hashes of keys of which only
/// some bits count.
///
/// # Errors
///
/// As [`FileStore::open_with`].
pub async fn open_colliding(
    folder: &Path,
    options: FileOptions,
    hash_mask: u64,
) -> Result<FileStore> {
    let fs = OsFs::new(folder);
    FileStore::start(
        move || Ok(Arc::new(fs)),
        options,
        Background::Thread,
        hash_mask,
    )
    .await
}

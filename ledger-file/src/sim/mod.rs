//! A store on a file system of the test's own. No promise of stability.

mod disk;
mod image;

use std::path::Path;
use std::sync::Arc;

use ledger_core::{Result, StreamName};

pub use disk::{Fault, Lie, SimDisk};
pub use image::Loss;

use crate::fs::OsFs;
pub use crate::fs::{File, Fs, LockGuard};
use crate::handle::FileStore;
use crate::log::{self, Background};
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

/// The same, with the background work on its thread.
///
/// # Errors
///
/// As [`FileStore::open_with`].
pub async fn open_threaded(
    fs: Arc<dyn Fs>,
    options: FileOptions,
    hash_mask: u64,
) -> Result<FileStore> {
    FileStore::start(move || Ok(fs), options, Background::Thread, hash_mask).await
}

/// A folder of this machine, which exists.
#[must_use]
pub fn folder(path: &Path) -> Arc<dyn Fs> {
    Arc::new(OsFs::new(path))
}

/// Makes a stream look as if so many entries had been appended and trimmed.
/// Blocks.
///
/// # Errors
///
/// As [`FileStore::open_with`].
pub fn seed_version(fs: Arc<dyn Fs>, stream: &StreamName, version: u64) -> Result<()> {
    let (_, mut appender) = log::open(fs, &FileStore::settings(&FileOptions::new()))?;
    appender.seed_version(stream, version)?;
    appender.close()
}

//! What is left after a crash, on a simulated disk.

mod damage;
mod faults;
mod images;
mod model;
mod workload;

pub(crate) use model::{Model, judge};
pub(crate) use workload::{Plan, run};

use ledger_core::Result;
use ledger_file::sim::{self, SimDisk};
use ledger_file::{FileOptions, FileStore};

/// Hashes of keys have so few bits that many collide.
const HASH_MASK: u64 = 31;

pub(crate) async fn open(disk: &SimDisk, options: FileOptions) -> Result<FileStore> {
    sim::open(std::sync::Arc::new(disk.clone()), options, HASH_MASK).await
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

//! Append-only, typed event streams in a folder of segments: the embedded
//! backend of `ledger`, for a service that wants throughput and no database.
//!
//! [`FileStore`] keeps any number of streams in one folder, which one process
//! at a time has open. Streams, queries and errors are those of
//! [`ledger_core`].
//!
//! ```
//! use ledger_core::{NewEntry, Query, StoreExt};
//! use ledger_file::FileStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let folder = dir.path().join("events");
//! let store = FileStore::open(&folder).await?;
//! let orders = store.stream::<String>("orders");
//! // The dedup key makes the retry harmless.
//! for _attempt in 0..2 {
//!     let order = NewEntry::new("two books".to_owned()).dedup_key("evt-1");
//!     assert_eq!(orders.append(order).await?.version, 1);
//! }
//! assert_eq!(orders.read(Query::new()).await?.len(), 1);
//! # Ok(())
//! # }
//! ```

#[cfg(not(unix))]
compile_error!("ledger-file needs the positioned reads, file locks and folder flushes of Unix");

mod error;
mod format;
mod fs;
mod handle;
mod index;
mod log;
mod mutants;
mod options;
mod read;
mod segment;
#[cfg(feature = "sim")]
#[doc(hidden)]
pub mod sim;
mod store;
mod thread;

pub use handle::FileStore;
pub use log::{Cut, Verified};
pub use options::{Durability, FileOptions};

/// The name in events.
const BACKEND: &str = "file";

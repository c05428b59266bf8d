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
//!
//! # What it promises
//!
//! An acknowledged append survives the death of the process and, with the
//! default [`Durability`], the loss of power. Ids grow in the order of commits,
//! over all streams, without gaps. After a crash the store opens by itself: the
//! unfinished end of the last, unacknowledged write is left out and reported
//! ([`FileStore::cut`]), any other damage is `Corrupt`, with the file and the
//! byte. After a failed write or flush nothing is acknowledged until the store is
//! opened again.
//!
//! # What it costs
//!
//! Appends that wait share one write and one flush. Reads are done on tokio's
//! threads for blocking work. Opening reads one segment and the ends of the
//! others, whatever the number of entries. In memory are what is known of each
//! stream, the index of the segment that is written, and of the others filters
//! with 2 bytes for each stream, order key and dedup key, once they are needed.
//! A payload that was read is a slice of the block it was read with, of up to
//! 128 KiB, which lives as long as the slice: copy what you keep for long.
//!
//! # What it needs
//!
//! A folder of its own on a local file system, on Unix, for one process at a
//! time. Trimming gives space back segment by segment, when nothing of one is
//! retained.

#[cfg(not(unix))]
compile_error!("ledger-file needs the positioned reads, file locks and folder flushes of Unix");

mod error;
mod format;
#[cfg_attr(
    not(feature = "sim"),
    expect(unreachable_pub, reason = "public for the simulated disk")
)]
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

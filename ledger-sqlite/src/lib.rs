//! Append-only, typed event streams in SQLite: the SQLite backend of `ledger`.
//!
//! [`SqliteStore`] keeps any number of streams in one database file, next to
//! the tables of an application if it wants. Streams, queries and errors are
//! those of [`ledger_core`].
//!
//! ```
//! use ledger_core::{NewEntry, Query, StoreExt};
//! use ledger_sqlite::SqliteStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("app.db");
//! let store = SqliteStore::open(&path).await?;
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
//! default [`Durability`], the loss of power. Any number of handles and
//! processes of one machine may write to the file. The ids of a store grow in
//! the order of its commits, over all streams.
//!
//! With [`SqliteStore::in_transaction`] entries are committed together with the
//! application's own rows.
//!
//! # What it needs
//!
//! A file on a local file system, in a directory that can be written: the
//! write-ahead log lies next to it. Space of trimmed entries is used again;
//! `VACUUM` gives it back to the file system. A reader that keeps a transaction
//! of its own open on the same file keeps the write-ahead log growing; the
//! ledger's own reads are pages, and never do.

mod error;
mod group;
mod handle;
mod location;
mod open;
mod options;
#[cfg(test)]
mod plans;
mod read;
mod row;
mod schema;
mod settings;
mod sql;
mod store;
mod transaction;
mod writer;

pub use handle::SqliteStore;
pub use options::{Durability, SqliteOptions};
pub use schema::schema_sql;
pub use transaction::InTransaction;

/// The name in events.
const BACKEND: &str = "sqlite";

/// The example of the README is a doctest.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

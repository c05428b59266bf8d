//! A backend of one's own: event streams in one file of
//! [redb](https://docs.rs/redb), an embedded key-value store.
//!
//! [`RedbStore`] keeps the whole contract of [`Store`](ledger_core::Store) and
//! passes the conformance suite. It is here to be read next to
//! `docs/writing-a-backend.md`, which explains why each part is as it is.
//!
//! | file | what |
//! |---|---|
//! | `tables.rs` | the tables, and opening them |
//! | `record.rs` | the stored form of an entry |
//! | `append.rs` | what changes tables: append and trim |
//! | `read.rs` | what reads them |
//! | `handle.rs` | opening, running on other threads, deadlines, closing |
//! | `store.rs` | the trait, each call handed on |
//! | `error.rs` | errors of redb as errors of the ledger |

mod append;
mod error;
mod handle;
mod read;
mod record;
mod store;
mod tables;

pub use handle::RedbStore;

/// The name in events.
const BACKEND: &str = "redb";

/// The code of the guide is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/writing-a-backend.md")]
struct Guide;

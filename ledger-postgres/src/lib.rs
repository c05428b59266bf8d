//! The PostgreSQL backend of the ledger: a [`Store`](ledger_core::Store) whose
//! readers never skip an entry, whose append is one statement in one round
//! trip, and which can join the caller's transaction.
//!
//! ```no_run
//! use ledger_core::{NewEntry, Query, StoreExt};
//! use ledger_postgres::PostgresStore;
//!
//! # async fn example() -> ledger_core::Result<()> {
//! let store = PostgresStore::open("postgres://app:secret@localhost/app").await?;
//! let orders = store.stream::<String>("orders");
//! orders.append(NewEntry::new("first".to_owned()).dedup_key("evt-1")).await?;
//! assert_eq!(orders.read(Query::new()).await?.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! Needs PostgreSQL 14 or newer, a database in UTF-8, a primary, and a runtime
//! of tokio. `open` checks this, and the settings that the promises rest on.
//!
//! # Order of the whole store
//!
//! Ids are drawn before the commit, so an entry can become visible after one
//! with a higher id. Readers find out what is still on its way, and stop short
//! of it with an [`Undecided`](ledger_core::PageEnd::Undecided) page. Only
//! transactions that append or trim can make them wait, never `pg_dump`, a
//! forgotten `idle in transaction` elsewhere, or another database.
//! [`explain_head`](ledger_core::Store::explain_head) tells who it is; with
//! `GRANT pg_read_all_stats TO …` also in which state, and since when.
//!
//! Reads of one stream never wait: their order is that of the lock that an
//! append holds until it is committed.
//!
//! # Group commit
//!
//! Small appends (up to 64 entries and 64 KiB) that come while others are being
//! written share a commit with what else has come, also across streams. A lone
//! one is written at once, in one round trip; nothing waits for company.
//! [`PostgresStore::group_stats`] counts both. Each append of a group keeps its
//! own answer, and what one does wrong concerns no other.
//!
//! Up to four tasks of a handle write at a time, so a pool needs no more than
//! about ten connections for any number of appending tasks. Appends to one
//! stream are stored in the order in which they were called, as long as they
//! are small and are called on one handle.
//!
//! # Roles
//!
//! A role that appends and reads, but cannot change the tables (schema
//! `public`, prefix `ledger`):
//!
//! ```sql
//! GRANT USAGE ON SCHEMA public TO app;
//! GRANT SELECT ON ledger_meta TO app;
//! GRANT SELECT, INSERT, UPDATE ON ledger_streams, ledger_checkpoints TO app;
//! GRANT SELECT, INSERT ON ledger_entries TO app;
//! GRANT SELECT, USAGE ON SEQUENCE ledger_pos TO app;
//! -- to trim as well:
//! GRANT DELETE ON ledger_entries TO app;
//! GRANT UPDATE (trimmed) ON ledger_meta TO app;
//! ```
//!
//! To only read, `SELECT` on all of them is enough.
//!
//! # Poolers, TLS and standbys
//!
//! * Through PgBouncer in session mode nothing is special. In transaction mode
//!   say so: [`Config::with_transaction_pooler`]. PgBouncer needs no setting
//!   for it; an application that brings its own pool may need
//!   `ignore_startup_parameters = extra_float_digits`. Let `query_wait_timeout`
//!   be longer than [`Config::deadline`], and give it at least as many sessions
//!   (`default_pool_size`) as there are long transactions.
//! * For TLS choose a `tls-…` feature of this crate, and
//!   `?sslmode=verify-full&sslrootcert=…` in the URL: only that checks who
//!   answers. Without it sqlx goes on in plain bytes where the server has no TLS.
//! * A standby is refused, by `open` and by reads of the whole store: it does
//!   not show who is still writing.
//!
//! # When the server fails
//!
//! An append whose connection is lost after it was sent ends with an unknown
//! outcome ([`Applied::Unknown`](ledger_core::Applied)); give its entries dedup
//! keys and send it again. Reads are repeated by the library. A handle goes on
//! when the server does: nothing has to be reopened. A server that turns
//! read-only, as after a failover behind the same address, refuses appends with
//! `Unavailable`, not applied.
//!
//! # Cancellation
//!
//! Every call runs in a task of its own, which goes on when its future is
//! dropped: an append is then stored or not, but never in part, and no
//! connection is left inside a transaction. Calls end by
//! [`Config::deadline`].

mod append;
mod call;
mod config;
mod error;
mod fence;
mod group;
mod inspect;
mod open;
mod read;
mod read_all;
mod row;
mod schema;
mod statement;
mod store;
mod transaction;
mod trim;

pub use config::{Config, Durability};
pub use fence::FenceStats;
pub use group::GroupStats;
pub use store::PostgresStore;
pub use transaction::InTransaction;

/// This backend, in events.
const BACKEND: &str = "postgres";

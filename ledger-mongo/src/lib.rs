//! The MongoDB backend of the ledger: a [`Store`](ledger_core::Store) whose
//! readers never skip an entry, that loses nothing in a failover, and that can
//! join the caller's transaction.
//!
//! ```no_run
//! use ledger_core::{NewEntry, Query, StoreExt};
//! use ledger_mongo::MongoStore;
//!
//! # async fn example() -> ledger_core::Result<()> {
//! let store = MongoStore::open("mongodb://localhost/app?replicaSet=rs0").await?;
//! let orders = store.stream::<String>("orders");
//! orders.append(NewEntry::new("first".to_owned()).dedup_key("evt-1")).await?;
//! assert_eq!(orders.read(Query::new()).await?.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! Needs a replica set of MongoDB 6.0 or newer (6.0.5 is what the tests run),
//! and a runtime of tokio. One node is enough on a laptop:
//!
//! ```text
//! mongod --replSet rs0 --dbpath DIRECTORY
//! mongosh --eval 'rs.initiate()'      # once
//! ```
//!
//! # How it keeps its promises
//!
//! An append is a transaction: it locks the head of the stream, inserts the
//! entries behind it, and commits with the journals of a majority. The lock is
//! held until the commit, so versions become visible in their order, and a
//! reader that goes on behind the last one it saw misses nothing. Reads see
//! what a majority has, which no failover takes back. Concerns and read
//! preference are set for each operation, whatever the URL says.
//!
//! Small appends that wait at the same time share a transaction. A primary that
//! was deposed and does not know it yet may answer a read with less than what
//! was acknowledged elsewhere; never to the handle that appended, and never so
//! that something is missing in between.
//!
//! # Ids
//!
//! A [`MongoId`] is the `_id` of the document: the number of the stream and the
//! version in it. It is a cursor for ever, also after its entry was trimmed.
//! That of another stream is refused. It looks like an `ObjectId` and is **not a
//! timestamp**.
//!
//! # Reading the whole store
//!
//! Each stream comes in order, and streams interleave
//! ([`StoreOrder::PerStream`](ledger_core::StoreOrder::PerStream)); entries that
//! were appended after a reader has caught up come in the order of their
//! commits. A cursor of a store with up to 16,384 streams knows its place in
//! each and is usable for ever. That of a store with more is usable for as long
//! as the oplog reaches back to it, and refused afterwards: give the oplog a
//! minimum retention (`storage.oplogMinRetentionHours`) beyond the longest pause
//! of a reader. Descending reads of the whole store are not offered.
//!
//! # Payloads
//!
//! Stored as the exact bytes, as `binary`; those of the codec for BSON as a
//! document, which is the same bytes and can be queried as `payload.field`. JSON
//! can be kept in a second, queryable copy: [`Config::json_copies`].
//!
//! # Roles
//!
//! `readWrite` on the database is enough; to read, `read`.
//!
//! # Sharded clusters
//!
//! The keys are chosen so that a stream lives on one shard, and the unique
//! dedup index begins with the shard key. This has **not been run** on a sharded
//! cluster. Before the first entry, in `mongosh` (prefix `ledger`, database
//! `app`):
//!
//! ```text
//! sh.shardCollection("app.ledger_entries", { stream: 1 })
//! ```
//!
//! `ledger_streams`, `ledger_meta` and `ledger_checkpoints` stay unsharded. An
//! append is then a transaction over two shards where the stream's is not the
//! primary shard of the database.
//!
//! # Cancellation
//!
//! Appends run in tasks of their own, which go on when a future is dropped: an
//! append is then stored or not, but never in part, and nobody else's is
//! disturbed. Calls end by [`Config::deadline`].

mod all;
mod append;
mod config;
mod document;
mod error;
mod handle;
mod heads;
mod id;
mod inspect;
mod numbers;
mod open;
mod query;
mod read;
mod schema;
mod session;
mod store;
mod time;
mod trim;

pub use append::transaction_options;
pub use config::Config;
pub use id::{InvalidId, MongoId};
pub use mongodb;
pub use session::InSession;
pub use store::MongoStore;

/// This backend, in events.
const BACKEND: &str = "mongo";

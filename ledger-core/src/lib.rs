//! Append-only, typed event streams over the database you already have.
//!
//! This crate is the part that every backend shares: the [`Store`] trait and
//! its contract, typed [`Stream`]s over it, the [`Schema`] that brings old
//! entries up to date, and [`MemoryStore`], the reference to read and to test
//! with. The databases live in `ledger-sqlite` and its siblings; a backend of
//! your own is proved with `ledger-storetest`.
//!
//! ```
//! use ledger_core::{MemoryStore, NewEntry, Query, StoreExt};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Order {
//!     customer: String,
//!     cents: u64,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> ledger_core::Result<()> {
//! let store = MemoryStore::new();
//! let orders = store.stream::<Order>("orders");
//!
//! // The dedup key makes the retry harmless.
//! for _attempt in 0..2 {
//!     let order = Order { customer: "ann".into(), cents: 1_250 };
//!     let receipt = orders.append(NewEntry::new(order).dedup_key("evt-1")).await?;
//!     assert_eq!(receipt.version, 1);
//! }
//!
//! let page = orders.read(Query::new().limit(50)).await?;
//! assert_eq!(page.len(), 1);
//! let go_on_here = Query::new().after(page[0].id);
//! assert!(orders.read(go_on_here).await?.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # Codecs
//!
//! Entries are [`Json`] unless a schema says otherwise; [`Raw`] is for bytes,
//! and [`Or`] reads several encodings in one stream. The other codecs are each
//! behind a feature of its own, and all of them are off unless asked for:
//!
//! | feature | codec | names its fields | by way of |
//! |---|---|---|---|
//! | `msgpack` | `MessagePack` | yes | `rmp-serde` |
//! | `cbor` | `Cbor` | yes | `cbor4ii` |
//! | `bson` | `Bson` | yes | `bson` |
//! | `postcard` | `Postcard` | no: typed steps only | `postcard` |
//! | `zstd` | `Zstd`, around any codec | as the other codec does | `zstd` |
//!
//! A codec of your own is an implementation of [`Codec`]; `examples/` has one
//! for protobuf.
//!
//! # Stability
//!
//! The crate root is for users. [`backend`] is for authors of backends and may
//! grow faster.

pub mod backend;
mod batch;
mod capabilities;
mod codec;
mod content_type;
mod cursor;
mod entry;
mod error;
mod expected;
mod id;
mod identifier;
mod limits;
mod memory;
mod metadata;
mod name;
mod new_entry;
mod page;
mod query;
mod raw_entry;
mod receipt;
mod record;
mod request;
mod schema;
mod stat;
mod store;
mod stream;
mod timestamp;

pub use batch::Batch;
pub use capabilities::{Capabilities, StoreOrder};
#[cfg(feature = "bson")]
pub use codec::Bson;
#[cfg(feature = "cbor")]
pub use codec::Cbor;
#[cfg(feature = "msgpack")]
pub use codec::MessagePack;
#[cfg(feature = "postcard")]
pub use codec::Postcard;
#[cfg(feature = "zstd")]
pub use codec::Zstd;
pub use codec::{Codec, Encoded, Json, Or, Raw, SelfDescribing};
pub use content_type::ContentType;
pub use cursor::StoreCursor;
pub use entry::{Entry, EntryPage, Part};
pub use error::{Applied, Error, Kind, Result, Retry, Rule};
pub use expected::Expected;
pub use id::EntryId;
pub use identifier::Identifier;
pub use limits::Limits;
pub use memory::MemoryStore;
pub use metadata::Metadata;
pub use name::{InvalidName, StreamName};
pub use new_entry::NewEntry;
pub use page::{Page, PageEnd, StorePage};
pub use query::{AllQuery, Direction, Query};
pub use raw_entry::RawEntry;
pub use receipt::{Receipt, Receipts, Status};
pub use record::{Record, StoreRecord};
pub use request::{ListStreams, Read, ReadAll};
pub use schema::{
    CheckReport, CheckedForm, Document, Documents, FieldConflict, FieldMapper, FieldPlan, History,
    NewerPolicy, Schema, SchemaError, SchemaRef,
};
pub use stat::{Health, HealthCheck, Holdup, StreamStat};
pub use store::{Store, StoreExt};
pub use stream::{AllEntries, Append, AppendAll, Entries, Stream};
pub use timestamp::Timestamp;

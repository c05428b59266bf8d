//! A typed view of one stream of a store.

mod all;
mod append;
mod check;
mod decode;
mod entries;
mod pager;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use all::AllEntries;
pub use append::{Append, AppendAll};
pub use entries::Entries;

use crate::entry::{Entry, EntryPage};
use crate::error::{Error, Kind, Result};
use crate::id::EntryId;
use crate::name::{InvalidName, StreamName};
use crate::new_entry::NewEntry;
use crate::page::{Page, PageEnd};
use crate::query::Query;
use crate::record::Record;
use crate::request::Read;
use crate::schema::SchemaRef;
use crate::stat::StreamStat;
use crate::store::Store;

/// The errors of both ways to append.
macro_rules! append_errors {
    () => {
        "\n\n# Errors\n\n\
         `Conflict` if the expected version does not hold; `DedupMismatch` if duplicates are \
         verified and one differs; `InvalidInput` for what the limits do not allow and `Encode` \
         for a value that the codec cannot write, both before any I/O; whatever the store \
         reports. [`Error::applied`](crate::Error::applied) tells whether the outcome is known."
    };
}

/// A typed view of one stream: appends values of `T` and reads them back.
///
/// Holds a store handle, a name and a schema. Cheap to make for a single
/// operation and cheap to keep; the stream itself needs no set-up and exists
/// from its first entry on. The handle's type `S` is inferred; a struct field
/// can leave it out and hold any store: `Stream<i64, Order>` stands for
/// `Stream<i64, Order, Arc<dyn Store<i64>>>`.
///
/// ```
/// use ledger_core::{Expected, MemoryStore, NewEntry, Query, StoreExt};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     customer: String,
///     cents: u64,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> ledger_core::Result<()> {
/// let store = MemoryStore::new();
/// let orders = store.stream::<Order>("orders");
///
/// let order = Order { customer: "ann".into(), cents: 1_250 };
/// let entry = NewEntry::new(order).order_key("ann").dedup_key("evt-9");
/// let receipt = orders.append(entry).expected(Expected::NoStream).await?;
/// assert_eq!(receipt.version, 1);
///
/// let page = orders.read(Query::new().order_key("ann")).await?;
/// assert_eq!(page[0].value.cents, 1_250);
/// # Ok(())
/// # }
/// ```
pub struct Stream<I, T: 'static, S = Arc<dyn Store<I>>> {
    store: S,
    /// An invalid name is kept and refused by the first call, before any I/O:
    /// a `Result` from the constructor would catch nothing sooner and cost a
    /// `?` at every use.
    name: Result<StreamName, Kind>,
    schema: SchemaRef<T>,
    id: PhantomData<fn() -> I>,
}

impl<I, T, S> Stream<I, T, S>
where
    I: EntryId,
    T: Serialize + DeserializeOwned + 'static,
    S: Store<I>,
{
    /// A stream of `T` in JSON at schema version 1.
    ///
    /// Never fails: a name outside the limits is the error of the first call.
    pub fn new(store: S, name: impl TryInto<StreamName, Error: Into<InvalidName>>) -> Self {
        Self::build(store, name, SchemaRef::json())
    }
}

impl<I: EntryId, T: 'static, S: Store<I>> Stream<I, T, S> {
    /// A stream with a schema: its codec, its current version, and how older
    /// entries are brought up.
    ///
    /// Takes a `&'static` schema, a `&'static LazyLock` of one, an `Arc`, or
    /// the schema itself.
    pub fn with_schema(
        store: S,
        name: impl TryInto<StreamName, Error: Into<InvalidName>>,
        schema: impl Into<SchemaRef<T>>,
    ) -> Self {
        Self::build(store, name, schema.into())
    }

    fn build(
        store: S,
        name: impl TryInto<StreamName, Error: Into<InvalidName>>,
        schema: SchemaRef<T>,
    ) -> Self {
        let name = name
            .try_into()
            .map_err(|invalid| Error::from(invalid.into()).kind().clone());
        Self {
            store,
            name,
            schema,
            id: PhantomData,
        }
    }

    /// The same stream and schema over another handle, such as a wrapper or a
    /// store bound to a transaction.
    pub fn via<S2: Store<I>>(&self, store: S2) -> Stream<I, T, S2> {
        Stream {
            store,
            name: self.name.clone(),
            schema: self.schema.clone(),
            id: PhantomData,
        }
    }

    /// The store handle.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The name.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the stream was made with a name outside the limits.
    pub fn name(&self) -> Result<&StreamName> {
        self.name
            .as_ref()
            .map_err(|kind| Error::new(kind.clone(), ""))
    }

    /// Appends one entry.
    ///
    /// The value is encoded by this call, so that the future holds bytes only.
    /// Options are set on the future before it is awaited.
    ///
    /// Dropping the future once it was polled leaves the outcome unknown: the
    /// entry is stored, or it never will be. Repeating such an append is safe
    /// with a dedup key.
    #[doc = append_errors!()]
    pub fn append(&self, entry: impl Into<NewEntry<T>>) -> Append<'_, I, S> {
        Append::new(self.append_all([entry]))
    }

    /// Appends entries as one batch: all become visible at once, at contiguous
    /// versions, or none does. An empty batch does nothing.
    ///
    /// At most 10,000 entries and 16 MiB. Values are encoded by this call.
    #[doc = append_errors!()]
    pub fn append_all<E: Into<NewEntry<T>>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> AppendAll<'_, I, S> {
        let encode = |(index, entry): (usize, E)| {
            entry
                .into()
                .encode(&self.schema)
                .map_err(|e| e.with("index", index))
        };
        let entries = self.name().cloned().and_then(|name| {
            let entries: Result<Vec<_>> = entries.into_iter().enumerate().map(encode).collect();
            entries.map_err(|e| e.with("stream", name))
        });
        AppendAll::new(&self.store, &self.name, entries)
    }

    /// Reads one page: at most the query's limit, 100 unless set, and at most
    /// 32 MiB. How it ended is in [`EntryPage::end`]; a short page alone says
    /// nothing.
    ///
    /// A page ends before an entry that cannot be decoded. Where that entry is
    /// the first, the call fails with an error that carries `stream`, `id` and
    /// `version`, and reading can go on behind it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a query outside the limits; `InvalidCursor` for an
    /// `after` ahead of the store; `Decode` and `NewerVersion` for the first
    /// entry of the page; whatever the store reports.
    pub async fn read(&self, query: Query<I>) -> Result<EntryPage<I, T>> {
        let page = self.read_raw(query).await?;
        let mut next = None;
        let mut skipped = 0;
        let mut entries = Vec::with_capacity(page.records.len());
        for record in page.records {
            let id = record.id.clone();
            skipped += u64::from(self.schema.skips(record.entry.schema_version));
            match self.decode(record, &mut entries) {
                Ok(_) => next = Some(id),
                Err(e) if next.is_none() => return Err(e),
                Err(_) => {
                    return Ok(EntryPage {
                        entries,
                        next,
                        skipped,
                        end: PageEnd::More,
                    });
                }
            }
        }
        Ok(EntryPage {
            entries,
            next,
            skipped,
            end: page.end,
        })
    }

    /// Reads one page without decoding payloads.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), without those of decoding.
    pub async fn read_raw(&self, query: Query<I>) -> Result<Page<Record<I>>> {
        let name = self.name()?;
        let read = Read::new(query, self.store.limits())?;
        self.store.read(name, &read).await
    }

    /// Decodes a record of this stream into `out`, and tells into how many
    /// parts: one, unless an upcaster split or dropped it or it is
    /// [skipped](crate::Schema::skips). On an error nothing is added.
    ///
    /// # Errors
    ///
    /// `Decode` or `NewerVersion`, with `stream`, `id` and `version`.
    pub fn decode(&self, record: Record<I>, out: &mut impl Extend<Entry<I, T>>) -> Result<u32> {
        decode::decode(self.name()?, &self.schema, record, out)
    }

    /// Every entry that the query selects, as a [`futures_core::Stream`] that
    /// pages. The query's limit is a total here and may exceed a page's.
    ///
    /// It ends where the store says that nothing follows for now. Between
    /// pages it holds no connection: appending while iterating works with a
    /// pool of one. From a store with
    /// [`detached_reads`](crate::Capabilities::detached_reads) one page is
    /// read ahead.
    ///
    /// An entry that cannot be decoded is one `Err`, then reading goes on. An
    /// error of the store ends the iteration.
    ///
    /// ```
    /// use futures_util::TryStreamExt;
    /// use ledger_core::{MemoryStore, Query, StoreExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> ledger_core::Result<()> {
    /// let store = MemoryStore::new();
    /// let numbers = store.stream::<u64>("numbers");
    /// numbers.append_all([1, 2, 3]).await?;
    ///
    /// let mut entries = numbers.entries(Query::new());
    /// let mut sum = 0;
    /// while let Some(entry) = entries.try_next().await? {
    ///     sum += entry.value;
    /// }
    /// assert_eq!(sum, 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn entries<'s>(&self, query: Query<I>) -> Entries<'s, I, T, S>
    where
        S: Clone + 's,
    {
        Entries::new(
            self.store.clone(),
            self.name().cloned(),
            self.schema.clone(),
            query,
        )
    }

    /// The state of the stream; `None` if nothing was ever appended.
    ///
    /// # Errors
    ///
    /// Whatever the store reports.
    pub async fn stat(&self) -> Result<Option<StreamStat<I>>> {
        self.store.stat(self.name()?).await
    }

    /// How many entries the stream retains.
    ///
    /// # Errors
    ///
    /// Whatever the store reports.
    pub async fn count(&self) -> Result<u64> {
        Ok(self.stat().await?.map_or(0, |stat| stat.retained))
    }

    /// Removes the entries up to an id, inclusive, and tells how many.
    /// Versions and ids go on as before.
    ///
    /// # Errors
    ///
    /// `Unsupported` where the store does not trim; whatever it reports.
    pub async fn trim(&self, through: &I) -> Result<u64> {
        self.store.trim(self.name()?, through).await
    }
}

impl<I, T: 'static, S: Clone> Clone for Stream<I, T, S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            name: self.name.clone(),
            schema: self.schema.clone(),
            id: PhantomData,
        }
    }
}

impl<I, T: 'static, S> fmt::Debug for Stream<I, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

//! Conveniences on every store that can be cloned.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Store;
use crate::id::EntryId;
use crate::name::{InvalidName, StreamName};
use crate::query::AllQuery;
use crate::stream::{AllEntries, Stream};

/// Typed streams and whole-store reading from a store handle.
///
/// Implemented for every store that is `Clone`, `Arc<dyn Store<I>>` and
/// references among them.
pub trait StoreExt<I: EntryId>: Store<I> + Clone + Sized {
    /// A stream of `T` in JSON at schema version 1. For another codec or a
    /// history of versions: [`Stream::with_schema`].
    ///
    /// Cheap, and never fails: a name outside the limits is the error of the
    /// first call. The handle is cloned, so the stream can be kept, sent and
    /// spawned.
    ///
    /// ```
    /// use ledger_core::{MemoryStore, StoreExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> ledger_core::Result<()> {
    /// let store = MemoryStore::new();
    /// let greetings = store.stream::<String>("greetings");
    /// let receipt = greetings.append("hello".to_owned()).await?;
    /// assert_eq!(receipt.version, 1);
    /// # Ok(())
    /// # }
    /// ```
    fn stream<T: Serialize + DeserializeOwned + 'static>(
        &self,
        name: impl TryInto<StreamName, Error: Into<InvalidName>>,
    ) -> Stream<I, T, Self> {
        Stream::new(self.clone(), name)
    }

    /// Every entry of the store, as a [`futures_core::Stream`] that pages.
    ///
    /// It ends where the store says that nothing follows for now. While the
    /// order of what follows is not settled it waits, and asks again every 2
    /// to 64 ms; it can be dropped at any time, and
    /// [`cursor`](AllEntries::cursor) tells how far it came. The query's limit
    /// is a total here and may exceed a page's.
    ///
    /// ```
    /// use futures_util::TryStreamExt;
    /// use ledger_core::{AllQuery, MemoryStore, StoreExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> ledger_core::Result<()> {
    /// let store = MemoryStore::new();
    /// store.stream::<u64>("a").append_all([1, 2]).await?;
    /// store.stream::<u64>("b").append(3).await?;
    ///
    /// let mut all = store.all(AllQuery::new());
    /// while let Some(found) = all.try_next().await? {
    ///     println!("{} {}", found.stream, found.record.version);
    /// }
    /// let place = all.cursor()?; // store it, and go on from here next time
    /// # assert!(place.is_some());
    /// # Ok(())
    /// # }
    /// ```
    fn all<'s>(&self, query: AllQuery) -> AllEntries<'s, I, Self>
    where
        Self: 's,
    {
        AllEntries::new(self.clone(), query)
    }
}

impl<I: EntryId, S: Store<I> + Clone> StoreExt<I> for S {}

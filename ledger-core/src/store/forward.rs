//! A reference or a smart pointer to a store is a store.

use std::sync::Arc;

use async_trait::async_trait;

use super::Store;
use crate::batch::Batch;
use crate::capabilities::Capabilities;
use crate::cursor::StoreCursor;
use crate::error::Result;
use crate::id::EntryId;
use crate::limits::Limits;
use crate::name::StreamName;
use crate::page::{Page, StorePage};
use crate::receipt::Receipts;
use crate::record::Record;
use crate::request::{ListStreams, Read, ReadAll};
use crate::stat::{Health, Holdup, StreamStat};

/// Produces the whole impl, since async_trait does not look into macro calls
/// inside one. The lint names every method that is missing here.
macro_rules! forward {
    ($pointer:ty) => {
        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<I: EntryId, S: Store<I> + ?Sized> Store<I> for $pointer {
            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }

            fn limits(&self) -> &Limits {
                (**self).limits()
            }

            async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<I>> {
                (**self).append(stream, batch).await
            }

            async fn read(&self, stream: &StreamName, read: &Read<I>) -> Result<Page<Record<I>>> {
                (**self).read(stream, read).await
            }

            async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<I>>> {
                (**self).stat(stream).await
            }

            async fn health(&self) -> Result<Health> {
                (**self).health().await
            }

            async fn close(&self) -> Result<()> {
                (**self).close().await
            }

            async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
                (**self).list(list).await
            }

            async fn trim(&self, stream: &StreamName, through: &I) -> Result<u64> {
                (**self).trim(stream, through).await
            }

            async fn read_all(&self, read: &ReadAll) -> Result<StorePage<I>> {
                (**self).read_all(read).await
            }

            async fn store_head(&self) -> Result<StoreCursor> {
                (**self).store_head().await
            }

            fn cursor_after(
                &self,
                read: &ReadAll,
                seen: &[(StreamName, I)],
            ) -> Result<StoreCursor> {
                (**self).cursor_after(read, seen)
            }

            async fn explain_head(&self) -> Result<Vec<Holdup>> {
                (**self).explain_head().await
            }
        }
    };
}

forward!(&S);
forward!(Arc<S>);
forward!(Box<S>);

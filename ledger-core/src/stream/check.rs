//! Whether a stream can be read.

use std::future::poll_fn;

use super::{Stream, entries};
use crate::error::Result;
use crate::id::EntryId;
use crate::query::Query;
use crate::schema::CheckReport;
use crate::store::Store;

impl<I: EntryId, T: 'static, S: Store<I> + Clone> Stream<I, T, S> {
    /// Reads every entry that the query selects and throws the values away:
    /// would a reader with this schema read them all? The query's limit is a
    /// total. As [`Schema::check`](crate::Schema::check), page by page.
    ///
    /// An entry that cannot be read is no error of the call; it is in the
    /// report.
    ///
    /// ```
    /// use ledger_core::{MemoryStore, Query, StoreExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> ledger_core::Result<()> {
    /// let store = MemoryStore::new();
    /// store.stream::<i64>("numbers").append_all([1, -1]).await?;
    ///
    /// let report = store.stream::<u64>("numbers").check(Query::new()).await?;
    /// assert!(!report.is_ok());
    /// assert_eq!((report.entries, report.unreadable), (2, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`read_raw`](Self::read_raw).
    pub async fn check(&self, query: Query<I>) -> Result<CheckReport> {
        let mut report = CheckReport::default();
        let mut records = entries::records(self.store.clone(), self.name().cloned(), query);
        while let Some(record) = poll_fn(|cx| records.poll_record(cx)).await {
            report.add(&self.schema, &record?);
        }
        let name = self.name()?;
        let errors = report.errors.into_iter();
        report.errors = errors.map(|e| e.with("stream", name)).collect();
        Ok(report)
    }
}

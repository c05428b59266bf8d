//! Whether a reader would read what is stored.

use crate::content_type::ContentType;
use crate::error::Error;
use crate::id::EntryId;
use crate::record::Record;

use super::definition::Schema;
use super::reference::SchemaRef;

/// What a schema makes of stored entries: see [`Schema::check`] and
/// [`Stream::check`](crate::Stream::check).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CheckReport {
    /// How many stored entries were looked at.
    pub entries: u64,
    /// How many values they are read as: other than `entries` where an entry
    /// is split, dropped, skipped or cannot be read.
    pub values: u64,
    /// How many are left out by [`NewerPolicy::Skip`](crate::NewerPolicy::Skip).
    pub skipped: u64,
    /// How many cannot be read.
    pub unreadable: u64,
    /// The same by schema version and content type, in that order.
    pub forms: Vec<CheckedForm>,
    /// Why, for the first [`MOST_ERRORS`](Self::MOST_ERRORS) that cannot be
    /// read: the errors that a reader would get, with `"id"` and `"version"`.
    pub errors: Vec<Error>,
}

/// How entries are stored, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckedForm {
    /// The schema version they are stored with.
    pub schema_version: u32,
    /// The encoding they are stored in.
    pub content_type: ContentType,
    /// How many there are.
    pub entries: u64,
    /// How many of them cannot be read.
    pub unreadable: u64,
}

impl CheckReport {
    /// How many errors are kept.
    pub const MOST_ERRORS: usize = 10;

    /// Whether every entry can be read. One that is skipped counts as read:
    /// that is what its reader asked for.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.unreadable == 0
    }

    pub(crate) fn add<T: 'static, I: EntryId>(
        &mut self,
        schema: &SchemaRef<T>,
        record: &Record<I>,
    ) {
        let read = |out: &mut dyn FnMut(T) -> crate::Result<()>| {
            let entry = &record.entry;
            schema.decode(
                entry.schema_version,
                &entry.content_type,
                &entry.payload,
                out,
            )
        };
        self.note(schema.skips(record.entry.schema_version), record, read);
    }

    fn note<T, I: EntryId>(
        &mut self,
        skips: bool,
        record: &Record<I>,
        read: impl FnOnce(&mut dyn FnMut(T) -> crate::Result<()>) -> crate::Result<()>,
    ) {
        let mut values = 0;
        let read = read(&mut |_| {
            values += 1;
            Ok(())
        });
        self.entries += 1;
        self.skipped += u64::from(skips);
        let form = self.form(record);
        form.entries += 1;
        match read {
            Ok(()) => self.values += values,
            Err(e) => {
                form.unreadable += 1;
                self.unreadable += 1;
                if self.errors.len() < Self::MOST_ERRORS {
                    let e = e.with("id", &record.id).with("version", record.version);
                    self.errors.push(e);
                }
            }
        }
    }

    fn form<I>(&mut self, record: &Record<I>) -> &mut CheckedForm {
        let entry = &record.entry;
        let key = (entry.schema_version, &entry.content_type);
        let found = self
            .forms
            .binary_search_by(|form| (form.schema_version, &form.content_type).cmp(&key));
        let at = found.unwrap_or_else(|at| {
            let form = CheckedForm {
                schema_version: entry.schema_version,
                content_type: entry.content_type.clone(),
                entries: 0,
                unreadable: 0,
            };
            self.forms.insert(at, form);
            at
        });
        &mut self.forms[at]
    }
}

impl<T: 'static> Schema<T> {
    /// Reads stored entries and throws the values away: would this reader read
    /// them all? To be asked before a new release is let loose, over the
    /// entries of a copy, say; over a whole stream by
    /// [`Stream::check`](crate::Stream::check).
    ///
    /// ```
    /// use ledger_core::{Json, MemoryStore, Query, Schema, StoreExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = MemoryStore::new();
    /// let stored = store.stream::<String>("numbers");
    /// stored.append_all(["1", "two"].map(String::from)).await?;
    ///
    /// let schema: Schema<u64> = Schema::typed(Json, 1)
    ///     .try_upcast(2, |text: String| {
    ///         text.parse().map_err(|_| ledger_core::Error::new(ledger_core::Kind::Decode, "no number"))
    ///     })
    ///     .build()?;
    /// let report = schema.check(&stored.read_raw(Query::new()).await?.records);
    /// assert_eq!((report.entries, report.unreadable), (2, 1));
    /// assert_eq!(report.errors[0].context("version"), Some("2"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn check<'r, I: EntryId>(
        &self,
        records: impl IntoIterator<Item = &'r Record<I>>,
    ) -> CheckReport {
        let mut report = CheckReport::default();
        for record in records {
            let entry = &record.entry;
            report.note(self.skips(entry.schema_version), record, |out| {
                self.decode(
                    entry.schema_version,
                    &entry.content_type,
                    &entry.payload,
                    out,
                )
            });
        }
        report
    }
}

//! How a handle holds its schema.

use std::fmt;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::check::CheckReport;
use super::definition::{Known, Schema, read_version};
use super::newer::NewerPolicy;
use crate::codec::{Codec, Json};
use crate::content_type::ContentType;
use crate::error::Result;
use crate::id::EntryId;
use crate::raw_entry::RawEntry;
use crate::record::Record;

/// A schema that is shared: one in a `static`, one behind an [`Arc`], or the
/// default of every type that serde can write and read: JSON, version 1.
///
/// A clone copies a pointer, and the default allocates nothing.
///
/// ```
/// use ledger_core::SchemaRef;
///
/// let schema = SchemaRef::<Vec<u32>>::json();
/// let entry = schema.encode(&vec![1, 2])?;
/// assert_eq!((entry.schema_version, &entry.payload[..]), (1, &b"[1,2]"[..]));
/// # Ok::<(), ledger_core::Error>(())
/// ```
pub struct SchemaRef<T: 'static>(Held<T>);

enum Held<T: 'static> {
    /// Version 1 and nothing older.
    Plain(&'static dyn Codec<T>),
    Static(&'static Schema<T>),
    Shared(Arc<Schema<T>>),
}

impl<T: Serialize + DeserializeOwned + 'static> SchemaRef<T> {
    /// JSON, version 1.
    #[must_use]
    pub const fn json() -> Self {
        Self(Held::Plain(&Json))
    }
}

impl<T: 'static> SchemaRef<T> {
    /// As [`Schema::version`].
    #[must_use]
    pub fn version(&self) -> u32 {
        match &self.0 {
            Held::Plain(_) => 1,
            Held::Static(schema) => schema.version(),
            Held::Shared(schema) => schema.version(),
        }
    }

    /// As [`Schema::skips`].
    #[must_use]
    pub fn skips(&self, version: u32) -> bool {
        match &self.0 {
            Held::Plain(_) => false,
            Held::Static(schema) => schema.skips(version),
            Held::Shared(schema) => schema.skips(version),
        }
    }

    /// As [`Schema::encode`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn encode(&self, value: &T) -> Result<RawEntry> {
        match &self.0 {
            Held::Plain(codec) => {
                let written = codec.encode(value)?;
                Ok(RawEntry::new(written.content_type, 1, written.payload))
            }
            Held::Static(schema) => schema.encode(value),
            Held::Shared(schema) => schema.encode(value),
        }
    }

    /// As [`Schema::check`].
    pub fn check<'r, I: EntryId>(
        &self,
        records: impl IntoIterator<Item = &'r Record<I>>,
    ) -> CheckReport {
        let mut report = CheckReport::default();
        for record in records {
            report.add(self, record);
        }
        report
    }

    /// As [`Schema::decode`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn decode(
        &self,
        version: u32,
        content_type: &ContentType,
        payload: &Bytes,
        out: &mut dyn FnMut(T) -> Result<()>,
    ) -> Result<()> {
        match &self.0 {
            Held::Plain(codec) => {
                let known = Known {
                    current: 1,
                    older: &[],
                    newer: NewerPolicy::Refuse,
                };
                read_version(*codec, known, version, (content_type, payload), out)
            }
            Held::Static(schema) => schema.decode(version, content_type, payload, out),
            Held::Shared(schema) => schema.decode(version, content_type, payload, out),
        }
    }
}

impl<T: 'static> Clone for SchemaRef<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Held::Plain(codec) => Held::Plain(*codec),
            Held::Static(schema) => Held::Static(schema),
            Held::Shared(schema) => Held::Shared(Arc::clone(schema)),
        })
    }
}

/// As [`SchemaRef::json`].
impl<T: Serialize + DeserializeOwned + 'static> Default for SchemaRef<T> {
    fn default() -> Self {
        Self::json()
    }
}

impl<T: 'static> From<&'static Schema<T>> for SchemaRef<T> {
    fn from(schema: &'static Schema<T>) -> Self {
        Self(Held::Static(schema))
    }
}

/// Builds the schema if nobody has used it before.
impl<T: 'static> From<&'static LazyLock<Schema<T>>> for SchemaRef<T> {
    fn from(schema: &'static LazyLock<Schema<T>>) -> Self {
        Self(Held::Static(schema))
    }
}

impl<T: 'static> From<Arc<Schema<T>>> for SchemaRef<T> {
    fn from(schema: Arc<Schema<T>>) -> Self {
        Self(Held::Shared(schema))
    }
}

impl<T: 'static> From<Schema<T>> for SchemaRef<T> {
    fn from(schema: Schema<T>) -> Self {
        Self(Held::Shared(Arc::new(schema)))
    }
}

impl<T: 'static> fmt::Debug for SchemaRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaRef")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

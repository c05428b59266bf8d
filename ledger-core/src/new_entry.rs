//! A typed value on its way into a stream.

use crate::error::Result;
use crate::metadata::Metadata;
use crate::raw_entry::RawEntry;
use crate::schema::SchemaRef;

/// A value to append, with its keys and metadata. A bare value converts into
/// one without any.
///
/// ```
/// use ledger_core::NewEntry;
///
/// let entry = NewEntry::new("paid")
///     .order_key("customer-1")
///     .dedup_key("evt-9")
///     .metadata("source", "api");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry<T> {
    value: T,
    order_key: Option<String>,
    dedup_key: Option<String>,
    metadata: Metadata,
}

impl<T> NewEntry<T> {
    /// A value without keys and metadata.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self {
            value,
            order_key: None,
            dedup_key: None,
            metadata: Metadata::new(),
        }
    }

    /// The caller's grouping key, such as an aggregate or a customer: entries
    /// can be read by it. 1 to 512 bytes.
    #[must_use]
    pub fn order_key(mut self, key: impl Into<String>) -> Self {
        self.order_key = Some(key.into());
        self
    }

    /// The key that protects this entry from being stored twice in its stream,
    /// for as long as it is retained. 1 to 512 bytes.
    #[must_use]
    pub fn dedup_key(mut self, key: impl Into<String>) -> Self {
        self.dedup_key = Some(key.into());
        self
    }

    /// Adds a pair of metadata. The last value set for a key wins.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.set(key, value);
        self
    }

    pub(crate) fn encode(self, schema: &SchemaRef<T>) -> Result<RawEntry>
    where
        T: 'static,
    {
        let mut entry = schema.encode(&self.value)?;
        entry.order_key = self.order_key;
        entry.dedup_key = self.dedup_key;
        entry.metadata = self.metadata;
        Ok(entry)
    }
}

impl<T> From<T> for NewEntry<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

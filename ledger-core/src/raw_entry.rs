//! An entry as a store sees it.

use bytes::Bytes;

use crate::content_type::ContentType;
use crate::error::Result;
use crate::limits::{Limits, check_len, check_number, check_text};
use crate::metadata::Metadata;

/// An entry before it is stored, and the caller's part of a stored one.
/// The payload is bytes: types live in [`Stream`](crate::Stream).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawEntry {
    /// The bytes, returned as they were given. Up to 8 MiB.
    pub payload: Bytes,
    /// How the payload is encoded.
    pub content_type: ContentType,
    /// The schema version of the payload, from 1.
    pub schema_version: u32,
    /// The caller's grouping key, such as a customer or an aggregate: entries
    /// of a stream can be read by it. 1 to 512 bytes.
    pub order_key: Option<String>,
    /// At most one retained entry of a stream carries a given dedup key.
    /// 1 to 512 bytes.
    pub dedup_key: Option<String>,
    /// Small facts about the entry.
    pub metadata: Metadata,
}

impl RawEntry {
    /// An entry without keys and metadata.
    #[must_use]
    pub fn new(content_type: ContentType, schema_version: u32, payload: impl Into<Bytes>) -> Self {
        Self {
            payload: payload.into(),
            content_type,
            schema_version,
            order_key: None,
            dedup_key: None,
            metadata: Metadata::new(),
        }
    }

    /// Sets the order key.
    #[must_use]
    pub fn with_order_key(mut self, key: impl Into<String>) -> Self {
        self.order_key = Some(key.into());
        self
    }

    /// Sets the dedup key.
    #[must_use]
    pub fn with_dedup_key(mut self, key: impl Into<String>) -> Self {
        self.dedup_key = Some(key.into());
        self
    }

    /// Replaces the metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// What this entry counts towards the bytes of an append and of a page:
    /// payload, content type, keys and metadata.
    #[must_use]
    pub fn size(&self) -> usize {
        let key = |key: &Option<String>| key.as_ref().map_or(0, String::len);
        self.payload.len()
            + self.content_type.as_str().len()
            + key(&self.order_key)
            + key(&self.dedup_key)
            + self.metadata.size()
    }

    /// Whether another entry carries the same payload bytes, content type and
    /// schema version: what the verification of duplicates compares.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.payload == other.payload
            && self.content_type == other.content_type
            && self.schema_version == other.schema_version
    }

    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        check_len("payload", self.payload.len(), 0, limits.payload)?;
        check_number(
            "schema version",
            self.schema_version.into(),
            1,
            limits.schema_version,
        )?;
        if let Some(key) = &self.order_key {
            check_text("order key", key, limits.key)?;
        }
        if let Some(key) = &self.dedup_key {
            check_text("dedup key", key, limits.key)?;
        }
        self.metadata.check(limits)
    }
}

//! The one table of limits, and the checks that apply it.

use std::time::Duration;

use crate::error::{Error, Result, Rule};

/// The limits of a store.
///
/// They are checked before any I/O, so that the same input fails the same way
/// on every backend, as [`Kind::InvalidInput`](crate::Kind::InvalidInput).
/// Lengths are bytes of UTF-8. Every backend has the limits of
/// [`Limits::TABLE`]; a layer that splits payloads may raise some of them, so
/// ask the store ([`Store::limits`](crate::Store::limits)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a stream name, at least 1.
    pub stream_name: u64,
    /// Bytes of an order key or a dedup key, at least 1.
    pub key: u64,
    /// Pairs of metadata on one entry.
    pub metadata_pairs: u64,
    /// Bytes of a metadata key, at least 1.
    pub metadata_key: u64,
    /// Bytes of a metadata value.
    pub metadata_value: u64,
    /// Bytes of all metadata keys and values of one entry together.
    pub metadata_bytes: u64,
    /// Bytes of a content type, at least 1.
    pub content_type: u64,
    /// The greatest schema version; the least is 1.
    pub schema_version: u64,
    /// Bytes of a payload.
    pub payload: u64,
    /// Entries of one append.
    pub batch_entries: u64,
    /// Bytes of one append: payloads, keys, metadata and content types.
    pub batch_bytes: u64,
    /// Entries of one page, at least 1.
    pub page_entries: u64,
    /// Bytes at which a page ends early. A page is never empty for that
    /// reason: it holds at least one entry.
    pub page_bytes: u64,
    /// The greatest id and the greatest version; the least is 1.
    pub position: u64,
    /// The longest deadline of a call.
    pub deadline_max: Duration,
    /// The shortest deadline of a call.
    pub deadline_min: Duration,
}

impl Limits {
    /// The limits of every backend.
    pub const TABLE: Self = Self {
        stream_name: 512,
        key: 512,
        metadata_pairs: 64,
        metadata_key: 128,
        metadata_value: 8 * 1024,
        metadata_bytes: 64 * 1024,
        content_type: 127,
        schema_version: i32::MAX as u64,
        payload: 8 * 1024 * 1024,
        batch_entries: 10_000,
        batch_bytes: 16 * 1024 * 1024,
        page_entries: 10_000,
        page_bytes: 32 * 1024 * 1024,
        position: i64::MAX as u64,
        deadline_max: Duration::from_secs(24 * 60 * 60),
        deadline_min: Duration::from_millis(1),
    };

    /// The deadline of a call unless another is set.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

    /// The same limits with another limit for payloads. The bytes of one
    /// append are raised to fit one such payload.
    #[must_use]
    pub const fn with_payload(mut self, bytes: u64) -> Self {
        self.payload = bytes;
        let batch = bytes.saturating_add(Self::TABLE.batch_bytes);
        if bytes > Self::TABLE.payload && self.batch_bytes < batch {
            self.batch_bytes = batch;
        }
        self
    }

    /// Checks the deadline of a call.
    ///
    /// # Errors
    ///
    /// `InvalidInput` outside 1 ms to 24 h.
    pub fn check_deadline(&self, deadline: Duration) -> Result<Duration> {
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let field = "call deadline (ms)";
        if deadline < self.deadline_min {
            let least = millis(self.deadline_min);
            return Err(Error::invalid_input(
                field,
                Rule::AtLeast,
                least,
                millis(deadline),
            ));
        }
        if deadline > self.deadline_max {
            let most = millis(self.deadline_max);
            return Err(Error::invalid_input(
                field,
                Rule::AtMost,
                most,
                millis(deadline),
            ));
        }
        Ok(deadline)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::TABLE
    }
}

/// Checks a text of 1 to `most` bytes without U+0000.
pub(crate) fn check_text(field: &'static str, text: &str, most: u64) -> Result<()> {
    check_len(field, text.len(), 1, most)?;
    if text.as_bytes().contains(&0) {
        return Err(Error::invalid_input(field, Rule::NoNul, 0, 0));
    }
    Ok(())
}

/// Checks a length in bytes.
pub(crate) fn check_len(field: &'static str, len: usize, least: u64, most: u64) -> Result<()> {
    let len = len as u64;
    if len < least {
        return Err(Error::invalid_input(field, Rule::AtLeastBytes, least, len));
    }
    if len > most {
        return Err(Error::invalid_input(field, Rule::AtMostBytes, most, len));
    }
    Ok(())
}

/// Checks a count or a number.
pub(crate) fn check_number(field: &'static str, n: u64, least: u64, most: u64) -> Result<()> {
    if n < least {
        return Err(Error::invalid_input(field, Rule::AtLeast, least, n));
    }
    if n > most {
        return Err(Error::invalid_input(field, Rule::AtMost, most, n));
    }
    Ok(())
}

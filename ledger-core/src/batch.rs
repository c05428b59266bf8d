//! The entries of one append.

use crate::error::Result;
use crate::expected::Expected;
use crate::limits::{Limits, check_len, check_number};
use crate::raw_entry::RawEntry;

/// The checked entries of one append and what it requires.
///
/// All of them become visible at once, at contiguous versions, in the given
/// order, or none does. An empty batch does nothing.
///
/// The constructor is the only way to one, so what reaches a backend is within
/// the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    entries: Vec<RawEntry>,
    expected: Expected,
    verify: bool,
}

impl Batch {
    /// Checks the entries against the limits of the store they are meant for
    /// ([`Store::limits`](crate::Store::limits)).
    ///
    /// # Errors
    ///
    /// `InvalidInput` that names the field and the rule; the context tells the
    /// `index` of the entry.
    pub fn new(entries: Vec<RawEntry>, limits: &Limits) -> Result<Self> {
        check_number(
            "entries of one append",
            entries.len() as u64,
            0,
            limits.batch_entries,
        )?;
        let mut bytes = 0;
        for (index, entry) in entries.iter().enumerate() {
            entry.check(limits).map_err(|e| e.with("index", index))?;
            bytes += entry.size();
        }
        check_len("one append", bytes, 0, limits.batch_bytes)?;
        Ok(Self {
            entries,
            expected: Expected::Any,
            verify: false,
        })
    }

    /// Requires the stream to be at a version. Default: any.
    #[must_use]
    pub fn with_expected(mut self, expected: impl Into<Expected>) -> Self {
        self.expected = expected.into();
        self
    }

    /// Whether a repeated dedup key must come with the same payload, content
    /// type and schema version. Default: no.
    #[must_use]
    pub fn with_verified_duplicates(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// The entries in their order.
    #[must_use]
    pub fn entries(&self) -> &[RawEntry] {
        &self.entries
    }

    /// The entries, given away.
    #[must_use]
    pub fn into_entries(self) -> Vec<RawEntry> {
        self.entries
    }

    /// Whether there is nothing to append.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the stream must be at.
    #[must_use]
    pub fn expected(&self) -> Expected {
        self.expected
    }

    /// Whether repeats are compared with their originals.
    #[must_use]
    pub fn verifies_duplicates(&self) -> bool {
        self.verify
    }
}

//! What an append says of each of its entries.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// Where an entry of an append is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt<I> {
    /// The id; of the original, if this is a duplicate.
    pub id: I,
    /// The version; of the original, if this is a duplicate.
    pub version: u64,
    /// Whether the entry was stored now.
    pub status: Status,
}

/// Whether an entry was stored now or was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Stored by this append.
    Appended,
    /// Not stored: an entry with this dedup key exists. The receipt names it.
    Duplicate,
}

impl<I> Receipt<I> {
    /// The receipt of an entry stored now.
    #[must_use]
    pub const fn appended(id: I, version: u64) -> Self {
        Self {
            id,
            version,
            status: Status::Appended,
        }
    }

    /// The receipt of a repeat of the entry stored at this place.
    #[must_use]
    pub const fn duplicate(id: I, version: u64) -> Self {
        Self {
            id,
            version,
            status: Status::Duplicate,
        }
    }

    /// Whether an entry with this dedup key was there before.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        self.status == Status::Duplicate
    }
}

/// The receipts of one append, one for each entry, in the order given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Receipts<I>(Vec<Receipt<I>>);

impl<I> Receipts<I> {
    /// How many entries were stored.
    #[must_use]
    pub fn appended(&self) -> usize {
        self.0.len() - self.duplicates()
    }

    /// How many entries were there before.
    #[must_use]
    pub fn duplicates(&self) -> usize {
        self.0.iter().filter(|r| r.is_duplicate()).count()
    }

    /// The version of the last receipt, which may be a duplicate's; `None` for
    /// an empty append.
    #[must_use]
    pub fn last_version(&self) -> Option<u64> {
        self.0.last().map(|r| r.version)
    }

    /// The id of the last receipt, which may be a duplicate's; `None` for an
    /// empty append.
    #[must_use]
    pub fn last_id(&self) -> Option<&I> {
        self.0.last().map(|r| &r.id)
    }
}

impl<I> From<Vec<Receipt<I>>> for Receipts<I> {
    fn from(receipts: Vec<Receipt<I>>) -> Self {
        Self(receipts)
    }
}

impl<I> Deref for Receipts<I> {
    type Target = [Receipt<I>];

    fn deref(&self) -> &[Receipt<I>] {
        &self.0
    }
}

impl<I> IntoIterator for Receipts<I> {
    type Item = Receipt<I>;
    type IntoIter = std::vec::IntoIter<Receipt<I>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, I> IntoIterator for &'a Receipts<I> {
    type Item = &'a Receipt<I>;
    type IntoIter = std::slice::Iter<'a, Receipt<I>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

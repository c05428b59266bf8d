//! A stored entry, its payload still bytes.

use crate::name::StreamName;
use crate::raw_entry::RawEntry;
use crate::timestamp::Timestamp;

/// A stored entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<I> {
    /// The identity assigned by the store. Grows within a stream.
    pub id: I,
    /// The place in the stream: 1, 2, 3, … without gaps.
    pub version: u64,
    /// When the store recorded it, UTC. Never decreases within a stream.
    pub recorded_at: Timestamp,
    /// What the caller gave.
    pub entry: RawEntry,
}

impl<I> Record<I> {
    /// A stored entry.
    #[must_use]
    pub const fn new(id: I, version: u64, recorded_at: Timestamp, entry: RawEntry) -> Self {
        Self {
            id,
            version,
            recorded_at,
            entry,
        }
    }
}

/// A stored entry and the stream it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreRecord<I> {
    /// The stream.
    pub stream: StreamName,
    /// The entry.
    pub record: Record<I>,
}

impl<I> StoreRecord<I> {
    /// An entry of a stream.
    #[must_use]
    pub const fn new(stream: StreamName, record: Record<I>) -> Self {
        Self { stream, record }
    }
}

//! A typed entry, read back.

use std::ops::Deref;

use crate::content_type::ContentType;
use crate::metadata::Metadata;
use crate::page::PageEnd;
use crate::timestamp::Timestamp;

/// A stored entry whose payload was read as `T`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<I, T> {
    /// The identity assigned by the store, and the cursor behind this entry.
    pub id: I,
    /// The place in the stream: 1, 2, 3, … without gaps.
    pub version: u64,
    /// Which part of the stored entry this is, where an upcaster split it.
    pub part: Part,
    /// The value, brought up to the current schema version.
    pub value: T,
    /// The caller's grouping key.
    pub order_key: Option<String>,
    /// The key that protects from duplicates.
    pub dedup_key: Option<String>,
    /// Small facts about the entry.
    pub metadata: Metadata,
    /// The schema version it was *stored* with.
    pub schema_version: u32,
    /// The encoding it was stored in.
    pub content_type: ContentType,
    /// When the store recorded it, UTC. Never decreases within a stream.
    pub recorded_at: Timestamp,
}

/// Which part of a stored entry a value is. Parts share id and version, and
/// come in order; limits and cursors count stored entries. An entry that was
/// dropped has no parts, and its version is missing among those that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// From 0.
    pub index: u32,
    /// Whether this is the last one. A consumer that has handled it can go on
    /// behind the entry's id.
    pub last: bool,
}

impl Part {
    /// The only part.
    pub const WHOLE: Self = Self {
        index: 0,
        last: true,
    };
}

/// A page of typed entries. Derefs to the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryPage<I, T> {
    /// The entries.
    pub entries: Vec<Entry<I, T>>,
    /// The id of the last *stored* entry that this page covers: what the next
    /// query goes on behind ([`after`](crate::Query::after), or
    /// [`before`](crate::Query::before) when descending). It is there even if
    /// an upcaster dropped all entries or all were skipped, and `None` if
    /// there were none.
    pub next: Option<I>,
    /// How many stored entries were left out because they are of a newer
    /// schema version and the schema says to
    /// [skip](crate::NewerPolicy::Skip) those. Always 0 otherwise.
    pub skipped: u64,
    /// How the page ended.
    pub end: PageEnd,
}

impl<I, T> Deref for EntryPage<I, T> {
    type Target = [Entry<I, T>];

    fn deref(&self) -> &[Entry<I, T>] {
        &self.entries
    }
}

impl<I, T> IntoIterator for EntryPage<I, T> {
    type Item = Entry<I, T>;
    type IntoIter = std::vec::IntoIter<Entry<I, T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a, I, T> IntoIterator for &'a EntryPage<I, T> {
    type Item = &'a Entry<I, T>;
    type IntoIter = std::slice::Iter<'a, Entry<I, T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

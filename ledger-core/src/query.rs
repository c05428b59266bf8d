//! What to read, as a user says it.

use std::ops::{Bound, RangeBounds, RangeInclusive};

use crate::cursor::StoreCursor;

/// Which way to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first. A limit then takes the newest entries.
    Descending,
}

/// Which entries of a stream to read. Without a word: all, oldest first.
///
/// [`Stream::read`](crate::Stream::read) gives one page of at most
/// [`limit`](Self::limit) entries, 100 unless said otherwise;
/// [`Stream::entries`](crate::Stream::entries) gives all, or `limit` in total.
///
/// ```
/// use ledger_core::Query;
///
/// let after = Query::new().after(17).limit(50);
/// let newest_of_ann: Query<i64> = Query::new().order_key("ann").desc().limit(1);
/// let third: Query<i64> = Query::new().at_version(3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query<I> {
    pub(crate) after: Option<I>,
    pub(crate) before: Option<I>,
    pub(crate) from_version: u64,
    pub(crate) to_version: u64,
    pub(crate) at_version: Option<u64>,
    pub(crate) limit: Option<usize>,
    pub(crate) direction: Direction,
    pub(crate) order_key: Option<String>,
}

impl<I> Query<I> {
    /// Everything, oldest first.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            after: None,
            before: None,
            from_version: 1,
            to_version: u64::MAX,
            at_version: None,
            limit: None,
            direction: Direction::Ascending,
            order_key: None,
        }
    }

    /// Only entries whose id is greater, in either direction. The entry named
    /// need not exist any more.
    #[must_use]
    pub fn after(mut self, id: I) -> Self {
        self.after = Some(id);
        self
    }

    /// Only entries whose id is smaller, in either direction. Paging backwards
    /// is `.before(last).desc()`.
    #[must_use]
    pub fn before(mut self, id: I) -> Self {
        self.before = Some(id);
        self
    }

    /// Only entries with these versions; the first version is 1.
    #[must_use]
    pub fn versions(mut self, versions: impl RangeBounds<u64>) -> Self {
        // (nothing, nothing) stands for a range without a version.
        const EMPTY: (u64, u64) = (u64::MAX, 0);
        let from = match versions.start_bound() {
            Bound::Included(n) => Some(*n),
            Bound::Excluded(n) => n.checked_add(1),
            Bound::Unbounded => Some(1),
        };
        let to = match versions.end_bound() {
            Bound::Included(n) => Some(*n),
            Bound::Excluded(n) => n.checked_sub(1),
            Bound::Unbounded => Some(u64::MAX),
        };
        (self.from_version, self.to_version) = from.zip(to).unwrap_or(EMPTY);
        self
    }

    /// Only the entry with this version. Together with
    /// [`versions`](Self::versions): what is in both.
    #[must_use]
    pub const fn at_version(mut self, version: u64) -> Self {
        self.at_version = Some(version);
        self
    }

    /// At most this many entries, from 1. A page holds up to 10,000.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Newest first.
    #[must_use]
    pub const fn desc(mut self) -> Self {
        self.direction = Direction::Descending;
        self
    }

    /// Only entries with this order key.
    #[must_use]
    pub fn order_key(mut self, key: impl Into<String>) -> Self {
        self.order_key = Some(key.into());
        self
    }

    pub(crate) fn version_range(&self) -> RangeInclusive<u64> {
        let (from, to) = (self.from_version.max(1), self.to_version);
        match self.at_version {
            Some(at) => from.max(at)..=to.min(at),
            None => from..=to,
        }
    }
}

impl<I> Default for Query<I> {
    fn default() -> Self {
        Self::new()
    }
}

/// Which entries of the whole store to read. Without a word: all, oldest
/// first, where the store has one order
/// ([`StoreOrder`](crate::StoreOrder)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllQuery {
    pub(crate) after: Option<StoreCursor>,
    pub(crate) limit: Option<usize>,
    pub(crate) direction: Direction,
}

impl AllQuery {
    /// Everything, oldest first.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            after: None,
            limit: None,
            direction: Direction::Ascending,
        }
    }

    /// Continue behind this place, in the direction it was reached in.
    #[must_use]
    pub fn after(mut self, cursor: StoreCursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// At most this many entries, from 1.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Newest first, from the settled end.
    #[must_use]
    pub const fn desc(mut self) -> Self {
        self.direction = Direction::Descending;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    fn range(q: &Query<i64>) -> (u64, u64) {
        q.version_range().into_inner()
    }

    #[test]
    fn version_ranges_of_every_form_become_inclusive_ones_from_1() {
        let q = Query::new;
        assert_eq!(range(&q()), (1, u64::MAX));
        assert_eq!(range(&q().versions(..)), (1, u64::MAX));
        assert_eq!(range(&q().versions(0..=5)), (1, 5));
        assert_eq!(range(&q().versions(2..5)), (2, 4));
        assert_eq!(range(&q().versions(3..)), (3, u64::MAX));
        assert_eq!(range(&q().versions(2..=9).at_version(4)), (4, 4));
        for empty in [
            q().versions(..0),
            q().versions(0..1),
            q().versions(5..5),
            q().versions((
                std::ops::Bound::Excluded(u64::MAX),
                std::ops::Bound::Unbounded,
            )),
            q().versions(2..=3).at_version(4),
            q().at_version(0),
        ] {
            assert!(empty.version_range().is_empty(), "{empty:?}");
        }
    }
}

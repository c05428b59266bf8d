//! What to read, checked, as a store gets it.

use std::ops::RangeInclusive;

use crate::cursor::StoreCursor;
use crate::error::Result;
use crate::limits::{Limits, check_number, check_text};
use crate::name::StreamName;
use crate::query::{AllQuery, Direction, Query};

/// How many entries a page holds unless a limit is given.
pub(crate) const DEFAULT_PAGE: usize = 100;

fn check_page(limit: Option<usize>, limits: &Limits) -> Result<usize> {
    let limit = limit.unwrap_or(DEFAULT_PAGE);
    check_number("page limit", limit as u64, 1, limits.page_entries)?;
    Ok(limit)
}

/// A checked request for a page of a stream. An entry is in the answer if it
/// passes every part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<I> {
    after: Option<I>,
    before: Option<I>,
    versions: RangeInclusive<u64>,
    limit: usize,
    direction: Direction,
    order_key: Option<String>,
}

impl<I> Read<I> {
    /// Checks a query and resolves its defaults.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a limit outside 1 to 10,000 or an order key outside
    /// the limits.
    pub fn new(query: Query<I>, limits: &Limits) -> Result<Self> {
        let limit = check_page(query.limit, limits)?;
        if let Some(key) = &query.order_key {
            check_text("order key", key, limits.key)?;
        }
        Ok(Self {
            versions: query.version_range(),
            after: query.after,
            before: query.before,
            limit,
            direction: query.direction,
            order_key: query.order_key,
        })
    }

    /// Only greater ids.
    #[must_use]
    pub fn after(&self) -> Option<&I> {
        self.after.as_ref()
    }

    /// Only smaller ids.
    #[must_use]
    pub fn before(&self) -> Option<&I> {
        self.before.as_ref()
    }

    /// Only these versions. May be empty; unless bounded it ends at
    /// [`u64::MAX`].
    #[must_use]
    pub fn versions(&self) -> &RangeInclusive<u64> {
        &self.versions
    }

    /// Whether the versions are bounded at all.
    #[must_use]
    pub fn has_versions(&self) -> bool {
        self.versions != (1..=u64::MAX)
    }

    /// At most this many records, 1 to 10,000.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Which way.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Whether newest comes first.
    #[must_use]
    pub fn is_descending(&self) -> bool {
        self.direction == Direction::Descending
    }

    /// Only entries with this order key.
    #[must_use]
    pub fn order_key(&self) -> Option<&str> {
        self.order_key.as_deref()
    }
}

/// A checked request for a page of the whole store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAll {
    after: Option<StoreCursor>,
    limit: usize,
    direction: Direction,
}

impl ReadAll {
    /// Checks a query and resolves its defaults.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a limit outside 1 to 10,000.
    pub fn new(query: AllQuery, limits: &Limits) -> Result<Self> {
        let limit = check_page(query.limit, limits)?;
        Ok(Self {
            after: query.after,
            limit,
            direction: query.direction,
        })
    }

    /// Where to continue; `None` is the beginning, or the settled end of a
    /// descending read.
    #[must_use]
    pub fn after(&self) -> Option<&StoreCursor> {
        self.after.as_ref()
    }

    /// At most this many records, 1 to 10,000.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Which way.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Whether newest comes first.
    #[must_use]
    pub fn is_descending(&self) -> bool {
        self.direction == Direction::Descending
    }
}

/// A checked request for a page of stream names, in byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListStreams {
    after: Option<StreamName>,
    limit: usize,
}

impl ListStreams {
    /// The streams behind `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a limit outside 1 to 10,000.
    pub fn new(after: Option<StreamName>, limit: usize, limits: &Limits) -> Result<Self> {
        let limit = check_page(Some(limit), limits)?;
        Ok(Self { after, limit })
    }

    /// Only names behind this one, exclusive.
    #[must_use]
    pub fn after(&self) -> Option<&StreamName> {
        self.after.as_ref()
    }

    /// At most this many names, 1 to 10,000.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }
}

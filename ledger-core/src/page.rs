//! Part of an answer, and how it ended.

use crate::cursor::StoreCursor;
use crate::record::StoreRecord;

/// How a page ended. Said by the store, never guessed from the length: a page
/// may be shorter than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageEnd {
    /// More may follow at once. A full page that happens to end at the end may
    /// say so too.
    More,
    /// Nothing follows for now.
    CaughtUp,
    /// Something follows whose order is not settled yet, since a writer is
    /// still at work. Ask again soon.
    Undecided,
}

/// Records in order, and how the page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<R> {
    /// The records, at most the limit.
    pub records: Vec<R>,
    /// How the page ended.
    pub end: PageEnd,
}

impl<R> Page<R> {
    /// A page.
    #[must_use]
    pub const fn new(records: Vec<R>, end: PageEnd) -> Self {
        Self { records, end }
    }

    /// A page without records: nothing follows.
    #[must_use]
    pub const fn empty() -> Self {
        Self::new(Vec::new(), PageEnd::CaughtUp)
    }
}

/// Records of the whole store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorePage<I> {
    /// The records, at most the limit.
    pub records: Vec<StoreRecord<I>>,
    /// Where the next page begins. It counts on an empty page too: take it
    /// even when no record came.
    pub next: StoreCursor,
    /// How the page ended.
    pub end: PageEnd,
}

impl<I> StorePage<I> {
    /// A page of the whole store.
    #[must_use]
    pub const fn new(records: Vec<StoreRecord<I>>, next: StoreCursor, end: PageEnd) -> Self {
        Self { records, next, end }
    }
}

//! All entries of the store, page by page.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::pager::{Fetch, Pager, SCAN_PAGE, Source};
use crate::cursor::StoreCursor;
use crate::error::Result;
use crate::id::EntryId;
use crate::name::StreamName;
use crate::page::{PageEnd, StorePage};
use crate::query::AllQuery;
use crate::record::StoreRecord;
use crate::request::ReadAll;
use crate::store::Store;

/// The entries of a whole store as a [`futures_core::Stream`]; returned by
/// [`StoreExt::all`](crate::StoreExt::all).
///
/// Owns a handle and borrows nothing. `Unpin`. It ends where the store says
/// that nothing follows for now; while the order of what follows is not
/// settled it waits, asking again in short intervals.
#[must_use = "a stream does nothing until it is polled"]
pub struct AllEntries<'s, I, S> {
    pager: Pager<'s, StorePages<I, S>, StorePage<I>, StoreRecord<I>>,
}

struct StorePages<I, S> {
    store: S,
    query: AllQuery,
    /// The query of the page that is being consumed.
    page: AllQuery,
    /// What was consumed of it.
    seen: Vec<(StreamName, I)>,
}

impl<'s, I: EntryId, S: Store<I> + Clone + 's> AllEntries<'s, I, S> {
    pub(crate) fn new(store: S, query: AllQuery) -> Self {
        let read_ahead = store.capabilities().detached_reads;
        let source = StorePages {
            store,
            page: query.clone(),
            query,
            seen: Vec::new(),
        };
        Self {
            pager: Pager::new(source, read_ahead),
        }
    }

    /// The place behind the last entry that was handed out: where a later
    /// [`AllQuery::after`] goes on. `None` if nothing was read and the query
    /// named no place.
    ///
    /// # Errors
    ///
    /// Whatever [`Store::cursor_after`] reports.
    pub fn cursor(&self) -> Result<Option<StoreCursor>> {
        let StorePages {
            store,
            query,
            page,
            seen,
        } = &self.pager.source;
        if self.pager.is_drained() {
            return Ok(query.after.clone());
        }
        if seen.is_empty() {
            return Ok(page.after.clone());
        }
        let read = ReadAll::new(capped(page), store.limits())?;
        store.cursor_after(&read, seen).map(Some)
    }
}

fn capped(query: &AllQuery) -> AllQuery {
    let limit = query.limit.unwrap_or(SCAN_PAGE).min(SCAN_PAGE);
    query.clone().limit(limit)
}

impl<I: EntryId, S: Store<I> + Clone> Source<StorePage<I>, StoreRecord<I>> for StorePages<I, S> {
    fn fetch<'s>(&self, after: Option<Duration>) -> Result<Fetch<'s, StorePage<I>>>
    where
        Self: 's,
    {
        let read = ReadAll::new(capped(&self.query), self.store.limits())?;
        let store = self.store.clone();
        Ok(Box::pin(async move {
            if let Some(pause) = after {
                tokio::time::sleep(pause).await;
            }
            store.read_all(&read).await
        }))
    }

    fn arrived(&mut self, page: StorePage<I>) -> (Vec<StoreRecord<I>>, PageEnd) {
        let StorePage {
            records,
            next,
            mut end,
        } = page;
        self.seen.clear();
        self.page = self.query.clone();
        self.query.after = Some(next);
        if let Some(limit) = &mut self.query.limit {
            *limit = limit.saturating_sub(records.len());
            if *limit == 0 {
                end = PageEnd::CaughtUp;
            }
        }
        (records, end)
    }
}

impl<'s, I: EntryId, S: Store<I> + Clone + 's> futures_core::Stream for AllEntries<'s, I, S> {
    type Item = Result<StoreRecord<I>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let polled = ready!(this.pager.poll_record(cx));
        if let Some(Ok(found)) = &polled {
            this.pager
                .source
                .seen
                .push((found.stream.clone(), found.record.id.clone()));
        }
        Poll::Ready(polled)
    }
}

/// Nothing in it is pinned in place.
impl<I, S> Unpin for AllEntries<'_, I, S> {}

impl<I, S> fmt::Debug for AllEntries<'_, I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllEntries")
            .field("query", &self.pager.source.query)
            .finish_non_exhaustive()
    }
}

//! All entries of one stream, page by page.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::decode::decode;
use super::pager::{Fetch, Pager, SCAN_PAGE, Source};
use crate::entry::Entry;
use crate::error::{Error, Result};
use crate::id::EntryId;
use crate::name::StreamName;
use crate::page::{Page, PageEnd};
use crate::query::{Direction, Query};
use crate::record::Record;
use crate::request::Read;
use crate::schema::SchemaRef;
use crate::store::Store;

/// The entries of a stream as a [`futures_core::Stream`]; returned by
/// [`Stream::entries`](crate::Stream::entries).
///
/// Owns a handle and borrows nothing, so it can be kept and spawned. `Unpin`.
/// Dropping a pending `next()` loses nothing.
#[must_use = "a stream does nothing until it is polled"]
pub struct Entries<'s, I, T: 'static, S> {
    pager: Records<'s, I, S>,
    schema: SchemaRef<T>,
    skipped: u64,
    /// The parts of one entry, if an upcaster split it.
    parts: VecDeque<Entry<I, T>>,
}

/// The stored entries of a stream, page by page.
pub(super) type Records<'s, I, S> = Pager<'s, StreamPages<I, S>, Page<Record<I>>, Record<I>>;

pub(super) fn records<'s, I: EntryId, S: Store<I> + Clone + 's>(
    store: S,
    name: Result<StreamName>,
    query: Query<I>,
) -> Records<'s, I, S> {
    let read_ahead = store.capabilities().detached_reads;
    Pager::new(StreamPages { store, name, query }, read_ahead)
}

pub(super) struct StreamPages<I, S> {
    store: S,
    name: Result<StreamName>,
    query: Query<I>,
}

impl<'s, I: EntryId, T: 'static, S: Store<I> + Clone + 's> Entries<'s, I, T, S> {
    pub(super) fn new(
        store: S,
        name: Result<StreamName>,
        schema: SchemaRef<T>,
        query: Query<I>,
    ) -> Self {
        Self {
            pager: records(store, name, query),
            schema,
            skipped: 0,
            parts: VecDeque::new(),
        }
    }
}

impl<I, T: 'static, S> Entries<'_, I, T, S> {
    /// How many stored entries were left out so far because they are of a
    /// newer schema version and the schema says to
    /// [skip](crate::NewerPolicy::Skip) those.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl<I: EntryId, S: Store<I> + Clone> Source<Page<Record<I>>, Record<I>> for StreamPages<I, S> {
    fn fetch<'s>(&self, after: Option<Duration>) -> Result<Fetch<'s, Page<Record<I>>>>
    where
        Self: 's,
    {
        let name = match &self.name {
            Ok(name) => name.clone(),
            Err(e) => return Err(Error::new(e.kind().clone(), "")),
        };
        let mut query = self.query.clone();
        query.limit = Some(query.limit.unwrap_or(SCAN_PAGE).min(SCAN_PAGE));
        let read = Read::new(query, self.store.limits())?;
        let store = self.store.clone();
        Ok(Box::pin(async move {
            if let Some(pause) = after {
                tokio::time::sleep(pause).await;
            }
            store.read(&name, &read).await
        }))
    }

    fn arrived(&mut self, page: Page<Record<I>>) -> (Vec<Record<I>>, PageEnd) {
        let Page { records, mut end } = page;
        if let Some(last) = records.last() {
            let at = Some(last.id.clone());
            match self.query.direction {
                Direction::Ascending => self.query.after = at,
                Direction::Descending => self.query.before = at,
            }
        }
        if let Some(limit) = &mut self.query.limit {
            *limit = limit.saturating_sub(records.len());
            if *limit == 0 {
                end = PageEnd::CaughtUp;
            }
        }
        (records, end)
    }
}

impl<'s, I, T, S> futures_core::Stream for Entries<'s, I, T, S>
where
    I: EntryId,
    T: 'static,
    S: Store<I> + Clone + 's,
{
    type Item = Result<Entry<I, T>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(part) = this.parts.pop_front() {
                return Poll::Ready(Some(Ok(part)));
            }
            let record = match ready!(this.pager.poll_record(cx)) {
                Some(Ok(record)) => record,
                Some(Err(e)) => return Poll::Ready(Some(Err(e))),
                None => return Poll::Ready(None),
            };
            let name = match &this.pager.source.name {
                Ok(name) => name,
                Err(e) => return Poll::Ready(Some(Err(Error::new(e.kind().clone(), "")))),
            };
            this.skipped += u64::from(this.schema.skips(record.entry.schema_version));
            if let Err(e) = decode(name, &this.schema, record, &mut this.parts) {
                return Poll::Ready(Some(Err(e)));
            }
        }
    }
}

/// Nothing in it is pinned in place.
impl<I, T, S> Unpin for Entries<'_, I, T, S> {}

impl<I: fmt::Debug, T, S> fmt::Debug for Entries<'_, I, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StreamPages { name, query, .. } = &self.pager.source;
        f.debug_struct("Entries")
            .field("stream", name)
            .field("query", query)
            .finish_non_exhaustive()
    }
}

//! Paging as a state machine: fetches a page, hands out its records, fetches
//! the next one, perhaps ahead of time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::error::Result;
use crate::page::PageEnd;

/// How many records a page of an iteration asks for. Large enough to hide the
/// cost of a call, small enough not to hold much.
pub(super) const SCAN_PAGE: usize = 1000;

/// Where pages come from.
pub(super) trait Source<P, R> {
    /// Starts to fetch the page behind the last one that arrived.
    ///
    /// `after` is a pause to keep first.
    fn fetch<'s>(&self, after: Option<Duration>) -> Result<Fetch<'s, P>>
    where
        Self: 's;

    /// Notes that a page has arrived. Says how it ended; `CaughtUp` also where
    /// the reader has had enough.
    fn arrived(&mut self, page: P) -> (Vec<R>, PageEnd);
}

pub(super) type Fetch<'s, P> = Pin<Box<dyn Future<Output = Result<P>> + Send + 's>>;

enum Next<'s, P> {
    Unasked,
    Running(Fetch<'s, P>),
    Ready(Result<P>),
}

/// Free of bounds and projections: with a `Source<'s>` in the type, the compiler
/// cannot prove a spawned task that iterates to be `Send` ("higher-ranked
/// lifetime error").
pub(super) struct Pager<'s, S, P, R> {
    pub(super) source: S,
    records: std::vec::IntoIter<R>,
    next: Next<'s, P>,
    end: PageEnd,
    /// Pages in a row that were undecided.
    undecided: u32,
    read_ahead: bool,
}

impl<'s, S: Source<P, R> + 's, P, R> Pager<'s, S, P, R> {
    /// Reading ahead is safe only where a read goes on without being polled.
    /// Elsewhere a page fetched ahead can hold the connection that the
    /// consumer's own append waits for, and both wait for ever.
    pub(super) fn new(source: S, read_ahead: bool) -> Self {
        Self {
            source,
            records: Vec::new().into_iter(),
            next: Next::Unasked,
            end: PageEnd::More,
            undecided: 0,
            read_ahead,
        }
    }

    /// Whether every record of the last page was handed out.
    pub(super) fn is_drained(&self) -> bool {
        self.records.len() == 0
    }

    pub(super) fn poll_record(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<R>>> {
        loop {
            if let Some(record) = self.records.next() {
                if self.read_ahead && self.end == PageEnd::More {
                    self.poll_ahead(cx);
                }
                return Poll::Ready(Some(Ok(record)));
            }
            if self.end == PageEnd::CaughtUp {
                return Poll::Ready(None);
            }
            match ready!(self.poll_page(cx)) {
                Ok(page) => {
                    let (records, end) = self.source.arrived(page);
                    self.undecided = match end {
                        PageEnd::Undecided if records.is_empty() => {
                            self.undecided.saturating_add(1)
                        }
                        _ => 0,
                    };
                    (self.records, self.end) = (records.into_iter(), end);
                }
                Err(e) => {
                    self.end = PageEnd::CaughtUp;
                    return Poll::Ready(Some(Err(e)));
                }
            }
        }
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Result<P>> {
        loop {
            match std::mem::replace(&mut self.next, Next::Unasked) {
                Next::Unasked => match self.source.fetch(self.pause()) {
                    Ok(fetch) => self.next = Next::Running(fetch),
                    Err(e) => return Poll::Ready(Err(e)),
                },
                Next::Running(mut fetch) => {
                    let polled = fetch.as_mut().poll(cx);
                    if polled.is_pending() {
                        self.next = Next::Running(fetch);
                    }
                    return polled;
                }
                Next::Ready(page) => return Poll::Ready(page),
            }
        }
    }

    /// Keeps the next page coming while this one is consumed.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        if matches!(self.next, Next::Ready(_)) {
            return;
        }
        if let Poll::Ready(page) = self.poll_page(cx) {
            self.next = Next::Ready(page);
        }
    }

    /// Where the order of what follows is undecided a writer is at work: ask
    /// again after 2 ms, 4 ms, … up to 64 ms.
    fn pause(&self) -> Option<Duration> {
        (self.end == PageEnd::Undecided)
            .then(|| Duration::from_millis(2 << self.undecided.saturating_sub(1).min(5)))
    }
}

//! Appends as builders that are their own futures.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::batch::Batch;
use crate::error::{Error, Kind, Result};
use crate::expected::Expected;
use crate::id::EntryId;
use crate::name::StreamName;
use crate::raw_entry::RawEntry;
use crate::receipt::{Receipt, Receipts};
use crate::store::Store;

/// An append of several entries: set its options, then await it.
///
/// Returned by [`Stream::append_all`](crate::Stream::append_all).
#[must_use = "an append does nothing until it is awaited"]
pub struct AppendAll<'a, I, S> {
    store: &'a S,
    name: &'a Result<StreamName, Kind>,
    expected: Expected,
    verify: bool,
    state: State<'a, I>,
}

enum State<'a, I> {
    Ready(Result<Vec<RawEntry>>),
    Running {
        entries: usize,
        future: Running<'a, I>,
    },
    Done,
}

type Running<'a, I> = Pin<Box<dyn Future<Output = Result<Receipts<I>>> + Send + 'a>>;

impl<'a, I: EntryId, S: Store<I>> AppendAll<'a, I, S> {
    pub(super) fn new(
        store: &'a S,
        name: &'a Result<StreamName, Kind>,
        entries: Result<Vec<RawEntry>>,
    ) -> Self {
        let state = State::Ready(entries);
        Self {
            store,
            name,
            expected: Expected::Any,
            verify: false,
            state,
        }
    }

    /// Requires the stream to be at a version. Default: any.
    pub fn expected(mut self, expected: impl Into<Expected>) -> Self {
        self.expected = expected.into();
        self
    }

    /// Requires that a repeated dedup key comes with the same payload, content
    /// type and schema version; otherwise nothing is stored and the error is
    /// `DedupMismatch`. Default: a repeat is a duplicate whatever it carries.
    pub fn verify_duplicates(mut self) -> Self {
        self.verify = true;
        self
    }

    fn start(&self, entries: Vec<RawEntry>) -> Result<State<'a, I>> {
        let count = entries.len();
        let name = self
            .name
            .as_ref()
            .map_err(|kind| Error::new(kind.clone(), ""))?;
        let batch = Batch::new(entries, self.store.limits())
            .map_err(|e| e.with("stream", name))?
            .with_expected(self.expected)
            .with_verified_duplicates(self.verify);
        Ok(State::Running {
            entries: count,
            future: self.store.append(name, batch),
        })
    }
}

impl<I: EntryId, S: Store<I>> Future for AppendAll<'_, I, S> {
    type Output = Result<Receipts<I>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let State::Ready(entries) = &mut this.state {
            let entries = std::mem::replace(entries, Ok(Vec::new()));
            this.state = State::Done;
            match entries.and_then(|entries| this.start(entries)) {
                Ok(running) => this.state = running,
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        let State::Running { entries, future } = &mut this.state else {
            panic!("an append was polled after it completed");
        };
        let outcome = ready!(future.as_mut().poll(cx));
        let outcome = outcome.and_then(|receipts| match receipts.len() {
            n if n == *entries => Ok(receipts),
            n => Err(miscounted(*entries, n)),
        });
        this.state = State::Done;
        Poll::Ready(outcome)
    }
}

fn miscounted(entries: usize, receipts: usize) -> Error {
    Error::new(
        Kind::Internal,
        format!("the store answered {entries} entries with {receipts} receipts"),
    )
    .unknown_outcome()
}

/// Nothing in it is pinned in place.
impl<I, S> Unpin for AppendAll<'_, I, S> {}

impl<I, S> fmt::Debug for AppendAll<'_, I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppendAll")
            .field("stream", &self.name)
            .field("expected", &self.expected)
            .field("verify_duplicates", &self.verify)
            .finish_non_exhaustive()
    }
}

/// An append of one entry: set its options, then await it.
///
/// Returned by [`Stream::append`](crate::Stream::append).
#[derive(Debug)]
#[must_use = "an append does nothing until it is awaited"]
pub struct Append<'a, I, S>(AppendAll<'a, I, S>);

impl<'a, I: EntryId, S: Store<I>> Append<'a, I, S> {
    pub(super) fn new(one: AppendAll<'a, I, S>) -> Self {
        Self(one)
    }

    /// As [`AppendAll::expected`].
    pub fn expected(self, expected: impl Into<Expected>) -> Self {
        Self(self.0.expected(expected))
    }

    /// As [`AppendAll::verify_duplicates`].
    pub fn verify_duplicates(self) -> Self {
        Self(self.0.verify_duplicates())
    }
}

impl<I: EntryId, S: Store<I>> Future for Append<'_, I, S> {
    type Output = Result<Receipt<I>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let receipts = ready!(Pin::new(&mut self.0).poll(cx))?;
        Poll::Ready(receipts.into_iter().next().ok_or_else(|| miscounted(1, 0)))
    }
}

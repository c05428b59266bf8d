//! Readers that go on behind the last record they were given, for as long as
//! writers are at work.

use std::collections::HashMap;
use std::time::Duration;

use ledger_core::{
    AllQuery, EntryId, PageEnd, Query, ReadAll, Record, StoreCursor, StoreOrder, StoreRecord,
    StreamName,
};

use crate::case::Failure;
use crate::check;
use crate::lab::Handle;
use crate::race::Done;
use crate::sample::page;

/// Reads one stream from its beginning, by pages of `size`.
pub(crate) struct Tail<I> {
    pub(crate) store: Handle<I>,
    pub(crate) stream: StreamName,
    size: usize,
    /// What it was given so far.
    pub(crate) got: Vec<Record<I>>,
}

impl<I: EntryId> Tail<I> {
    pub(crate) fn new(store: &Handle<I>, stream: &StreamName, size: usize) -> Self {
        Self {
            store: store.clone(),
            stream: stream.clone(),
            size,
            got: Vec::new(),
        }
    }

    /// Reads a page. The stream must not be trimmed meanwhile: each version
    /// has to come, once and in order.
    pub(crate) async fn step(&mut self) -> Result<PageEnd, Failure> {
        let mut query = Query::new().limit(self.size);
        if let Some(last) = self.got.last() {
            query = query.after(last.id.clone());
        }
        let found = page(&*self.store, &self.stream, query).await?;
        fits(found.records.len(), self.size)?;
        check::that(
            "P3",
            "a page that says More",
            !found.records.is_empty() || found.end != PageEnd::More,
            "a record to go on behind",
            &found,
        )?;
        for record in found.records {
            follows(&self.stream, self.got.last(), &record)?;
            self.got.push(record);
        }
        Ok(found.end)
    }

    /// Reads until the store says that nothing follows for now.
    pub(crate) async fn catch_up(&mut self) -> Result<(), Failure> {
        while self.step().await? != PageEnd::CaughtUp {}
        Ok(())
    }

    /// Reads on and on until the writers are done, then to the end.
    pub(crate) async fn follow(mut self, done: Done) -> Result<Vec<Record<I>>, Failure> {
        let mut idle = Idle::default();
        loop {
            let last_round = done.is_set();
            if last_round {
                self.catch_up().await?;
                return Ok(self.got);
            }
            let end = self.step().await?;
            idle.after(end).await;
        }
    }
}

/// Reads the whole store from its beginning, by pages of `size`.
pub(crate) struct StoreTail<I> {
    store: Handle<I>,
    size: usize,
    after: Option<StoreCursor>,
    last: HashMap<StreamName, Record<I>>,
    /// What it was given so far.
    pub(crate) got: Vec<StoreRecord<I>>,
}

impl<I: EntryId> StoreTail<I> {
    pub(crate) fn new(store: &Handle<I>, size: usize) -> Self {
        Self {
            store: store.clone(),
            size,
            after: None,
            last: HashMap::new(),
            got: Vec::new(),
        }
    }

    /// A reader that was given `got` so far, and goes on from a cursor.
    pub(crate) fn behind(mut self, cursor: StoreCursor, got: &[StoreRecord<I>]) -> Self {
        self.after = Some(cursor);
        self.got = got.to_vec();
        for found in got {
            let last = found.record.clone();
            self.last.insert(found.stream.clone(), last);
        }
        self
    }

    /// Where it goes on.
    pub(crate) fn cursor(&self) -> Option<&StoreCursor> {
        self.after.as_ref()
    }

    /// Reads a page. No stream must be trimmed meanwhile: each version of each
    /// stream has to come, once and in order.
    pub(crate) async fn step(&mut self) -> Result<PageEnd, Failure> {
        let mut query = AllQuery::new().limit(self.size);
        if let Some(cursor) = &self.after {
            query = query.after(cursor.clone());
        }
        let read = ReadAll::new(query, self.store.limits())?;
        let found = self.store.read_all(&read).await?;
        fits(found.records.len(), self.size)?;
        for found in found.records {
            let record = found.record.clone();
            follows(&found.stream, self.last.get(&found.stream), &record)?;
            self.last.insert(found.stream.clone(), record);
            self.got.push(found);
        }
        self.after = Some(found.next);
        Ok(found.end)
    }

    /// Reads until the store says that nothing follows for now.
    pub(crate) async fn catch_up(&mut self) -> Result<(), Failure> {
        let mut idle = Idle::default();
        loop {
            match self.step().await? {
                PageEnd::CaughtUp => return Ok(()),
                end => idle.after(end).await,
            }
        }
    }

    /// Reads on and on until the writers are done, then to the end.
    pub(crate) async fn follow(mut self, done: Done) -> Result<Vec<StoreRecord<I>>, Failure> {
        let mut idle = Idle::default();
        loop {
            let last_round = done.is_set();
            if last_round {
                self.catch_up().await?;
                return Ok(self.got);
            }
            let end = self.step().await?;
            idle.after(end).await;
        }
    }
}

/// Keeps a polling reader from taking the machine for itself.
#[derive(Default)]
pub(crate) struct Idle(u32);

impl Idle {
    /// Lets others run after a page that ended so.
    pub(crate) async fn after(&mut self, end: PageEnd) {
        if end == PageEnd::More {
            self.0 = 0;
        } else {
            self.0 += 1;
        }
        if self.0 % 4 == 3 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

#[track_caller]
fn fits(records: usize, limit: usize) -> Result<(), Failure> {
    let expected = format!("at most {limit} records");
    check::that("P18", "a page", records <= limit, expected, records)
}

/// `record` comes next in its stream.
#[track_caller]
fn follows<I: EntryId>(
    stream: &StreamName,
    last: Option<&Record<I>>,
    record: &Record<I>,
) -> Result<(), Failure> {
    let version = last.map_or(0, |last| last.version) + 1;
    let step = || format!("reading on in stream {stream}");
    check::that(
        "P3",
        step(),
        record.version == version,
        format!("version {version}"),
        record,
    )?;
    check::that(
        "P2",
        step(),
        last.is_none_or(|last| last.id < record.id),
        format!("an id above that of {last:?}"),
        record,
    )
}

/// Two readings of the whole store tell the same: in one order where the store
/// has one, else stream by stream.
#[track_caller]
pub(crate) fn same_log<I: EntryId>(
    promise: &'static str,
    step: &str,
    order: StoreOrder,
    got: &[StoreRecord<I>],
    expected: &[StoreRecord<I>],
) -> Result<(), Failure> {
    if order == StoreOrder::Total {
        return check::same_list(promise, step, got, expected);
    }
    check::same_list(promise, step, &by_stream(got), &by_stream(expected))
}

/// Sorted by stream, each stream in the order given.
fn by_stream<I>(records: &[StoreRecord<I>]) -> Vec<&StoreRecord<I>> {
    let mut sorted: Vec<_> = records.iter().collect();
    sorted.sort_by(|a, b| a.stream.cmp(&b.stream));
    sorted
}

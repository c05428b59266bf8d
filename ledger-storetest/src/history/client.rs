//! A client whose operations are noted.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use ledger_core::{
    AllQuery, Batch, EntryId, Expected, Page, Query, Read, ReadAll, Receipts, Record, Result,
    Store, StoreCursor, StorePage, StreamName, StreamStat,
};

use super::numbered::Numbered;
use super::op::{
    AppendOp, Outcome, PageSeen, ReadOp, Seen, StatOp, StatSeen, StoreSeen, TailOp, TrimOp, What,
};
use super::recorder::Recorder;

/// A client of a store. Everything it does is noted by the [`Recorder`]; a
/// future that is dropped is noted as one that never returned.
///
/// It does one thing after the other: make one for each task.
pub struct Client<I> {
    recorder: Recorder<I>,
    store: Arc<dyn Store<I>>,
    number: u32,
}

impl<I: EntryId> Client<I> {
    /// A new client on a handle.
    #[must_use]
    pub fn new(recorder: &Recorder<I>, store: Arc<dyn Store<I>>) -> Self {
        Self {
            recorder: recorder.clone(),
            number: recorder.next_client(),
            store,
        }
    }

    /// The recorder.
    #[must_use]
    pub fn recorder(&self) -> &Recorder<I> {
        &self.recorder
    }

    /// Appends a batch; the same one again is a retry.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn append(
        &self,
        stream: &StreamName,
        entries: &[Numbered],
        expected: Expected,
    ) -> Result<Receipts<I>> {
        let now = ready(());
        self.append_after(now, stream, entries, expected).await
    }

    /// Appends a batch, but waits for `gate` between the moment at which it
    /// counts as started and the call: clients with a barrier for a gate are
    /// concurrent on any runtime.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn append_after(
        &self,
        gate: impl Future<Output = ()> + Send,
        stream: &StreamName,
        entries: &[Numbered],
        expected: Expected,
    ) -> Result<Receipts<I>> {
        let raw = entries.iter().map(Numbered::raw).collect();
        let batch = Batch::new(raw, self.store.limits())?.with_expected(expected);
        let running = self.recorder.start(
            self.number,
            What::Append(AppendOp {
                stream: stream.clone(),
                expected: expected.into(),
                entries: entries.to_vec(),
                outcome: Outcome::NeverReturned,
            }),
        );
        gate.await;
        let result = self.store.append(stream, batch).await;
        running.returned(|what| {
            if let What::Append(op) = what {
                op.outcome = Outcome::of(&result, |receipts| receipts.to_vec());
            }
        });
        result
    }

    /// Reads a page, newest first if `desc`.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn read(
        &self,
        stream: &StreamName,
        after: Option<I>,
        before: Option<I>,
        limit: usize,
        desc: bool,
    ) -> Result<Page<Record<I>>> {
        self.page(ReadOp {
            stream: stream.clone(),
            reader: None,
            after,
            before,
            limit,
            desc,
            outcome: Outcome::NeverReturned,
        })
        .await
    }

    async fn page(&self, op: ReadOp<I>) -> Result<Page<Record<I>>> {
        let mut query = Query::new().limit(op.limit);
        if let Some(id) = &op.after {
            query = query.after(id.clone());
        }
        if let Some(id) = &op.before {
            query = query.before(id.clone());
        }
        if op.desc {
            query = query.desc();
        }
        let read = Read::new(query, self.store.limits())?;
        let stream = op.stream.clone();
        let running = self.recorder.start(self.number, What::Read(op));
        let result = self.store.read(&stream, &read).await;
        running.returned(|what| {
            if let What::Read(op) = what {
                op.outcome = Outcome::of(&result, |page| PageSeen {
                    records: page.records.iter().map(Seen::of).collect(),
                    end: page.end.into(),
                });
            }
        });
        result
    }

    /// The state of a stream.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<I>>> {
        let never = StatOp {
            stream: stream.clone(),
            outcome: Outcome::NeverReturned,
        };
        let running = self.recorder.start(self.number, What::Stat(never));
        let result = self.store.stat(stream).await;
        running.returned(|what| {
            if let What::Stat(op) = what {
                op.outcome = Outcome::of(&result, |stat| StatSeen {
                    last_version: stat.as_ref().map_or(0, |s| s.last_version),
                    retained: stat.as_ref().map_or(0, |s| s.retained),
                    last: stat.as_ref().and_then(|s| s.last.clone()),
                });
            }
        });
        result
    }

    /// Trims a stream.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn trim(&self, stream: &StreamName, through: &I) -> Result<u64> {
        let never = TrimOp {
            stream: stream.clone(),
            through: through.clone(),
            outcome: Outcome::NeverReturned,
        };
        let running = self.recorder.start(self.number, What::Trim(never));
        let result = self.store.trim(stream, through).await;
        running.returned(|what| {
            if let What::Trim(op) = what {
                op.outcome = Outcome::of(&result, |removed| *removed);
            }
        });
        result
    }

    /// A reader of the whole store from its beginning.
    #[must_use]
    pub fn tail(&self, limit: usize) -> Tail<'_, I> {
        Tail {
            client: self,
            reader: self.recorder.next_reader(),
            limit,
            next: None,
        }
    }

    /// A reader of a stream from its beginning.
    #[must_use]
    pub fn stream_tail(&self, stream: &StreamName, limit: usize) -> StreamTail<'_, I> {
        StreamTail {
            client: self,
            stream: stream.clone(),
            reader: self.recorder.next_reader(),
            limit,
            after: None,
        }
    }
}

impl<I> fmt::Debug for Client<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Client");
        debug.field("number", &self.number).finish_non_exhaustive()
    }
}

/// A reader of the whole store that goes on for ever.
#[derive(Debug)]
pub struct Tail<'a, I> {
    client: &'a Client<I>,
    reader: u32,
    limit: usize,
    next: Option<StoreCursor>,
}

impl<I: EntryId> Tail<'_, I> {
    /// Reads the next page. After an error the same page is read again.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn next(&mut self) -> Result<StorePage<I>> {
        let mut query = AllQuery::new().limit(self.limit);
        if let Some(cursor) = &self.next {
            query = query.after(cursor.clone());
        }
        let store = &self.client.store;
        let read = ReadAll::new(query, store.limits())?;
        let never = TailOp {
            reader: self.reader,
            limit: self.limit,
            outcome: Outcome::NeverReturned,
        };
        let recorder = &self.client.recorder;
        let running = recorder.start(self.client.number, What::Tail(never));
        let result = store.read_all(&read).await;
        running.returned(|what| {
            if let What::Tail(op) = what {
                op.outcome = Outcome::of(&result, |page| PageSeen {
                    records: page.records.iter().map(StoreSeen::of).collect(),
                    end: page.end.into(),
                });
            }
        });
        if let Ok(page) = &result {
            self.next = Some(page.next.clone());
        }
        result
    }

    /// Changes the page size.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }
}

/// A reader of a stream that goes on for ever behind the last id it got.
#[derive(Debug)]
pub struct StreamTail<'a, I> {
    client: &'a Client<I>,
    stream: StreamName,
    reader: u32,
    limit: usize,
    after: Option<I>,
}

impl<I: EntryId> StreamTail<'_, I> {
    /// Reads the next page.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn next(&mut self) -> Result<Page<Record<I>>> {
        let op = ReadOp {
            stream: self.stream.clone(),
            reader: Some(self.reader),
            after: self.after.clone(),
            before: None,
            limit: self.limit,
            desc: false,
            outcome: Outcome::NeverReturned,
        };
        let page = self.client.page(op).await?;
        if let Some(last) = page.records.last() {
            self.after = Some(last.id.clone());
        }
        Ok(page)
    }

    /// Changes the page size.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }
}

impl<I: Clone> Seen<I> {
    pub(super) fn of(record: &Record<I>) -> Self {
        Self {
            id: record.id.clone(),
            version: record.version,
            number: Numbered::number_of(&record.entry),
        }
    }
}

impl<I: Clone> StoreSeen<I> {
    pub(super) fn of(found: &ledger_core::StoreRecord<I>) -> Self {
        Self {
            stream: found.stream.clone(),
            record: Seen::of(&found.record),
        }
    }
}

impl<I> What<I> {
    /// The stream that it is about, if it is about one.
    #[must_use]
    pub const fn stream(&self) -> Option<&StreamName> {
        match self {
            Self::Append(op) => Some(&op.stream),
            Self::Read(op) => Some(&op.stream),
            Self::Stat(op) => Some(&op.stream),
            Self::Trim(op) => Some(&op.stream),
            Self::Tail(_) => None,
        }
    }
}

//! Reading orders, by hand and through a typed stream.

use anyhow::Result;
use ledger_core::{
    Batch, ContentType, Limits, Query, RawEntry, Read, Record, Store, Stream, StreamName,
};

use super::ORDERS;
use crate::args::Args;
use crate::work::Work;
use crate::workload::{Entries, Order};

/// Orders as they are written today, and the same ones as version 1 wrote
/// them.
pub(super) const CURRENT: StreamName = StreamName::from_static("orders");
pub(super) const OLD: StreamName = StreamName::from_static("old-orders");

/// Fills both streams, in turns.
pub(super) async fn fill<S: Store<i64>>(args: &Args, store: &S) -> Result<()> {
    let mut entries = Entries::new(args)?;
    for _ in 0..args.rows.div_ceil(2_000) {
        let current = entries.many(1_000);
        let old: Result<Vec<RawEntry>> = current.iter().map(as_v1).collect();
        for (name, entries) in [(CURRENT, current), (OLD, old?)] {
            let batch = Batch::new(entries, &Limits::TABLE)?;
            store.append(&name, batch).await?;
        }
    }
    Ok(())
}

fn as_v1(entry: &RawEntry) -> Result<RawEntry> {
    let order: Order = serde_json::from_slice(&entry.payload)?;
    let mut old = entry.clone();
    old.schema_version = 1;
    old.payload = serde_json::to_vec(&order.as_v1())?.into();
    Ok(old)
}

fn page<I: Copy>(after: Option<I>, limit: usize) -> Query<I> {
    let query = Query::new().limit(limit);
    match after {
        Some(id) => query.after(id),
        None => query,
    }
}

/// Reads a stream page by page, again and again.
pub(super) struct Typed<S> {
    stream: Stream<i64, Order, S>,
    limit: usize,
    after: Option<i64>,
}

impl<S: Store<i64> + Clone> Typed<S> {
    pub(super) fn new(store: &S, name: StreamName, limit: usize) -> Self {
        Self {
            stream: Stream::with_schema(store.clone(), name, &ORDERS),
            limit,
            after: None,
        }
    }
}

impl<S: Store<i64> + 'static> Work for Typed<S> {
    type Input = Query<i64>;

    fn prepare(&mut self) -> Result<Query<i64>> {
        Ok(page(self.after, self.limit))
    }

    async fn run(&mut self, query: Query<i64>) -> Result<usize> {
        let page = self.stream.read(query).await?;
        let full = page.len() == self.limit;
        self.after = page.next.filter(|_| full);
        Ok(page.len())
    }
}

/// The same with the raw call and serde_json.
pub(super) struct ByHand<S> {
    store: S,
    limit: usize,
    after: Option<i64>,
}

/// What an application would keep of an entry.
struct Kept {
    record: Record<i64>,
    order: Order,
}

impl<S: Store<i64> + Clone> ByHand<S> {
    pub(super) fn new(store: &S, limit: usize) -> Self {
        Self {
            store: store.clone(),
            limit,
            after: None,
        }
    }
}

impl<S: Store<i64> + 'static> Work for ByHand<S> {
    type Input = Read<i64>;

    fn prepare(&mut self) -> Result<Read<i64>> {
        Ok(Read::new(page(self.after, self.limit), &Limits::TABLE)?)
    }

    async fn run(&mut self, read: Read<i64>) -> Result<usize> {
        let page = self.store.read(&CURRENT, &read).await?;
        let mut kept = Vec::with_capacity(page.records.len());
        for record in page.records {
            anyhow::ensure!(record.entry.content_type == ContentType::JSON, "not JSON");
            let order = serde_json::from_slice(&record.entry.payload)?;
            kept.push(Kept { record, order });
        }
        std::hint::black_box(kept.first().map(|first| &first.order));
        let full = kept.len() == self.limit;
        self.after = kept.last().map(|last| last.record.id).filter(|_| full);
        Ok(kept.len())
    }
}

//! Appending orders, by hand and through a typed stream.

use anyhow::Result;
use ledger_core::{Batch, ContentType, Limits, NewEntry, RawEntry, Store, Stream, StreamName};

use super::ORDERS;
use crate::args::Args;
use crate::work::Work;
use crate::workload::Order;

/// A store gets this many entries, then another one takes its place, so that
/// one in memory does not fill it. Both sides do so, in time that does not
/// count.
const PER_STORE: usize = 50_000;

const NAME: StreamName = StreamName::from_static("orders");

/// An order and what belongs to it, as an application has it in its hands.
pub(super) struct Given {
    order: Order,
    order_key: String,
    dedup_key: Option<String>,
    trace: String,
}

/// What both sides share.
struct Source<F, S> {
    make: F,
    store: S,
    left: usize,
    rng: fastrand::Rng,
    batch: usize,
    dedup: bool,
}

impl<S, F: FnMut() -> S> Source<F, S> {
    fn new(args: &Args, seed: u64, batch: usize, mut make: F) -> Self {
        Self {
            store: make(),
            make,
            left: PER_STORE,
            rng: fastrand::Rng::with_seed(seed),
            batch,
            dedup: args.dedup,
        }
    }

    fn given(&mut self) -> Vec<Given> {
        if self.left < self.batch {
            self.store = (self.make)();
            self.left = PER_STORE;
        }
        self.left -= self.batch;
        let rng = &mut self.rng;
        let mut one = || {
            let order = Order::random(rng);
            Given {
                order_key: order.customer.clone(),
                order,
                dedup_key: self.dedup.then(|| format!("{:032x}", rng.u128(..))),
                trace: format!("{:016x}", rng.u64(..)),
            }
        };
        (0..self.batch).map(|_| one()).collect()
    }
}

/// Both sides over stores of their own.
pub(super) fn sides<S, F>(args: &Args, batch: usize, make: F) -> (impl Work, impl Work)
where
    S: Store<i64> + Clone + 'static,
    F: FnMut() -> S + Clone + Send + 'static,
{
    let floor = ByHand(Source::new(args, 1, batch, make.clone()));
    let ours = Typed(Source::new(args, 2, batch, make));
    (floor, ours)
}

struct ByHand<F, S>(Source<F, S>);

impl<S: Store<i64> + 'static, F: FnMut() -> S + Send + 'static> Work for ByHand<F, S> {
    type Input = Vec<Given>;

    fn prepare(&mut self) -> Result<Vec<Given>> {
        Ok(self.0.given())
    }

    async fn run(&mut self, given: Vec<Given>) -> Result<usize> {
        let mut entries = Vec::with_capacity(given.len());
        for one in given {
            let payload = serde_json::to_vec(&one.order)?;
            let mut entry = RawEntry::new(ContentType::JSON, 3, payload);
            entry.order_key = Some(one.order_key);
            entry.dedup_key = one.dedup_key;
            entry.metadata.set("source", "api");
            entry.metadata.set("trace", one.trace);
            entries.push(entry);
        }
        let batch = Batch::new(entries, &Limits::TABLE)?;
        Ok(self.0.store.append(&NAME, batch).await?.len())
    }
}

struct Typed<F, S>(Source<F, S>);

impl<S, F> Work for Typed<F, S>
where
    S: Store<i64> + Clone + 'static,
    F: FnMut() -> S + Send + 'static,
{
    type Input = (Stream<i64, Order, S>, Vec<Given>);

    fn prepare(&mut self) -> Result<Self::Input> {
        let given = self.0.given();
        let stream = Stream::with_schema(self.0.store.clone(), NAME, &ORDERS);
        Ok((stream, given))
    }

    async fn run(&mut self, (stream, given): Self::Input) -> Result<usize> {
        let entries = given.into_iter().map(|one| {
            let entry = NewEntry::new(one.order)
                .order_key(one.order_key)
                .metadata("source", "api")
                .metadata("trace", one.trace);
            match one.dedup_key {
                Some(key) => entry.dedup_key(key),
                None => entry,
            }
        });
        Ok(stream.append_all(entries).await?.len())
    }
}

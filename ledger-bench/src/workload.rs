//! What is appended and read: an order of about 300 bytes of JSON with an
//! order key, two pairs of metadata and, unless switched off, a dedup key of
//! 32 random characters. All of it follows from seeds.

use std::sync::Arc;

use anyhow::Result;
use ledger_core::{Batch, ContentType, EntryId, Limits, RawEntry, Store, StreamName};
use serde::{Deserialize, Serialize};

use crate::args::Args;

/// Different entries; then they repeat, but for their dedup keys.
const POOL: usize = 4_096;
const CUSTOMERS: u64 = 100;

/// The order as it is today: schema version 3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) customer: String,
    pub(crate) cents: u64,
    pub(crate) items: Vec<Item>,
    pub(crate) note: String,
    pub(crate) currency: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    sku: String,
    quantity: u32,
    cents: u64,
}

/// The order as schema version 1 wrote it.
#[derive(Debug, Serialize)]
pub(crate) struct OrderV1<'a> {
    id: u64,
    cust: &'a str,
    total: u64,
    items: &'a [Item],
    comment: &'a str,
    legacy: bool,
}

impl Order {
    pub(crate) fn random(rng: &mut fastrand::Rng) -> Self {
        let item = |rng: &mut fastrand::Rng| Item {
            sku: format!("SKU-{:06}", rng.u32(..1_000_000)),
            quantity: rng.u32(1..9),
            cents: rng.u64(100..100_000),
        };
        Self {
            id: rng.u64(1..1_000_000_000),
            customer: format!("customer-{:04}", rng.u64(..CUSTOMERS)),
            cents: rng.u64(100..1_000_000),
            items: (0..3).map(|_| item(rng)).collect(),
            note: format!(
                "Leave it with the neighbours at number {} if nobody answers the door, please.",
                rng.u32(1..200)
            ),
            currency: "EUR".to_owned(),
        }
    }

    pub(crate) fn as_v1(&self) -> OrderV1<'_> {
        OrderV1 {
            id: self.id,
            cust: &self.customer,
            total: self.cents,
            items: &self.items,
            comment: &self.note,
            legacy: false,
        }
    }
}

/// An endless list of entries.
#[derive(Clone, Debug)]
pub(crate) struct Entries {
    pool: Arc<Vec<RawEntry>>,
    rng: fastrand::Rng,
    dedup: bool,
}

impl Entries {
    pub(crate) fn new(args: &Args) -> Result<Self> {
        let mut rng = fastrand::Rng::with_seed(1);
        let pool: Result<Vec<_>> = (0..POOL).map(|_| template(&mut rng)).collect();
        Ok(Self {
            pool: Arc::new(pool?),
            rng,
            dedup: args.dedup,
        })
    }

    /// The same entries with other dedup keys, in another order.
    pub(crate) fn seeded(&self, seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            ..self.clone()
        }
    }

    pub(crate) fn one(&mut self) -> RawEntry {
        let entry = self.pool[self.rng.usize(..self.pool.len())].clone();
        match self.dedup {
            true => entry.with_dedup_key(format!("{:032x}", self.rng.u128(..))),
            false => entry,
        }
    }

    pub(crate) fn many(&mut self, n: usize) -> Vec<RawEntry> {
        (0..n).map(|_| self.one()).collect()
    }

    /// Any number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.rng.usize(..bound)
    }
}

fn template(rng: &mut fastrand::Rng) -> Result<RawEntry> {
    let order = Order::random(rng);
    let payload = serde_json::to_vec(&order)?;
    let mut entry = RawEntry::new(ContentType::JSON, 3, payload).with_order_key(order.customer);
    entry.metadata.set("source", "api");
    entry.metadata.set("trace", format!("{:016x}", rng.u64(..)));
    Ok(entry)
}

/// The names of streams.
pub(crate) fn streams(n: usize) -> Result<Arc<[StreamName]>> {
    let names: Result<_, _> = (0..n)
        .map(|n| StreamName::new(format!("orders-{n:04}")))
        .collect();
    Ok(names?)
}

/// Appends to each stream once, so that none has to be made while the time runs.
pub(crate) async fn make_streams<I: EntryId, S: Store<I>>(
    store: &S,
    count: usize,
    entries: &Entries,
) -> Result<()> {
    let mut entries = entries.seeded(0);
    for name in &*streams(count)? {
        let batch = Batch::new(entries.many(1), &Limits::TABLE)?;
        store.append(name, batch).await?;
    }
    Ok(())
}

/// Appends `rows` entries, every other batch to the first stream, the rest to
/// the others; tells how many are in the first. The smaller the batches, the
/// better the entries of the streams mix.
pub(crate) async fn fill<I: EntryId, S: Store<I>>(
    store: &S,
    args: &Args,
    count: usize,
    batch: usize,
) -> Result<usize> {
    let mut entries = Entries::new(args)?;
    let names = streams(count)?;
    let mut in_first = 0;
    for stored in (0..args.rows).step_by(batch) {
        let size = batch.min(args.rows - stored);
        let name = match stored % (2 * batch) {
            0 => {
                in_first += size;
                &names[0]
            }
            _ => &names[1 + entries.below(count - 1)],
        };
        let batch = Batch::new(entries.many(size), &Limits::TABLE)?;
        store.append(name, batch).await?;
    }
    Ok(in_first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_about_300_bytes() {
        let mut rng = fastrand::Rng::with_seed(1);
        let order = Order::random(&mut rng);
        for length in [
            serde_json::to_vec(&order).unwrap().len(),
            serde_json::to_vec(&order.as_v1()).unwrap().len(),
        ] {
            assert!((270..330).contains(&length), "{length}");
        }
    }
}

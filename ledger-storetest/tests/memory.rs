//! The store in memory passes the suite.

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::{Capabilities, MemoryStore, Result, Store, StoreOrder, StreamName};
use ledger_storetest::{Harness, Setup};

struct Memory;

#[async_trait]
impl Harness for Memory {
    type Id = i64;
    type Place = MemoryStore;

    async fn fresh(&self) -> Result<MemoryStore> {
        Ok(MemoryStore::new())
    }

    async fn open(&self, place: &MemoryStore, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
        Ok(Arc::new(place.reopen().with_clock(setup.clock.clone())))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::Total)
            .with_list(true)
            .with_trim(true)
            .with_detached_reads(true)
    }

    fn impossible_ids(&self) -> Vec<i64> {
        vec![-1, i64::MIN]
    }

    fn future_id(&self) -> Option<i64> {
        Some(i64::MAX)
    }

    async fn seed_version(
        &self,
        place: &MemoryStore,
        stream: &StreamName,
        version: u64,
    ) -> Option<Result<()>> {
        place.seed_version(stream, version);
        Some(Ok(()))
    }
}

ledger_storetest::conformance!(Memory);

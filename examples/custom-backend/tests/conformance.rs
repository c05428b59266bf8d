//! The backend passes the conformance suite.

use std::sync::Arc;

use async_trait::async_trait;
use custom_backend::RedbStore;
use ledger_core::{Capabilities, Error, Kind, Result, Store, StoreOrder};
use ledger_storetest::{Harness, Setup};
use tempfile::TempDir;

struct Redb;

#[async_trait]
impl Harness for Redb {
    type Id = i64;
    type Place = TempDir;

    async fn fresh(&self) -> Result<TempDir> {
        TempDir::new().map_err(|e| Error::new(Kind::Io, "no directory for a test").caused_by(e))
    }

    async fn open(&self, place: &TempDir, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
        let store = RedbStore::open(place.path().join("test.redb")).await?;
        let store = store.with_clock(setup.clock.clone());
        Ok(Arc::new(store.with_deadline(setup.deadline)?))
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
}

ledger_storetest::conformance!(Redb);

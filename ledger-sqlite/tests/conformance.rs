//! SQLite passes the conformance suite.

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::{Capabilities, Error, Kind, Result, Store, StoreOrder};
use ledger_sqlite::{SqliteOptions, SqliteStore};
use ledger_storetest::{Harness, Setup};
use tempfile::TempDir;

struct Sqlite;

#[async_trait]
impl Harness for Sqlite {
    type Id = i64;
    type Place = TempDir;

    async fn fresh(&self) -> Result<TempDir> {
        TempDir::new().map_err(|e| Error::new(Kind::Io, "no directory for a test").caused_by(e))
    }

    async fn open(&self, place: &TempDir, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
        let options = SqliteOptions::new()
            .with_clock(setup.clock.clone())
            .with_deadline(setup.deadline);
        let store = SqliteStore::open_with(place.path().join("test.db"), options).await?;
        Ok(Arc::new(store))
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

ledger_storetest::conformance!(Sqlite);

//! SQLite passes the conformance suite.

#[path = "conformance/hooks.rs"]
mod hooks;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::{Capabilities, Error, Kind, Result, Store, StoreOrder, StreamName};
use ledger_sqlite::{SqliteOptions, SqliteStore};
use ledger_storetest::{Application, Harness, Hold, Obstacle, Setup};
use tempfile::TempDir;

struct Sqlite;

fn file(place: &TempDir) -> PathBuf {
    place.path().join("test.db")
}

fn options(setup: &Setup) -> SqliteOptions {
    SqliteOptions::new()
        .with_clock(setup.clock.clone())
        .with_deadline(setup.deadline)
}

#[async_trait]
impl Harness for Sqlite {
    type Id = i64;
    type Place = TempDir;

    async fn fresh(&self) -> Result<TempDir> {
        TempDir::new().map_err(|e| Error::new(Kind::Io, "no directory for a test").caused_by(e))
    }

    async fn open(&self, place: &TempDir, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
        let store = SqliteStore::open_with(file(place), options(setup)).await?;
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

    async fn seed_version(
        &self,
        place: &TempDir,
        stream: &StreamName,
        version: u64,
    ) -> Option<Result<()>> {
        Some(hooks::seed(self, place, stream, version).await)
    }

    async fn application(
        &self,
        place: &TempDir,
        setup: &Setup,
    ) -> Option<Result<Box<dyn Application<i64>>>> {
        Some(hooks::application(place, setup).await)
    }

    async fn hold_appends(&self, place: &TempDir) -> Option<Result<Box<dyn Hold>>> {
        Some(hooks::hold(place).await)
    }

    async fn open_over(
        &self,
        place: &TempDir,
        obstacle: Obstacle,
        setup: &Setup,
    ) -> Option<Result<Arc<dyn Store<i64>>>> {
        hooks::open_over(self, place, obstacle, setup).await
    }
}

ledger_storetest::conformance!(Sqlite);

//! The conformance suite.

mod hooks;

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::{Capabilities, Error, Kind, Result, Store, StoreOrder, StreamName};
use ledger_postgres::{Config, PostgresStore};
use ledger_storetest::{Application, Harness, Hold, Obstacle, Setup};

use crate::support::Place;

struct PostgresHarness;

/// A few connections each: hundreds of cases share a server.
fn config(place: &Place, setup: &Setup) -> Config {
    place
        .config
        .clone()
        .with_deadline(setup.deadline)
        .with_max_connections(6)
}

#[async_trait]
impl Harness for PostgresHarness {
    type Id = i64;
    type Place = Place;

    async fn fresh(&self) -> Result<Place> {
        let place = Place::try_fresh().await;
        place.map_err(|e| Error::new(Kind::Unavailable, "").caused_by(e))
    }

    async fn open(&self, place: &Place, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
        let store = PostgresStore::open_with(&place.url(), config(place, setup)).await?;
        Ok(Arc::new(store))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::Total)
            .with_list(true)
            .with_trim(true)
            .with_detached_reads(true)
    }

    fn sets_clock(&self) -> bool {
        false
    }

    fn impossible_ids(&self) -> Vec<i64> {
        vec![-1, i64::MIN]
    }

    fn future_id(&self) -> Option<i64> {
        Some(i64::MAX - 1)
    }

    async fn seed_version(
        &self,
        place: &Place,
        stream: &StreamName,
        version: u64,
    ) -> Option<Result<()>> {
        Some(hooks::seed(self, place, stream, version).await)
    }

    async fn application(
        &self,
        place: &Place,
        setup: &Setup,
    ) -> Option<Result<Box<dyn Application<i64>>>> {
        Some(hooks::application(place, setup).await)
    }

    async fn hold_appends(&self, place: &Place) -> Option<Result<Box<dyn Hold>>> {
        Some(hooks::hold(place).await)
    }

    async fn open_over(
        &self,
        place: &Place,
        obstacle: Obstacle,
        setup: &Setup,
    ) -> Option<Result<Arc<dyn Store<i64>>>> {
        hooks::open_over(self, place, obstacle, setup).await
    }
}

ledger_storetest::conformance!(PostgresHarness);

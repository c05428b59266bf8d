//! The conformance suite.

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::{Capabilities, Error, Kind, Result, Store, StoreOrder};
use ledger_postgres::PostgresStore;
use ledger_storetest::{Harness, Setup};

use crate::support::Place;

struct PostgresHarness;

#[async_trait]
impl Harness for PostgresHarness {
    type Id = i64;
    type Place = Place;

    async fn fresh(&self) -> Result<Place> {
        let place = Place::try_fresh().await;
        place.map_err(|e| Error::new(Kind::Unavailable, "").caused_by(e))
    }

    async fn open(&self, place: &Place, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
        // A few connections each: hundreds of cases share a server.
        let config = place
            .config
            .clone()
            .with_deadline(setup.deadline)
            .with_max_connections(6);
        Ok(Arc::new(
            PostgresStore::open_with(&place.url(), config).await?,
        ))
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
}

ledger_storetest::conformance!(PostgresHarness);

//! The conformance suite.

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::{Capabilities, Error, Kind, Result, Store, StoreOrder};
use ledger_mongo::{MongoId, MongoStore};
use ledger_storetest::{Harness, Setup};

use crate::support::Place;

struct MongoHarness;

#[async_trait]
impl Harness for MongoHarness {
    type Id = MongoId;
    type Place = Place;

    async fn fresh(&self) -> Result<Place> {
        let place = Place::try_fresh().await;
        place.map_err(|e| Error::new(Kind::Unavailable, "").caused_by(e))
    }

    async fn open(&self, place: &Place, setup: &Setup) -> Result<Arc<dyn Store<MongoId>>> {
        let config = place.config.clone().with_deadline(setup.deadline);
        Ok(Arc::new(MongoStore::open_with(&place.url, config).await?))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::PerStream)
            .with_list(true)
            .with_trim(true)
            .with_detached_reads(true)
    }

    fn sets_clock(&self) -> bool {
        false
    }

    fn impossible_ids(&self) -> Vec<MongoId> {
        vec![
            MongoId::new(0, 0),
            MongoId::new(0, 1),
            MongoId::new(1, 0),
            MongoId::new(1, 1 << 63),
        ]
    }

    fn future_id(&self) -> Option<MongoId> {
        Some(MongoId::new(u32::MAX, i64::MAX as u64 - 1))
    }
}

ledger_storetest::conformance!(MongoHarness);

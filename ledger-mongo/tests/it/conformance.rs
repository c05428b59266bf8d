//! The conformance suite.

mod hooks;

use std::sync::Arc;

use async_trait::async_trait;
use ledger_core::{Capabilities, Error, Kind, Result, Store, StoreOrder, StreamName};
use ledger_mongo::{MongoId, MongoStore};
use ledger_storetest::{Application, Harness, Hold, Obstacle, Setup};

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
    ) -> Option<Result<Box<dyn Application<MongoId>>>> {
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
    ) -> Option<Result<Arc<dyn Store<MongoId>>>> {
        hooks::open_over(self, place, obstacle, setup).await
    }
}

ledger_storetest::conformance!(MongoHarness);

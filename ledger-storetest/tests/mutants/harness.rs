//! The harness of the plain store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use ledger_core::{Capabilities, Error, Kind, Result, Store, StreamName};
use ledger_storetest::{Application, Harness, Hold, Obstacle, Setup};
use tokio::sync::OwnedRwLockWriteGuard;

use crate::application::App;
use crate::benign::Quirk;
use crate::bugs::Bug;
use crate::plain::{Place, Plain, Twist, claims};

pub(crate) struct Twisted(pub(crate) Twist);

#[async_trait]
impl Harness for Twisted {
    type Id = i64;
    type Place = Arc<Place>;

    async fn fresh(&self) -> Result<Arc<Place>> {
        Ok(Place::new(self.0))
    }

    async fn open(&self, place: &Arc<Place>, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
        Ok(Arc::new(Plain::open(place, self.0, setup)))
    }

    fn capabilities(&self) -> Capabilities {
        claims(self.0)
    }

    fn sets_clock(&self) -> bool {
        self.0 != Twist::Quirk(Quirk::JumpingClock)
    }

    fn impossible_ids(&self) -> Vec<i64> {
        vec![-1, i64::MIN]
    }

    fn future_id(&self) -> Option<i64> {
        Some(i64::MAX)
    }

    async fn seed_version(
        &self,
        place: &Arc<Place>,
        stream: &StreamName,
        version: u64,
    ) -> Option<Result<()>> {
        place.lock().meta(stream).version = version;
        Some(Ok(()))
    }

    async fn application(
        &self,
        place: &Arc<Place>,
        _: &Setup,
    ) -> Option<Result<Box<dyn Application<i64>>>> {
        let (place, twist) = (place.clone(), self.0);
        Some(Ok(Box::new(App { place, twist })))
    }

    async fn hold_appends(&self, place: &Arc<Place>) -> Option<Result<Box<dyn Hold>>> {
        let alone = place.writers.clone().write_owned().await;
        Some(Ok(Box::new(Alone(alone))))
    }

    async fn open_over(
        &self,
        place: &Arc<Place>,
        obstacle: Obstacle,
        setup: &Setup,
    ) -> Option<Result<Arc<dyn Store<i64>>>> {
        let (bug, error) = match obstacle {
            Obstacle::NewerFormat => {
                let (known, found) = (1, 1000);
                (Bug::FormatIgnored, Kind::NewerFormat { known, found })
            }
            Obstacle::MissingPart => {
                place.lock().rows.clear();
                (Bug::PartMadeAnew, Kind::Corrupt)
            }
            Obstacle::WeakSettings => (Bug::WeakSettingsAccepted, Kind::Misconfigured),
            Obstacle::OtherProcess if place.open.load(Ordering::Acquire) == 0 => {
                return Some(self.open(place, setup).await);
            }
            Obstacle::OtherProcess => (Bug::LockNotTaken, Kind::Locked),
            _ => return None,
        };
        if self.0 == Twist::Bug(bug) {
            return Some(self.open(place, setup).await);
        }
        Some(Err(Error::new(error, "")))
    }
}

struct Alone(OwnedRwLockWriteGuard<()>);

#[async_trait]
impl Hold for Alone {
    async fn release(self: Box<Self>) -> Result<()> {
        drop(self.0);
        Ok(())
    }
}

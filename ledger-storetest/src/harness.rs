//! What the suite needs from the author of a backend.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ledger_core::backend::{Clock, SystemClock};
use ledger_core::{Capabilities, EntryId, Limits, Result, Store, StreamName};

use crate::hooks::{Application, Hold, Obstacle};

/// Makes stores for the suite.
///
/// [`fresh`](Self::fresh), [`open`](Self::open) and
/// [`capabilities`](Self::capabilities) are required. The methods that answer
/// `None` by default are hooks: what they offer cannot be had through a store.
/// A case that needs one which is not offered is listed as not run.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// The id type of the store.
    type Id: EntryId;
    /// Where the data of one store lives: a path, a schema, a database. When
    /// it is dropped, the data may go.
    type Place: Send + Sync + 'static;

    /// A new place without a ledger in it, which no other call returns.
    ///
    /// # Errors
    ///
    /// Whatever stands in the way; the case fails with it.
    async fn fresh(&self) -> Result<Self::Place>;

    /// Opens a store at a place: for the first time, again after all handles
    /// were closed or dropped, or a second time beside an open one, as another
    /// process would. Handles must share nothing but the place.
    ///
    /// # Errors
    ///
    /// Whatever stands in the way; the case fails with it.
    async fn open(&self, place: &Self::Place, setup: &Setup) -> Result<Arc<dyn Store<Self::Id>>>;

    /// What the stores have to claim. Repeated here so that a store that
    /// forgets to claim something does not go untested.
    fn capabilities(&self) -> Capabilities;

    /// Whether [`Setup::clock`] is used. If the database sets the time, `false`;
    /// the cases that turn the clock are then listed as not run.
    fn sets_clock(&self) -> bool {
        true
    }

    /// Ids that no store of this type ever gives out, such as a negative
    /// number: they must be refused as `InvalidInput`.
    fn impossible_ids(&self) -> Vec<Self::Id> {
        Vec::new()
    }

    /// An id that a store without many entries has not given out yet: as a
    /// cursor it must be refused as `InvalidCursor`.
    fn future_id(&self) -> Option<Self::Id> {
        None
    }

    /// Makes a stream, which does not exist yet, look as if `version` entries
    /// had been appended to it and all of them trimmed. The suite has no
    /// handle open meanwhile.
    ///
    /// With it the cases about the end of the versions run.
    async fn seed_version(
        &self,
        place: &Self::Place,
        stream: &StreamName,
        version: u64,
    ) -> Option<Result<()>> {
        let _ = (place, stream, version);
        None
    }

    /// An application with rows and transactions of its own in the database
    /// of this place, where a ledger may or may not be yet. Offered by stores
    /// that can join a transaction.
    ///
    /// With it the cases about transactions of the caller run.
    async fn application(
        &self,
        place: &Self::Place,
        setup: &Setup,
    ) -> Option<Result<Box<dyn Application<Self::Id>>>> {
        let _ = (place, setup);
        None
    }

    /// Keeps all appends at this place, by whatever handle, from being
    /// committed until the answer is released or dropped. They have to wait,
    /// not to fail at once. There is a ledger at the place.
    ///
    /// With it the cases about deadlines and about pools that are used up run.
    async fn hold_appends(&self, place: &Self::Place) -> Option<Result<Box<dyn Hold>>> {
        let _ = place;
        None
    }

    /// Puts an obstacle into the way of opening, then opens a store there.
    /// There is a ledger with entries at the place. `None` for an obstacle
    /// that cannot be there.
    ///
    /// With it the cases about what must not be opened run.
    async fn open_over(
        &self,
        place: &Self::Place,
        obstacle: Obstacle,
        setup: &Setup,
    ) -> Option<Result<Arc<dyn Store<Self::Id>>>> {
        let _ = (place, obstacle, setup);
        None
    }
}

/// How a store is to be opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Setup {
    /// Where `recorded_at` comes from.
    pub clock: Arc<dyn Clock>,
    /// The deadline of each call.
    pub deadline: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            deadline: Limits::DEFAULT_DEADLINE,
        }
    }
}

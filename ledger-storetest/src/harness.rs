//! What the suite needs from the author of a backend.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ledger_core::backend::{Clock, SystemClock};
use ledger_core::{Capabilities, EntryId, Limits, Result, Store};

/// Makes stores for the suite.
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

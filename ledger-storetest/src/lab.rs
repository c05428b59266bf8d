//! The bench that a case works at: one place, and handles to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ledger_core::{Capabilities, EntryId, Kind, Result, Store, StreamName};

use crate::case::{Failure, Ran, Verdict};
use crate::check;
use crate::harness::{Harness, Setup};
use crate::hooks::{Application, Hold, Obstacle};
use crate::run::Config;
use crate::watched::{Moves, Watched};

/// A handle to the store under test.
pub(crate) type Handle<I> = Arc<dyn Store<I>>;

/// One place of a harness, whatever its type.
#[async_trait]
pub(crate) trait Bench<I>: Send + Sync {
    async fn open(&self, setup: &Setup) -> Result<Handle<I>>;
    async fn another(&self) -> Result<Arc<dyn Bench<I>>>;
    fn capabilities(&self) -> Capabilities;
    fn sets_clock(&self) -> bool;
    fn impossible_ids(&self) -> Vec<I>;
    fn future_id(&self) -> Option<I>;
    async fn seed_version(&self, stream: &StreamName, version: u64) -> Option<Result<()>>;
    async fn application(&self, setup: &Setup) -> Option<Result<Box<dyn Application<I>>>>;
    async fn hold_appends(&self) -> Option<Result<Box<dyn Hold>>>;
    async fn open_over(&self, obstacle: Obstacle, setup: &Setup) -> Option<Result<Handle<I>>>;
}

struct PlaceOf<H: Harness> {
    harness: Arc<H>,
    place: H::Place,
}

#[async_trait]
impl<H: Harness> Bench<H::Id> for PlaceOf<H> {
    async fn open(&self, setup: &Setup) -> Result<Handle<H::Id>> {
        self.harness.open(&self.place, setup).await
    }

    async fn another(&self) -> Result<Arc<dyn Bench<H::Id>>> {
        let place = self.harness.fresh().await?;
        Ok(Arc::new(Self {
            harness: self.harness.clone(),
            place,
        }))
    }

    fn capabilities(&self) -> Capabilities {
        self.harness.capabilities()
    }

    fn sets_clock(&self) -> bool {
        self.harness.sets_clock()
    }

    fn impossible_ids(&self) -> Vec<H::Id> {
        self.harness.impossible_ids()
    }

    fn future_id(&self) -> Option<H::Id> {
        self.harness.future_id()
    }

    async fn seed_version(&self, stream: &StreamName, version: u64) -> Option<Result<()>> {
        self.harness
            .seed_version(&self.place, stream, version)
            .await
    }

    async fn application(&self, setup: &Setup) -> Option<Result<Box<dyn Application<H::Id>>>> {
        self.harness.application(&self.place, setup).await
    }

    async fn hold_appends(&self) -> Option<Result<Box<dyn Hold>>> {
        self.harness.hold_appends(&self.place).await
    }

    async fn open_over(&self, obstacle: Obstacle, setup: &Setup) -> Option<Result<Handle<H::Id>>> {
        self.harness.open_over(&self.place, obstacle, setup).await
    }
}

/// What a case gets: a fresh place and a seed.
pub(crate) struct Lab<I> {
    bench: Arc<dyn Bench<I>>,
    /// For `fastrand::Rng::with_seed`.
    pub(crate) seed: u64,
    /// How much work the random and the concurrent cases do; 1 is the usual.
    pub(crate) load: u32,
    /// How long to look for fewer steps that fail too.
    pub(crate) shrinking: Duration,
    /// What is being done, for the report of a case that hangs.
    step: Mutex<String>,
    moves: Moves,
}

impl<I: EntryId> Lab<I> {
    pub(crate) async fn new<H: Harness<Id = I>>(harness: Arc<H>, config: Config) -> Result<Self> {
        let place = harness.fresh().await?;
        let bench = Arc::new(PlaceOf { harness, place });
        Ok(Self {
            bench,
            seed: config.seed,
            load: config.load,
            shrinking: config.shrinking,
            step: Mutex::default(),
            moves: Moves::default(),
        })
    }

    /// Opens a handle to this place: the first one, one more, or one after the
    /// others were closed.
    pub(crate) async fn open(&self) -> Result<Handle<I>> {
        self.open_with(&Setup::default()).await
    }

    pub(crate) async fn open_with(&self, setup: &Setup) -> Result<Handle<I>> {
        let store = self.bench.open(setup).await?;
        Ok(self.watched(store))
    }

    fn watched(&self, store: Handle<I>) -> Handle<I> {
        self.moves.one();
        Arc::new(Watched::new(store, self.moves.clone()))
    }

    pub(crate) async fn seed_version(
        &self,
        stream: &StreamName,
        version: u64,
    ) -> Option<Result<()>> {
        self.bench.seed_version(stream, version).await
    }

    pub(crate) async fn application(&self) -> Option<Result<Box<dyn Application<I>>>> {
        self.bench.application(&Setup::default()).await
    }

    pub(crate) async fn hold_appends(&self) -> Option<Result<Box<dyn Hold>>> {
        self.bench.hold_appends().await
    }

    pub(crate) async fn open_over(&self, obstacle: Obstacle) -> Option<Result<Handle<I>>> {
        let opened = self.bench.open_over(obstacle, &Setup::default()).await;
        opened.map(|opened| opened.map(|store| self.watched(store)))
    }

    /// A second place of the same harness.
    pub(crate) async fn another(&self) -> Result<Self> {
        let bench = self.bench.another().await?;
        Ok(Self {
            bench,
            seed: self.seed,
            load: self.load,
            shrinking: self.shrinking,
            step: Mutex::default(),
            moves: self.moves.clone(),
        })
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.bench.capabilities()
    }

    pub(crate) fn sets_clock(&self) -> bool {
        self.bench.sets_clock()
    }

    pub(crate) fn impossible_ids(&self) -> Vec<I> {
        self.bench.impossible_ids()
    }

    pub(crate) fn future_id(&self) -> Option<I> {
        self.bench.future_id()
    }

    pub(crate) fn rng(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed)
    }

    /// Counts the steps and the calls of the store so far.
    pub(crate) fn moves(&self) -> &Moves {
        &self.moves
    }

    /// Notes what comes next.
    pub(crate) fn step(&self, step: impl Into<String>) {
        self.moves.one();
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step.into();
    }

    pub(crate) fn last_step(&self) -> String {
        self.step
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The end of a case about an operation that the store does not claim: the
/// call must have been refused as `Unsupported`.
#[track_caller]
pub(crate) fn unclaimed<T: std::fmt::Debug>(
    operation: &'static str,
    call: Result<T>,
) -> Result<Ran, Failure> {
    let step = format!("{operation}, which is not claimed");
    check::refused("P20", step, call, "Unsupported", |k| {
        matches!(k, Kind::Unsupported { .. })
    })?;
    Ok(Ran::Refusal(operation)) as Verdict
}

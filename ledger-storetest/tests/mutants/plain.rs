//! A plain store with a switch at each place where one goes wrong.
//!
//! Without a switch it keeps the contract, which a test proves: so that what
//! kills a mutant is its bug and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ledger_core::backend::{Clock, Original, StoreId};
use ledger_core::{
    Batch, Capabilities, Error, Expected, Health, Kind, Limits, ListStreams, Page, Read, ReadAll,
    Receipts, Record, Result, Store, StoreCursor, StoreOrder, StorePage, StreamName, StreamStat,
    Timestamp,
};

use ledger_storetest::Setup;
use tokio::sync::OwnedRwLockReadGuard;

use crate::appending::rebuilt;
use crate::benign::Quirk;
use crate::bugs::Bug;

/// What is odd about a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    Nothing,
    Bug(Bug),
    Quirk(Quirk),
}

/// Where the data of one store lives.
pub(crate) struct Place {
    pub(crate) data: Mutex<Data>,
    /// Held by a bug that must not let another append in between.
    pub(crate) turn: tokio::sync::Mutex<()>,
    pub(crate) calls: AtomicU64,
    /// Held by a bug that does not give it back when it is dropped.
    pub(crate) busy: AtomicBool,
    /// Set by a bug that closes all handles with one.
    pub(crate) closed: AtomicBool,
    /// Shared by the appends that run; a transaction or a hold takes it alone.
    pub(crate) writers: Arc<tokio::sync::RwLock<()>>,
    /// Appends that a bug applies after it has refused them.
    pub(crate) late: Mutex<Vec<(StreamName, Batch)>>,
    /// Appends that wait, as a bug counts them.
    tickets: AtomicU64,
    /// Appends that were refused, for a bug that lets others fail with them.
    refusals: AtomicU64,
    /// Handles that are open.
    pub(crate) open: AtomicU64,
    /// The rows of an application.
    pub(crate) application: Mutex<Vec<i64>>,
}

#[derive(Clone)]
pub(crate) struct Data {
    pub(crate) id: StoreId,
    pub(crate) last_id: i64,
    pub(crate) rows: BTreeMap<i64, Row>,
    pub(crate) streams: BTreeMap<StreamName, Meta>,
    pub(crate) keys: HashMap<(StreamName, String), (Original<i64>, ledger_core::RawEntry)>,
    pub(crate) appends: u64,
    pub(crate) opened: u64,
    /// Ids that were taken by appends that then failed.
    pub(crate) gap: Option<i64>,
}

#[derive(Clone, Default)]
pub(crate) struct Meta {
    pub(crate) version: u64,
    pub(crate) last_at: Option<Timestamp>,
    pub(crate) trimmed: bool,
    pub(crate) created: usize,
}

#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) stream: StreamName,
    pub(crate) record: Record<i64>,
    /// When readers may see it.
    pub(crate) from: Instant,
}

impl Place {
    pub(crate) fn new(twist: Twist) -> Arc<Self> {
        let last_id = match twist {
            Twist::Quirk(Quirk::HighIds) => 1_000_000_000_000,
            _ => 0,
        };
        Arc::new(Self {
            data: Mutex::new(Data {
                id: StoreId::random(),
                last_id,
                rows: BTreeMap::new(),
                streams: BTreeMap::new(),
                keys: HashMap::new(),
                appends: 0,
                opened: 0,
                gap: None,
            }),
            turn: tokio::sync::Mutex::new(()),
            calls: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            writers: Arc::default(),
            late: Mutex::default(),
            tickets: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            open: AtomicU64::new(0),
            application: Mutex::default(),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one handle keeps to itself.
#[derive(Default)]
pub(crate) struct Mine {
    pub(crate) stats: HashMap<StreamName, Option<StreamStat<i64>>>,
    pub(crate) names: Option<Vec<StreamName>>,
    pub(crate) block: std::ops::Range<i64>,
}

/// A handle.
pub(crate) struct Plain {
    pub(crate) place: Arc<Place>,
    pub(crate) twist: Twist,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) mine: Mutex<Mine>,
    limits: Limits,
    deadline: Duration,
    /// A part of a transaction, which is alone already.
    pub(crate) alone: bool,
    /// Calls that a bug lost count of.
    leaked: AtomicU64,
    poisoned: AtomicBool,
    closed: AtomicBool,
    /// It does not count as open any more.
    left: AtomicBool,
    /// Shared by the appends that run; a close takes it alone.
    running: tokio::sync::RwLock<()>,
}

impl Plain {
    pub(crate) fn open(place: &Arc<Place>, twist: Twist, setup: &Setup) -> Self {
        let clock = match twist {
            Twist::Quirk(quirk) => crate::benign::clock(quirk, setup.clock.clone()),
            _ => setup.clock.clone(),
        };
        let handle = Self {
            place: place.clone(),
            twist,
            clock,
            mine: Mutex::default(),
            limits: match twist {
                Twist::Bug(Bug::LowerLimits) => {
                    Limits::TABLE.with_payload(Limits::TABLE.payload - 1)
                }
                Twist::Bug(Bug::HigherKeyLimit) => {
                    let mut limits = Limits::TABLE;
                    limits.key = 1024;
                    limits
                }
                _ => Limits::TABLE,
            },
            deadline: setup.deadline,
            alone: false,
            leaked: AtomicU64::new(0),
            poisoned: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            left: AtomicBool::new(false),
            running: tokio::sync::RwLock::default(),
        };
        let mut data = place.lock();
        data.opened += 1;
        if data.opened > 1 {
            handle.damage_at_open(&mut data);
        }
        drop(data);
        place.open.fetch_add(1, Ordering::AcqRel);
        handle
    }

    /// Waits until no transaction and no hold is in the way.
    pub(crate) async fn writer(&self) -> Result<Option<OwnedRwLockReadGuard<()>>> {
        if self.alone {
            return Ok(None);
        }
        let place = &self.place;
        if self.has(Bug::TicketKeptOnDrop) {
            if place.tickets.fetch_add(1, Ordering::AcqRel) > 10 {
                return Err(Error::new(Kind::Internal, "the line is full"));
            }
            tokio::task::yield_now().await;
        }
        let waiting = place.writers.clone().read_owned();
        let writer = match self.has(Bug::WaitsForEver) {
            true => Ok(waiting.await),
            false => tokio::time::timeout(self.deadline, waiting).await,
        };
        if self.has(Bug::TicketKeptOnDrop) {
            place.tickets.fetch_sub(1, Ordering::AcqRel);
        }
        let late = || Error::new(Kind::Contention, "appends are held");
        Ok(Some(writer.map_err(|_| late())?))
    }

    /// Applies what was refused before.
    async fn apply_late(&self) {
        let late = std::mem::take(
            &mut *self
                .place
                .late
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for (stream, batch) in late {
            let batch = batch.with_expected(Expected::Any);
            let _ = self.append_batch(&stream, batch).await;
        }
    }

    /// Counts a call in, and out unless it is dropped.
    async fn leak(&self, bug: Bug) -> Result<()> {
        if !self.has(bug) {
            return Ok(());
        }
        if self.leaked.fetch_add(1, Ordering::AcqRel) > 10 {
            return Err(Error::new(Kind::Unavailable, "no connection is free"));
        }
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        self.leaked.fetch_sub(1, Ordering::AcqRel);
        Ok(())
    }

    fn leave(&self) {
        if !self.left.swap(true, Ordering::AcqRel) && !self.has(Bug::LockOutlivesHolder) {
            self.place.open.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn damage_at_open(&self, data: &mut Data) {
        if self.has(Bug::ForgetsKeysAtOpen) {
            data.keys.clear();
        }
        if self.has(Bug::ForgetsLastAtOpen) {
            data.rows.pop_last();
        }
        if self.has(Bug::CountersFromRowsAtOpen) {
            let Data { streams, rows, .. } = data;
            for (name, meta) in streams {
                let last = rows.values().rfind(|row| row.stream == *name);
                meta.version = last.map_or(0, |row| row.record.version);
            }
        }
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.twist == Twist::Bug(bug)
    }

    /// What the bug loses of appends that a close finds running.
    pub(crate) fn loses_running(&self) -> bool {
        self.has(Bug::CloseLosesRunning) && self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn is(&self, quirk: Quirk) -> bool {
        self.twist == Twist::Quirk(quirk)
    }

    /// What every call begins with. It lets others run, so that a reader that
    /// never comes to an end can be stopped.
    async fn enter(&self) -> Result<()> {
        let calls = self.place.calls.fetch_add(1, Ordering::Relaxed);
        if calls.is_multiple_of(4) {
            tokio::task::yield_now().await;
        } else {
            tokio::task::coop::consume_budget().await;
        }
        if self.is(Quirk::Latency) {
            tokio::time::sleep(Duration::from_micros(fastrand::u64(0..5_000))).await;
        }
        self.check_open()?;
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::new(Kind::Unavailable, "an earlier call was refused"));
        }
        Ok(())
    }

    fn check_open(&self) -> Result<()> {
        let closed = self.closed.load(Ordering::Acquire) && !self.has(Bug::CloseDoesNothing);
        if closed || self.place.closed.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        Ok(())
    }

    /// What every call begins with that a bug forgets to close.
    async fn enter_unless(&self, bug: Bug) -> Result<()> {
        match self.enter().await {
            Err(e) if *e.kind() == Kind::Closed && self.has(bug) => Ok(()),
            entered => entered,
        }
    }

    /// A read that takes the lock of appends across an await.
    async fn linger(&self) {
        if self.has(Bug::ReadHoldsLock) {
            let _turn = self.place.turn.lock().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What every refusal of an append or a read goes through.
    fn left<T>(&self, outcome: Result<T>) -> Result<T> {
        outcome.map_err(|e| {
            if self.has(Bug::PoisonedByRefusal) {
                self.poisoned.store(true, Ordering::Release);
            }
            if self.has(Bug::EveryErrorInternal) {
                return Error::new(Kind::Internal, "something failed");
            }
            if self.has(Bug::EveryErrorUnknown) {
                return e.unknown_outcome();
            }
            if self.has(Bug::ConflictSaysRetry) && e.is_conflict() {
                return e.with_retry(ledger_core::Retry::Call);
            }
            e
        })
    }
}

#[async_trait]
impl Store<i64> for Plain {
    fn capabilities(&self) -> Capabilities {
        let claims = claims(self.twist);
        claims.with_detached_reads(claims.detached_reads && !self.has(Bug::ClaimsForgotten))
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        let _running = match self.has(Bug::CloseDoesNotWait) {
            true => None,
            false => Some(self.running.read().await),
        };
        self.enter().await?;
        if self.has(Bug::CloseDoesNotWait) || self.has(Bug::CloseLosesRunning) {
            crate::storing::pause().await;
        }
        self.leak(Bug::AppendLeaksPermit).await?;
        self.apply_late().await;
        let refusals = self.place.refusals.load(Ordering::Acquire);
        if self.has(Bug::GroupFailsTogether) {
            crate::storing::pause().await;
            if batch.expected() == Expected::Any
                && self.place.refusals.load(Ordering::Acquire) > refusals
            {
                return Err(Error::new(Kind::Unavailable, "the group has failed"));
            }
        }
        if self.has(Bug::BatchInterleaves) && batch.expected() == Expected::Any {
            let mut receipts = Vec::new();
            for entry in batch.entries() {
                let one = rebuilt(&batch, vec![entry.clone()])?;
                receipts.extend(self.append_batch(stream, one).await?);
                tokio::task::yield_now().await;
            }
            return Ok(receipts.into());
        }
        let kept = batch.clone();
        let appended = self.append_batch(stream, batch).await;
        if let Err(e) = &appended {
            self.place.refusals.fetch_add(1, Ordering::AcqRel);
            let late = match e.kind() {
                Kind::Conflict { .. } => self.has(Bug::ConflictAppliedLater),
                Kind::Contention => self.has(Bug::TimeoutAppliedLater),
                _ => false,
            };
            if late {
                let mut late = self
                    .place
                    .late
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                late.push((stream.clone(), kept.clone()));
            }
        }
        let appended = match (appended, kept.entries().first()) {
            (Err(e), Some(entry)) if self.has(Bug::PayloadInError) => {
                let text = String::from_utf8_lossy(&entry.payload).into_owned();
                Err(e.with("entry", text))
            }
            (appended, _) => appended,
        };
        self.left(appended)
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        self.enter_unless(Bug::CloseOnlyAppends).await?;
        self.leak(Bug::ReadLeaksPermit).await?;
        if self.has(Bug::DroppedReadPoisons) {
            self.poisoned.store(true, Ordering::Release);
            tokio::task::yield_now().await;
            self.poisoned.store(false, Ordering::Release);
        }
        self.linger().await;
        let found = self.read_page(stream, read);
        self.left(found)
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        self.enter_unless(Bug::CloseOnlyAppends).await?;
        Ok(self.stat_of(stream))
    }

    async fn health(&self) -> Result<Health> {
        self.enter_unless(Bug::CloseMissesHealth).await?;
        Ok(Health::new().with("plain", Ok("fine".to_owned())))
    }

    async fn close(&self) -> Result<()> {
        let again = self.closed.swap(true, Ordering::AcqRel);
        if again && self.has(Bug::CloseTwiceIsError) {
            return Err(Error::closed());
        }
        if self.has(Bug::CloseOfThePlace) {
            self.place.closed.store(true, Ordering::Release);
        }
        let _alone = self.running.write().await;
        self.leave();
        Ok(())
    }

    async fn list(&self, list: &ListStreams) -> Result<Page<StreamName>> {
        self.enter_unless(Bug::CloseOnlyAppends).await?;
        match self.twist {
            Twist::Bug(Bug::ListUnclaimedIsEmpty) => Ok(Page::empty()),
            _ if !self.capabilities().list || self.has(Bug::ListClaimedRefused) => {
                Err(Error::unsupported("list"))
            }
            _ => Ok(self.list_page(list)),
        }
    }

    async fn trim(&self, stream: &StreamName, through: &i64) -> Result<u64> {
        self.enter_unless(Bug::CloseOnlyAppends).await?;
        match self.twist {
            Twist::Bug(Bug::TrimUnclaimedIsZero) => Ok(0),
            _ if !self.capabilities().trim => Err(Error::unsupported("trim")),
            Twist::Bug(Bug::TrimsNewestFirst) => self.trim_downwards(stream, *through).await,
            _ => self.left(self.trim_stream(stream, *through)),
        }
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        self.enter_unless(Bug::CloseOnlyAppends).await?;
        self.linger().await;
        match self.twist {
            Twist::Bug(Bug::ReadAllUnclaimedIsEmpty) => Ok(StorePage::new(
                Vec::new(),
                self.cursor(ledger_core::Direction::Ascending, 0),
                ledger_core::PageEnd::CaughtUp,
            )),
            _ if self.capabilities().store_order == StoreOrder::None => {
                Err(Error::unsupported("read_all"))
            }
            _ => self.left(self.read_store(read)),
        }
    }

    async fn store_head(&self) -> Result<StoreCursor> {
        self.enter_unless(Bug::CloseOnlyAppends).await?;
        if self.capabilities().store_order == StoreOrder::None
            && !self.has(Bug::HeadUnclaimedAnswers)
        {
            return Err(Error::unsupported("store_head"));
        }
        Ok(self.head())
    }

    fn cursor_after(&self, read: &ReadAll, seen: &[(StreamName, i64)]) -> Result<StoreCursor> {
        if self.capabilities().store_order == StoreOrder::None {
            return Err(Error::unsupported("cursor_after"));
        }
        self.behind(read, seen)
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What a store with this twist claims.
pub(crate) fn claims(twist: Twist) -> Capabilities {
    let all = Capabilities::new()
        .with_store_order(StoreOrder::Total)
        .with_list(true)
        .with_trim(true)
        .with_detached_reads(true);
    match twist {
        Twist::Quirk(Quirk::NothingOptional) => Capabilities::new(),
        Twist::Quirk(Quirk::PerStreamOrder) => all.with_store_order(StoreOrder::PerStream),
        Twist::Bug(Bug::ListUnclaimedIsEmpty) => all.with_list(false),
        Twist::Bug(Bug::TrimUnclaimedIsZero) => all.with_trim(false),
        Twist::Bug(Bug::ReadAllUnclaimedIsEmpty | Bug::HeadUnclaimedAnswers) => {
            all.with_store_order(StoreOrder::None)
        }
        _ => all,
    }
}

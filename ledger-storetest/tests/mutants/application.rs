//! Transactions over the plain store: they are alone, work on a copy of the
//! data, and a commit puts it in place of the data.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use ledger_core::{
    Batch, Capabilities, Error, Expected, Health, Kind, Page, Read, ReadAll, Receipts, Record,
    Result, Retry, Store, StorePage, StreamName, StreamStat,
};
use ledger_storetest::{Application, Setup, Transaction};
use tokio::sync::OwnedRwLockWriteGuard;

use crate::appending::rebuilt;
use crate::bugs::Bug;
use crate::plain::{Place, Plain, Twist};

pub(crate) struct App {
    pub(crate) place: Arc<Place>,
    pub(crate) twist: Twist,
}

#[async_trait]
impl Application<i64> for App {
    async fn begin(&self) -> Result<Box<dyn Transaction<i64>>> {
        let (place, twist) = (&self.place, self.twist);
        let alone = place.writers.clone().write_owned().await;
        let copy = Place::new(twist);
        let data = place.lock().clone();
        *copy.lock() = data;
        let base = copy.lock().last_id;
        let mut lock = Some(alone);
        if twist == Twist::Bug(Bug::TxPlacesTakenEarly) {
            lock = None;
            place.lock().last_id += 50;
        }
        let own = |of: &Arc<Place>| {
            let mut store = Plain::open(of, twist, &Setup::default());
            store.alone = true;
            store
        };
        Ok(Box::new(Tx {
            real: own(place),
            store: own(&copy),
            base,
            rows: Vec::new(),
            lock,
            ended: false,
        }))
    }

    async fn rows(&self) -> Result<Vec<i64>> {
        let rows = self.place.application.lock();
        Ok(rows.unwrap_or_else(PoisonError::into_inner).clone())
    }
}

struct Tx {
    /// On the place itself.
    real: Plain,
    /// On the copy.
    store: Plain,
    /// The last id of before.
    base: i64,
    rows: Vec<i64>,
    lock: Option<OwnedRwLockWriteGuard<()>>,
    ended: bool,
}

impl Tx {
    fn put(&mut self) {
        let (copy, mut data) = (self.store.place.lock().clone(), self.real.place.lock());
        if self.real.has(Bug::TxPlacesTakenEarly) {
            let new = copy.rows.into_iter().filter(|(id, _)| *id > self.base);
            for (id, row) in new {
                data.meta(&row.stream).version += 1;
                data.rows.insert(id, row);
            }
        } else if !self.real.has(Bug::TxOwnConnection) {
            *data = copy;
        }
        let rows = self.real.place.application.lock();
        rows.unwrap_or_else(PoisonError::into_inner)
            .append(&mut self.rows);
    }

    fn undo(&mut self) {
        if self.real.has(Bug::TxKeysStay) {
            self.real.place.lock().keys = self.store.place.lock().keys.clone();
        }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if self.real.has(Bug::TxDropCommits) {
            self.put();
        }
        if self.real.has(Bug::TxDropLeavesLock) {
            std::mem::forget(self.lock.take());
        }
    }
}

#[async_trait]
impl Transaction<i64> for Tx {
    fn store(&mut self) -> Box<dyn Store<i64> + '_> {
        let spoilt = AtomicBool::new(false);
        Box::new(Bound { tx: self, spoilt })
    }

    async fn write(&mut self, row: i64) -> Result<()> {
        self.rows.push(row);
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.put();
        self.ended = true;
        Ok(())
    }

    async fn rollback(mut self: Box<Self>) -> Result<()> {
        self.undo();
        self.ended = true;
        Ok(())
    }
}

/// The store in a transaction.
struct Bound<'t> {
    tx: &'t Tx,
    /// An append has begun and not ended.
    spoilt: AtomicBool,
}

impl Bound<'_> {
    fn has(&self, bug: Bug) -> bool {
        self.tx.real.has(bug)
    }

    fn usable(&self) -> Result<()> {
        if self.spoilt.load(Ordering::Acquire) {
            let lost = Error::new(Kind::Unavailable, "roll the transaction back");
            return Err(lost.with_retry(Retry::Transaction));
        }
        Ok(())
    }

    async fn append_here(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        let store = match self.has(Bug::TxOwnConnection) {
            true => &self.tx.real,
            false => &self.tx.store,
        };
        if let (Expected::Exactly(n), true) = (batch.expected(), self.has(Bug::TxExpectsCommitted))
        {
            let actual = self.tx.real.place.lock().version(stream);
            if n != actual {
                return Err(Error::conflict(batch.expected(), actual));
            }
        }
        tokio::task::yield_now().await;
        if self.has(Bug::TxDropKeepsHalf) && batch.entries().len() > 2 {
            let (one, two) = batch.entries().split_at(2);
            let first = store.append_batch(stream, rebuilt(&batch, one.to_vec())?);
            let mut receipts = first.await?.to_vec();
            tokio::task::yield_now().await;
            let second = store.append_batch(stream, rebuilt(&batch, two.to_vec())?);
            receipts.extend(second.await?);
            return Ok(receipts.into());
        }
        store.append_batch(stream, batch).await
    }
}

#[async_trait]
impl Store<i64> for Bound<'_> {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
    }

    async fn append(&self, stream: &StreamName, batch: Batch) -> Result<Receipts<i64>> {
        self.usable()?;
        let noticed = !self.has(Bug::TxDropKeepsHalf);
        self.spoilt.store(noticed, Ordering::Release);
        let appended = self.append_here(stream, batch).await;
        let spoils = self.has(Bug::TxConflictSpoils) && appended.is_err();
        self.spoilt.store(spoils, Ordering::Release);
        appended
    }

    async fn read(&self, stream: &StreamName, read: &Read<i64>) -> Result<Page<Record<i64>>> {
        self.usable()?;
        let committed = self.has(Bug::TxReadsCommitted);
        let store = [&self.tx.store, &self.tx.real][usize::from(committed)];
        store.read(stream, read).await
    }

    async fn stat(&self, stream: &StreamName) -> Result<Option<StreamStat<i64>>> {
        self.usable()?;
        self.tx.store.stat(stream).await
    }

    async fn health(&self) -> Result<Health> {
        Err(Error::unsupported("health"))
    }

    async fn close(&self) -> Result<()> {
        Err(Error::unsupported("close"))
    }

    async fn read_all(&self, read: &ReadAll) -> Result<StorePage<i64>> {
        match self.has(Bug::TxReadsAll) {
            true => self.tx.real.read_all(read).await,
            false => Err(Error::unsupported("read_all")),
        }
    }
}

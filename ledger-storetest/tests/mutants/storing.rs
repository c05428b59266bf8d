//! How the plain store gives places and stores, and how that goes wrong.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use ledger_core::backend::{Original, Plan};
use ledger_core::{Batch, Error, Kind, RawEntry, Receipt, Receipts, Record, Result, StreamName};

use crate::benign::Quirk;
use crate::bugs::Bug;
use crate::plain::{Data, Plain, Row, Twist};

/// How long a bug keeps a window open.
const PAUSE: Duration = Duration::from_millis(2);

/// What is left to do once the lock is released.
pub(crate) enum Rest {
    Nothing,
    /// Rows whose places are taken, but which are not there yet.
    Late(Vec<Row>),
    /// Rows whose keys are not known yet.
    Keys(Vec<Row>),
    /// Rows of an append that was refused.
    Phantom(Vec<Row>, Error),
}

impl Plain {
    /// Takes ids and versions, and makes the rows.
    fn prepare(&self, data: &mut Data, stream: &StreamName, entries: Vec<RawEntry>) -> Vec<Row> {
        let now = self.clock.now();
        let reused = self
            .has(Bug::IdReused)
            .then(|| data.rows.keys().next_back().copied());
        if let Some(last) = reused {
            data.last_id = last.unwrap_or(0);
        }
        let restart =
            self.has(Bug::VersionsRestart) && !data.rows.values().any(|row| row.stream == *stream);
        let meta = data.meta(stream);
        if restart {
            meta.version = 0;
        }
        let at = match meta.last_at {
            Some(last) if !self.has(Bug::TrustsClock) => last.max(now),
            _ => now,
        };
        meta.last_at = Some(at);
        let at = self.round(at);
        let mut rows = Vec::with_capacity(entries.len());
        for entry in entries {
            let id = self.next_id(data);
            let meta = data.meta(stream);
            meta.version += 1;
            if self.has(Bug::VersionAsI32) {
                meta.version = u64::from((meta.version as i32).unsigned_abs());
            }
            let version = meta.version;
            if !self.has(Bug::KeyRecordedLate) {
                self.remember(data, stream, &entry, (id, version));
            }
            let record = Record::new(id, version, at, self.strip(entry));
            rows.push(Row {
                stream: stream.clone(),
                record,
                from: Instant::now(),
            });
        }
        rows
    }

    fn remember(&self, data: &mut Data, stream: &StreamName, entry: &RawEntry, place: (i64, u64)) {
        if let Some(key) = &entry.dedup_key {
            let (id, version) = place;
            let original = Original {
                id,
                version,
                same_content: true,
            };
            let key = (stream.clone(), self.fold_key(key));
            data.keys.entry(key).or_insert((original, entry.clone()));
        }
    }

    fn next_id(&self, data: &mut Data) -> i64 {
        if self.has(Bug::IdBlocks) {
            let mut mine = self.mine.lock().unwrap_or_else(PoisonError::into_inner);
            if mine.block.is_empty() {
                mine.block = data.last_id + 1..data.last_id + 11;
                data.last_id += 10;
            }
            return mine.block.next().unwrap_or(data.last_id);
        }
        data.last_id += if self.is(Quirk::SparseIds) { 1000 } else { 1 };
        data.last_id
    }

    pub(crate) fn commit(
        &self,
        data: &mut Data,
        stream: &StreamName,
        batch: Batch,
        plan: &Plan<i64>,
        lost: bool,
    ) -> (Receipts<i64>, Rest) {
        let entries = batch.into_entries();
        let mut fresh: Vec<_> = plan
            .fresh
            .iter()
            .map(|&index| entries[index].clone())
            .collect();
        if self.has(Bug::BatchReordered) && fresh.len() > 1 {
            let last = fresh.len() - 1;
            fresh.swap(last - 1, last);
        }
        let mut rows = self.prepare(data, stream, fresh);
        let places: Vec<_> = rows
            .iter()
            .map(|r| (r.record.id, r.record.version))
            .collect();
        let receipts = plan.receipts(|nth| places[nth]);
        if self.has(Bug::RepeatStored) && receipts.duplicates() > 0 {
            let repeats = receipts
                .iter()
                .zip(&entries)
                .filter(|(r, _)| r.is_duplicate());
            let repeats = repeats.map(|(_, e)| {
                let mut entry = e.clone();
                entry.dedup_key = None;
                entry
            });
            let repeats = repeats.collect();
            rows.extend(self.prepare(data, stream, repeats));
        }
        let receipts = self.misreceipt(data, stream, receipts);
        let nth = data.appends;
        let rest = match self.twist {
            Twist::Bug(bug) => match bug {
                _ if lost || self.loses_running() => Rest::Nothing,
                Bug::LosesSome if nth.is_multiple_of(7) => Rest::Nothing,
                Bug::LateCommit if nth.is_multiple_of(3) => Rest::Late(rows),
                Bug::HalfVisible | Bug::AppearsAndVanishes => Rest::Late(rows),
                Bug::KeyRecordedLate => {
                    data.insert(rows.clone());
                    Rest::Keys(rows)
                }
                Bug::HiddenForAWhile => {
                    if nth.is_multiple_of(5) {
                        let later = Instant::now() + PAUSE * 2;
                        rows.iter_mut().for_each(|row| row.from = later);
                    }
                    insert(data, rows)
                }
                Bug::PrefixOfBatch if rows.len() > 20 => {
                    rows.pop();
                    insert(data, rows)
                }
                _ => insert(data, rows),
            },
            _ => insert(data, rows),
        };
        (receipts, rest)
    }

    fn misreceipt(
        &self,
        data: &Data,
        stream: &StreamName,
        receipts: Receipts<i64>,
    ) -> Receipts<i64> {
        let next = data.version(stream) + 1;
        let change = |r: Receipt<i64>| match self.twist {
            Twist::Bug(Bug::RepeatNamesNewPlace) if r.is_duplicate() => {
                Receipt::duplicate(data.last_id + 1, next)
            }
            Twist::Bug(Bug::RepeatSaysAppended) => Receipt::appended(r.id, r.version),
            Twist::Bug(Bug::ReceiptsOffByOne) => Receipt::appended(r.id, r.version - 1),
            _ => r,
        };
        let mut receipts: Vec<_> = receipts.into_iter().map(change).collect();
        if self.has(Bug::ReceiptsOfFreshOnly) {
            receipts.retain(|r| !r.is_duplicate());
        }
        if self.has(Bug::ReceiptsReversed) {
            receipts.reverse();
        }
        receipts.into()
    }

    /// A refusal has no effect, or should have none.
    pub(crate) fn refuse(
        &self,
        data: &mut Data,
        stream: &StreamName,
        batch: Batch,
        error: Error,
    ) -> (Receipts<i64>, Rest) {
        let entries = batch.into_entries();
        let conflict = error.is_conflict();
        let rows = match self.twist {
            Twist::Bug(bug) => match bug {
                Bug::ConflictBurnsVersions if conflict => {
                    data.meta(stream).version += entries.len() as u64;
                    Vec::new()
                }
                Bug::ConflictKeepsKeys if conflict => {
                    let rows = self.prepare(data, stream, entries);
                    data.meta(stream).version -= rows.len() as u64;
                    Vec::new()
                }
                Bug::ConflictStores if conflict => {
                    let rows = self.prepare(data, stream, entries);
                    data.insert(rows);
                    Vec::new()
                }
                Bug::LimitStoresWhatFits if *error.kind() == Kind::LimitReached => {
                    let room = i64::MAX as u64 - data.version(stream);
                    let fits = entries.into_iter().take(room as usize).collect();
                    let rows = self.prepare(data, stream, fits);
                    data.insert(rows);
                    Vec::new()
                }
                Bug::WaitsAtGap if conflict => {
                    data.last_id += 1;
                    data.gap = Some(data.last_id);
                    Vec::new()
                }
                Bug::DirtyConflict if conflict => {
                    let rows = self.prepare(data, stream, entries);
                    data.meta(stream).version -= rows.len() as u64;
                    data.keys
                        .retain(|_, (original, _)| rows.iter().all(|r| r.record.id != original.id));
                    rows
                }
                Bug::PrefixKept if !conflict => {
                    let rows = self.prepare(data, stream, entries[..1].to_vec());
                    data.insert(rows);
                    Vec::new()
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        (Vec::new().into(), Rest::Phantom(rows, error))
    }

    pub(crate) async fn finish(&self, rest: Rest) -> Result<()> {
        match rest {
            Rest::Nothing => Ok(()),
            Rest::Keys(rows) => {
                pause().await;
                let mut data = self.place.lock();
                for row in rows {
                    let place = (row.record.id, row.record.version);
                    self.remember(&mut data, &row.stream, &row.record.entry, place);
                }
                Ok(())
            }
            Rest::Late(rows) if self.has(Bug::HalfVisible) => {
                let pauses = rows.len() > 1;
                for (n, row) in rows.into_iter().enumerate() {
                    self.place.lock().insert(vec![row]);
                    if pauses && n % 16 == 0 {
                        pause().await;
                    }
                }
                Ok(())
            }
            Rest::Late(rows) if self.has(Bug::AppearsAndVanishes) => {
                self.place.lock().insert(rows.clone());
                pause().await;
                self.place.lock().remove(&rows);
                pause().await;
                self.place.lock().insert(rows);
                Ok(())
            }
            Rest::Late(rows) => {
                pause().await;
                self.place.lock().insert(rows);
                Ok(())
            }
            Rest::Phantom(rows, error) => {
                if !rows.is_empty() {
                    self.place.lock().insert(rows.clone());
                    pause().await;
                    self.place.lock().remove(&rows);
                }
                Err(error)
            }
        }
    }
}

fn insert(data: &mut Data, rows: Vec<Row>) -> Rest {
    data.insert(rows);
    Rest::Nothing
}

pub(crate) async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

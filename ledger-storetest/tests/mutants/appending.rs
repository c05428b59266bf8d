//! How the plain store appends, and how that goes wrong.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ledger_core::backend::{Original, Plan, plan};
use ledger_core::{Batch, Error, Expected, Kind, Limits, RawEntry, Receipts, Result, StreamName};

use crate::benign::Quirk;
use crate::bugs::Bug;
use crate::plain::{Data, Plain, Twist};
use crate::storing::pause;

impl Plain {
    pub(crate) async fn append_batch(
        &self,
        stream: &StreamName,
        batch: Batch,
    ) -> Result<Receipts<i64>> {
        let stream = &self.fold_name(stream);
        let mut batch = self.damage(batch)?;
        if batch.is_empty() {
            return self.append_nothing(stream, batch.expected());
        }
        if self.has(Bug::LargeBatchRefused) && batch.entries().len() > 1000 {
            return Err(Error::new(Kind::Internal, "too many bind variables"));
        }
        let mut known = None;
        if self.has(Bug::StaleSnapshot) {
            known = Some(self.known_keys(stream, &batch));
        }
        let _writer = self.writer().await?;
        if self.has(Bug::LockKeptOnDrop) {
            self.take_lock().await;
        }
        if self.is(Quirk::RetriesInside) {
            // The first attempt takes ids and fails.
            self.place.lock().last_id += 3;
            tokio::task::yield_now().await;
        }
        let slow = [
            Bug::HalfVisible,
            Bug::AppearsAndVanishes,
            Bug::DirtyConflict,
            Bug::ReadHoldsLock,
        ];
        let _turn = if slow.into_iter().any(|bug| self.has(bug)) {
            Some(self.place.turn.lock().await)
        } else {
            None
        };

        // Races: what is decided here is not looked at again below.
        let create = self.has(Bug::CreateRace) && batch.expected() == Expected::NoStream;
        if self.has(Bug::ExpectedOutsideLock) || create {
            self.decide(&mut self.place.lock(), stream, &batch, None)?;
            pause().await;
            batch = batch.with_expected(Expected::Any);
        }
        if self.has(Bug::DedupRace) {
            known = Some(self.known_keys(stream, &batch));
            pause().await;
        }
        let before = self.version_of(stream);
        if self.has(Bug::AnyLosesRace) {
            pause().await;
        }

        let (receipts, rest) = {
            let mut data = self.place.lock();
            data.appends += 1;
            match self.decide(&mut data, stream, &batch, known.as_ref()) {
                Ok(plan) => {
                    let lost = self.has(Bug::AnyLosesRace)
                        && batch.expected() == Expected::Any
                        && data.version(stream) != before;
                    self.commit(&mut data, stream, batch, &plan, lost)
                }
                Err(e) => self.refuse(&mut data, stream, batch, e),
            }
        };
        let finished = self.finish(rest).await;
        self.place.busy.store(false, Ordering::Release);
        finished?;
        Ok(receipts)
    }

    /// A lock that only the end of an append gives back, not its drop.
    async fn take_lock(&self) {
        while self.place.busy.swap(true, Ordering::AcqRel) {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        tokio::task::yield_now().await;
    }

    fn append_nothing(&self, stream: &StreamName, expected: Expected) -> Result<Receipts<i64>> {
        let mut data = self.place.lock();
        match self.twist {
            Twist::Bug(Bug::EmptyBatchCreates) => {
                data.meta(stream);
            }
            Twist::Bug(Bug::EmptyBatchCounts) => {
                data.meta(stream).version += 1;
            }
            Twist::Bug(Bug::EmptyBatchChecks) if !expected.holds_at(data.version(stream)) => {
                return Err(Error::conflict(expected, data.version(stream)));
            }
            Twist::Bug(Bug::EmptyBatchRefused) => {
                return Err(Error::new(Kind::Internal, "nothing to append"));
            }
            _ => {}
        }
        Ok(Vec::new().into())
    }

    fn version_of(&self, stream: &StreamName) -> u64 {
        self.place.lock().version(stream)
    }

    fn known_keys(&self, stream: &StreamName, batch: &Batch) -> HashSet<String> {
        let data = self.place.lock();
        let keys = batch.entries().iter().filter_map(|e| e.dedup_key.clone());
        keys.filter(|key| data.keys.contains_key(&(stream.clone(), key.clone())))
            .collect()
    }

    /// Duplicates and the expected version.
    fn decide(
        &self,
        data: &mut Data,
        stream: &StreamName,
        batch: &Batch,
        known: Option<&HashSet<String>>,
    ) -> Result<Plan<i64>> {
        let version = data.version(stream);
        let empty = !data.rows.values().any(|row| row.stream == *stream);
        let mut batch = batch.clone();
        let expected = self.loosen(batch.expected(), version, empty);
        batch = batch.with_expected(expected);
        if self.has(Bug::VerificationIgnored) {
            batch = batch.with_verified_duplicates(false);
        }
        if self.has(Bug::AlwaysVerifies) {
            batch = batch.with_verified_duplicates(true);
        }
        if self.has(Bug::ExpectedBeforeDedup) && !expected.holds_at(version) {
            return Err(Error::conflict(expected, version));
        }
        let entries = batch.entries().len();
        let decided = plan(&batch, version, |_, entry| {
            let key = entry.dedup_key.clone().unwrap_or_default();
            if self.has(Bug::DedupNever) || known.is_some_and(|known| !known.contains(&key)) {
                return Ok(None);
            }
            let found = data.original(stream, &self.fold_key(&key), self.has(Bug::DedupGlobal));
            Ok(found.map(|(original, stored)| Original {
                same_content: stored.same_content(entry),
                ..original
            }))
        });
        let full = |e: &Error| *e.kind() == Kind::LimitReached;
        let decided = match decided {
            Err(e) if self.has(Bug::VersionsPastTheEnd) && full(&e) => {
                plan(&batch.with_expected(Expected::Any), 0, |_, _| Ok(None))
            }
            decided => decided,
        };
        let partly = decided
            .as_ref()
            .is_ok_and(|plan| (1..entries).contains(&plan.fresh.len()));
        if self.has(Bug::PartlyRepeatedRefused) && partly {
            let index = entries - 1;
            return Err(Error::new(
                Kind::DedupMismatch {
                    index,
                    original: None,
                },
                "",
            ));
        }
        decided.map_err(|e| match e.kind() {
            Kind::Conflict { expected, actual } => self.misreport(*expected, *actual),
            _ => e,
        })
    }

    fn loosen(&self, expected: Expected, version: u64, empty: bool) -> Expected {
        let any = match expected {
            Expected::Exactly(n) if n > version => self.has(Bug::AcceptsHigher),
            Expected::Exactly(n) if n < version && n > 0 => self.has(Bug::AcceptsLower),
            Expected::Exactly(0) => {
                self.has(Bug::ZeroMeansAny) || empty && self.has(Bug::EmptyIsNoStream)
            }
            Expected::NoStream => empty && self.has(Bug::EmptyIsNoStream),
            Expected::StreamExists => self.has(Bug::StreamExistsIsAny),
            _ => false,
        };
        if expected == Expected::StreamExists && empty && self.has(Bug::EmptyIsNoStream) {
            return Expected::Exactly(u64::MAX);
        }
        if any { Expected::Any } else { expected }
    }

    fn misreport(&self, expected: Expected, actual: u64) -> Error {
        let actual = match expected {
            Expected::Exactly(n) if self.has(Bug::ActualIsExpected) => n,
            _ if self.has(Bug::ActualIsStale) => actual.saturating_sub(1),
            _ => actual,
        };
        Error::conflict(expected, actual)
    }
}

/// The same batch with other entries.
pub(crate) fn rebuilt(batch: &Batch, entries: Vec<RawEntry>) -> Result<Batch> {
    Ok(Batch::new(entries, &Limits::TABLE)?
        .with_expected(batch.expected())
        .with_verified_duplicates(batch.verifies_duplicates()))
}

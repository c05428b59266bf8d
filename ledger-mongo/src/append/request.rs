//! One append on its way.

use std::sync::atomic::{AtomicU8, Ordering};

use ledger_core::backend::{Pass, Plan, plan};
use ledger_core::{Batch, Error, Expected, Kind, RawEntry, Receipts, Result, StreamName};
use tokio::time::Instant;

use super::look::Seen;
use super::originals::{Found, Wanted};
use crate::document::Body;
use crate::error::late;
use crate::id::MongoId;

/// A batch on its way.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) stream: StreamName,
    batch: Batch,
    bodies: Vec<Body>,
    pub(crate) bytes: usize,
    pub(crate) deadline: Instant,
    turn: AtomicU8,
    /// So that `close` waits, also if the caller's future was dropped.
    _entered: Pass,
}

/// What came of a request in a group.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Receipts<MongoId>),
    Failed(Error),
    /// Look at the stream, then decide or ask again.
    Look,
}

/// Nobody has decided; the caller may give up.
const OPEN: u8 = 0;
/// A transaction with the entries is being committed.
const COMMITTING: u8 = 1;
/// The caller gave up; nothing of it may be written any more.
const GIVEN_UP: u8 = 2;

impl Request {
    pub(crate) fn new(
        stream: StreamName,
        batch: Batch,
        json_copies: bool,
        deadline: Instant,
        entered: Pass,
    ) -> Self {
        let body = |entry| Body::new(&stream, entry, json_copies);
        Self {
            bodies: batch.entries().iter().map(body).collect(),
            bytes: batch.entries().iter().map(RawEntry::size).sum(),
            stream,
            batch,
            deadline,
            turn: AtomicU8::new(OPEN),
            _entered: entered,
        }
    }

    pub(crate) fn entries(&self) -> &[RawEntry] {
        self.batch.entries()
    }

    pub(crate) fn verifies(&self) -> bool {
        self.batch.verifies_duplicates()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries().iter().filter_map(|e| e.dedup_key.as_deref())
    }

    pub(crate) fn is_keyed(&self) -> bool {
        self.keys().next().is_some()
    }

    pub(crate) fn body(&self, index: usize) -> &Body {
        &self.bodies[index]
    }

    /// What it does to a stream at `version`; see [`plan`].
    pub(crate) fn plan<'k>(
        &'k self,
        version: u64,
        mut find: impl FnMut(&'k str) -> Option<Found>,
    ) -> Result<Plan<MongoId>> {
        plan(&self.batch, version, |index, _| {
            let entry = &self.batch.entries()[index];
            let found = entry.dedup_key.as_deref().and_then(&mut find);
            Ok(found.map(|found| found.original(entry)))
        })
    }

    /// The answer, as far as what was seen outside of any transaction gives
    /// it; `None` if something remains to be written.
    pub(crate) fn decide(&self, seen: &Seen) -> Result<Option<Receipts<MongoId>>> {
        let plan = self.plan(seen.version, |key| seen.originals.get(key).cloned())?;
        // Without fresh entries nobody asks for the place of one.
        let nowhere = |_| (MongoId::new(0, 0), 0);
        Ok(plan.fresh.is_empty().then(|| plan.receipts(nowhere)))
    }

    /// Whether it appends at whatever version the stream is.
    pub(crate) fn expects_nothing(&self) -> bool {
        self.batch.expected() == Expected::Any
    }

    /// The keys of the batch, to look for.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            stream: &self.stream,
            keys: self.keys().collect(),
            contents: self.verifies(),
        }
    }

    /// Whether the caller has given up.
    pub(crate) fn is_given_up(&self) -> bool {
        self.turn.load(Ordering::Acquire) == GIVEN_UP
    }

    /// From here on the outcome is open, unless the caller has given up.
    pub(crate) fn claim(&self) -> bool {
        let turn = &self.turn;
        let claimed = turn.compare_exchange(OPEN, COMMITTING, Ordering::AcqRel, Ordering::Acquire);
        claimed.is_ok()
    }

    /// The transaction was not applied: everything is as before.
    pub(crate) fn release(&self) {
        let turn = &self.turn;
        // Fails only if it was never claimed.
        let _ = turn.compare_exchange(COMMITTING, OPEN, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The error of a caller who waits no longer: certainly not applied, unless
    /// a commit is on its way.
    pub(crate) fn give_up(&self) -> Error {
        let turn = &self.turn;
        match turn.compare_exchange(OPEN, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) | Err(GIVEN_UP) => late(),
            Err(_) => {
                Error::new(Kind::Timeout, "the commit was not confirmed in time").unknown_outcome()
            }
        }
    }

    /// The error of a caller whose group vanished.
    pub(crate) fn gone(&self) -> Error {
        let gone = Error::new(Kind::Internal, "the task of a group ended early");
        match self.turn.load(Ordering::Acquire) {
            COMMITTING => gone.unknown_outcome(),
            _ => gone,
        }
    }
}

pub(crate) fn ended(e: tokio::task::JoinError) -> Error {
    Error::new(Kind::Internal, "the task of a call ended early").caused_by(e)
}

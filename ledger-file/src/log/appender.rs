//! The one way to write to a log.

use std::sync::Arc;

use ledger_core::backend::{Clock, event};
use ledger_core::{Batch, Error, Kind, Receipts, Result, StreamName};

use super::draft::Draft;
use super::keeper::Keeper;
use super::mark::Anchor;
use super::{Log, Settings};
use crate::BACKEND;
use crate::error::poisoned;
use crate::fs::LockGuard;
use crate::mutants::Mutant;

/// One append.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'r> {
    pub(crate) stream: &'r StreamName,
    pub(crate) batch: &'r Batch,
    pub(crate) clock: &'r dyn Clock,
}

/// Owns the end of the log. Only one exists of a log, by the lock it holds.
#[derive(Debug)]
pub(crate) struct Appender {
    pub(super) log: Arc<Log>,
    pub(super) anchor: Anchor,
    pub(super) settings: Settings,
    /// Up to where the active segment was flushed.
    pub(super) flushed: u64,
    /// Where the last frame begins, and its crc.
    pub(super) last: u64,
    pub(super) crc: u32,
    /// What follows the log's end is not zero.
    pub(super) must_roll: bool,
    /// The segment that a spare file was asked for last.
    pub(super) prepared: u64,
    // In this order: the keeper works under the lock.
    pub(super) keeper: Keeper,
    _lock: LockGuard,
}

impl Appender {
    pub(super) fn new(
        log: Arc<Log>,
        lock: LockGuard,
        anchor: Anchor,
        keeper: Keeper,
        settings: &Settings,
        last: u64,
        crc: u32,
    ) -> Self {
        let flushed = log.read().end;
        let must_roll = log.cut.is_some() && !Mutant::TailNotCut.runs();
        Self {
            log,
            anchor,
            settings: *settings,
            flushed,
            last,
            crc,
            must_roll,
            prepared: 0,
            keeper,
            _lock: lock,
        }
    }

    /// Decides a group of appends, and writes and flushes it as one. The
    /// answers are those of the requests, in their order; none was given before
    /// the flush.
    pub(crate) fn append(&mut self, requests: &[Request<'_>]) -> Vec<Result<Receipts<i64>>> {
        if self.log.is_poisoned() {
            return requests.iter().map(|_| Err(poisoned())).collect();
        }
        let draft = match Draft::of(&self.log, requests) {
            Ok(draft) => draft,
            Err(why) => return for_all(requests, &why),
        };
        if draft.frames.is_empty() {
            return draft.answers;
        }
        if let Err(why) = self.make_room(draft.len(), self.reserve()) {
            return match self.log.is_poisoned() {
                true => for_all(requests, &why),
                false => self.answer_without_room(requests, &why),
            };
        }
        match self.write_draft(&draft) {
            Ok(()) => draft.answers,
            Err(why) => for_all(requests, &why.unknown_outcome()),
        }
    }

    /// What needs no room can be answered on a full disk: repeats and refusals,
    /// decided without the other requests of the group.
    fn answer_without_room(
        &self,
        requests: &[Request<'_>],
        why: &Error,
    ) -> Vec<Result<Receipts<i64>>> {
        let alone = |request: &Request<'_>| {
            let mut draft = Draft::of(&self.log, std::slice::from_ref(request))?;
            match (draft.frames.is_empty(), draft.answers.pop()) {
                (true, Some(answer)) => answer,
                _ => Err(copy(why)),
            }
        };
        requests.iter().map(alone).collect()
    }

    /// Notes up to where the log was flushed, so that the next opening knows
    /// that damage before is damage.
    pub(crate) fn mark(&mut self, closed: bool) -> Result<()> {
        if self.log.is_poisoned() {
            return Ok(());
        }
        self.flush()?;
        let (segment, end) = {
            let state = self.log.read();
            (state.active.header.number, state.end)
        };
        let mark = &self.anchor.mark;
        if (mark.segment, mark.end, mark.closed) == (segment, end, closed) {
            return Ok(());
        }
        let written = self.anchor.write(segment, end, self.crc, closed);
        written.inspect_err(|_| self.log.poison())
    }

    /// Whether something was written since the last mark.
    pub(crate) fn is_unmarked(&self) -> bool {
        let state = self.log.read();
        let mark = &self.anchor.mark;
        !self.log.is_poisoned()
            && (mark.segment, mark.end) != (state.active.header.number, state.end)
    }

    /// Ends in order.
    pub(crate) fn close(mut self) -> Result<()> {
        let marked = self.mark(true);
        event::closed(BACKEND, self.log.env.store);
        marked
    }
}

/// The same error for each; of the cause, the text.
fn for_all(requests: &[Request<'_>], why: &Error) -> Vec<Result<Receipts<i64>>> {
    requests.iter().map(|_| Err(copy(why))).collect()
}

fn copy(error: &Error) -> Error {
    let mut copy = Error::new(error.kind().clone(), "the group of the append failed");
    for key in ["file", "offset"] {
        if let Some(value) = error.context(key) {
            copy = copy.with(key, value);
        }
    }
    if error.applied() == ledger_core::Applied::Unknown {
        copy = copy.unknown_outcome();
    }
    match (error.kind(), std::error::Error::source(error)) {
        (Kind::Closed, _) => copy,
        (_, Some(source)) => copy.caused_by(source.to_string()),
        (_, None) => copy.caused_by(error.to_string()),
    }
}

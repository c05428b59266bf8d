//! Counters.

use std::sync::atomic::{AtomicU64, Ordering};

/// How the small appends of a handle went, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupStats {
    /// Appends that went on their own.
    pub alone: u64,
    /// Appends that were tried in a group.
    pub grouped: u64,
    /// Groups that went as one statement.
    pub statements: u64,
    /// Groups that went as a transaction: repeats or expected versions had to
    /// be decided under the locks.
    pub transactions: u64,
    /// Groups whose outcome is unknown.
    pub unknown: u64,
    /// Groups that were not applied and tried again, or one by one.
    pub repeated: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) alone: AtomicU64,
    pub(super) grouped: AtomicU64,
    pub(super) statements: AtomicU64,
    pub(super) transactions: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) repeated: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn stats(&self) -> GroupStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        GroupStats {
            alone: of(&self.alone),
            grouped: of(&self.grouped),
            statements: of(&self.statements),
            transactions: of(&self.transactions),
            unknown: of(&self.unknown),
            repeated: of(&self.repeated),
        }
    }
}

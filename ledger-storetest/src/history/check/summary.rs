//! What a history covers, so that a run can prove that it proves something.

use std::fmt;

use super::super::op::{End, Outcome, Refusal, What};
use super::facts::{Content, Facts};

/// What occurred in a history that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Appends that were acknowledged and stored something.
    pub appended: usize,
    /// Appends refused because of the expected version.
    pub conflicts: usize,
    /// Appends not applied for other reasons.
    pub refused: usize,
    /// Receipts that name an earlier entry.
    pub duplicates: usize,
    /// Appends that were acknowledged and stored only a part, the rest being
    /// repeats.
    pub partly_repeated: usize,
    /// Appends without a known outcome of which entries are there.
    pub unknown_present: usize,
    /// Appends without a known outcome of which nothing is there.
    pub unknown_absent: usize,
    /// Pages read of streams.
    pub reads: usize,
    /// Pages read of the whole store.
    pub tail_pages: usize,
    /// Pages that ended where the order was not settled.
    pub undecided_pages: usize,
    /// Trims that were acknowledged.
    pub trims: usize,
    /// Entries that there were in the end.
    pub entries: usize,
    /// The most operations with a result that ran at the same time.
    pub concurrency: usize,
}

impl Summary {
    pub(super) fn of<I: Ord>(facts: &Facts<'_, I>) -> Self {
        let mut sum = Self {
            concurrency: concurrency(facts),
            entries: facts.streams.values().map(|s| s.log().len()).sum(),
            ..Self::default()
        };
        let mut unknown = vec![false; facts.ops.len()];
        for stream in facts.streams.values() {
            for place in stream.places.values() {
                if let (Some(op), Content::Number(_)) = (place.writer, place.content) {
                    unknown[op] = true;
                }
            }
        }
        for (index, op) in facts.ops.iter().enumerate() {
            match &op.what {
                What::Append(append) => match &append.outcome {
                    Outcome::Ok(receipts) => {
                        let repeats = receipts.iter().filter(|r| r.is_duplicate()).count();
                        let fresh = receipts.len() - repeats;
                        sum.duplicates += repeats;
                        sum.appended += usize::from(fresh > 0);
                        sum.partly_repeated += usize::from(fresh > 0 && repeats > 0);
                    }
                    Outcome::NotApplied(Refusal::Conflict { .. }) => sum.conflicts += 1,
                    Outcome::NotApplied(Refusal::Other(_)) => sum.refused += 1,
                    Outcome::Unknown(_) | Outcome::NeverReturned if unknown[index] => {
                        sum.unknown_present += 1;
                    }
                    Outcome::Unknown(_) | Outcome::NeverReturned => sum.unknown_absent += 1,
                },
                What::Read(read) => {
                    if let Some(page) = read.outcome.ok() {
                        sum.reads += 1;
                        sum.undecided_pages += usize::from(page.end == End::Undecided);
                    }
                }
                What::Tail(tail) => {
                    if let Some(page) = tail.outcome.ok() {
                        sum.tail_pages += 1;
                        sum.undecided_pages += usize::from(page.end == End::Undecided);
                    }
                }
                What::Trim(trim) => sum.trims += usize::from(trim.outcome.ok().is_some()),
                What::Stat(_) => {}
            }
        }
        sum
    }
}

fn concurrency<I>(facts: &Facts<'_, I>) -> usize {
    let mut changes: Vec<(u64, i8)> = Vec::new();
    for op in facts.ops {
        if let Some(returned) = op.returned {
            changes.extend([(op.invoked, 1), (returned, -1)]);
        }
    }
    // At one time, ends come first.
    changes.sort_unstable();
    let (mut now, mut most) = (0_usize, 0);
    for (_, change) in changes {
        now = now.saturating_add_signed(change.into());
        most = most.max(now);
    }
    most
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

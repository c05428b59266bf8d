//! What an append does, decided.

use std::collections::HashMap;

use crate::batch::Batch;
use crate::error::{Error, Kind, Result};
use crate::expected::Expected;
use crate::limits::Limits;
use crate::raw_entry::RawEntry;
use crate::receipt::{Receipt, Receipts};

/// The stored entry that carries a dedup key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Original<I> {
    /// Its id.
    pub id: I,
    /// Its version.
    pub version: u64,
    /// Whether payload, content type and schema version are those of the entry
    /// that repeats the key. Only looked at if the batch verifies duplicates.
    pub same_content: bool,
}

/// What an append stores, and what it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<I> {
    /// The indexes of the entries to store, in order. Their versions are the
    /// stream's last version + 1, + 2, ….
    pub fresh: Vec<usize>,
    answers: Vec<Answer<I>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer<I> {
    /// The n-th fresh entry.
    Fresh(usize),
    /// A repeat of the n-th fresh entry.
    RepeatOfFresh(usize),
    /// A repeat of a stored entry.
    Repeat { id: I, version: u64 },
}

/// Decides what an append to a stream at `version` does.
///
/// Duplicates come first: an entry whose key is carried by an earlier entry of
/// the batch, or by the stored one that `original` finds, is not fresh. If no
/// fresh entry is left the append succeeds whatever version it expected.
/// Otherwise the expected version has to hold.
///
/// The answer is only as good as `version` and `original`: both have to be
/// read under the lock, or in the transaction, that the entries are then
/// written in.
///
/// Takes O(entries) and calls `original` at most once for each entry with a
/// key; while nothing repeats, no key is copied.
///
/// # Errors
///
/// `DedupMismatch`, before `Conflict`, before `LimitReached`. An error of
/// `original`.
pub fn plan<I>(
    batch: &Batch,
    version: u64,
    original: impl FnMut(usize, &RawEntry) -> Result<Option<Original<I>>>,
) -> Result<Plan<I>> {
    plan_expecting(batch, batch.expected(), version, original)
}

/// [`plan`], with another expected version than that of the batch: for
/// backends whose database checks it, before or after.
///
/// # Errors
///
/// As [`plan`].
pub fn plan_expecting<I>(
    batch: &Batch,
    expected: Expected,
    version: u64,
    mut original: impl FnMut(usize, &RawEntry) -> Result<Option<Original<I>>>,
) -> Result<Plan<I>> {
    let entries = batch.entries();
    let mut fresh = Vec::with_capacity(entries.len());
    let mut answers = Vec::with_capacity(entries.len());
    let mut first_with: HashMap<&str, usize> = HashMap::new();

    for (index, entry) in entries.iter().enumerate() {
        if let Some(key) = entry.dedup_key.as_deref() {
            if let Some(&nth) = first_with.get(key) {
                let earlier: &RawEntry = &entries[fresh[nth]];
                if batch.verifies_duplicates() && !entry.same_content(earlier) {
                    return Err(mismatch(index, None));
                }
                answers.push(Answer::RepeatOfFresh(nth));
                continue;
            }
            if let Some(found) = original(index, entry)? {
                if batch.verifies_duplicates() && !found.same_content {
                    return Err(mismatch(index, Some(found.version)));
                }
                answers.push(Answer::Repeat {
                    id: found.id,
                    version: found.version,
                });
                continue;
            }
            if entries.len() > 1 {
                first_with.insert(key, fresh.len());
            }
        }
        answers.push(Answer::Fresh(fresh.len()));
        fresh.push(index);
    }

    if !fresh.is_empty() {
        if !expected.holds_at(version) {
            return Err(Error::conflict(expected, version));
        }
        let last = version.checked_add(fresh.len() as u64);
        if last.is_none_or(|last| last > Limits::TABLE.position) {
            return Err(Error::new(
                Kind::LimitReached,
                "the stream has reached its last version",
            ));
        }
    }
    Ok(Plan { fresh, answers })
}

fn mismatch(index: usize, original: Option<u64>) -> Error {
    Error::new(Kind::DedupMismatch { index, original }, "")
}

impl<I: Clone> Plan<I> {
    /// The receipts, once the fresh entries have their places: `place` tells
    /// the id and version of the n-th of them.
    pub fn receipts(&self, mut place: impl FnMut(usize) -> (I, u64)) -> Receipts<I> {
        let receipt = |answer: &Answer<I>| match answer {
            Answer::Fresh(nth) => {
                let (id, version) = place(*nth);
                Receipt::appended(id, version)
            }
            Answer::RepeatOfFresh(nth) => {
                let (id, version) = place(*nth);
                Receipt::duplicate(id, version)
            }
            Answer::Repeat { id, version } => Receipt::duplicate(id.clone(), *version),
        };
        self.answers.iter().map(receipt).collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content_type::ContentType;
    use crate::expected::Expected;

    fn batch(keys: &[Option<&str>]) -> Batch {
        let entry = |(n, key): (usize, &Option<&str>)| {
            let entry = RawEntry::new(ContentType::BYTES, 1, vec![u8::try_from(n).unwrap()]);
            match key {
                Some(key) => entry.with_dedup_key(*key),
                None => entry,
            }
        };
        Batch::new(keys.iter().enumerate().map(entry).collect(), &Limits::TABLE).unwrap()
    }

    /// A stream at version 7 whose version 3 carries the key "old".
    fn stored(_: usize, entry: &RawEntry) -> Result<Option<Original<i64>>> {
        let old = Original {
            id: 30,
            version: 3,
            same_content: false,
        };
        Ok((entry.dedup_key.as_deref() == Some("old")).then_some(old))
    }

    fn receipts(plan: &Plan<i64>) -> Vec<(i64, u64, bool)> {
        let receipts = plan.receipts(|nth| (100 + nth as i64, 8 + nth as u64));
        receipts
            .iter()
            .map(|r| (r.id, r.version, r.is_duplicate()))
            .collect()
    }

    #[test]
    fn repeats_are_skipped_and_name_their_originals() {
        let batch = batch(&[Some("a"), None, Some("old"), Some("a"), None]);
        let plan = plan(&batch, 7, stored).unwrap();
        assert_eq!(plan.fresh, [0, 1, 4]);
        let expected = [
            (100, 8, false),
            (101, 9, false),
            (30, 3, true),
            (100, 8, true),
            (102, 10, false),
        ];
        assert_eq!(receipts(&plan), expected);
    }

    #[test]
    fn the_expected_version_applies_to_the_fresh_rest_only() {
        let stale = |keys: &[Option<&str>]| batch(keys).with_expected(2);
        assert!(plan(&stale(&[Some("old"), Some("old")]), 7, stored).is_ok());
        let refused = plan(&stale(&[Some("old"), None]), 7, stored).unwrap_err();
        let kind = Kind::Conflict {
            expected: Expected::Exactly(2),
            actual: 7,
        };
        assert_eq!(*refused.kind(), kind);
    }

    #[test]
    fn a_mismatch_is_found_before_a_conflict() {
        let verified =
            |keys: &[Option<&str>]| batch(keys).with_expected(2).with_verified_duplicates(true);
        let kind =
            |keys: &[Option<&str>]| plan(&verified(keys), 7, stored).unwrap_err().kind().clone();
        let stored = Kind::DedupMismatch {
            index: 1,
            original: Some(3),
        };
        assert_eq!(kind(&[None, Some("old")]), stored);
        let in_batch = Kind::DedupMismatch {
            index: 1,
            original: None,
        };
        assert_eq!(kind(&[Some("a"), Some("a")]), in_batch);
    }

    #[test]
    fn versions_end_instead_of_wrapping() {
        let last = Limits::TABLE.position;
        assert!(plan(&batch(&[None]), last - 1, stored).is_ok());
        let refused = plan(&batch(&[None, None]), last - 1, stored).unwrap_err();
        assert_eq!(*refused.kind(), Kind::LimitReached);
    }
}

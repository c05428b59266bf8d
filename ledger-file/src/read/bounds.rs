//! Which entries of a list are asked for.

use std::ops::Range;

use ledger_core::Result;

use crate::index::List;

/// Ids and versions, both inclusive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) ids: (i64, i64),
    pub(super) versions: (u64, u64),
}

impl Bounds {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.0 > self.ids.1 || self.versions.0 > self.versions.1
    }

    /// The part of a list of a segment whose ids fit.
    pub(super) fn by_id(&self, list: &List<'_>, base_id: i64) -> Result<Range<usize>> {
        let number = |id: i128| u64::try_from(id - i128::from(base_id)).unwrap_or(0);
        let from = list.below(number(self.ids.0.into()))?;
        let to = list.below(number(i128::from(self.ids.1) + 1))?;
        Ok(from..to.max(from))
    }

    /// The part of a stream's list whose ids and versions fit. Versions have no
    /// gaps, so they are counted instead of looked at.
    pub(super) fn by_both(
        &self,
        list: &List<'_>,
        base_id: i64,
        first_version: u64,
    ) -> Result<Range<usize>> {
        let ids = self.by_id(list, base_id)?;
        let place = |version: u64| {
            let place = version.saturating_sub(first_version);
            usize::try_from(place).unwrap_or(usize::MAX).min(list.len())
        };
        let from = place(self.versions.0).max(ids.start);
        let to = place(self.versions.1.saturating_add(1)).min(ids.end);
        Ok(from..to.max(from))
    }
}

/// At most `most` of a range: its first ones, or its last ones.
pub(super) fn part(range: &Range<usize>, most: usize, descending: bool) -> Range<usize> {
    match descending {
        false => range.start..range.end.min(range.start.saturating_add(most)),
        true => range.start.max(range.end.saturating_sub(most))..range.end,
    }
}

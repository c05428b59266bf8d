//! Trimming streams, and removing the segments that nothing is retained of.

use std::sync::Arc;

use ledger_core::{Result, StreamName};

use super::Appender;
use crate::error::poisoned;
use crate::format::facts::{Trim, write_drop};
use crate::format::frame::{Kind, frame_len};
use crate::index::{Index, StreamRow};
use crate::segment::Segment;

/// What is found of a trim, segment by segment.
struct Search {
    trim: Trim,
    through: i64,
    /// The version that goes last so far.
    trimmed: u64,
    done: bool,
}

impl Search {
    /// Looks at the entries of the stream in a segment.
    fn segment(&mut self, number: u64, base_id: i64, row: &StreamRow<'_>) -> Result<()> {
        let behind = i128::from(self.through) + 1 - i128::from(base_id);
        let below = match u64::try_from(behind) {
            Ok(behind) => row.list.below(behind)?,
            Err(_) => 0,
        };
        let gone = (self.trimmed + 1).saturating_sub(row.first_version);
        let removed = (below as u64).saturating_sub(gone);
        if removed > 0 {
            self.trim.through_version = row.first_version + below as u64 - 1;
            self.trim.removed.push((number, removed));
        }
        // The first that stays, which is not one that went earlier.
        let first = (below as u64).max(gone) as usize;
        if first < row.list.len() {
            let numbers = row.list.get(first..first + 1)?;
            let first = numbers.first().copied().unwrap_or(0);
            self.trim.first_id = base_id.saturating_add_unsigned(first.into());
            self.done = true;
        }
        Ok(())
    }
}

impl Appender {
    /// Removes the entries of a stream up to an id, and tells how many.
    pub(crate) fn trim(&mut self, name: &StreamName, through: i64) -> Result<u64> {
        if self.log.is_poisoned() {
            return Err(poisoned());
        }
        let (mut search, sealed, first_id) = {
            let state = self.log.read();
            let Some(stream) = state.facts.number_of(name) else {
                return Ok(0);
            };
            let Some(head) = state.facts.head(stream) else {
                return Ok(0);
            };
            if head.first_id == 0 || through < head.first_id {
                return Ok(0);
            }
            let trim = Trim {
                stream,
                through_version: head.trimmed,
                first_id: 0,
                removed: Vec::new(),
            };
            let search = Search {
                trim,
                through,
                trimmed: head.trimmed,
                done: false,
            };
            (search, state.sealed.clone(), head.first_id)
        };
        self.search(&mut search, &sealed, first_id)?;
        let trim = search.trim;
        let removed: u64 = trim.removed.iter().map(|(_, count)| count).sum();
        if removed == 0 {
            return Ok(0);
        }
        self.make_room(frame_len(trim.len() as u64), 0)?;
        let mut group = self.group();
        group.push(Kind::Trim, true, |_, out| trim.write(out));
        self.write_group(&group, false)
            .map_err(ledger_core::Error::unknown_outcome)?;
        {
            let mut state = self.log.write();
            if let Err(why) = state.facts.trim(&trim) {
                self.log.poison();
                return Err(ledger_core::Error::new(ledger_core::Kind::Internal, why));
            }
            state.end = group.end();
        }
        // The trim is done; should this fail, a later one does it.
        let _ = self.drop_empty();
        Ok(removed)
    }

    fn search(&self, search: &mut Search, sealed: &[Arc<Segment>], first_id: i64) -> Result<()> {
        let stream = search.trim.stream;
        let hash = self.log.env.hash.stream(stream);
        let from = sealed.partition_point(|segment| segment.end_id() <= first_id);
        for segment in &sealed[from..] {
            if search.done {
                return Ok(());
            }
            let (number, base_id) = (segment.number(), segment.facts.base_id);
            let before = search.trim.clone();
            let look = |index: &Index| {
                let mut found = Search {
                    trim: before.clone(),
                    through: search.through,
                    trimmed: search.trimmed,
                    done: false,
                };
                if index.may_have(hash)
                    && let Some(row) = index.stream(stream)?
                {
                    found.segment(number, base_id, &row)?;
                }
                Ok(found)
            };
            let found = segment.look(look)?;
            *search = found;
        }
        let state = self.log.read();
        if let (false, Some(row)) = (search.done, state.index.stream(stream)) {
            let header = &state.active.header;
            search.segment(header.number, header.base_id, &row)?;
        }
        Ok(())
    }

    /// Removes the segments that nothing is retained of: first the log says so,
    /// for certain, then their files go.
    pub(super) fn drop_empty(&mut self) -> Result<()> {
        let empty = self.log.read().facts.empty_segments();
        if empty.is_empty() {
            return Ok(());
        }
        let fits = {
            let state = self.log.read();
            let len = frame_len(8 * empty.len() as u64);
            !self.must_roll && state.end + len <= state.active.capacity()
        };
        if !fits {
            // The roll that comes next calls again.
            return Ok(());
        }
        let mut group = self.group();
        group.push(Kind::Drop, true, |_, out| write_drop(out, &empty));
        self.write_group(&group, true)?;
        {
            let mut state = self.log.write();
            if let Err(why) = state.facts.drop_segments(&empty) {
                self.log.poison();
                return Err(ledger_core::Error::new(ledger_core::Kind::Internal, why));
            }
            state.end = group.end();
            let kept = state.sealed.iter().filter(|s| !empty.contains(&s.number()));
            state.sealed = Arc::new(kept.cloned().collect());
        }
        for segment in empty {
            self.keeper.remove(segment);
        }
        Ok(())
    }
}

//! Filling a page.

use ledger_core::{Limits, PageEnd, Record, Result};

use super::Fetch;
use super::fetch::{ahead, behind};
use crate::segment::SegmentFile;

/// Entries of a segment that may belong to a page, ascending.
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) file: SegmentFile,
    /// Where the frames of the segment end.
    pub(super) end: u64,
    pub(super) base_id: i64,
    pub(super) numbers: Vec<u32>,
    pub(super) offsets: Vec<u32>,
}

/// A page that is being filled.
#[derive(Debug)]
pub(super) struct Filling<T> {
    pub(super) records: Vec<T>,
    limit: usize,
    bytes: u64,
    descending: bool,
    /// The id of the last entry that was looked at.
    pub(super) passed: Option<i64>,
}

/// Whether a page takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Left,
    None,
}

impl<T> Filling<T> {
    pub(super) fn new(limit: usize, descending: bool) -> Self {
        Self {
            records: Vec::new(),
            limit,
            bytes: 0,
            descending,
            passed: None,
        }
    }

    pub(super) fn is_descending(&self) -> bool {
        self.descending
    }

    /// How many more candidates are worth looking for: one more than fit tells
    /// whether the page is the last one.
    pub(super) fn wanted(&self) -> usize {
        self.limit + 1 - self.records.len()
    }

    /// Adds what is wanted of the candidates.
    pub(super) fn add(
        &mut self,
        from: &Candidates,
        mut wanted: impl FnMut(u32, Record<i64>) -> Option<(u64, T)>,
    ) -> Result<Room> {
        let mut fetch = Fetch::new(&from.file, from.end);
        let count = from.offsets.len();
        for step in 0..count {
            let nth = match self.descending {
                false => step,
                true => count - 1 - step,
            };
            let offset = u64::from(from.offsets[nth]);
            let (stream, record) = fetch.among(offset, || match self.descending {
                false => (offset, ahead(&from.offsets, nth)),
                true => (behind(&from.offsets, nth), offset),
            })?;
            let id = from
                .base_id
                .saturating_add_unsigned(from.numbers[nth].into());
            if record.id != id {
                return Err(from
                    .file
                    .corrupt(offset, "an entry has another id than expected"));
            }
            let Some((size, found)) = wanted(stream, record) else {
                self.passed = Some(id);
                continue;
            };
            let full =
                self.records.len() == self.limit || self.bytes + size > Limits::TABLE.page_bytes;
            if full && !self.records.is_empty() {
                return Ok(Room::None);
            }
            self.bytes += size;
            self.records.push(found);
            self.passed = Some(id);
        }
        Ok(Room::Left)
    }

    pub(super) fn end(room: Room) -> PageEnd {
        match room {
            Room::Left => PageEnd::CaughtUp,
            Room::None => PageEnd::More,
        }
    }
}

//! The index of a sealed segment, read where it lies. In memory are its filter
//! and one page.

use std::ops::Range;
use std::sync::Arc;

use ledger_core::Result;

use super::build::{DEDUP_ROW, Layout, MAGIC, ORDER_ROW, SECTIONS, STREAM_ROW};
use super::pages::Pages;
use super::{Filter, List, StreamRow};
use crate::error::corrupt;
use crate::format::frame::Place;
use crate::format::snapshot::SegmentFacts;
use crate::format::{FORMAT, MAGIC_LEN};
use crate::log::Files;
use crate::mutants::Mutant;

#[derive(Debug)]
pub(crate) struct DiskIndex {
    pages: Pages,
    layout: Layout,
    pub(super) filter: Filter,
}

/// A list of numbers in a file.
#[derive(Debug)]
pub(crate) struct DiskList<'i> {
    pages: &'i Pages,
    at: u64,
    len: u32,
}

impl DiskIndex {
    /// Opens the index of just this segment: an older one, or another's, is
    /// refused.
    pub(crate) fn open(
        files: Arc<Files>,
        name: &str,
        place: Place,
        facts: &SegmentFacts,
    ) -> Result<Self> {
        let pages = Pages::new(files, name.to_owned(), place);
        let mut header = [0; SECTIONS as usize];
        pages.read(0, &mut header)?;
        let u32_at = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| header[at + n]));
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let fits = header[..MAGIC_LEN] == *MAGIC
            && u32_at(8) == FORMAT
            && header[12..28] == *place.store.as_bytes()
            && u64_at(28) == place.segment
            && u64_at(36) == facts.count
            && u64_at(44) == facts.end
            && u32_at(52) == facts.crc;
        if !fits && !Mutant::IndexBelieved.runs() {
            return Err(corrupt(name, 0, "the index is not the one of its segment"));
        }
        let layout = Layout {
            entries: facts.count,
            streams: u32_at(56).into(),
            order_hashes: u32_at(60).into(),
            order_entries: u32_at(64).into(),
            dedup_entries: u32_at(68).into(),
            filter: u64_at(72),
        };
        let mut filter = vec![0; layout.filter as usize];
        pages.read(layout.filter_bytes(), &mut filter)?;
        Ok(Self {
            pages,
            layout,
            filter: Filter::from_bytes(filter),
        })
    }

    pub(super) fn stream(&self, stream: u32) -> Result<Option<StreamRow<'_>>> {
        let rows = self.layout.stream_rows();
        let at = |nth: u64| rows + nth * STREAM_ROW;
        let nth = first(self.layout.streams, |nth| {
            Ok(self.pages.u32(at(nth))? >= stream)
        })?;
        if nth == self.layout.streams || self.pages.u32(at(nth))? != stream {
            return Ok(None);
        }
        let list = self.list(self.layout.stream_lists(), at(nth) + 4)?;
        let first_version = self.pages.u64(at(nth) + 12)?;
        Ok(Some(StreamRow {
            first_version,
            list,
        }))
    }

    pub(super) fn order(&self, hash: u64) -> Result<Option<List<'_>>> {
        let rows = self.layout.order_rows();
        let at = |nth: u64| rows + nth * ORDER_ROW;
        let count = self.layout.order_hashes;
        let nth = first(count, |nth| Ok(self.pages.u64(at(nth))? >= hash))?;
        if nth == count || self.pages.u64(at(nth))? != hash {
            return Ok(None);
        }
        Ok(Some(self.list(self.layout.order_lists(), at(nth) + 8)?))
    }

    pub(super) fn dedup(&self, hash: u64) -> Result<Vec<u32>> {
        let rows = self.layout.dedup_rows();
        let at = |nth: u64| rows + nth * DEDUP_ROW;
        let count = self.layout.dedup_entries;
        let mut nth = first(count, |nth| Ok(self.pages.u64(at(nth))? >= hash))?;
        let mut numbers = Vec::new();
        while nth < count && self.pages.u64(at(nth))? == hash {
            numbers.push(self.pages.u32(at(nth) + 8)?);
            nth += 1;
        }
        Ok(numbers)
    }

    pub(super) fn offsets(&self, numbers: &[u32]) -> Result<Vec<u32>> {
        let at = |n: &u32| self.layout.offsets() + 4 * u64::from(*n);
        match numbers {
            // Those of the whole store.
            [first, .., last] if last.wrapping_sub(*first) as usize == numbers.len() - 1 => {
                self.pages.u32s(at(first), numbers.len())
            }
            _ => numbers.iter().map(|n| self.pages.u32(at(n))).collect(),
        }
    }

    /// The list whose start and length are at `row`.
    fn list(&self, lists: u64, row: u64) -> Result<List<'_>> {
        let (start, len) = (self.pages.u32(row)?, self.pages.u32(row + 4)?);
        Ok(List::Disk(DiskList {
            pages: &self.pages,
            at: lists + 4 * u64::from(start),
            len,
        }))
    }
}

/// The first of `count` for which `holds`, which then holds for all behind it.
fn first(count: u64, holds: impl Fn(u64) -> Result<bool>) -> Result<u64> {
    let (mut from, mut to) = (0, count);
    while from < to {
        let middle = from + (to - from) / 2;
        match holds(middle)? {
            true => to = middle,
            false => from = middle + 1,
        }
    }
    Ok(from)
}

impl DiskList<'_> {
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn get(&self, range: Range<usize>) -> Result<Vec<u32>> {
        self.pages
            .u32s(self.at + 4 * range.start as u64, range.len())
    }

    pub(super) fn below(&self, number: u64) -> Result<usize> {
        let nth = first(self.len.into(), |nth| {
            Ok(u64::from(self.pages.u32(self.at + 4 * nth)?) >= number)
        })?;
        Ok(nth as usize)
    }
}

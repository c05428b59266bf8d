//! Reading entries of a segment by their offsets, in blocks. Payloads are
//! slices of the blocks.

use bytes::Bytes;
use ledger_core::{Record, Result};

use crate::format::entry::{ENTRY_HEADER, claimed_len, read_entry};
use crate::segment::SegmentFile;

/// What is read for an entry whose length is not known.
const GUESS: u64 = 4 * 1024;
/// Entries with less than this between them are read together.
const GAP: u64 = 8 * 1024;
/// How much is read at once for small entries.
const BLOCK: u64 = 128 * 1024;

#[derive(Debug)]
pub(crate) struct Fetch<'s> {
    file: &'s SegmentFile,
    /// Where the frames end.
    end: u64,
    block: Bytes,
    at: u64,
}

impl<'s> Fetch<'s> {
    pub(crate) fn new(file: &'s SegmentFile, end: u64) -> Self {
        Self {
            file,
            end,
            block: Bytes::new(),
            at: 0,
        }
    }

    /// The entry at an offset, and the number of its stream.
    pub(crate) fn one(&mut self, offset: u64) -> Result<(u32, Record<i64>)> {
        self.among(offset, || (offset, offset))
    }

    /// The entry at an offset, when others that are wanted next begin within
    /// `span`, which is asked for only when a block has to be read.
    pub(crate) fn among(
        &mut self,
        offset: u64,
        span: impl Fn() -> (u64, u64),
    ) -> Result<(u32, Record<i64>)> {
        let damaged = || self.file.corrupt(offset, "an entry is damaged");
        if offset + ENTRY_HEADER as u64 > self.end {
            return Err(damaged());
        }
        if !self.has(offset, ENTRY_HEADER as u64) {
            let (from, to) = span();
            self.load(from, to.max(offset) + GUESS)?;
        }
        let header = &self.block[(offset - self.at) as usize..];
        let len = claimed_len(header).ok_or_else(damaged)? as u64;
        if offset + len > self.end {
            return Err(damaged());
        }
        if !self.has(offset, len) {
            // What is wanted next comes along with an entry that is no longer
            // than a block.
            let more = if len > BLOCK {
                0
            } else {
                span().1.saturating_sub(offset)
            };
            self.load(offset, offset + len.max(more))?;
        }
        read_entry(&self.from(offset)).ok_or_else(damaged)
    }

    fn has(&self, offset: u64, len: u64) -> bool {
        offset >= self.at && offset + len <= self.at + self.block.len() as u64
    }

    fn from(&self, offset: u64) -> Bytes {
        self.block.slice((offset - self.at) as usize..)
    }

    fn load(&mut self, from: u64, to: u64) -> Result<()> {
        self.block = self.file.read(from, to.min(self.end))?;
        self.at = from;
        Ok(())
    }
}

/// Up to where to read when the offsets from `nth` on are wanted next, going up.
pub(super) fn ahead(offsets: &[u32], nth: usize) -> u64 {
    let first = u64::from(offsets[nth]);
    let mut last = first;
    for offset in &offsets[nth + 1..] {
        let offset = u64::from(*offset);
        if offset > last + GAP || offset > first + BLOCK {
            break;
        }
        last = offset;
    }
    last
}

/// From where to read when the offsets from `nth` on are wanted next, going
/// down.
pub(super) fn behind(offsets: &[u32], nth: usize) -> u64 {
    let last = u64::from(offsets[nth]);
    let mut first = last;
    for offset in offsets[..nth].iter().rev() {
        let offset = u64::from(*offset);
        if offset + GAP < first || offset + BLOCK < last {
            break;
        }
        first = offset;
    }
    first
}

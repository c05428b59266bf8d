//! Where the entries of a segment are: by place, by stream, by order key and by
//! dedup key. Hashes only lead to candidates; whoever asks compares the stored
//! keys. An index can be rebuilt from the frames of its segment at any time.

mod build;
mod disk;
mod filter;
mod hash;
mod memory;
mod pages;

use std::ops::Range;

use ledger_core::Result;

pub(crate) use build::encode;
pub(crate) use disk::DiskIndex;
pub(crate) use filter::Filter;
pub(crate) use hash::Hash;
pub(crate) use memory::{Indexed, MemoryIndex};

/// The index of one segment. Entries are called by their number in it, from 0.
#[derive(Debug)]
pub(crate) enum Index {
    Memory(MemoryIndex),
    Disk(DiskIndex),
}

/// The entries of a stream in a segment.
#[derive(Debug)]
pub(crate) struct StreamRow<'i> {
    /// The version of the first; the others follow without gaps.
    pub(crate) first_version: u64,
    pub(crate) list: List<'i>,
}

/// Numbers of entries, ascending.
#[derive(Debug)]
pub(crate) enum List<'i> {
    Memory(&'i [u32]),
    Disk(disk::DiskList<'i>),
}

impl List<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(list) => list.len(),
            Self::Disk(list) => list.len(),
        }
    }

    pub(crate) fn get(&self, range: Range<usize>) -> Result<Vec<u32>> {
        match self {
            Self::Memory(list) => Ok(list.get(range).unwrap_or_default().to_vec()),
            Self::Disk(list) => list.get(range),
        }
    }

    /// How many of them are below `number`.
    pub(crate) fn below(&self, number: u64) -> Result<usize> {
        match self {
            Self::Memory(list) => Ok(list.partition_point(|n| u64::from(*n) < number)),
            Self::Disk(list) => list.below(number),
        }
    }
}

impl Index {
    /// Whether something with this hash may be in the segment.
    pub(crate) fn may_have(&self, hash: u64) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::Disk(index) => index.filter.may_have(hash),
        }
    }

    pub(crate) fn stream(&self, stream: u32) -> Result<Option<StreamRow<'_>>> {
        match self {
            Self::Memory(index) => Ok(index.stream(stream)),
            Self::Disk(index) => index.stream(stream),
        }
    }

    /// The entries whose order key may be the one with this hash.
    pub(crate) fn order(&self, hash: u64) -> Result<Option<List<'_>>> {
        match self {
            Self::Memory(index) => Ok(index.order(hash)),
            Self::Disk(index) => index.order(hash),
        }
    }

    /// The entries whose dedup key may be the one with this hash.
    pub(crate) fn dedup(&self, hash: u64) -> Result<Vec<u32>> {
        match self {
            Self::Memory(index) => Ok(index.dedup(hash).to_vec()),
            Self::Disk(index) => index.dedup(hash),
        }
    }

    /// The logical offsets of entries.
    pub(crate) fn offsets(&self, numbers: &[u32]) -> Result<Vec<u32>> {
        match self {
            Self::Memory(index) => Ok(index.offsets(numbers)),
            Self::Disk(index) => index.offsets(numbers),
        }
    }
}

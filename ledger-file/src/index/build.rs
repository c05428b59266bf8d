//! The content of an index file.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `LEDGIDX\n` |
//! | 8..12 | format, 1 |
//! | 12..28 | the store's id |
//! | 28..36 | number of the segment |
//! | 36..44 | number of entries, *n* |
//! | 44..52 | where the frames of the segment end |
//! | 52..56 | bytes 0..4 of its last frame |
//! | 56..60 | number of streams, *s* |
//! | 60..64 | number of hashes of order keys, *o* |
//! | 64..68 | number of entries with an order key, *k* |
//! | 68..72 | number of entries with a dedup key, *d* |
//! | 72..80 | bytes of the filter, *f* |
//! | 80.. | *n* × offset of an entry (4) |
//! | | *s* × stream (4), first in the list (4), how many (4), version of the first (8) |
//! | | *n* × number of an entry (4): by stream |
//! | | *o* × hash (8), first in the list (4), how many (4) |
//! | | *k* × number of an entry (4): by order key |
//! | | *d* × hash (8), number of an entry (4) |
//! | | *f* bytes of the filter over streams, order keys and dedup keys |
//!
//! Rows are sorted by their first field.

use super::memory::MemoryIndex;
use super::pages::to_pages;
use super::{Filter, Hash};
use crate::format::frame::Place;
use crate::format::snapshot::SegmentFacts;
use crate::format::{FORMAT, MAGIC_LEN};

pub(super) const MAGIC: &[u8; MAGIC_LEN] = b"LEDGIDX\n";

/// Where the sections of an index are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) entries: u64,
    pub(super) streams: u64,
    pub(super) order_hashes: u64,
    pub(super) order_entries: u64,
    pub(super) dedup_entries: u64,
    pub(super) filter: u64,
}

pub(super) const SECTIONS: u64 = 80;
pub(super) const STREAM_ROW: u64 = 20;
pub(super) const ORDER_ROW: u64 = 16;
pub(super) const DEDUP_ROW: u64 = 12;

impl Layout {
    pub(super) fn offsets(&self) -> u64 {
        SECTIONS
    }
    pub(super) fn stream_rows(&self) -> u64 {
        self.offsets() + 4 * self.entries
    }
    pub(super) fn stream_lists(&self) -> u64 {
        self.stream_rows() + STREAM_ROW * self.streams
    }
    pub(super) fn order_rows(&self) -> u64 {
        self.stream_lists() + 4 * self.entries
    }
    pub(super) fn order_lists(&self) -> u64 {
        self.order_rows() + ORDER_ROW * self.order_hashes
    }
    pub(super) fn dedup_rows(&self) -> u64 {
        self.order_lists() + 4 * self.order_entries
    }
    pub(super) fn filter_bytes(&self) -> u64 {
        self.dedup_rows() + DEDUP_ROW * self.dedup_entries
    }
}

fn sorted<K: Ord + Copy, V>(map: &std::collections::HashMap<K, V>) -> Vec<(K, &V)> {
    let mut rows: Vec<(K, &V)> = map.iter().map(|(key, value)| (*key, value)).collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    rows
}

/// The file of an index.
pub(crate) fn encode(
    index: &MemoryIndex,
    place: &Place,
    facts: &SegmentFacts,
    hash: &Hash,
) -> Vec<u8> {
    let (streams, order) = (sorted(&index.streams), sorted(&index.order));
    let mut dedup: Vec<(u64, u32)> = Vec::new();
    for (hash, numbers) in &index.dedup {
        dedup.extend(numbers.as_slice().iter().map(|number| (*hash, *number)));
    }
    dedup.sort_unstable();
    let mut filter = Filter::for_keys(streams.len() + order.len() + dedup.len());
    streams
        .iter()
        .for_each(|(stream, _)| filter.add(hash.stream(*stream)));
    order.iter().for_each(|(hash, _)| filter.add(*hash));
    dedup.iter().for_each(|(hash, _)| filter.add(*hash));

    let order_entries: usize = order.iter().map(|(_, numbers)| numbers.len()).sum();
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = Vec::new();
    out.extend(MAGIC);
    out.extend(FORMAT.to_le_bytes());
    out.extend(place.store.as_bytes());
    out.extend(place.segment.to_le_bytes());
    out.extend(facts.count.to_le_bytes());
    out.extend(facts.end.to_le_bytes());
    out.extend(facts.crc.to_le_bytes());
    for n in [streams.len(), order.len(), order_entries, dedup.len()] {
        out.extend(small(n));
    }
    out.extend((filter.bytes().len() as u64).to_le_bytes());

    let list = |out: &mut Vec<u8>, numbers: &[u32]| {
        numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
    };
    list(&mut out, &index.offsets);
    let mut start = 0;
    for (stream, row) in &streams {
        out.extend(stream.to_le_bytes());
        out.extend(small(start));
        out.extend(small(row.numbers.len()));
        out.extend(row.first_version.to_le_bytes());
        start += row.numbers.len();
    }
    streams
        .iter()
        .for_each(|(_, row)| list(&mut out, &row.numbers));
    let mut start = 0;
    for (hash, numbers) in &order {
        out.extend(hash.to_le_bytes());
        out.extend(small(start));
        out.extend(small(numbers.len()));
        start += numbers.len();
    }
    order
        .iter()
        .for_each(|(_, numbers)| list(&mut out, numbers));
    for (hash, number) in &dedup {
        out.extend(hash.to_le_bytes());
        out.extend(number.to_le_bytes());
    }
    out.extend(filter.bytes());
    to_pages(place, &out)
}

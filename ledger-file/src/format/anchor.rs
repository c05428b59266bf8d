//! The file `STORE`: which store this is, and up to where its log was flushed
//! for certain.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `LEDGSTO\n` |
//! | 8..12 | format, 1 |
//! | 12..28 | the store's id |
//! | 28..508 | 0 |
//! | 508..512 | CRC-32 of bytes 0..508 |
//! | 512..1024 | mark |
//! | 1024..1536 | mark |
//!
//! | bytes | mark |
//! |---|---|
//! | 0..8 | generation; the higher one of two valid marks counts |
//! | 8..16 | number of the segment |
//! | 16..24 | logical offset that its frames reach at least |
//! | 24..28 | bytes 0..4 of the frame that ends there |
//! | 28 | 1 if the store was closed when the mark was written, else 0 |
//! | 29..508 | 0 |
//! | 508..512 | CRC-32 of the store's id and of bytes 0..508 |
//!
//! Marks are written in turn, so that one is always whole. An older copy of
//! this file only promises less.

use ledger_core::Result;
use ledger_core::backend::StoreId;

use super::bytes::Input;
use super::sector::SECTOR;
use super::{FORMAT, MAGIC_LEN};
use crate::error::{corrupt, newer};

const MAGIC: &[u8; MAGIC_LEN] = b"LEDGSTO\n";
const CRC_AT: usize = SECTOR as usize - 4;
/// Bytes of the file.
pub(crate) const ANCHOR_LEN: usize = 3 * SECTOR as usize;

/// A place that the log reaches at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) generation: u64,
    pub(crate) segment: u64,
    pub(crate) end: u64,
    pub(crate) crc: u32,
    pub(crate) closed: bool,
}

impl Mark {
    /// Where it is written, and its bytes.
    pub(crate) fn write(&self, store: StoreId) -> (u64, Vec<u8>) {
        let mut out = Vec::with_capacity(SECTOR as usize);
        out.extend(self.generation.to_le_bytes());
        out.extend(self.segment.to_le_bytes());
        out.extend(self.end.to_le_bytes());
        out.extend(self.crc.to_le_bytes());
        out.push(u8::from(self.closed));
        out.resize(CRC_AT, 0);
        let crc = mark_crc(store, &out);
        out.extend(crc.to_le_bytes());
        (SECTOR * (1 + self.generation % 2), out)
    }

    fn read(store: StoreId, bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_at_checked(CRC_AT)?;
        if Input(crc).u32()? != mark_crc(store, body) {
            return None;
        }
        let mut input = Input(body);
        Some(Self {
            generation: input.u64()?,
            segment: input.u64()?,
            end: input.u64()?,
            crc: input.u32()?,
            closed: input.u8()? == 1,
        })
    }
}

fn mark_crc(store: StoreId, body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(store.as_bytes());
    crc.update(body);
    crc.finalize()
}

/// The whole file, when it is made.
pub(crate) fn write_anchor(store: StoreId, mark: &Mark) -> Vec<u8> {
    let mut out = Vec::with_capacity(ANCHOR_LEN);
    out.extend(MAGIC);
    out.extend(FORMAT.to_le_bytes());
    out.extend(store.as_bytes());
    out.resize(CRC_AT, 0);
    let crc = crc32fast::hash(&out);
    out.extend(crc.to_le_bytes());
    out.resize(ANCHOR_LEN, 0);
    let (at, bytes) = mark.write(store);
    out[at as usize..][..bytes.len()].copy_from_slice(&bytes);
    out
}

/// Reads the file `name`.
pub(crate) fn read_anchor(name: &str, bytes: &[u8]) -> Result<(StoreId, Mark)> {
    let damaged = || corrupt(name, 0, "not the file that tells which store this is");
    if bytes.len() != ANCHOR_LEN {
        return Err(damaged());
    }
    let sector = |n: usize| &bytes[n * SECTOR as usize..][..SECTOR as usize];
    let (body, crc) = sector(0).split_at(CRC_AT);
    let mut input = Input(body);
    if Input(crc).u32() != Some(crc32fast::hash(body)) || input.take(MAGIC_LEN) != Some(MAGIC) {
        return Err(damaged());
    }
    let format = input.u32().ok_or_else(damaged)?;
    if format > FORMAT {
        return Err(newer(name, FORMAT, format));
    }
    let store = input.take(16).and_then(|id| <[u8; 16]>::try_from(id).ok());
    let store = StoreId::from_bytes(store.ok_or_else(damaged)?);
    let marks = [1, 2].map(|n| Mark::read(store, sector(n)));
    let newest = marks
        .into_iter()
        .flatten()
        .max_by_key(|mark| mark.generation);
    let mark = newest.ok_or_else(|| corrupt(name, SECTOR, "neither of its marks is whole"))?;
    Ok((store, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(generation: u64) -> Mark {
        Mark {
            generation,
            segment: 2,
            end: 640 + generation,
            crc: 77,
            closed: generation.is_multiple_of(3),
        }
    }

    #[test]
    fn the_newest_whole_mark_counts() {
        let store = StoreId::random();
        let mut file = write_anchor(store, &mark(1));
        for generation in 2..6 {
            let (at, bytes) = mark(generation).write(store);
            file[at as usize..][..512].copy_from_slice(&bytes);
            assert_eq!(read_anchor("x", &file).unwrap(), (store, mark(generation)));
            let mut torn = file.clone();
            torn[at as usize + 100..][..412].fill(0);
            assert_eq!(read_anchor("x", &torn).unwrap().1, mark(generation - 1));
        }
        file[600] ^= 1;
        file[1100] ^= 1;
        assert!(read_anchor("x", &file).is_err());
    }

    /// A flipped bit may hide the newest mark, and then an older one counts,
    /// which promises less. It never makes one up.
    #[test]
    fn no_flipped_bit_makes_a_mark_that_was_not_written() {
        let store = StoreId::random();
        let mut file = write_anchor(store, &mark(1));
        let (at, bytes) = mark(2).write(store);
        file[at as usize..][..512].copy_from_slice(&bytes);
        for bit in 0..file.len() * 8 {
            let mut broken = file.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            if let Ok((id, found)) = read_anchor("x", &broken) {
                assert_eq!(id, store, "bit {bit}");
                assert!(found == mark(2) || found == mark(1), "bit {bit}");
            }
        }
    }
}

//! The header of a segment: its first sector.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `LEDGSEG\n` |
//! | 8..12 | format, 1 |
//! | 12..28 | the store's id |
//! | 28..36 | number of the segment, from 1 |
//! | 36..44 | id of the first entry that it can hold |
//! | 44..52 | length of the file |
//! | 52..56 | where the snapshot ends, logical |
//! | 56..508 | 0 |
//! | 508..512 | CRC-32 of bytes 0..508 |

use ledger_core::Result;
use ledger_core::backend::StoreId;

use super::bytes::Input;
use super::frame::Place;
use super::sector::SECTOR;
use super::{FORMAT, MAGIC_LEN};
use crate::error::{corrupt, newer};

const MAGIC: &[u8; MAGIC_LEN] = b"LEDGSEG\n";
const CRC_AT: usize = SECTOR as usize - 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) store: StoreId,
    pub(crate) number: u64,
    pub(crate) base_id: i64,
    pub(crate) file_len: u64,
    pub(crate) snapshot_end: u32,
}

impl SegmentHeader {
    pub(crate) fn place(&self) -> Place {
        Place {
            store: self.store,
            segment: self.number,
        }
    }

    /// The sector, and its checksum, which the first frame carries.
    pub(crate) fn write(&self) -> (Vec<u8>, u32) {
        let mut out = Vec::with_capacity(SECTOR as usize);
        out.extend(MAGIC);
        out.extend(FORMAT.to_le_bytes());
        out.extend(self.store.as_bytes());
        out.extend(self.number.to_le_bytes());
        out.extend(self.base_id.to_le_bytes());
        out.extend(self.file_len.to_le_bytes());
        out.extend(self.snapshot_end.to_le_bytes());
        out.resize(CRC_AT, 0);
        let crc = crc32fast::hash(&out);
        out.extend(crc.to_le_bytes());
        (out, crc)
    }

    /// Reads the first sector of the file `name`.
    pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<(Self, u32)> {
        let damaged = || corrupt(name, 0, "not the header of a segment");
        let (body, crc) = bytes.split_at_checked(CRC_AT).ok_or_else(damaged)?;
        let crc = Input(crc).u32().ok_or_else(damaged)?;
        if crc != crc32fast::hash(body) {
            return Err(damaged());
        }
        let mut input = Input(body);
        if input.take(MAGIC_LEN) != Some(MAGIC) {
            return Err(damaged());
        }
        let format = input.u32().ok_or_else(damaged)?;
        if format > FORMAT {
            return Err(newer(name, FORMAT, format));
        }
        let mut read = || {
            let store: [u8; 16] = input.take(16)?.try_into().ok()?;
            Some(Self {
                store: StoreId::from_bytes(store),
                number: input.u64()?,
                base_id: input.i64()?,
                file_len: input.u64()?,
                snapshot_end: input.u32()?,
            })
        };
        Ok((read().ok_or_else(damaged)?, crc))
    }
}

#[cfg(test)]
mod tests {
    use ledger_core::Kind;

    use super::*;

    fn sample() -> SegmentHeader {
        SegmentHeader {
            store: StoreId::from_bytes(*b"0123456789abcdef"),
            number: 5,
            base_id: 100,
            file_len: 1 << 20,
            snapshot_end: 320,
        }
    }

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_is_found() {
        let (bytes, crc) = sample().write();
        assert_eq!(SegmentHeader::read("x", &bytes).unwrap(), (sample(), crc));
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let error = SegmentHeader::read("x", &broken).unwrap_err();
            assert_eq!(*error.kind(), Kind::Corrupt, "bit {bit}");
        }
        assert!(SegmentHeader::read("x", &bytes[..511]).is_err());
    }

    #[test]
    fn a_newer_format_is_refused_as_such() {
        let (mut bytes, _) = sample().write();
        bytes[8] = 2;
        let crc = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        let error = SegmentHeader::read("x", &bytes).unwrap_err();
        assert_eq!(*error.kind(), Kind::NewerFormat { known: 1, found: 2 });
    }
}

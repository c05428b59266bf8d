//! Frames: what a segment is a sequence of.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | CRC-32 of the place of the frame and of bytes 4..32 |
//! | 4..8 | CRC-32 of the body and the padding |
//! | 8..12 | length of the body |
//! | 12 | kind: see [`Kind`] |
//! | 13 | flags: 1 first of its group, 2 last of its group |
//! | 14..16 | 0 |
//! | 16..20 | bytes 0..4 of the frame before; of the file's header for the first |
//! | 20..24 | where the group begins |
//! | 24..28 | up to where the segment was flushed when the frame was written |
//! | 28..31 | 0 |
//! | 31 | `0xA5` |
//! | 32.. | body, then 0 to 7 zeros and a byte `0xE5`, so that the frame's length is a multiple of 8 |
//!
//! All numbers are little endian, all offsets logical. The *place* is the
//! store's id, the number of the segment and the offset of the frame: a frame
//! copied to anywhere else is not valid there.

use bytes::Bytes;
use ledger_core::backend::StoreId;

use crate::mutants::Mutant;

/// Bytes of the header of a frame.
pub(crate) const HEADER: usize = 32;
/// The last byte of a header. Not zero: it tells that the header has arrived.
pub(crate) const HEADER_END: u8 = 0xA5;
/// The last byte of a frame. Not zero: it tells that the frame has arrived.
pub(crate) const FRAME_END: u8 = 0xE5;

const FIRST: u8 = 1;
const LAST: u8 = 2;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Entries of one append.
    Batch = 1,
    /// How far a stream was trimmed.
    Trim = 2,
    /// Segments that were removed.
    Drop = 3,
    /// Part of what was known when the segment began.
    Snapshot = 4,
    /// A consumer's checkpoint.
    Checkpoint = 5,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Batch,
            2 => Self::Trim,
            3 => Self::Drop,
            4 => Self::Snapshot,
            5 => Self::Checkpoint,
            _ => return None,
        })
    }
}

/// Which segment of which store: what the checksums of frames begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) store: StoreId,
    pub(crate) segment: u64,
}

impl Place {
    fn crc(&self, offset: u64, header: &[u8]) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        crc.update(self.store.as_bytes());
        crc.update(&self.segment.to_le_bytes());
        crc.update(&offset.to_le_bytes());
        crc.update(header);
        crc.finalize()
    }
}

/// The header of a frame that is valid at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) crc: u32,
    body_crc: u32,
    pub(crate) len: u32,
    pub(crate) kind: Kind,
    pub(crate) first: bool,
    pub(crate) last: bool,
    pub(crate) previous: u32,
    pub(crate) group: u32,
    pub(crate) flushed: u32,
}

/// The length of a frame whose body has this length.
pub(crate) const fn frame_len(body: u64) -> u64 {
    (HEADER as u64 + body + 1).next_multiple_of(8)
}

impl Header {
    /// Reads a header; `None` if these bytes are not one of a frame at `offset`.
    pub(crate) fn read(place: &Place, offset: u64, bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        // Cheap looks first: recovery tries this at many offsets.
        if bytes[31] != HEADER_END || bytes[28..31] != [0; 3] || bytes[14..16] != [0; 2] {
            return None;
        }
        let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| bytes[at + n]));
        let kind = Kind::of(bytes[12])?;
        let flags = bytes[13];
        let checked =
            number(0) == place.crc(offset, &bytes[4..]) || Mutant::HeadersUnchecked.runs();
        if flags & !(FIRST | LAST) != 0 || !checked {
            return None;
        }
        Some(Self {
            crc: number(0),
            body_crc: number(4),
            len: number(8),
            kind,
            first: flags & FIRST != 0,
            last: flags & LAST != 0,
            previous: number(16),
            group: number(20),
            flushed: number(24),
        })
    }

    /// The length of the frame.
    pub(crate) fn frame_len(&self) -> u64 {
        frame_len(self.len.into())
    }

    /// The body, if `rest`, which is what follows the header, holds it whole
    /// and unharmed.
    pub(crate) fn body(&self, rest: &Bytes) -> Option<Bytes> {
        let padded = (self.frame_len() - HEADER as u64) as usize;
        let bytes = rest.get(..padded)?;
        let sound = crc32fast::hash(bytes) == self.body_crc && bytes[padded - 1] == FRAME_END;
        sound.then(|| rest.slice(..self.len as usize))
    }
}

/// Frames of one group, ready to be written.
#[derive(Debug)]
pub(crate) struct Group {
    place: Place,
    start: u64,
    flushed: u64,
    /// The crc of the last frame.
    pub(crate) previous: u32,
    /// Where the last frame begins.
    pub(crate) last: u64,
    bytes: Vec<u8>,
}

impl Group {
    /// A group that begins at `start`, behind a frame with the crc `previous`.
    pub(crate) fn new(place: Place, start: u64, flushed: u64, previous: u32) -> Self {
        Self {
            place,
            start,
            flushed,
            previous,
            last: start,
            bytes: Vec::new(),
        }
    }

    /// Where the next frame begins.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Adds a frame. `body` writes its body behind the bytes it is given; the
    /// offset that it is told is where the first of those bytes lies.
    pub(crate) fn push<T>(
        &mut self,
        kind: Kind,
        last: bool,
        body: impl FnOnce(u64, &mut Vec<u8>) -> T,
    ) -> T {
        let at = self.bytes.len();
        let offset = self.start + at as u64;
        self.bytes.resize(at + HEADER, 0);
        // What the body is told: `offset - at` is where the buffer begins.
        let answer = body(self.start, &mut self.bytes);
        let len = self.bytes.len() - at - HEADER;
        let whole = at + frame_len(len as u64) as usize;
        self.bytes.resize(whole, 0);
        self.bytes[whole - 1] = FRAME_END;

        let body_crc = crc32fast::hash(&self.bytes[at + HEADER..]);
        let header = &mut self.bytes[at..at + HEADER];
        header[4..8].copy_from_slice(&body_crc.to_le_bytes());
        header[8..12].copy_from_slice(&small(len as u64).to_le_bytes());
        header[12] = kind as u8;
        header[13] = u8::from(at == 0) * FIRST + u8::from(last) * LAST;
        header[16..20].copy_from_slice(&self.previous.to_le_bytes());
        header[20..24].copy_from_slice(&small(self.start).to_le_bytes());
        header[24..28].copy_from_slice(&small(self.flushed).to_le_bytes());
        header[31] = HEADER_END;
        let crc = self.place.crc(offset, &header[4..]);
        header[..4].copy_from_slice(&crc.to_le_bytes());
        self.previous = crc;
        self.last = offset;
        answer
    }

    /// The bytes of all frames.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Offsets and lengths fit: a segment is smaller than 4 GiB.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            store: StoreId::from_bytes(*b"0123456789abcdef"),
            segment: 3,
        }
    }

    fn sample() -> Group {
        let mut group = Group::new(place(), 1000, 900, 7);
        group.push(Kind::Batch, false, |_, out| out.extend(b"hello"));
        group.push(Kind::Trim, true, |_, out| out.extend([0; 40]));
        group
    }

    fn read(place: &Place, offset: u64, bytes: &[u8]) -> Option<(Header, Bytes)> {
        let header = Header::read(place, offset, bytes)?;
        let rest = Bytes::copy_from_slice(&bytes[HEADER..]);
        Some((header, header.body(&rest)?))
    }

    #[test]
    fn frames_come_back_linked() {
        let group = sample();
        let (first, body) = read(&place(), 1000, group.bytes()).unwrap();
        assert_eq!(body, "hello");
        assert_eq!((first.first, first.last, first.previous), (true, false, 7));
        assert_eq!((first.group, first.flushed), (1000, 900));
        let at = first.frame_len();
        let (second, body) = read(&place(), 1000 + at, &group.bytes()[at as usize..]).unwrap();
        assert_eq!((second.kind, second.previous), (Kind::Trim, first.crc));
        assert_eq!((second.first, second.last, body.len()), (false, true, 40));
        assert_eq!(group.end(), 1000 + at + second.frame_len());
        assert_eq!((group.previous, group.last), (second.crc, 1000 + at));
    }

    /// Catches a checksum that leaves out a byte, or the place.
    #[test]
    fn every_flipped_bit_and_every_other_place_is_found() {
        let group = sample();
        let len = Header::read(&place(), 1000, group.bytes())
            .unwrap()
            .frame_len() as usize;
        let bytes = &group.bytes()[..len];
        for bit in 0..len * 8 {
            let mut broken = bytes.to_vec();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&place(), 1000, &broken).is_none(), "bit {bit}");
        }
        assert!(read(&place(), 1008, bytes).is_none());
        let other = Place {
            segment: 4,
            ..place()
        };
        assert!(read(&other, 1000, bytes).is_none());
        let store = StoreId::random();
        assert!(read(&Place { store, ..place() }, 1000, bytes).is_none());
        for len in 0..len {
            assert!(read(&place(), 1000, &bytes[..len.max(HEADER)]).is_none());
        }
    }

    #[test]
    fn lengths_that_lie_are_refused_without_allocating() {
        let mut group = Group::new(place(), 0, 0, 0);
        group.push(Kind::Batch, true, |_, _| ());
        assert_eq!(group.bytes().len(), 40);
        let header = Header::read(&place(), 0, group.bytes()).unwrap();
        let lying = Header {
            len: u32::MAX,
            ..header
        };
        assert!(
            lying
                .body(&Bytes::copy_from_slice(&group.bytes()[HEADER..]))
                .is_none()
        );
    }
}

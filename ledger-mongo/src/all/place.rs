//! A place in the whole store, and its bytes.

use std::collections::BTreeMap;

use ledger_core::backend::StoreId;
use ledger_core::{Error, Kind, Result, StoreCursor};

use crate::id::MongoId;
use crate::time::ClusterTime;

/// How many streams a place knows the versions of at most, if it is to know
/// them of all.
pub(super) const MOST_POSITIONS: usize = 16_384;

/// A place in the whole store. What was given out before it is:
///
/// * of streams that the sweep has not come to, nothing but what `positions`
///   says;
/// * of the others, what was committed before `time`, and what `positions`
///   says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) store: StoreId,
    /// Events at this time or later have not been looked at.
    pub(crate) time: ClusterTime,
    /// All that was given out was committed by this time.
    pub(crate) seen: ClusterTime,
    /// How far the sweep has come; `None` once it is over.
    pub(crate) sweep: Option<MongoId>,
    /// Whether `positions` is complete: it then says all that was given out,
    /// and the place can do without the change stream.
    pub(crate) complete: bool,
    /// By number of the stream: the version given out last, and a time by which
    /// it was committed.
    pub(crate) positions: BTreeMap<u32, (u64, ClusterTime)>,
}

const TAG: u8 = b'M';
const FORMAT: u8 = 1;
const SWEEPING: u8 = 1;
const COMPLETE: u8 = 2;

impl Place {
    /// The beginning, for a reader that starts at this time.
    pub(crate) fn beginning(store: StoreId, time: ClusterTime) -> Self {
        Self {
            store,
            time,
            seen: time,
            sweep: Some(MongoId::new(0, 0)),
            complete: true,
            positions: BTreeMap::new(),
        }
    }

    /// How far a stream was given out.
    pub(super) fn reached(&self, number: u32) -> u64 {
        self.positions
            .get(&number)
            .map_or(0, |(version, _)| *version)
    }

    /// Notes that a stream was given out so far.
    pub(crate) fn advance(&mut self, number: u32, version: u64, committed_by: ClusterTime) {
        let known = self
            .positions
            .entry(number)
            .or_insert((version, committed_by));
        if version >= known.0 {
            *known = (version, committed_by);
        }
        self.complete &= self.positions.len() <= MOST_POSITIONS;
    }

    /// All events before `time` have been looked at: versions from before it
    /// need not be kept, unless all are.
    pub(super) fn looked_until(&mut self, time: ClusterTime) {
        self.time = time;
        if !self.complete {
            self.positions
                .retain(|_, (_, committed_by)| *committed_by >= time);
        }
    }

    /// As an opaque cursor, format 1:
    ///
    /// | bytes | what |
    /// |---|---|
    /// | 0 | tag, `0x4D` (`M`) |
    /// | 1 | format, 1 |
    /// | 2..18 | the store's id |
    /// | 18 | flags: 1 sweeping, 2 complete |
    /// | 19..27, 27..35 | `time`, `seen` |
    /// | 35..47 | `sweep`, if sweeping |
    /// | … | positions: distance to the number before and version, as LEB128 |
    /// | the last 4 | CRC-32 (ISO-HDLC) of all before |
    ///
    /// Numbers are big endian.
    pub(crate) fn encode(&self) -> StoreCursor {
        let mut bytes = Vec::with_capacity(64 + 4 * self.positions.len());
        bytes.extend([TAG, FORMAT]);
        bytes.extend(self.store.as_bytes());
        let sweeping = if self.sweep.is_some() { SWEEPING } else { 0 };
        bytes.push(sweeping | if self.complete { COMPLETE } else { 0 });
        bytes.extend(self.time.0.to_be_bytes());
        bytes.extend(self.seen.0.to_be_bytes());
        if let Some(sweep) = self.sweep {
            bytes.extend(sweep.object_id().bytes());
        }
        let mut before = 0;
        for (&number, &(version, _)) in &self.positions {
            write_number(&mut bytes, u64::from(number - before));
            write_number(&mut bytes, version);
            before = number;
        }
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        StoreCursor::from_bytes(bytes)
    }

    /// Reads an opaque cursor back.
    ///
    /// # Errors
    ///
    /// `InvalidCursor` for garbage, a newer format, another store.
    pub(crate) fn decode(cursor: &StoreCursor, store: StoreId) -> Result<Self> {
        let invalid = |why: &'static str| Error::new(Kind::InvalidCursor, why);
        let garbage = || invalid("not a cursor of this kind of store");
        let bytes = cursor.as_bytes();
        let [TAG, format, ..] = *bytes else {
            return Err(garbage());
        };
        if format != FORMAT {
            return Err(invalid("a cursor of a format this release does not know"));
        }
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or_else(garbage)?;
        if crc32fast::hash(body).to_be_bytes() != *crc {
            return Err(garbage());
        }
        let found = parse(&body[2..]).ok_or_else(garbage)?;
        if found.store != store {
            return Err(invalid("a cursor of another store"));
        }
        Ok(found)
    }
}

fn parse(mut rest: &[u8]) -> Option<Place> {
    let store = StoreId::from_bytes(take(&mut rest)?);
    let [flags] = take(&mut rest)?;
    if flags & !(SWEEPING | COMPLETE) != 0 {
        return None;
    }
    let time = ClusterTime(u64::from_be_bytes(take(&mut rest)?));
    let seen = ClusterTime(u64::from_be_bytes(take(&mut rest)?));
    let sweep = match flags & SWEEPING {
        0 => None,
        _ => Some(MongoId::from_object_id(take(&mut rest)?.into())),
    };
    let mut positions = BTreeMap::new();
    let mut number = 0_u32;
    while !rest.is_empty() {
        let distance = u32::try_from(read_number(&mut rest)?).ok()?;
        number = number.checked_add(distance)?;
        let version = read_number(&mut rest)?;
        let first = positions.insert(number, (version, seen)).is_none();
        if !first || number == 0 {
            return None;
        }
    }
    Some(Place {
        store,
        time,
        seen,
        sweep,
        complete: flags & COMPLETE != 0,
        positions,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn write_number(bytes: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        bytes.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    bytes.push(n.to_le_bytes()[0]);
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let mut n = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest)?;
        let part = u64::from(byte & 0x7F);
        if part << shift >> shift != part {
            return None;
        }
        n |= part << shift;
        if byte & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        let mut place = Place::beginning(StoreId::from_bytes([7; 16]), ClusterTime(5 << 32 | 9));
        place.seen = ClusterTime(6 << 32);
        for (number, version) in [(1, 1), (2, 127), (300, 128), (u32::MAX, (1 << 63) - 1)] {
            place.advance(number, version, place.seen);
        }
        place.sweep = Some(MongoId::new(300, 128));
        place
    }

    #[test]
    fn cursors_come_back_and_damaged_ones_are_refused() {
        let mut whole = place();
        for sweep in [whole.sweep, None] {
            whole.sweep = sweep;
            for complete in [true, false] {
                whole.complete = complete;
                let cursor = whole.encode();
                assert_eq!(Place::decode(&cursor, whole.store).unwrap(), whole);
                let bytes = cursor.as_bytes();
                for at in 0..bytes.len() {
                    let mut flipped = bytes.to_vec();
                    flipped[at] ^= 1;
                    let cut = bytes[..at].to_vec();
                    for bad in [flipped, cut] {
                        let bad = StoreCursor::from_bytes(bad);
                        let refused = Place::decode(&bad, whole.store).unwrap_err();
                        assert_eq!(*refused.kind(), Kind::InvalidCursor, "{at}");
                    }
                }
            }
        }
        assert!(Place::decode(&whole.encode(), StoreId::from_bytes([8; 16])).is_err());
    }

    /// Catches a parser that trusts what has a right checksum.
    #[test]
    fn forged_numbers_are_refused() {
        let body = place().encode();
        let body = &body.as_bytes()[..47];
        let forged: [&[u8]; 5] = [&[0, 1], &[1, 1, 0, 2], &[1], &[1, 0x80], &[0xFF; 20]];
        for tail in forged {
            let mut bytes = [body, tail].concat();
            bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
            let cursor = StoreCursor::from_bytes(bytes);
            assert!(Place::decode(&cursor, place().store).is_err(), "{tail:?}");
        }
    }

    #[test]
    fn a_place_of_many_streams_stays_small() {
        let mut place = place();
        for number in 1..200_000 {
            place.advance(number, 1_000, place.seen);
            if place.positions.len() > 2 * MOST_POSITIONS {
                assert!(!place.complete);
                place.looked_until(place.seen.next());
            }
        }
        assert!(place.encode().as_bytes().len() < 256 * 1024);
    }
}

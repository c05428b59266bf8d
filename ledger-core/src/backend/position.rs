//! Store cursors that are a number.

use super::StoreId;
use crate::cursor::StoreCursor;
use crate::error::{Error, Kind, Result, Rule};
use crate::query::Direction;

/// A place in a store whose entries have one order of numbers: the cursor of
/// the backends with `i64` ids.
///
/// Its bytes, format 1:
///
/// | bytes | what |
/// |---|---|
/// | 0 | tag, `0x4C` (`L`) |
/// | 1 | format, 1 |
/// | 2..18 | the store's id |
/// | 18 | direction: 0 ascending, 1 descending |
/// | 19..27 | position, big endian |
/// | 27..31 | CRC-32 (ISO-HDLC) of bytes 0..27, big endian |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionCursor {
    /// The store that gave it out.
    pub store: StoreId,
    /// The direction of the reader.
    pub direction: Direction,
    /// The id of the last entry that the reader has passed, from 0.
    pub position: i64,
}

impl PositionCursor {
    const TAG: u8 = b'L';
    const FORMAT: u8 = 1;
    const LEN: usize = 31;

    /// As an opaque cursor.
    #[must_use]
    pub fn encode(&self) -> StoreCursor {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend([Self::TAG, Self::FORMAT]);
        bytes.extend(self.store.as_bytes());
        bytes.push(match self.direction {
            Direction::Ascending => 0,
            Direction::Descending => 1,
        });
        bytes.extend(self.position.to_be_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        StoreCursor::from_bytes(bytes)
    }

    /// Reads an opaque cursor back.
    ///
    /// # Errors
    ///
    /// `InvalidCursor` for garbage, and for a newer format.
    pub fn decode(cursor: &StoreCursor) -> Result<Self> {
        let invalid = |why: &'static str| Error::new(Kind::InvalidCursor, why);
        let garbage = || invalid("not a cursor of this kind of store");
        let bytes = cursor.as_bytes();
        let [Self::TAG, format, ..] = *bytes else {
            return Err(garbage());
        };
        if format != Self::FORMAT {
            return Err(invalid("a cursor of a format this release does not know"));
        }
        let bytes: &[u8; Self::LEN] = bytes.try_into().map_err(|_| garbage())?;
        let (body, crc) = bytes.split_at(Self::LEN - 4);
        if crc32fast::hash(body).to_be_bytes() != crc {
            return Err(garbage());
        }
        let mut store = [0; 16];
        store.copy_from_slice(&body[2..18]);
        let mut position = [0; 8];
        position.copy_from_slice(&body[19..27]);
        let cursor = Self {
            store: StoreId::from_bytes(store),
            direction: match body[18] {
                0 => Direction::Ascending,
                1 => Direction::Descending,
                _ => return Err(garbage()),
            },
            position: i64::from_be_bytes(position),
        };
        if cursor.position < 0 {
            Err(garbage())
        } else {
            Ok(cursor)
        }
    }

    /// Reads the cursor of a request and checks that it belongs to this store
    /// and goes in this direction. Whether it lies ahead of the store is
    /// checked with [`check_head`](Self::check_head), once the head is known.
    ///
    /// # Errors
    ///
    /// `InvalidCursor`.
    pub fn of(cursor: &StoreCursor, store: StoreId, direction: Direction) -> Result<Self> {
        let found = Self::decode(cursor)?;
        if found.store != store {
            return Err(Error::new(Kind::InvalidCursor, "a cursor of another store"));
        }
        if found.direction != direction {
            return Err(Error::new(
                Kind::InvalidCursor,
                "a cursor of the other direction",
            ));
        }
        Ok(found)
    }

    /// Checks that the cursor is not ahead of the highest id ever assigned.
    ///
    /// # Errors
    ///
    /// `InvalidCursor`: the store was replaced by an older one.
    pub fn check_head(&self, highest: i64) -> Result<()> {
        if self.position > highest {
            return Err(Error::new(
                Kind::InvalidCursor,
                "a cursor ahead of the store",
            ));
        }
        Ok(())
    }
}

/// Checks that an id of a request is one that a store with `i64` ids may give
/// out; 0 stands for the beginning.
///
/// # Errors
///
/// `InvalidInput` for a negative id.
pub fn check_id(field: &'static str, id: i64) -> Result<i64> {
    if id < 0 {
        return Err(Error::invalid_input(
            field,
            Rule::NotNegative,
            0,
            id.unsigned_abs(),
        ));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> PositionCursor {
        let store = StoreId::from_bytes(*b"0123456789abcdef");
        PositionCursor {
            store,
            direction: Direction::Ascending,
            position: 1 << 40,
        }
    }

    #[test]
    fn the_bytes_of_format_1_never_change() {
        let text = "TAEwMTIzNDU2Nzg5YWJjZGVmAAAAAQAAAAAADL_1iA";
        assert_eq!(sample().encode().to_string(), text);
        assert_eq!(
            PositionCursor::decode(&text.parse().unwrap()).unwrap(),
            sample()
        );
    }

    #[test]
    fn a_cursor_with_any_bit_flipped_or_byte_cut_is_refused() {
        let bytes = sample().encode().as_bytes().to_vec();
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let refused = PositionCursor::decode(&StoreCursor::from_bytes(broken)).unwrap_err();
            assert_eq!(*refused.kind(), Kind::InvalidCursor, "bit {bit}");
        }
        for len in 0..bytes.len() {
            let cut = StoreCursor::from_bytes(bytes[..len].to_vec());
            assert!(PositionCursor::decode(&cut).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn another_store_the_other_direction_and_the_future_are_refused() {
        let cursor = sample().encode();
        let store = sample().store;
        assert!(PositionCursor::of(&cursor, store, Direction::Ascending).is_ok());
        assert!(PositionCursor::of(&cursor, store, Direction::Descending).is_err());
        assert!(PositionCursor::of(&cursor, StoreId::random(), Direction::Ascending).is_err());
        assert!(sample().check_head((1 << 40) - 1).is_err());
        assert!(sample().check_head(1 << 40).is_ok());
    }
}

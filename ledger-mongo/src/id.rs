//! The id of an entry: which stream, and where in it.

use std::fmt;
use std::str::FromStr;

use ledger_core::{Error, Kind, Limits, Result, Rule};
use mongodb::bson::oid::ObjectId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The identity of an entry in MongoDB: 12 bytes, the number of its stream
/// (`u32`, big endian) and its version (`u64`, big endian). It is the `_id` of
/// the document, as an `ObjectId`.
///
/// Ids of one stream compare in the order of their entries. **It is not a
/// timestamp**: what tools show as the time of such an `ObjectId` means
/// nothing; see `recorded_at`.
///
/// As text it is 24 hexadecimal digits.
///
/// ```
/// use ledger_mongo::MongoId;
///
/// let id = MongoId::new(7, 42);
/// assert_eq!(id.to_string(), "00000007000000000000002a");
/// assert_eq!("00000007000000000000002A".parse(), Ok(id));
/// assert_eq!((id.stream_number(), id.version()), (7, 42));
/// assert!(id < MongoId::new(7, 43));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MongoId {
    number: u32,
    version: u64,
}

impl MongoId {
    /// The id of a version of the stream with this number. No store gives out
    /// number 0, version 0, or a version above 2⁶³−1; requests with such an id
    /// are refused.
    #[must_use]
    pub const fn new(number: u32, version: u64) -> Self {
        Self { number, version }
    }

    /// The number that the store gave the stream.
    #[must_use]
    pub const fn stream_number(self) -> u32 {
        self.number
    }

    /// The place in the stream: 1, 2, 3, ….
    #[must_use]
    pub const fn version(self) -> u64 {
        self.version
    }

    pub(crate) fn object_id(self) -> ObjectId {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.number.to_be_bytes());
        bytes[4..].copy_from_slice(&self.version.to_be_bytes());
        ObjectId::from_bytes(bytes)
    }

    /// What an `_id` says, whether or not a store would give it out.
    pub(crate) fn from_object_id(id: ObjectId) -> Self {
        let [a, b, c, d, version @ ..] = id.bytes();
        Self::new(
            u32::from_be_bytes([a, b, c, d]),
            u64::from_be_bytes(version),
        )
    }

    /// # Errors
    ///
    /// `InvalidInput` for an id that no store gives out.
    pub(crate) fn check(self, field: &'static str) -> Result<Self> {
        if self.number == 0 || self.version == 0 {
            return Err(Error::invalid_input(field, Rule::AtLeast, 1, 0));
        }
        let most = Limits::TABLE.position;
        if self.version > most {
            let refused = Error::invalid_input(field, Rule::AtMost, most, self.version);
            return Err(refused);
        }
        Ok(self)
    }
}

impl fmt::Display for MongoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{:016x}", self.number, self.version)
    }
}

impl fmt::Debug for MongoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MongoId({self})")
    }
}

/// The text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 24 hexadecimal digits")
    }
}

impl std::error::Error for InvalidId {}

impl From<InvalidId> for Error {
    fn from(invalid: InvalidId) -> Self {
        Self::new(Kind::InvalidCursor, "not the text of an id").caused_by(invalid)
    }
}

impl FromStr for MongoId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        // The length in bytes, and no signs, which `from_str_radix` would take.
        if text.len() != 24 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidId);
        }
        let (number, version) = text.split_at(8);
        Ok(Self {
            number: u32::from_str_radix(number, 16).map_err(|_| InvalidId)?,
            version: u64::from_str_radix(version, 16).map_err(|_| InvalidId)?,
        })
    }
}

impl Serialize for MongoId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MongoId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidId, MongoId};

    #[test]
    fn text_and_bytes_come_back_and_keep_the_order() {
        let ids = [
            MongoId::new(1, 1),
            MongoId::new(1, 256),
            MongoId::new(1, u64::MAX),
            MongoId::new(256, 1),
            MongoId::new(u32::MAX, 9),
        ];
        assert!(ids.is_sorted());
        assert!(ids.map(MongoId::object_id).is_sorted());
        for id in ids {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(MongoId::from_object_id(id.object_id()), id);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "0",
            "+0000007000000000000002a",
            "0000000700000000000002a",
            "é",
        ] {
            assert_eq!(text.parse::<MongoId>(), Err(InvalidId), "{text}");
        }
        assert!("00000007000000000000002ag".parse::<MongoId>().is_err());
    }

    #[test]
    fn ids_that_no_store_gives_out_are_refused() {
        for bad in [(0, 1), (1, 0), (1, 1 << 63)] {
            assert!(
                MongoId::new(bad.0, bad.1).check("after").is_err(),
                "{bad:?}"
            );
        }
        assert!(MongoId::new(1, (1 << 63) - 1).check("after").is_ok());
    }
}

//! The stored form of an entry.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | CRC-32 (ISO-HDLC) of all that follows, little endian |
//! | 4.. | [`Head`] in postcard, which knows where it ends |
//! | the rest | the payload, as it was given |
//!
//! The checksum is there because redb verifies its own only when it repairs a
//! file: a flipped bit has to be `Corrupt`, never another payload.

use bytes::Bytes;
use ledger_core::{ContentType, Metadata, RawEntry, Record, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::corrupt;

/// Everything but the payload and the id, which is the key of the row.
#[derive(Debug, Serialize, Deserialize)]
struct Head<'a> {
    stream: u64,
    version: u64,
    /// Microseconds since 1970.
    at: i64,
    schema_version: u32,
    content_type: &'a str,
    order_key: Option<&'a str>,
    dedup_key: Option<&'a str>,
    #[serde(borrow)]
    metadata: Vec<(&'a str, &'a str)>,
}

/// The bytes of an entry of a stream.
pub(crate) fn encode(
    stream: u64,
    version: u64,
    at: Timestamp,
    entry: &RawEntry,
) -> Result<Vec<u8>> {
    let head = Head {
        stream,
        version,
        at: at.as_micros(),
        schema_version: entry.schema_version,
        content_type: entry.content_type.as_str(),
        order_key: entry.order_key.as_deref(),
        dedup_key: entry.dedup_key.as_deref(),
        metadata: entry.metadata.iter().collect(),
    };
    let unwritable = |e| corrupt("an entry cannot be written").caused_by(e);
    let mut bytes = vec![0; 4];
    bytes.reserve(entry.size() + 64);
    let mut bytes = postcard::to_extend(&head, bytes).map_err(unwritable)?;
    bytes.extend_from_slice(&entry.payload);
    let crc = crc32fast::hash(&bytes[4..]);
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
    Ok(bytes)
}

/// An entry back from its bytes, and the number of its stream.
pub(crate) fn decode(id: i64, bytes: &[u8]) -> Result<(u64, Record<i64>)> {
    let damaged = || corrupt("an entry is damaged").with("id", id);
    let (crc, body) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
    if crc32fast::hash(body).to_le_bytes() != *crc {
        return Err(damaged());
    }
    let (head, payload) =
        postcard::take_from_bytes::<Head<'_>>(body).map_err(|e| damaged().caused_by(e))?;
    let content_type = ContentType::parse(head.content_type).map_err(|_| damaged())?;
    let at = Timestamp::from_micros(head.at).ok_or_else(damaged)?;
    let payload = Bytes::copy_from_slice(payload);
    let mut entry = RawEntry::new(content_type, head.schema_version, payload);
    entry.order_key = head.order_key.map(str::to_owned);
    entry.dedup_key = head.dedup_key.map(str::to_owned);
    entry.metadata = head.metadata.into_iter().collect::<Metadata>();
    Ok((head.stream, Record::new(id, head.version, at, entry)))
}

#[cfg(test)]
mod tests {
    use ledger_core::Kind;

    use super::*;

    #[test]
    fn an_entry_comes_back_and_any_flipped_bit_is_found() {
        let entry = RawEntry::new(ContentType::JSON, 3, "{}")
            .with_order_key("ann")
            .with_dedup_key("evt-1")
            .with_metadata([("source", "api"), ("empty", "")].into_iter().collect());
        let at = Timestamp::from_micros(-7).unwrap();
        let bytes = encode(5, 9, at, &entry).unwrap();
        let (stream, record) = decode(11, &bytes).unwrap();
        assert_eq!((stream, record), (5, Record::new(11, 9, at, entry)));
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(*decode(11, &broken).unwrap_err().kind(), Kind::Corrupt);
        }
        for len in 0..bytes.len() {
            assert!(decode(11, &bytes[..len]).is_err(), "{len} bytes");
        }
    }
}

//! The body of a batch frame, and the entries in it.
//!
//! | bytes | batch |
//! |---|---|
//! | 0..4 | number of the stream, from 0 |
//! | 4..8 | number of entries |
//! | 8..10 | length of the name; 0 unless this is the stream's first batch |
//! | 10.. | the name, then the entries |
//!
//! | bytes | entry |
//! |---|---|
//! | 0..4 | CRC-32 of what follows |
//! | 4..8 | bytes of the entry, all told |
//! | 8..16 | id |
//! | 16..24 | version |
//! | 24..32 | time: microseconds since 1970, UTC |
//! | 32..36 | number of the stream |
//! | 36..40 | schema version |
//! | 40..42 | bytes of the order key; 0 without one |
//! | 42..44 | bytes of the dedup key; 0 without one |
//! | 44..48 | bytes of the metadata |
//! | 48 | bytes of the content type; 0 for a known one |
//! | 49 | number of the known content type, or 0 |
//! | 50.. | content type, order key, dedup key, metadata, payload |
//!
//! Metadata is a sequence of pairs: lengths of key and value, two bytes each,
//! and both texts. An entry says all about itself, so that one can be read
//! without the frame around it.

use bytes::Bytes;
use ledger_core::{ContentType, Metadata, RawEntry, Record, StreamName, Timestamp};

use super::bytes::{Input, len16, len32};

/// Bytes of the fixed part of an entry.
pub(crate) const ENTRY_HEADER: usize = 50;

/// Content types that take one byte. Numbers are never given again.
const KNOWN: [ContentType; 6] = [
    ContentType::JSON,
    ContentType::BYTES,
    ContentType::MESSAGE_PACK,
    ContentType::CBOR,
    ContentType::BSON,
    ContentType::POSTCARD,
];

/// Where an entry belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) id: i64,
    pub(crate) version: u64,
    pub(crate) at: Timestamp,
    pub(crate) stream: u32,
}

fn known(content_type: &ContentType) -> Option<u8> {
    KNOWN
        .iter()
        .position(|k| k == content_type)
        .map(|n| n as u8)
}

fn content_type_len(content_type: &ContentType) -> usize {
    match known(content_type) {
        Some(_) => 0,
        None => content_type.as_str().len(),
    }
}

fn metadata_len(metadata: &Metadata) -> usize {
    metadata.size() + 4 * metadata.len()
}

/// How many bytes an entry takes.
pub(crate) fn entry_len(entry: &RawEntry) -> usize {
    let key = |key: &Option<String>| key.as_ref().map_or(0, String::len);
    ENTRY_HEADER
        + content_type_len(&entry.content_type)
        + key(&entry.order_key)
        + key(&entry.dedup_key)
        + metadata_len(&entry.metadata)
        + entry.payload.len()
}

/// How many bytes come before the entries of a batch.
pub(crate) fn batch_header_len(name: Option<&StreamName>) -> usize {
    10 + name.map_or(0, |name| name.as_str().len())
}

/// Writes what comes before the entries.
pub(crate) fn write_batch_header(
    out: &mut Vec<u8>,
    stream: u32,
    count: usize,
    name: Option<&StreamName>,
) {
    let name = name.map_or("", StreamName::as_str);
    out.extend(stream.to_le_bytes());
    out.extend(len32(count));
    out.extend(len16(name.len()));
    out.extend(name.as_bytes());
}

/// Writes an entry.
pub(crate) fn write_entry(out: &mut Vec<u8>, position: &Position, entry: &RawEntry) {
    let start = out.len();
    let number = known(&entry.content_type);
    let key = |key: &Option<String>| key.as_ref().map_or(0, String::len);
    out.extend([0; 4]);
    out.extend(len32(entry_len(entry)));
    out.extend(position.id.to_le_bytes());
    out.extend(position.version.to_le_bytes());
    out.extend(position.at.as_micros().to_le_bytes());
    out.extend(position.stream.to_le_bytes());
    out.extend(entry.schema_version.to_le_bytes());
    out.extend(len16(key(&entry.order_key)));
    out.extend(len16(key(&entry.dedup_key)));
    out.extend(len32(metadata_len(&entry.metadata)));
    out.push(content_type_len(&entry.content_type) as u8);
    out.push(number.map_or(0, |n| n + 1));
    if number.is_none() {
        out.extend(entry.content_type.as_str().as_bytes());
    }
    for key in [&entry.order_key, &entry.dedup_key] {
        out.extend(key.as_deref().unwrap_or_default().as_bytes());
    }
    for (key, value) in entry.metadata.iter() {
        out.extend(len16(key.len()));
        out.extend(len16(value.len()));
        out.extend(key.as_bytes());
        out.extend(value.as_bytes());
    }
    out.extend_from_slice(&entry.payload);
    let crc = crc32fast::hash(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// The length that an entry claims, from its first eight bytes.
pub(crate) fn claimed_len(bytes: &[u8]) -> Option<usize> {
    let mut input = Input(bytes);
    input.u32()?;
    usize::try_from(input.u32()?)
        .ok()
        .filter(|len| *len >= ENTRY_HEADER)
}

/// An entry as it was read; `None` if it is damaged. The payload is a slice of
/// `bytes`, which begin with the entry.
pub(crate) fn read_entry(bytes: &Bytes) -> Option<(u32, Record<i64>)> {
    let len = claimed_len(bytes)?;
    let whole = bytes.get(..len)?;
    let mut input = Input(whole);
    if input.u32()? != crc32fast::hash(&whole[4..]) {
        return None;
    }
    input.u32()?;
    let (id, version) = (input.i64()?, input.u64()?);
    let at = Timestamp::from_micros(input.i64()?)?;
    let (stream, schema_version) = (input.u32()?, input.u32()?);
    let (order, dedup) = (input.u16()?, input.u16()?);
    let metadata = input.u32()? as usize;
    let (type_len, number) = (input.u8()?, input.u8()?);
    let text = input.text(type_len.into())?;
    let content_type = match number {
        0 => ContentType::parse(text).ok()?,
        n => KNOWN.get(usize::from(n) - 1)?.clone(),
    };
    let order_key = text_of(&mut input, order)?;
    let dedup_key = text_of(&mut input, dedup)?;
    let metadata = metadata_of(input.take(metadata)?)?;
    let payload = bytes.slice(len - input.0.len()..len);
    let mut entry = RawEntry::new(content_type, schema_version, payload);
    entry.order_key = order_key;
    entry.dedup_key = dedup_key;
    entry.metadata = metadata;
    Some((stream, Record::new(id, version, at, entry)))
}

fn text_of(input: &mut Input<'_>, len: u16) -> Option<Option<String>> {
    let text = input.text(len.into())?;
    Some((!text.is_empty()).then(|| text.to_owned()))
}

fn metadata_of(bytes: &[u8]) -> Option<Metadata> {
    let mut input = Input(bytes);
    let mut metadata = Metadata::new();
    while !input.is_empty() {
        let (key, value) = (input.u16()?, input.u16()?);
        let key = input.text(key.into())?;
        metadata.set(key, input.text(value.into())?);
    }
    Some(metadata)
}

/// A batch as it was read.
#[derive(Debug)]
pub(crate) struct BatchBody {
    pub(crate) stream: u32,
    /// Of a stream that begins with this batch.
    pub(crate) name: Option<StreamName>,
    /// The entries, each with its offset in the body.
    pub(crate) entries: Vec<(usize, Record<i64>)>,
}

/// Reads the body of a batch; `None` if it is not one.
pub(crate) fn read_batch(body: &Bytes) -> Option<BatchBody> {
    let mut input = Input(body);
    let (stream, count) = (input.u32()?, input.u32()?);
    let name = input.u16()?;
    let name = input.text(name.into())?;
    let name = match name {
        "" => None,
        name => Some(StreamName::new(name).ok()?),
    };
    let mut at = body.len() - input.0.len();
    let mut entries = Vec::new();
    while at < body.len() {
        let bytes = body.slice(at..);
        let (of, record) = read_entry(&bytes)?;
        if of != stream {
            return None;
        }
        entries.push((at, record));
        at += claimed_len(&bytes)?;
    }
    let whole = entries.len() == count as usize && count > 0;
    whole.then_some(BatchBody {
        stream,
        name,
        entries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position {
            id: 41,
            version: 7,
            at: Timestamp::from_micros(-5).unwrap(),
            stream: 3,
        }
    }

    fn samples() -> Vec<RawEntry> {
        let full = RawEntry::new(
            ContentType::parse("text/x-odd").unwrap(),
            9,
            vec![0, 255, 0],
        )
        .with_order_key("ann")
        .with_dedup_key("évt")
        .with_metadata([("a", ""), ("b", "two")].into_iter().collect());
        let mut all = vec![full, RawEntry::new(ContentType::JSON, 1, "")];
        all.extend(KNOWN.map(|known| RawEntry::new(known, 1, "x")));
        all
    }

    #[test]
    fn entries_come_back() {
        for entry in samples() {
            let mut out = Vec::new();
            write_entry(&mut out, &position(), &entry);
            assert_eq!(out.len(), entry_len(&entry));
            out.extend(b"what follows");
            let (stream, record) = read_entry(&out.into()).unwrap();
            assert_eq!(stream, 3);
            let Position {
                id, version, at, ..
            } = position();
            assert_eq!(record, Record::new(id, version, at, entry));
        }
    }

    #[test]
    fn batches_come_back_and_tell_where_their_entries_are() {
        let name = StreamName::from_static("orders");
        let mut out = Vec::new();
        write_batch_header(&mut out, 3, 2, Some(&name));
        assert_eq!(out.len(), batch_header_len(Some(&name)));
        let entries = samples();
        for entry in &entries[..2] {
            write_entry(&mut out, &position(), entry);
        }
        let body = Bytes::from(out);
        let batch = read_batch(&body).unwrap();
        assert_eq!((batch.stream, batch.name), (3, Some(name)));
        assert_eq!(batch.entries[1].1.entry, entries[1]);
        let second = read_entry(&body.slice(batch.entries[1].0..)).unwrap();
        assert_eq!(second.1, batch.entries[1].1);
        for len in 0..body.len() {
            assert!(read_batch(&body.slice(..len)).is_none(), "{len}");
        }
    }

    /// Catches a checksum that leaves out a byte, and lengths that are believed.
    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let mut out = Vec::new();
        write_entry(&mut out, &position(), &samples()[0]);
        for bit in 0..out.len() * 8 {
            let mut broken = out.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(read_entry(&broken.into()).is_none(), "bit {bit}");
        }
        for len in 0..out.len() {
            assert!(read_entry(&out[..len].to_vec().into()).is_none(), "{len}");
        }
    }
}

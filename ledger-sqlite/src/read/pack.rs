//! A page in one row: what SQLite packs, taken apart.
//!
//! sqlx hands each row through a channel between two threads, column by
//! column, which costs several times what SQLite needs for it. So a page comes
//! as one value: for each entry its numbers and the lengths of its parts, and
//! then the parts, as they are. The numbers are in decimal, each followed by a
//! space, where SQL has packed them, and eight bytes each, least first, where
//! the function of `collect` has. No byte of a part is looked at on the way,
//! U+0000 included.

use bytes::Bytes;
use ledger_core::{ContentType, RawEntry, Record, Result, StreamName, Timestamp};

use crate::error::corrupt;
use crate::row::metadata_from;
use crate::sql::Packing;

/// The numbers and lengths in front of the parts of an entry.
pub(super) const NUMBERS: usize = 10;
/// What stands for NULL among the numbers of the function.
pub(super) const NULL: i64 = i64::MIN;

/// An entry of a page, still in its place.
#[derive(Debug)]
pub(super) struct Packed<'p> {
    pub(super) id: i64,
    /// Whether metadata and payload were too large to be packed.
    pub(super) left_out: bool,
    /// The bytes of all parts, also of those left out.
    pub(super) size: u64,
    version: i64,
    schema_version: i64,
    at: i64,
    content_type: &'p [u8],
    order_key: Option<&'p [u8]>,
    dedup_key: Option<&'p [u8]>,
    stream: Option<&'p [u8]>,
    metadata: Option<&'p [u8]>,
    payload: &'p [u8],
}

/// Takes a page apart. Of an entry whose metadata and payload together are
/// larger than `most`, these two are not there.
pub(super) fn unpack(packing: Packing, mut pack: &[u8], most: i64) -> Result<Vec<Packed<'_>>> {
    let take = match packing {
        Packing::Text => take_number,
        Packing::Function => take_binary,
    };
    let mut page = Vec::new();
    while !pack.is_empty() {
        let entry = next(&mut pack, take, most);
        page.push(entry.ok_or_else(|| corrupt("a page cannot be taken apart"))?);
    }
    // Nothing in SQL promises the order of an aggregate.
    if !page.is_sorted_by(|a: &Packed<'_>, b| a.id < b.id) {
        page.sort_unstable_by_key(|packed| packed.id);
        if !page.is_sorted_by(|a, b| a.id < b.id) {
            return Err(corrupt("an id is there twice").with("table", "entries"));
        }
    }
    Ok(page)
}

fn next<'p>(
    pack: &mut &'p [u8],
    take: impl Fn(&mut &'p [u8]) -> Option<Option<i64>>,
    most: i64,
) -> Option<Packed<'p>> {
    let mut numbers = [None; NUMBERS];
    for number in &mut numbers {
        *number = take(pack)?;
    }
    let [
        id,
        version,
        schema_version,
        at,
        content_type,
        order_key,
        dedup_key,
        stream,
        metadata,
        payload,
    ] = numbers;
    let large = metadata.unwrap_or(0).checked_add(payload?)?;
    let left_out = large > most;
    let mut part = |length: Option<i64>| match length {
        Some(length) => take_bytes(pack, length).map(Some),
        None => Some(None),
    };
    let small = [content_type, order_key, dedup_key].map(|l| l.unwrap_or(0));
    Some(Packed {
        id: id?,
        left_out,
        size: u64::try_from(small.iter().try_fold(large, |sum, l| sum.checked_add(*l))?).ok()?,
        version: version?,
        schema_version: schema_version?,
        at: at?,
        content_type: part(content_type)??,
        order_key: part(order_key)?,
        dedup_key: part(dedup_key)?,
        stream: part(stream)?,
        metadata: part(metadata.filter(|_| !left_out))?,
        payload: part(payload.filter(|_| !left_out))?.unwrap_or_default(),
    })
}

/// A number and the space behind it; nothing in front of the space is NULL.
fn take_number(pack: &mut &[u8]) -> Option<Option<i64>> {
    let negative = pack.first() == Some(&b'-');
    let digits = pack.get(usize::from(negative)..)?;
    let mut number = 0i64;
    for (nth, byte) in digits.iter().enumerate() {
        if *byte == b' ' {
            *pack = &digits[nth + 1..];
            let number = if negative { -number } else { number };
            return match nth {
                0 if negative => None,
                0 => Some(None),
                _ => Some(Some(number)),
            };
        }
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number = number.checked_mul(10)?.checked_add(i64::from(digit))?;
    }
    None
}

/// Eight bytes.
fn take_binary(pack: &mut &[u8]) -> Option<Option<i64>> {
    let (bytes, rest) = pack.split_first_chunk()?;
    *pack = rest;
    let number = i64::from_le_bytes(*bytes);
    Some((number != NULL).then_some(number))
}

fn take_bytes<'p>(pack: &mut &'p [u8], length: i64) -> Option<&'p [u8]> {
    let (part, rest) = pack.split_at_checked(usize::try_from(length).ok()?)?;
    *pack = rest;
    Some(part)
}

impl<'p> Packed<'p> {
    /// The entry. What is not what the ledger writes is `Corrupt`.
    pub(super) fn record(&self) -> Result<Record<i64>> {
        self.entry()
            .map_err(|e| e.with("table", "entries").with("id", self.id))
    }

    fn entry(&self) -> Result<Record<i64>> {
        let content_type = ContentType::parse(text(self.content_type)?)
            .map_err(|e| corrupt("not a content type").caused_by(e))?;
        let schema_version = positive(self.schema_version, "not a schema version")?;
        // A copy, so that one kept entry does not keep its page.
        let payload = Bytes::copy_from_slice(self.payload);
        let mut entry = RawEntry::new(content_type, schema_version, payload);
        entry.order_key = self.order_key.map(text).transpose()?.map(str::to_owned);
        entry.dedup_key = self.dedup_key.map(text).transpose()?.map(str::to_owned);
        if let Some(metadata) = self.metadata {
            entry.metadata = metadata_from(text(metadata)?)?;
        }
        let at = Timestamp::from_micros(self.at).ok_or_else(|| corrupt("not a timestamp"))?;
        let version = positive(self.version, "not a version")?;
        Ok(Record::new(self.id, version, at, entry))
    }

    /// The name of the stream, in a page of the whole store.
    pub(super) fn stream(&self) -> Option<&'p [u8]> {
        self.stream
    }
}

/// The name of a stream.
pub(super) fn stream_name(name: Option<&[u8]>) -> Result<StreamName> {
    let name = name.ok_or_else(|| corrupt("an entry of a stream that does not exist"))?;
    StreamName::new(text(name)?).map_err(|e| corrupt("not a name of a stream").caused_by(e))
}

fn positive<N: TryFrom<i64>>(number: i64, not: &'static str) -> Result<N> {
    let positive = (number > 0).then_some(number);
    positive
        .and_then(|n| N::try_from(n).ok())
        .ok_or_else(|| corrupt(not))
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| corrupt("not UTF-8").caused_by(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::sql::Packing::{Function, Text};

    const TWO: &[u8] = b"3 1 1 0 1  2   0 ckk7 2 1 0 1 0 0 1 2 3 cs{}\0\x20\xff";

    #[test]
    fn a_page_is_taken_apart_at_its_lengths() {
        let page = unpack(Text, TWO, 9).unwrap();
        assert_eq!([page[0].id, page[1].id], [3, 7]);
        assert_eq!(page[0].dedup_key, Some(&b"kk"[..]));
        assert_eq!(
            (page[0].order_key, page[1].order_key),
            (None, Some(&b""[..]))
        );
        assert_eq!(
            (page[0].metadata, page[1].metadata),
            (None, Some(&b"{}"[..]))
        );
        assert_eq!(
            (page[0].stream(), page[1].stream()),
            (None, Some(&b"s"[..]))
        );
        assert_eq!(
            (page[0].payload, page[1].payload),
            (&b""[..], &b"\0 \xff"[..])
        );
        assert_eq!([page[0].size, page[1].size], [3, 6]);
    }

    #[test]
    fn any_cut_and_any_twist_is_refused_and_none_panics() {
        for length in 1..TWO.len() {
            if length != 20 {
                assert!(unpack(Text, &TWO[..length], 9).is_err(), "{length}");
            }
        }
        for at in 0..TWO.len() {
            for byte in [0, b' ', b'-', b'9', 0xff] {
                let mut twisted = TWO.to_vec();
                twisted[at] = byte;
                let _ = unpack(Text, &twisted, 9);
            }
        }
        let twice = [&TWO[..20], &TWO[..20]].concat();
        assert!(unpack(Text, &twice, 9).is_err());
    }

    #[test]
    fn ids_are_brought_into_order_and_large_parts_may_be_missing() {
        let backwards = [&TWO[20..], &TWO[..20]].concat();
        let page = unpack(Text, &backwards, 9).unwrap();
        assert_eq!([page[0].id, page[1].id], [3, 7]);
        let without = &TWO[..TWO.len() - 5];
        let page = unpack(Text, without, 4).unwrap();
        assert!(page[1].left_out && !page[0].left_out);
        assert_eq!(page[1].size, 6);
    }

    #[test]
    fn any_cut_of_numbers_in_bytes_is_refused_and_none_panics() {
        let mut pack = Vec::new();
        for number in [7, 1, 1, 0, 1, NULL, NULL, NULL, NULL, 2] {
            pack.extend(i64::to_le_bytes(number));
        }
        pack.extend(b"c\0\xff");
        let page = unpack(Function, &pack, 9).unwrap();
        assert_eq!((page[0].id, page[0].payload), (7, &b"\0\xff"[..]));
        assert_eq!((page[0].order_key, page[0].content_type), (None, &b"c"[..]));
        for length in 1..pack.len() {
            assert!(unpack(Function, &pack[..length], 9).is_err(), "{length}");
        }
        for at in 0..pack.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut twisted = pack.clone();
                twisted[at] = byte;
                let _ = unpack(Function, &twisted, 9);
            }
        }
    }
}

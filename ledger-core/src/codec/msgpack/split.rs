//! Taking a map apart without reading its values.

use std::borrow::Cow;
use std::str::from_utf8;

use crate::codec::report::Unread;
use crate::error::Result;
use crate::schema::{Document, Field, Format, Key, Value};

/// Opens a payload that is one map.
pub(super) fn document(payload: &[u8]) -> Result<Document<'_>> {
    let mut rest = Bytes(payload);
    let Some(len) = rest.map() else {
        return Err(Document::not_an_object());
    };
    match fields(&mut rest, len) {
        Some(fields) if rest.0.is_empty() => Ok(Document::new(Format::MessagePack, fields)),
        _ => Err(Unread::Broken.report::<Document<'_>>()),
    }
}

fn fields<'a>(rest: &mut Bytes<'a>, len: u64) -> Option<Vec<Field<'a>>> {
    let mut fields = Vec::with_capacity(len.min(64) as usize);
    for _ in 0..len {
        let key = match rest.text()? {
            Some(name) => Key::Text(Cow::Borrowed(from_utf8(name).ok()?)),
            None => Key::Other(rest.value()?),
        };
        fields.push(Field::new(key, rest.value()?));
    }
    Some(fields)
}

/// What is left of a payload. `None` where it ends early, or is no
/// MessagePack.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of `width` bytes, the greatest first.
    fn number(&mut self, width: u64) -> Option<u64> {
        let bytes = self.take(width)?;
        Some(bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    /// How many pairs follow, if a map begins here.
    fn map(&mut self) -> Option<u64> {
        match self.number(1)? {
            first @ 0x80..=0x8f => Some(first & 0x0f),
            0xde => self.number(2),
            0xdf => self.number(4),
            _ => None,
        }
    }

    /// A text; inside, `None` if something else begins here.
    fn text(&mut self) -> Option<Option<&'a [u8]>> {
        let before = self.0;
        let len = match self.number(1)? {
            first @ 0xa0..=0xbf => first & 0x1f,
            0xd9 => self.number(1)?,
            0xda => self.number(2)?,
            0xdb => self.number(4)?,
            _ => {
                self.0 = before;
                return Some(None);
            }
        };
        self.take(len).map(Some)
    }

    /// The bytes of one value, whatever it is. Takes no stack.
    fn value(&mut self) -> Option<Value<'a>> {
        let before = self.0;
        // How many values there still are.
        let mut left: u64 = 1;
        while let Some(others) = left.checked_sub(1) {
            let (skip, inside) = self.head()?;
            self.take(skip)?;
            left = others.checked_add(inside)?;
        }
        let len = before.len() - self.0.len();
        Some(Value::MessagePack(Cow::Borrowed(&before[..len])))
    }

    /// The bytes to skip behind the head of a value, and how many values are
    /// inside of it.
    fn head(&mut self) -> Option<(u64, u64)> {
        let skip = |bytes| Some((bytes, 0));
        let inside = |values| Some((0, values));
        match self.number(1)? {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => skip(0),
            first @ 0x80..=0x8f => inside(2 * (first & 0x0f)),
            first @ 0x90..=0x9f => inside(first & 0x0f),
            first @ 0xa0..=0xbf => skip(first & 0x1f),
            0xc4 | 0xd9 => skip(self.number(1)?),
            0xc5 | 0xda => skip(self.number(2)?),
            0xc6 | 0xdb => skip(self.number(4)?),
            0xc7 => skip(self.number(1)? + 1),
            0xc8 => skip(self.number(2)? + 1),
            0xc9 => skip(self.number(4)? + 1),
            0xcc | 0xd0 => skip(1),
            0xcd | 0xd1 | 0xd4 => skip(2),
            0xca | 0xce | 0xd2 => skip(4),
            0xcb | 0xcf | 0xd3 => skip(8),
            0xd5 => skip(3),
            0xd6 => skip(5),
            0xd7 => skip(9),
            0xd8 => skip(17),
            0xdc => inside(self.number(2)?),
            0xdd => inside(self.number(4)?),
            0xde => inside(2 * self.number(2)?),
            0xdf => inside(2 * self.number(4)?),
            _ => None,
        }
    }
}

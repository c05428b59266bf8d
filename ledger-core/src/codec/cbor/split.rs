//! Taking a map apart without reading its values.

use std::borrow::Cow;

use cbor4ii::core::dec::{Decode, IgnoredAny, is_break};
use cbor4ii::core::types::Map;
use cbor4ii::core::utils::SliceReader;

use super::remaining;
use crate::codec::report::Unread;
use crate::error::Result;
use crate::schema::{Document, Field, Format, Key, Value};

/// Opens a payload that is one map.
pub(super) fn document(payload: &[u8]) -> Result<Document<'_>> {
    let mut reader = SliceReader::new(payload);
    let Ok(len) = Map::len(&mut reader) else {
        return Err(Document::not_an_object());
    };
    match fields(&mut reader, len) {
        Some(fields) if remaining(&mut reader).is_empty() => {
            Ok(Document::new(Format::Cbor, fields))
        }
        _ => Err(Unread::Broken.report::<Document<'_>>()),
    }
}

/// As many fields as `len` says, or up to the break.
fn fields<'a>(reader: &mut SliceReader<'a>, len: Option<usize>) -> Option<Vec<Field<'a>>> {
    let mut fields = Vec::with_capacity(len.unwrap_or(16).min(64));
    loop {
        let ended = match len {
            Some(len) => fields.len() == len,
            None => is_break(reader).ok()?,
        };
        if ended {
            return Some(fields);
        }
        let key = match remaining(reader).first()? >> 5 {
            TEXT => Key::Text(Cow::decode(reader).ok()?),
            _ => Key::Other(value(reader)?),
        };
        fields.push(Field::new(key, value(reader)?));
    }
}

/// The major type of text.
const TEXT: u8 = 3;

/// The bytes of one value, whatever it is.
fn value<'a>(reader: &mut SliceReader<'a>) -> Option<Value<'a>> {
    let before = remaining(reader);
    IgnoredAny::decode(reader).ok()?;
    let len = before.len() - remaining(reader).len();
    Some(Value::Cbor(Cow::Borrowed(&before[..len])))
}

//! The elements of a document, told apart by their types and lengths.

use std::str::from_utf8;

use crate::codec::report::Unread;

type Result<T> = std::result::Result<T, Unread>;

/// The types of elements that something depends on.
pub(super) mod kind {
    pub(in crate::codec::bson) const DOUBLE: u8 = 0x01;
    pub(in crate::codec::bson) const STRING: u8 = 0x02;
    pub(in crate::codec::bson) const DOCUMENT: u8 = 0x03;
    pub(in crate::codec::bson) const ARRAY: u8 = 0x04;
    pub(in crate::codec::bson) const BINARY: u8 = 0x05;
    pub(in crate::codec::bson) const OBJECT_ID: u8 = 0x07;
    pub(in crate::codec::bson) const BOOLEAN: u8 = 0x08;
    pub(in crate::codec::bson) const DATE_TIME: u8 = 0x09;
    pub(in crate::codec::bson) const NULL: u8 = 0x0a;
    pub(in crate::codec::bson) const CODE_WITH_SCOPE: u8 = 0x0f;
    pub(in crate::codec::bson) const INT32: u8 = 0x10;
    pub(in crate::codec::bson) const INT64: u8 = 0x12;
}

/// A type and the bytes of one value.
#[derive(Clone, Copy)]
pub(super) struct Element<'de> {
    pub(super) kind: u8,
    pub(super) bytes: &'de [u8],
}

impl<'de> Element<'de> {
    /// A whole payload.
    pub(super) fn root(payload: &'de [u8]) -> Self {
        Self {
            kind: kind::DOCUMENT,
            bytes: payload,
        }
    }

    /// A number of `N` bytes.
    pub(super) fn number<const N: usize>(self) -> Result<[u8; N]> {
        self.bytes.try_into().map_err(|_| Unread::Broken)
    }

    pub(super) fn text(self) -> Result<&'de str> {
        let [_, _, _, _, text @ .., 0] = self.bytes else {
            return Err(Unread::Broken);
        };
        from_utf8(text).map_err(|_| Unread::Broken)
    }

    /// The subtype and the bytes of a byte string.
    pub(super) fn binary(self) -> Result<(u8, &'de [u8])> {
        match self.bytes {
            [_, _, _, _, subtype, bytes @ ..] => Ok((*subtype, bytes)),
            _ => Err(Unread::Broken),
        }
    }
}

/// What is left of the elements of a document or an array.
pub(super) struct Elements<'de> {
    rest: &'de [u8],
}

impl<'de> Elements<'de> {
    /// The elements of bytes that are exactly one document.
    pub(super) fn of(document: &'de [u8]) -> Result<Self> {
        let (len, rest) = document.split_first_chunk().ok_or(Unread::Broken)?;
        let len = usize::try_from(i32::from_le_bytes(*len)).ok();
        match rest {
            [rest @ .., 0] if len == Some(document.len()) => Ok(Self { rest }),
            _ => Err(Unread::Broken),
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<(&'de str, Element<'de>)>> {
        let Some((kind, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        let end = end_of_name(rest)?;
        let name = from_utf8(&rest[..end]).map_err(|_| Unread::Broken)?;
        let rest = &rest[end + 1..];
        let len = len(*kind, rest).ok_or(Unread::Broken)?;
        let (bytes, rest) = rest.split_at_checked(len).ok_or(Unread::Broken)?;
        self.rest = rest;
        Ok(Some((name, Element { kind: *kind, bytes })))
    }
}

fn end_of_name(bytes: &[u8]) -> Result<usize> {
    let end = bytes.iter().position(|byte| *byte == 0);
    end.ok_or(Unread::Broken)
}

/// How many bytes a value takes; `None` if it has no such length.
fn len(kind: u8, bytes: &[u8]) -> Option<usize> {
    // A length that counts `also` bytes less than the value takes.
    let lengthy = |also: usize, least: usize| {
        let len = i32::from_le_bytes(*bytes.first_chunk()?);
        let len = usize::try_from(len).ok()?;
        (len >= least).then_some(())?;
        len.checked_add(also)
    };
    match kind {
        kind::DOUBLE | kind::INT64 | kind::DATE_TIME | 0x11 => Some(8),
        kind::STRING | 0x0d | 0x0e => lengthy(4, 1),
        kind::DOCUMENT | kind::ARRAY => lengthy(0, 5),
        kind::BINARY => lengthy(5, 0),
        kind::OBJECT_ID => Some(12),
        kind::BOOLEAN => Some(1),
        0x06 | kind::NULL | 0xff | 0x7f => Some(0),
        // A pattern and its options.
        0x0b => {
            let pattern = end_of_name(bytes).ok()? + 1;
            Some(pattern + end_of_name(&bytes[pattern..]).ok()? + 1)
        }
        0x0c => lengthy(16, 1),
        kind::CODE_WITH_SCOPE => lengthy(0, 14),
        kind::INT32 => Some(4),
        0x13 => Some(16),
        _ => None,
    }
}

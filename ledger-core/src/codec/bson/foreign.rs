//! Values that serde's data model does not have: dates, object ids, decimals.
//! The crate `bson` reads them.

use bson::error::Error as BsonError;
use bson::{Bson, Deserializer, RawBson, RawDocument};

use super::element::{Element, Elements, kind};
use crate::codec::report::Unread;

/// Whether an element is of such a type.
pub(super) fn has(element: Element<'_>) -> bool {
    match element.kind {
        kind::DOUBLE
        | kind::STRING
        | kind::DOCUMENT
        | kind::ARRAY
        | kind::BOOLEAN
        | kind::NULL
        | kind::INT32
        | kind::INT64 => false,
        kind::BINARY => element.bytes.get(4) != Some(&0),
        _ => true,
    }
}

/// The value, as the crate would read it.
#[cold]
pub(super) fn value(element: Element<'_>) -> Result<Deserializer, Unread> {
    let Element { kind, bytes } = element;
    if kind == kind::DATE_TIME {
        // The crate would show a date as text, and those whose years do not
        // fit as the last one that does.
        let millis = i64::from_le_bytes(element.number()?).to_string();
        let date = bson::doc! { "$date": { "$numberLong": millis } };
        return Ok(Deserializer::new(date.into()));
    }
    if kind == kind::CODE_WITH_SCOPE {
        let (_, code) = bytes.split_at_checked(4).ok_or(Unread::Broken)?;
        let len = code.first_chunk().copied().map(u32::from_le_bytes);
        let len = len.ok_or(Unread::Broken)? as usize + 4;
        shallow(code.get(len..).ok_or(Unread::Broken)?, MOST_NESTED)?;
    }
    // The crate takes documents only: one with this element, without a name.
    let len = i32::try_from(bytes.len() + 7).map_err(|_| Unread::Broken)?;
    let mut document = Vec::with_capacity(bytes.len() + 7);
    document.extend(len.to_le_bytes());
    document.extend([kind, 0]);
    document.extend(bytes);
    document.push(0);
    let document = RawDocument::from_bytes(&document).map_err(broken)?;
    let value = document.get("").map_err(broken)?.ok_or(Unread::Broken)?;
    let value = Bson::try_from(RawBson::from(value)).map_err(broken)?;
    Ok(Deserializer::new(value))
}

/// How deep the variables of a piece of code may nest.
const MOST_NESTED: u8 = 16;

fn shallow(document: &[u8], levels: u8) -> Result<(), Unread> {
    let levels = levels.checked_sub(1).ok_or(Unread::Unfit)?;
    let mut elements = Elements::of(document)?;
    while let Some((_, element)) = elements.next()? {
        match element.kind {
            kind::DOCUMENT | kind::ARRAY => shallow(element.bytes, levels)?,
            kind::CODE_WITH_SCOPE => return Err(Unread::Unfit),
            _ => {}
        }
    }
    Ok(())
}

#[cold]
pub(super) fn unfit(_: BsonError) -> Unread {
    Unread::Unfit
}

#[cold]
fn broken<E>(_: E) -> Unread {
    Unread::Broken
}

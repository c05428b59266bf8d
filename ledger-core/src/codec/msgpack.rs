//! MessagePack.

mod split;

use std::marker::PhantomData;

use bytes::Bytes;
use rmp_serde::decode::{Deserializer, Error as ReadError, ReadRefReader};
use rmp_serde::encode::Serializer;
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde::{Deserialize, Serialize};

use super::guard::Guard;
use super::report::{Unread, trailing, unwritable};
use super::rules::{Note, Rules};
use super::{Codec, Encoded, SelfDescribing, strict};
use crate::content_type::ContentType;
use crate::error::{Error, Kind, Result};
use crate::schema::{Document, FieldPlan};

/// MessagePack by way of serde, with named fields; content type
/// `application/vnd.msgpack`. Feature `msgpack`.
///
/// Structs are written as maps from their field names, enums with the names
/// of their variants, so that payloads describe themselves. What it writes it
/// reads back exactly: integers, floats with every bit (NaN and the infinities
/// among them), text, and byte strings of types that ask for them, such as
/// those of `serde_bytes` (a plain `Vec<u8>` is an array of numbers).
///
/// **128-bit integers** are not part of MessagePack: they are written as 16
/// opaque bytes. Types that ask for a `u128` or `i128` read them back, also
/// through field steps and out of a [`Document`]; whatever takes what comes
/// sees bytes: `#[serde(flatten)]`, untagged and internally tagged enums, and
/// the keys of the outermost map behind [`fields`](crate::Documents::fields).
///
/// As in JSON, `()` and `None` look the same, so `Some(())` comes back as
/// `None`, and at most 127 arrays, maps and options lie inside each other.
///
/// It reads exactly one value and refuses bytes behind it. Errors name the
/// Rust type, never a value.
///
/// ```
/// use ledger_core::{Codec, ContentType, MessagePack};
///
/// let written = MessagePack.encode(&(u64::MAX, f64::INFINITY))?;
/// assert_eq!(written.content_type, ContentType::MESSAGE_PACK);
/// let read: (u64, f64) = MessagePack.decode(&written.content_type, &written.payload)?;
/// assert_eq!(read, (u64::MAX, f64::INFINITY));
/// # Ok::<(), ledger_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MessagePack;

struct Named;

impl Rules for Named {
    const NAME: &'static str = "MessagePack";
}

impl<T: Serialize + DeserializeOwned> Codec<T> for MessagePack {
    fn encode(&self, value: &T) -> Result<Encoded> {
        Ok(Encoded::new(ContentType::MESSAGE_PACK, to_vec(value)?))
    }

    fn accepts(&self, content_type: &ContentType) -> bool {
        self.knows(content_type)
    }

    fn decode(&self, _: &ContentType, payload: &Bytes) -> Result<T> {
        from_slice(payload, PhantomData)
    }
}

impl SelfDescribing for MessagePack {
    fn knows(&self, content_type: &ContentType) -> bool {
        *content_type == ContentType::MESSAGE_PACK
    }

    fn open<'a>(&self, _: &ContentType, payload: &'a [u8]) -> Result<Document<'a>> {
        split::document(payload)
    }

    fn read_mapped<T: DeserializeOwned>(
        &self,
        _: &ContentType,
        payload: &[u8],
        plan: &FieldPlan,
    ) -> Result<T> {
        whole(payload, |format| plan.read(format, |e| unreadable::<T>(&e)))
    }
}

/// Writes a value, or says why MessagePack cannot hold it.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let mut format = Serializer::new(Vec::with_capacity(128)).with_struct_map();
    strict::write::<Named, _, _, _>(
        value,
        |value| value.serialize(&mut format),
        |_| unwritable::<T>("the type refused to be written as MessagePack"),
    )?;
    Ok(format.into_inner())
}

/// Reads bytes that are exactly one value.
pub(crate) fn from_slice<'de, S: DeserializeSeed<'de>>(
    bytes: &'de [u8],
    seed: S,
) -> Result<S::Value> {
    whole(bytes, |format| {
        seed.deserialize(format)
            .map_err(|e| unreadable::<S::Value>(&e))
    })
}

type Format<'de> = Deserializer<ReadRefReader<'de, [u8]>>;

fn whole<'de, T>(
    bytes: &'de [u8],
    read: impl FnOnce(Guard<'_, &mut Format<'de>, Named>) -> Result<T>,
) -> Result<T> {
    let note = Note::new();
    let mut format = Format::from_read_ref(bytes);
    let read = read(Guard::new(&mut format, &note));
    let value = note.settle::<Named, T>(Kind::Decode, read)?;
    // The reader does not tell how far it has come, but it fails to find the
    // beginning of another value only where nothing is left.
    match bool::deserialize(&mut format) {
        Err(ReadError::InvalidMarkerRead(_)) => Ok(value),
        _ => Err(trailing()),
    }
}

#[cold]
fn unreadable<T>(error: &ReadError) -> Error {
    let why = match error {
        ReadError::InvalidMarkerRead(_)
        | ReadError::InvalidDataRead(_)
        | ReadError::Utf8Error(_) => Unread::Broken,
        _ => Unread::Unfit,
    };
    why.report::<T>()
}

//! CBOR.

mod split;

use std::marker::PhantomData;

use bytes::Bytes;
use cbor4ii::core::dec::{Error as BareError, Read, Reference};
use cbor4ii::core::utils::SliceReader;
use cbor4ii::serde::{DecodeError, Deserializer};
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

use super::guard::Guard;
use super::report::{Unread, trailing, unwritable};
use super::rules::{Note, Rules};
use super::{Codec, Encoded, SelfDescribing, strict};
use crate::content_type::ContentType;
use crate::error::{Error, Kind, Result};
use crate::schema::{Document, FieldPlan};

/// CBOR (RFC 8949) by way of serde, with named fields; content type
/// `application/cbor`. Feature `cbor`.
///
/// Structs are written as maps from their field names, enums with the names
/// of their variants, so that payloads describe themselves. What it writes it
/// reads back exactly: integers up to `u128` and `i128` (as bignums where they
/// need more than 64 bits), floats with every bit (NaN and the infinities
/// among them), text, and byte strings of types that ask for them, such as
/// those of `serde_bytes` (a plain `Vec<u8>` is an array of numbers).
///
/// As in JSON, `()` and `None` are both written as null, so `Some(())` comes
/// back as `None`, and at most 127 arrays, maps and options lie inside each
/// other. Half floats and tags other than bignums are not read where a type
/// takes what comes.
///
/// It reads exactly one value and refuses bytes behind it. Errors name the
/// Rust type, never a value.
///
/// ```
/// use ledger_core::{Cbor, Codec, ContentType};
///
/// let written = Cbor.encode(&(u128::MAX, f64::INFINITY))?;
/// assert_eq!(written.content_type, ContentType::CBOR);
/// let read: (u128, f64) = Cbor.decode(&written.content_type, &written.payload)?;
/// assert_eq!(read, (u128::MAX, f64::INFINITY));
/// # Ok::<(), ledger_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Cbor;

struct Named;

impl Rules for Named {
    const NAME: &'static str = "CBOR";
    // cbor4ii writes `()` as an empty array, and whatever takes what comes
    // (a tree of values, an untagged enum) would see an array.
    const UNITS_ARE_NULL: bool = true;
}

impl<T: Serialize + DeserializeOwned> Codec<T> for Cbor {
    fn encode(&self, value: &T) -> Result<Encoded> {
        Ok(Encoded::new(ContentType::CBOR, to_vec(value)?))
    }

    fn accepts(&self, content_type: &ContentType) -> bool {
        self.knows(content_type)
    }

    fn decode(&self, _: &ContentType, payload: &Bytes) -> Result<T> {
        from_slice(payload, PhantomData)
    }
}

impl SelfDescribing for Cbor {
    fn knows(&self, content_type: &ContentType) -> bool {
        *content_type == ContentType::CBOR
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
        whole(payload, |format| {
            plan.read(format, |e| unreadable::<T, _>(&e))
        })
    }
}

/// Writes a value, or says why CBOR cannot hold it.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    strict::write::<Named, _, _, _>(
        value,
        |value| cbor4ii::serde::to_vec(Vec::with_capacity(128), value),
        |_| unwritable::<T>("the type refused to be written as CBOR"),
    )
}

/// Reads bytes that are exactly one value.
pub(crate) fn from_slice<'de, S: DeserializeSeed<'de>>(
    bytes: &'de [u8],
    seed: S,
) -> Result<S::Value> {
    whole(bytes, |format| {
        seed.deserialize(format)
            .map_err(|e| unreadable::<S::Value, _>(&e))
    })
}

type Format<'de> = Deserializer<SliceReader<'de>>;

fn whole<'de, T>(
    bytes: &'de [u8],
    read: impl FnOnce(Guard<'_, &mut Format<'de>, Named>) -> Result<T>,
) -> Result<T> {
    let note = Note::new();
    let mut format = Format::new(SliceReader::new(bytes));
    let read = read(Guard::new(&mut format, &note));
    let value = note.settle::<Named, T>(Kind::Decode, read)?;
    if remaining(&mut format.into_inner()).is_empty() {
        Ok(value)
    } else {
        Err(trailing())
    }
}

fn remaining<'de>(reader: &mut SliceReader<'de>) -> &'de [u8] {
    match reader.fill(usize::MAX) {
        Ok(Reference::Long(rest)) => rest,
        // A slice is always there as a whole.
        Ok(Reference::Short(_)) | Err(_) => &[],
    }
}

#[cold]
fn unreadable<T, E>(error: &DecodeError<E>) -> Error {
    let why = match error {
        DecodeError::Core(BareError::Eof { .. } | BareError::RequireUtf8 { .. }) => Unread::Broken,
        _ => Unread::Unfit,
    };
    why.report::<T>()
}

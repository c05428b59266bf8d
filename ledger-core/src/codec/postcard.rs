//! postcard.

use ::postcard::{Deserializer, Error as FormatError};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::guard::Guard;
use super::report::{Unread, trailing, unwritable};
use super::rules::{Note, Rules};
use super::{Codec, Encoded, strict};
use crate::content_type::ContentType;
use crate::error::{Error, Kind, Result};

/// postcard by way of serde: the smallest payloads; content type
/// `application/x-postcard`. Feature `postcard`.
///
/// A payload holds neither names nor types, only values in the order of their
/// declaration. So it is **not self-describing**: old versions need their Rust
/// types and [typed steps](crate::Schema::typed), and any change of a type
/// that is already stored (a field more or less, another order, a variant that
/// is not the last) needs a new schema version. A payload read as the wrong
/// type may well yield a value, and a wrong one.
///
/// For types that it supports it is exact: integers up to `u128`, floats with
/// every bit, `Some(None)`. It does **not** support types that look at what
/// comes before they decide: `#[serde(untagged)]`, `#[serde(tag = "…")]` and
/// values of any shape, such as `serde_json::Value`. serde does not let a
/// format see those coming, so they are written without complaint and cannot
/// be read: cover each type that you store with a test that reads it back.
///
/// It refuses, with an [`Encode`](Kind::Encode) error, `#[serde(flatten)]`,
/// fields that `skip_serializing_if` leaves out, more than 127 sequences,
/// structs and options inside each other, and more than 2²⁴ elements and
/// fields in all.
///
/// It reads exactly one value and refuses bytes behind it. Errors name the
/// Rust type, never a value.
///
/// ```
/// use ledger_core::{Codec, ContentType, Postcard};
///
/// let written = Postcard.encode(&(1_u64, "ann".to_owned()))?;
/// assert_eq!(written.content_type, ContentType::POSTCARD);
/// assert_eq!(&written.payload[..], b"\x01\x03ann");
/// let read: (u64, String) = Postcard.decode(&written.content_type, &written.payload)?;
/// assert_eq!(read, (1, "ann".to_owned()));
/// # Ok::<(), ledger_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

struct ByPlace;

impl Rules for ByPlace {
    const NAME: &'static str = "postcard";
    const BY_PLACE: bool = true;
}

impl<T: Serialize + DeserializeOwned> Codec<T> for Postcard {
    fn encode(&self, value: &T) -> Result<Encoded> {
        let bytes = strict::write::<ByPlace, _, _, _>(
            value,
            |value| ::postcard::to_extend(value, Vec::with_capacity(64)),
            |e| {
                unwritable::<T>(match e {
                    FormatError::SerializeSeqLengthUnknown => {
                        "the type does not tell how many elements it has; \
                         is there a `#[serde(flatten)]`?"
                    }
                    _ => "the type refused to be written as postcard",
                })
            },
        )?;
        Ok(Encoded::new(ContentType::POSTCARD, bytes))
    }

    fn accepts(&self, content_type: &ContentType) -> bool {
        *content_type == ContentType::POSTCARD
    }

    fn decode(&self, _: &ContentType, payload: &Bytes) -> Result<T> {
        let note = Note::new();
        let mut format = Deserializer::from_bytes(payload);
        let read = T::deserialize(Guard::<_, ByPlace>::new(&mut format, &note));
        let value =
            note.settle::<ByPlace, T>(Kind::Decode, read.map_err(|e| unreadable::<T>(&e)))?;
        match format.finalize() {
            Ok([]) => Ok(value),
            _ => Err(trailing()),
        }
    }
}

#[cold]
fn unreadable<T>(error: &FormatError) -> Error {
    match error {
        FormatError::SerdeDeCustom => Unread::Unfit.report::<T>(),
        FormatError::WontImplement => Error::new(
            Kind::Decode,
            "the type looks at what comes before it decides, and postcard does not tell",
        )
        .with("type", std::any::type_name::<T>()),
        _ => Unread::Broken.report::<T>(),
    }
}

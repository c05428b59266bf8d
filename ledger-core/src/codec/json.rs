//! JSON.

mod report;

use std::str::from_utf8;

use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

pub(crate) use report::{malformed, unreadable};

use super::rules::Rules;
use super::{Codec, Encoded, SelfDescribing, strict};
use crate::content_type::ContentType;
use crate::error::{Error, Kind, Result};
use crate::schema::{Document, FieldPlan};

/// JSON (RFC 8259) by way of serde; content type `application/json`.
///
/// What it writes it reads back exactly: integers up to `u128` and `i128`
/// keep every digit, floats every bit. So it refuses to write, with an
/// [`Encode`](Kind::Encode) error, what would come back as something else or
/// not at all:
///
/// * **NaN and the infinities**, wherever they are in the value. JSON has no
///   such numbers; serde_json alone would write `null`, and an entry that was
///   appended without complaint could never be read again as a float. Say
///   what you mean in the type: an `Option<f64>`, or an enum.
/// * **More than 127 nested arrays and objects**, because serde_json reads no
///   more. (A `serde_json::value::RawValue` is written as it is and not
///   looked into.)
/// * **Map keys that are neither text, numbers, booleans nor unit variants.**
///
/// It reads exactly one value; anything but white space behind it is an
/// error, as is text that is not UTF-8 anywhere, also in fields that the type
/// ignores. Fields that the type does not know are ignored unless the type
/// says `#[serde(deny_unknown_fields)]`.
///
/// Errors name the place (line and column) and the Rust type, never a value.
/// The error of serde_json is not kept as the source, because it quotes what
/// it found.
///
/// ```
/// use ledger_core::{Codec, ContentType, Json, Kind};
///
/// let written = Json.encode(&u128::MAX)?;
/// assert_eq!(written.content_type, ContentType::JSON);
/// let read: u128 = Json.decode(&written.content_type, &written.payload)?;
/// assert_eq!(read, u128::MAX);
///
/// let error = Json.encode(&vec![1.5, f64::NAN]).unwrap_err();
/// assert_eq!(*error.kind(), Kind::Encode);
/// # Ok::<(), ledger_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<T: Serialize + DeserializeOwned> Codec<T> for Json {
    fn encode(&self, value: &T) -> Result<Encoded> {
        Ok(Encoded::new(ContentType::JSON, to_vec(value)?))
    }

    fn accepts(&self, content_type: &ContentType) -> bool {
        self.knows(content_type)
    }

    fn decode(&self, _: &ContentType, payload: &Bytes) -> Result<T> {
        serde_json::from_str(text(payload)?).map_err(|e| unreadable::<T>(&e))
    }
}

impl SelfDescribing for Json {
    fn knows(&self, content_type: &ContentType) -> bool {
        *content_type == ContentType::JSON
    }

    fn open<'a>(&self, _: &ContentType, payload: &'a [u8]) -> Result<Document<'a>> {
        Document::parse(text(payload)?)
    }

    fn read_mapped<T: DeserializeOwned>(
        &self,
        _: &ContentType,
        payload: &[u8],
        plan: &FieldPlan,
    ) -> Result<T> {
        let mut json = serde_json::Deserializer::from_str(text(payload)?);
        let value = plan.read(&mut json, |e| unreadable::<T>(&e))?;
        json.end().map_err(|e| unreadable::<T>(&e))?;
        Ok(value)
    }
}

struct Text;

impl Rules for Text {
    const NAME: &'static str = "JSON";
    const FINITE: bool = true;
    const OPTIONS_NEST: bool = false;
    const BYTES_NEST: bool = true;
}

/// Writes a value, or says why JSON cannot hold it.
fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(128);
    let mut json = serde_json::Serializer::new(&mut bytes);
    strict::write::<Text, _, _, _>(
        value,
        |value| value.serialize(&mut json),
        |e| report::unwritable::<T>(&e),
    )?;
    Ok(bytes)
}

/// The same as text.
pub(crate) fn to_text<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    String::from_utf8(to_vec(value)?)
        .map_err(|e| Error::new(Kind::Encode, "not UTF-8").caused_by(e.utf8_error()))
}

/// The payload as text. Checked at once and as a whole, so that every way of
/// reading agrees on it: serde_json checks only the strings it hands out.
fn text(payload: &[u8]) -> Result<&str> {
    from_utf8(payload).map_err(|e| Error::new(Kind::Decode, "not UTF-8").caused_by(e))
}

/// Reads text that is exactly one JSON value.
pub(crate) fn from_text<'de, S: DeserializeSeed<'de>>(
    text: &'de str,
    seed: S,
) -> Result<S::Value, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

//! BSON.

mod element;
mod foreign;
mod read;

use std::borrow::Cow;
use std::marker::PhantomData;

use ::bson::error::Error as BsonError;
use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde::ser::{SerializeMap, Serializer};

use self::element::{Element, Elements};
use super::guard::Guard;
use super::report::{Unread, unwritable};
use super::rules::{Note, Rules};
use super::{Codec, Encoded, SelfDescribing, strict};
use crate::content_type::ContentType;
use crate::error::{Kind, Result};
use crate::schema::{Document, Field, FieldPlan, Format, Key, Value};

/// BSON by way of serde; content type `application/bson`. Feature `bson`.
///
/// A payload is a document, so the type must be a struct, a map with text for
/// keys, or an enum whose variants have fields. Values of the types of the
/// crate `bson` (object ids, dates, decimals, …) are stored as what they are.
///
/// What it writes it reads back exactly: floats with every bit (an `f32` is
/// stored as an `f64`; NaN and the infinities are kept), text, and byte
/// strings of types that ask for them, such as those of `serde_bytes` (a plain
/// `Vec<u8>` is an array of numbers). So it refuses to write, with an
/// [`Encode`](Kind::Encode) error, what BSON cannot hold:
///
/// * **integers that do not fit into an `i64`**, whatever their type: BSON has
///   no greater ones;
/// * **map keys that are not text**, and names with U+0000 in them;
/// * more than 127 arrays, documents and options inside each other.
///
/// As in JSON, `()` and `None` look the same. Errors name the Rust type, never
/// a value.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use ledger_core::{Bson, Codec, ContentType, Kind};
///
/// let value = BTreeMap::from([("n".to_owned(), i64::MIN)]);
/// let written = Bson.encode(&value)?;
/// assert_eq!(written.content_type, ContentType::BSON);
/// let read: BTreeMap<String, i64> = Bson.decode(&written.content_type, &written.payload)?;
/// assert_eq!(read, value);
///
/// let error = Bson.encode(&BTreeMap::from([("n".to_owned(), u64::MAX)])).unwrap_err();
/// assert_eq!(*error.kind(), Kind::Encode);
/// # Ok::<(), ledger_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Bson;

struct Documents;

impl Rules for Documents {
    const NAME: &'static str = "BSON";
    const SMALL_INTEGERS: bool = true;
}

impl<T: Serialize + DeserializeOwned> Codec<T> for Bson {
    fn encode(&self, value: &T) -> Result<Encoded> {
        Ok(Encoded::new(ContentType::BSON, to_vec(value)?))
    }

    fn accepts(&self, content_type: &ContentType) -> bool {
        self.knows(content_type)
    }

    fn decode(&self, _: &ContentType, payload: &Bytes) -> Result<T> {
        whole(Element::root(payload), PhantomData)
    }
}

impl SelfDescribing for Bson {
    fn knows(&self, content_type: &ContentType) -> bool {
        *content_type == ContentType::BSON
    }

    fn open<'a>(&self, _: &ContentType, payload: &'a [u8]) -> Result<Document<'a>> {
        let broken = |e: Unread| e.report::<Document<'_>>();
        let mut elements = Elements::of(payload).map_err(broken)?;
        let mut fields = Vec::with_capacity(16);
        while let Some((name, element)) = elements.next().map_err(broken)? {
            let value = Value::Bson(element.kind, Cow::Borrowed(element.bytes));
            fields.push(Field::new(Key::Text(Cow::Borrowed(name)), value));
        }
        Ok(Document::new(Format::Bson, fields))
    }

    fn read_mapped<T: DeserializeOwned>(
        &self,
        _: &ContentType,
        payload: &[u8],
        plan: &FieldPlan,
    ) -> Result<T> {
        let note = Note::new();
        let format = Guard::<_, Documents>::new(Element::root(payload), &note);
        let read = plan.read(format, Unread::report::<T>);
        note.settle::<Documents, T>(Kind::Decode, read)
    }
}

fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    strict::write::<Documents, _, _, _>(
        value,
        |value| ::bson::serialize_to_vec(value),
        |_: BsonError| {
            unwritable::<T>(
                "BSON holds documents (a struct, or a map whose keys are text), \
                 and no names with U+0000",
            )
        },
    )
}

/// Writes what a field of a document can be.
pub(crate) fn to_element<T: Serialize + ?Sized>(value: &T) -> Result<Value<'static>> {
    struct Only<'v, T: ?Sized>(&'v T);

    impl<T: Serialize + ?Sized> Serialize for Only<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry("", self.0)?;
            map.end()
        }
    }

    let document = to_vec(&Only(value))?;
    match Elements::of(&document).and_then(|mut elements| elements.next()) {
        Ok(Some((_, element))) => Ok(Value::Bson(element.kind, element.bytes.to_vec().into())),
        _ => Err(unwritable::<T>("a field of BSON holds one value")),
    }
}

/// Reads an element.
pub(crate) fn from_element<'de, S: DeserializeSeed<'de>>(
    kind: u8,
    bytes: &'de [u8],
    seed: S,
) -> Result<S::Value> {
    whole(Element { kind, bytes }, seed)
}

fn whole<'de, S: DeserializeSeed<'de>>(element: Element<'de>, seed: S) -> Result<S::Value> {
    let note = Note::new();
    let read = seed.deserialize(Guard::<_, Documents>::new(element, &note));
    let read = read.map_err(Unread::report::<S::Value>);
    note.settle::<Documents, S::Value>(Kind::Decode, read)
}

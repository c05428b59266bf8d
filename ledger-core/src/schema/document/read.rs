//! From a payload to a document, and from a document to the type.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::slice;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Document, Field, Format, Key, Value};
use crate::codec::{Unread, json};
use crate::error::{Error, Result};
use crate::schema::fused::{Name, Object, ObjectOnly, Trouble};

impl<'a> Document<'a> {
    /// Opens JSON text that is one object.
    pub(crate) fn parse(text: &'a str) -> Result<Self> {
        let opened = Cell::new(false);
        let seed = Fields { opened: &opened };
        match json::from_text(text, seed) {
            Ok(fields) => Ok(Self::new(Format::Json, fields)),
            Err(_) if !opened.get() => Err(Self::not_an_object()),
            Err(e) => Err(json::malformed(&e)),
        }
    }

    /// The payload is something else.
    #[cold]
    pub(crate) fn not_an_object() -> Error {
        Trouble::NotAnObject.report::<Self>()
    }

    /// Reads the type, in one go.
    pub(in crate::schema) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        let trouble = Cell::new(None);
        let read = T::deserialize(ObjectOnly::new(Lender(self), &trouble));
        match (trouble.get(), read) {
            (None, Ok(value)) => Ok(value),
            (None, Err(e)) => Err(e.report::<T>()),
            (Some(trouble), _) => Err(trouble.report::<T>()),
        }
    }
}

/// Takes the fields of an object apart.
struct Fields<'t> {
    opened: &'t Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Vec<Field<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Vec<Field<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        self.opened.set(true);
        let mut fields = Vec::with_capacity(16);
        while let Some(name) = map.next_key_seed(Lent(PhantomData))? {
            let json: &'de RawValue = map.next_value()?;
            let value = Value::Json(Cow::Borrowed(json.get()));
            fields.push(Field::new(Key::Text(name), value));
        }
        Ok(fields)
    }
}

/// A name: lent by the payload, unless it is written with escapes.
struct Lent<'a>(PhantomData<&'a str>);

impl<'de> DeserializeSeed<'de> for Lent<'de> {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Lent<'de> {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// A document, lent to the type while it is read.
struct Lender<'d>(&'d Document<'d>);

impl<'de> Object<'de> for Lender<'de> {
    type Error = Unread;

    fn visit<V: Visitor<'de>>(
        self,
        visitor: V,
        _: &Cell<Option<Trouble<'de>>>,
    ) -> Result<V::Value, Unread> {
        let mut fields = Remaining {
            fields: self.0.fields.iter(),
            value: None,
        };
        let value = visitor.visit_map(&mut fields)?;
        match fields.fields.next() {
            None => Ok(value),
            Some(_) => Err(Unread::Unfit),
        }
    }

    fn is_human_readable(&self) -> bool {
        self.0.format.is_human_readable()
    }
}

struct Remaining<'d> {
    fields: slice::Iter<'d, Field<'d>>,
    value: Option<&'d Value<'d>>,
}

impl<'de> MapAccess<'de> for Remaining<'de> {
    type Error = Unread;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unread> {
        let Some(Field { key, value }) = self.fields.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        match key {
            Key::Text(name) => seed.deserialize(Name::lent(name)).map(Some),
            Key::Other(key) => key.read(seed).map(Some).map_err(|_| Unread::Unfit),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unread> {
        let value = self.value.take().ok_or(Unread::Unfit)?;
        value.read(seed).map_err(|_| Unread::Unfit)
    }
}

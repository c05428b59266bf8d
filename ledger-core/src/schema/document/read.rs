//! From a payload to a document, and from a document to the type.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::slice;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor,
};
use serde_json::value::RawValue;

use super::{Document, Field};
use crate::codec::json;
use crate::error::Result;
use crate::schema::fused::{Name, Object, ObjectOnly, Trouble};

type JsonError = serde_json::Error;

impl<'a> Document<'a> {
    /// Opens JSON text that is one object.
    pub(crate) fn parse(text: &'a str) -> Result<Self> {
        let opened = Cell::new(false);
        let seed = Fields { opened: &opened };
        match json::from_text(text, seed) {
            Ok(fields) => Ok(Self { fields }),
            Err(_) if !opened.get() => Err(Trouble::NotAnObject.report::<Self>()),
            Err(e) => Err(json::malformed(&e)),
        }
    }

    /// Reads the type, in one go.
    pub(in crate::schema) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        let trouble = Cell::new(None);
        let read = T::deserialize(ObjectOnly::new(Lender(&self.fields), &trouble));
        match (trouble.get(), read) {
            (None, Ok(value)) => Ok(value),
            (None, Err(e)) => Err(json::unreadable::<T>(&e)),
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
            fields.push(Field {
                name,
                json: Cow::Borrowed(json.get()),
            });
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

/// The fields of a document, lent to the type while it is read.
struct Lender<'d>(&'d [Field<'d>]);

impl<'de> Object<'de> for Lender<'de> {
    type Error = JsonError;

    fn visit<V: Visitor<'de>>(
        self,
        visitor: V,
        _: &Cell<Option<Trouble<'de>>>,
    ) -> Result<V::Value, JsonError> {
        let mut fields = Remaining {
            fields: self.0.iter(),
            value: None,
        };
        let value = visitor.visit_map(&mut fields)?;
        match fields.fields.next() {
            None => Ok(value),
            Some(_) => Err(JsonError::custom("the type left fields unread")),
        }
    }

    fn is_human_readable(&self) -> bool {
        true
    }
}

struct Remaining<'d> {
    fields: slice::Iter<'d, Field<'d>>,
    value: Option<&'d str>,
}

impl<'de> MapAccess<'de> for Remaining<'de> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, JsonError> {
        let Some(Field { name, json }) = self.fields.next() else {
            return Ok(None);
        };
        self.value = Some(json);
        seed.deserialize(Name::lent(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, JsonError> {
        let json = self
            .value
            .take()
            .ok_or_else(|| JsonError::custom("a value without a key"))?;
        json::from_text(json, seed)
    }
}

//! The name of a field as a key of the type.

use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

/// A name, as serde_json would offer it: text, but read as a number or a
/// boolean where the type has such keys.
pub(crate) struct Name<'de, 'x, E> {
    text: Text<'de, 'x>,
    error: PhantomData<E>,
}

#[derive(Clone, Copy)]
enum Text<'de, 'x> {
    Lent(&'de str),
    Passing(&'x str),
}

impl<'de, 'x, E> Name<'de, 'x, E> {
    /// A name that lives as long as the payload.
    #[inline]
    pub(crate) fn lent(text: &'de str) -> Self {
        Self {
            text: Text::Lent(text),
            error: PhantomData,
        }
    }

    /// A name that is only there for the moment.
    #[inline]
    pub(super) fn passing(text: &'x str) -> Self {
        Self {
            text: Text::Passing(text),
            error: PhantomData,
        }
    }

    #[inline]
    pub(super) fn as_str(&self) -> &str {
        match self.text {
            Text::Lent(text) | Text::Passing(text) => text,
        }
    }
}

/// A number if serde_json would take it for one, white space not included.
fn number<N: DeserializeOwned>(text: &str) -> Option<N> {
    let [b'-' | b'0'..=b'9', ..] = text.as_bytes() else {
        return None;
    };
    let [.., b'0'..=b'9'] = text.as_bytes() else {
        return None;
    };
    serde_json::from_str(text).ok()
}

macro_rules! numbers {
    ($($method:ident: $visit:ident),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
            match number(self.as_str()) {
                Some(n) => visitor.$visit(n),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de, E: de::Error> Deserializer<'de> for Name<'de, '_, E> {
    type Error = E;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.text {
            Text::Lent(text) => visitor.visit_borrowed_str(text),
            Text::Passing(text) => visitor.visit_str(text),
        }
    }

    numbers! {
        deserialize_i8: visit_i8,
        deserialize_i16: visit_i16,
        deserialize_i32: visit_i32,
        deserialize_i64: visit_i64,
        deserialize_i128: visit_i128,
        deserialize_u8: visit_u8,
        deserialize_u16: visit_u16,
        deserialize_u32: visit_u32,
        deserialize_u64: visit_u64,
        deserialize_u128: visit_u128,
        deserialize_f32: visit_f32,
        deserialize_f64: visit_f64,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.text {
            Text::Lent(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            Text::Passing(text) => visitor.visit_bytes(text.as_bytes()),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        let variant: StrDeserializer<'_, E> = self.as_str().into_deserializer();
        visitor.visit_enum(variant)
    }

    serde::forward_to_deserialize_any! {
        char str string unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

//! A key that is not text on its way to the type.

use std::marker::PhantomData;

use serde::de::{self, Deserializer, Visitor};

/// A key of a format that has more than text. Unlike serde's own
/// deserializers of numbers, it may lie in an option or a newtype.
pub(super) struct Scalar<'de, 'x, E> {
    key: Key<'de, 'x>,
    error: PhantomData<E>,
}

pub(super) enum Key<'de, 'x> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    LongSigned(i128),
    LongUnsigned(u128),
    Float(f64),
    Lent(&'de [u8]),
    Passing(&'x [u8]),
}

impl<'de, 'x, E> Scalar<'de, 'x, E> {
    pub(super) fn new(key: Key<'de, 'x>) -> Self {
        Self {
            key,
            error: PhantomData,
        }
    }
}

impl<'de, E: de::Error> Deserializer<'de> for Scalar<'de, '_, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.key {
            Key::Bool(key) => visitor.visit_bool(key),
            Key::Signed(key) => visitor.visit_i64(key),
            Key::Unsigned(key) => visitor.visit_u64(key),
            Key::LongSigned(key) => visitor.visit_i128(key),
            Key::LongUnsigned(key) => visitor.visit_u128(key),
            Key::Float(key) => visitor.visit_f64(key),
            Key::Lent(key) => visitor.visit_borrowed_bytes(key),
            Key::Passing(key) => visitor.visit_bytes(key),
        }
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

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

//! A deserializer that has an object to offer and nothing else.

use std::cell::Cell;

use serde::de::{self, Deserializer, Visitor};

use super::Trouble;

/// Where the fields come from.
pub(in crate::schema) trait Object<'de>: Sized {
    type Error: de::Error;

    fn visit<V: Visitor<'de>>(
        self,
        visitor: V,
        trouble: &Cell<Option<Trouble<'de>>>,
    ) -> Result<V::Value, Self::Error>;

    fn is_human_readable(&self) -> bool;
}

/// Shows the object to whatever the type asks for. Both engines end here, so
/// that they agree on which types can be read.
pub(in crate::schema) struct ObjectOnly<'de, 't, O> {
    object: O,
    trouble: &'t Cell<Option<Trouble<'de>>>,
}

impl<'de, 't, O> ObjectOnly<'de, 't, O> {
    pub(in crate::schema) fn new(object: O, trouble: &'t Cell<Option<Trouble<'de>>>) -> Self {
        Self { object, trouble }
    }
}

impl<'de, O: Object<'de>> Deserializer<'de> for ObjectOnly<'de, '_, O> {
    type Error = O::Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, O::Error> {
        self.object.visit(visitor, self.trouble)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, O::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, O::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, O::Error> {
        Err(Trouble::ExternallyTagged.stop(self.trouble))
    }

    fn is_human_readable(&self) -> bool {
        self.object.is_human_readable()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

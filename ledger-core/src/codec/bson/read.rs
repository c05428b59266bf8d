//! Reading elements by way of serde. The crate `bson` keeps its own reader of
//! bytes to itself, and does not count how deep it goes.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::element::{Element, Elements, kind};
use super::foreign;
use crate::codec::report::Unread;
use crate::schema::Name;

impl<'de> Deserializer<'de> for Element<'de> {
    type Error = Unread;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.kind {
            kind::DOUBLE => visitor.visit_f64(f64::from_le_bytes(self.number()?)),
            kind::STRING => visitor.visit_borrowed_str(self.text()?),
            kind::DOCUMENT => whole(Elements::of(self.bytes)?, |fields| {
                visitor.visit_map(fields)
            }),
            kind::ARRAY => whole(Elements::of(self.bytes)?, |values| {
                visitor.visit_seq(values)
            }),
            kind::BINARY => match self.binary()? {
                (0, bytes) => visitor.visit_borrowed_bytes(bytes),
                _ => foreign::value(self)?
                    .deserialize_any(visitor)
                    .map_err(foreign::unfit),
            },
            kind::BOOLEAN => match self.bytes {
                [0] => visitor.visit_bool(false),
                [1] => visitor.visit_bool(true),
                _ => Err(Unread::Broken),
            },
            kind::NULL => visitor.visit_unit(),
            kind::INT32 => visitor.visit_i32(i32::from_le_bytes(self.number()?)),
            kind::INT64 => visitor.visit_i64(i64::from_le_bytes(self.number()?)),
            _ => foreign::value(self)?
                .deserialize_any(visitor)
                .map_err(foreign::unfit),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        if self.kind == kind::OBJECT_ID {
            visitor.visit_borrowed_bytes(self.bytes)
        } else {
            self.deserialize_any(visitor)
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        if self.kind == kind::NULL {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unread> {
        if foreign::has(self) {
            // The types of the crate ask for themselves by name.
            foreign::value(self)?
                .deserialize_newtype_struct(name, visitor)
                .map_err(foreign::unfit)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        match self.kind {
            kind::STRING => {
                let variant: StrDeserializer<'_, Unread> = self.text()?.into_deserializer();
                visitor.visit_enum(variant)
            }
            kind::DOCUMENT => {
                let mut elements = Elements::of(self.bytes)?;
                match (elements.next()?, elements.next()?) {
                    (Some((name, content)), None) => visitor.visit_enum(Variant { name, content }),
                    _ => Err(Unread::Unfit),
                }
            }
            _ => Err(Unread::Unfit),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// What is inside of a document or an array.
struct Inside<'de> {
    elements: Elements<'de>,
    next: Option<Element<'de>>,
}

/// All elements must be read.
fn whole<'de, T>(
    elements: Elements<'de>,
    read: impl FnOnce(&mut Inside<'de>) -> Result<T, Unread>,
) -> Result<T, Unread> {
    let mut inside = Inside {
        elements,
        next: None,
    };
    let value = read(&mut inside)?;
    match (inside.next, inside.elements.next()?) {
        (None, None) => Ok(value),
        _ => Err(Unread::Unfit),
    }
}

impl<'de> MapAccess<'de> for Inside<'de> {
    type Error = Unread;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unread> {
        let Some((name, element)) = self.elements.next()? else {
            return Ok(None);
        };
        self.next = Some(element);
        seed.deserialize(Name::lent(name)).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unread> {
        let element = self.next.take().ok_or(Unread::Unfit)?;
        seed.deserialize(element)
    }
}

impl<'de> SeqAccess<'de> for Inside<'de> {
    type Error = Unread;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unread> {
        match self.elements.next()? {
            Some((_, element)) => seed.deserialize(element).map(Some),
            None => Ok(None),
        }
    }
}

/// The one field of a document that is a variant with content.
struct Variant<'de> {
    name: &'de str,
    content: Element<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Unread;
    type Variant = Element<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Element<'de>), Unread> {
        Ok((seed.deserialize(Name::lent(self.name))?, self.content))
    }
}

impl<'de> VariantAccess<'de> for Element<'de> {
    type Error = Unread;

    fn unit_variant(self) -> Result<(), Unread> {
        match self.kind {
            kind::NULL => Ok(()),
            _ => Err(Unread::Unfit),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Unread> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unread> {
        match self.kind {
            kind::ARRAY => self.deserialize_any(visitor),
            _ => Err(Unread::Unfit),
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        match self.kind {
            kind::DOCUMENT => self.deserialize_any(visitor),
            _ => Err(Unread::Unfit),
        }
    }
}

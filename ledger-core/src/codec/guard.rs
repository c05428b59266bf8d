//! Reading no deeper than anything is written.
//!
//! Not every format counts how deep a payload nests: postcard and BSON do not
//! at all, rmp-serde overlooks enums, and cbor4ii has a limit of its own. A
//! few thousand bytes would then overflow the stack, which ends the process.

mod access;
mod watched;

use std::marker::PhantomData;

use serde::de::{Deserializer, Visitor};

use super::rules::{Note, Rules};
use access::Variants;
use watched::Watched;

/// A deserializer that counts levels, and elements where the rules say so.
pub(crate) struct Guard<'r, D, R> {
    inner: D,
    depth: u8,
    note: &'r Note,
    rules: PhantomData<R>,
}

impl<'r, D, R> Guard<'r, D, R> {
    pub(super) fn new(inner: D, note: &'r Note) -> Self {
        Self::at(inner, 0, note)
    }

    #[inline]
    fn at(inner: D, depth: u8, note: &'r Note) -> Self {
        Self {
            inner,
            depth,
            note,
            rules: PhantomData,
        }
    }

    #[inline]
    fn watch<V>(&self, visitor: V) -> Watched<'r, V, R> {
        Watched::new(visitor, self.depth, self.note)
    }
}

macro_rules! hand_on {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.watch(visitor);
            self.inner.$method(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>, R: Rules> Deserializer<'de> for Guard<'_, D, R> {
    type Error = D::Error;

    hand_on! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_seq deserialize_map deserialize_identifier deserialize_ignored_any
    }

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.watch(visitor).null_is_unit();
        self.inner.deserialize_any(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.watch(visitor);
        if R::UNITS_ARE_NULL {
            self.inner.deserialize_option(visitor.null_is_unit())
        } else {
            self.inner.deserialize_unit(visitor)
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.watch(visitor);
        if R::UNITS_ARE_NULL {
            self.inner.deserialize_option(visitor.null_is_unit())
        } else {
            self.inner.deserialize_unit_struct(name, visitor)
        }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.watch(visitor);
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.watch(visitor);
        self.inner.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.watch(visitor);
        self.inner.deserialize_tuple_struct(name, len, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.watch(visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.watch(visitor);
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The depth after opening `levels` more.
#[inline]
fn deeper<E: serde::de::Error>(note: &Note, depth: u8, levels: u8) -> Result<u8, E> {
    note.deeper(depth, levels).map_err(E::custom)
}

/// Whoever offers the variants of an enum.
#[inline]
fn variants<A, R>(inner: A, depth: u8, note: &Note) -> Variants<'_, A, R> {
    Variants::new(inner, depth, note)
}

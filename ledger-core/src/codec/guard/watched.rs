//! A visitor whose parts are guarded too.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::access::Elements;
use super::{Guard, deeper, variants};
use crate::codec::rules::{Note, Rules};

/// The type's visitor.
pub(super) struct Watched<'r, V, R> {
    visitor: V,
    depth: u8,
    note: &'r Note,
    null_is_unit: bool,
    rules: PhantomData<R>,
}

impl<'r, V, R> Watched<'r, V, R> {
    #[inline]
    pub(super) fn new(visitor: V, depth: u8, note: &'r Note) -> Self {
        Self {
            visitor,
            depth,
            note,
            null_is_unit: false,
            rules: PhantomData,
        }
    }

    /// Shows an absent value as `()`: what it was, if it was not an option.
    #[inline]
    pub(super) fn null_is_unit(self) -> Self
    where
        R: Rules,
    {
        Self {
            null_is_unit: R::UNITS_ARE_NULL,
            ..self
        }
    }
}

macro_rules! hand_on {
    ($($method:ident: $ty:ty),* $(,)?) => {$(
        #[inline]
        fn $method<E: de::Error>(self, value: $ty) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>, R: Rules> Visitor<'de> for Watched<'_, V, R> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    hand_on! {
        visit_bool: bool, visit_i8: i8, visit_i16: i16, visit_i32: i32, visit_i64: i64,
        visit_i128: i128, visit_u8: u8, visit_u16: u16, visit_u32: u32, visit_u64: u64,
        visit_u128: u128, visit_f32: f32, visit_f64: f64, visit_char: char, visit_str: &str,
        visit_borrowed_str: &'de str, visit_string: String, visit_bytes: &[u8],
        visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>,
    }

    #[inline]
    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        if self.null_is_unit {
            self.visitor.visit_unit()
        } else {
            self.visitor.visit_none()
        }
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let depth = deeper(self.note, self.depth, R::OPTIONS_NEST.into())?;
        let inner = Guard::<_, R>::at(inner, depth, self.note);
        self.visitor.visit_some(inner)
    }

    #[inline]
    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = Guard::<_, R>::at(inner, self.depth, self.note);
        self.visitor.visit_newtype_struct(inner)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let depth = deeper(self.note, self.depth, 1)?;
        let elements = Elements::<_, R>::new(inner, depth, self.note);
        self.visitor.visit_seq(elements)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let depth = deeper(self.note, self.depth, 1)?;
        let elements = Elements::<_, R>::new(inner, depth, self.note);
        self.visitor.visit_map(elements)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor
            .visit_enum(variants::<_, R>(inner, self.depth, self.note))
    }
}

//! Writing JSON that can be read back.

mod compound;

use std::cell::Cell;
use std::fmt::Display;

use serde::ser::{Serialize, Serializer};

use super::report::unwritable;
use crate::error::{Error, Kind, Result};

/// How many arrays and objects serde_json reads inside each other.
const MOST_NESTED: u8 = 127;

/// Writes a value, or says why JSON cannot hold it.
pub(super) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(128);
    let refusal = Cell::new(None);
    let mut json = serde_json::Serializer::new(&mut bytes);
    let written = value.serialize(Strict {
        inner: &mut json,
        depth: 0,
        refusal: &refusal,
    });
    match (refusal.get(), written) {
        (None, Ok(())) => Ok(bytes),
        (None, Err(e)) => Err(unwritable::<T>(&e)),
        (Some(refusal), _) => Err(refusal.report()),
    }
}

/// The same as text.
pub(crate) fn to_text<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    String::from_utf8(to_vec(value)?)
        .map_err(|e| Error::new(Kind::Encode, "not UTF-8").caused_by(e.utf8_error()))
}

/// What serde_json would have written, though it could not be read back.
#[derive(Clone, Copy)]
enum Refusal {
    NotFinite,
    TooDeep,
}

impl Refusal {
    #[cold]
    fn report(self) -> Error {
        let message = match self {
            Self::NotFinite => "a float is NaN or infinite, which JSON cannot hold",
            Self::TooDeep => "more than 127 arrays and objects inside each other",
        };
        Error::new(Kind::Encode, message)
    }
}

/// A serializer, or a compound of one, that hands everything on to `inner`
/// except for floats that are not finite and compounds that lie too deep.
///
/// A formatter of serde_json cannot do this: it is told to write `null` for
/// NaN and for `None` alike.
struct Strict<'r, S> {
    inner: S,
    /// How many arrays and objects are open around what comes next.
    depth: u8,
    refusal: &'r Cell<Option<Refusal>>,
}

impl<'r, S> Strict<'r, S> {
    fn refuse<E: serde::ser::Error>(&self, refusal: Refusal) -> E {
        self.refusal.set(Some(refusal));
        E::custom("refused")
    }

    /// The depth after opening `levels` more arrays or objects.
    #[inline]
    fn deeper<E: serde::ser::Error>(&self, levels: u8) -> Result<u8, E> {
        let depth = self.depth.saturating_add(levels);
        if depth > MOST_NESTED {
            Err(self.refuse(Refusal::TooDeep))
        } else {
            Ok(depth)
        }
    }

    /// A value on its way through the inner serializer, which will hand its
    /// own serializer to it.
    #[inline]
    fn inside<'v, T: ?Sized>(&self, depth: u8, value: &'v T) -> Inside<'r, 'v, T> {
        Inside {
            value,
            depth,
            refusal: self.refusal,
        }
    }
}

struct Inside<'r, 'v, T: ?Sized> {
    value: &'v T,
    depth: u8,
    refusal: &'r Cell<Option<Refusal>>,
}

impl<T: Serialize + ?Sized> Serialize for Inside<'_, '_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Strict {
            inner,
            depth: self.depth,
            refusal: self.refusal,
        })
    }
}

macro_rules! hand_on {
    ($($method:ident: $ty:ty),* $(,)?) => {$(
        #[inline]
        fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

/// Opens `$levels` arrays or objects through the inner serializer.
macro_rules! open {
    ($self:ident, $levels:literal, $method:ident($($arg:expr),*)) => {{
        let depth = $self.deeper($levels)?;
        let inner = $self.inner.$method($($arg),*)?;
        Ok(Strict { inner, depth, refusal: $self.refusal })
    }};
}

impl<'r, S: Serializer> Serializer for Strict<'r, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Strict<'r, S::SerializeSeq>;
    type SerializeTuple = Strict<'r, S::SerializeTuple>;
    type SerializeTupleStruct = Strict<'r, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Strict<'r, S::SerializeTupleVariant>;
    type SerializeMap = Strict<'r, S::SerializeMap>;
    type SerializeStruct = Strict<'r, S::SerializeStruct>;
    type SerializeStructVariant = Strict<'r, S::SerializeStructVariant>;

    hand_on! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_i128: i128, serialize_u128: u128, serialize_unit_struct: &'static str,
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if !value.is_finite() {
            return Err(self.refuse(Refusal::NotFinite));
        }
        self.inner.serialize_f32(value)
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if !value.is_finite() {
            return Err(self.refuse(Refusal::NotFinite));
        }
        self.inner.serialize_f64(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<S::Ok, S::Error> {
        self.deeper(1)?;
        self.inner.serialize_bytes(value)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let value = self.inside(self.depth, value);
        self.inner.serialize_some(&value)
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.inside(self.depth, value);
        self.inner.serialize_newtype_struct(name, &value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.inside(self.deeper(1)?, value);
        self.inner
            .serialize_newtype_variant(name, index, variant, &value)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        open!(self, 1, serialize_seq(len))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        open!(self, 1, serialize_tuple(len))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        open!(self, 1, serialize_tuple_struct(name, len))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        open!(self, 2, serialize_tuple_variant(name, index, variant, len))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        open!(self, 1, serialize_map(len))
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        open!(self, 1, serialize_struct(name, len))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        open!(self, 2, serialize_struct_variant(name, index, variant, len))
    }
}

//! Writing only what can be read back.

mod compound;

use std::fmt::Display;
use std::marker::PhantomData;

use serde::ser::{Serialize, Serializer};

use super::rules::{Note, Refusal, Rules};
use crate::error::{Error, Kind, Result};

/// Hands a value to the serializer of a format; refuses what the rules of the
/// format do not allow, and tells the format's own errors by `unwritable`.
pub(super) fn write<R: Rules, T, O, E>(
    value: &T,
    serialize: impl FnOnce(&Inside<'_, '_, T, R>) -> Result<O, E>,
    unwritable: impl FnOnce(E) -> Error,
) -> Result<O>
where
    T: Serialize + ?Sized,
{
    let note = Note::new();
    let written = serialize(&Inside {
        value,
        depth: 0,
        note: &note,
        rules: PhantomData,
    });
    note.settle::<R, O>(Kind::Encode, written.map_err(unwritable))
}

/// A serializer, or a compound of one, that hands everything on to `inner`
/// except for what the rules refuse.
///
/// A formatter of serde_json cannot do this: it is told to write `null` for
/// NaN and for `None` alike.
struct Strict<'r, S, R> {
    inner: S,
    /// How many levels are open around what comes next.
    depth: u8,
    note: &'r Note,
    rules: PhantomData<R>,
}

impl<'r, S, R: Rules> Strict<'r, S, R> {
    fn refuse<E: serde::ser::Error>(&self, refusal: Refusal) -> E {
        E::custom(self.note.refuse(refusal))
    }

    /// The depth after opening `levels` more.
    #[inline]
    fn deeper<E: serde::ser::Error>(&self, levels: u8) -> Result<u8, E> {
        self.note.deeper(self.depth, levels).map_err(E::custom)
    }

    /// One more element or field.
    #[inline]
    fn count<E: serde::ser::Error>(&self) -> Result<(), E> {
        self.note.count::<R>().map_err(E::custom)
    }

    /// A value on its way through the inner serializer, which will hand its
    /// own serializer to it.
    #[inline]
    fn inside<'v, T: ?Sized>(&self, depth: u8, value: &'v T) -> Inside<'r, 'v, T, R> {
        Inside {
            value,
            depth,
            note: self.note,
            rules: PhantomData,
        }
    }
}

/// A value that is written by the rules.
pub(super) struct Inside<'r, 'v, T: ?Sized, R> {
    value: &'v T,
    depth: u8,
    note: &'r Note,
    rules: PhantomData<R>,
}

impl<T: Serialize + ?Sized, R: Rules> Serialize for Inside<'_, '_, T, R> {
    #[inline]
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Strict::<_, R> {
            inner,
            depth: self.depth,
            note: self.note,
            rules: PhantomData,
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

macro_rules! finite {
    ($($method:ident: $ty:ty),* $(,)?) => {$(
        #[inline]
        fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            if R::FINITE && !value.is_finite() {
                return Err(self.refuse(Refusal::NotFinite));
            }
            self.inner.$method(value)
        }
    )*};
}

/// An integer that fits into an `i64` is handed on as one where the format
/// has no greater ones.
macro_rules! integers {
    ($($method:ident: $ty:ty),* $(,)?) => {$(
        #[inline]
        fn $method(self, value: $ty) -> Result<S::Ok, S::Error> {
            if !R::SMALL_INTEGERS {
                return self.inner.$method(value);
            }
            match i64::try_from(value) {
                Ok(value) => self.inner.serialize_i64(value),
                Err(_) => Err(self.refuse(Refusal::TooGreat)),
            }
        }
    )*};
}

/// Opens `$levels` arrays or objects through the inner serializer.
macro_rules! open {
    ($self:ident, $levels:literal, $method:ident($($arg:expr),*)) => {{
        let depth = $self.deeper($levels)?;
        let inner = $self.inner.$method($($arg),*)?;
        Ok(Strict { inner, depth, note: $self.note, rules: PhantomData })
    }};
}

impl<'r, S: Serializer, R: Rules> Serializer for Strict<'r, S, R> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Strict<'r, S::SerializeSeq, R>;
    type SerializeTuple = Strict<'r, S::SerializeTuple, R>;
    type SerializeTupleStruct = Strict<'r, S::SerializeTupleStruct, R>;
    type SerializeTupleVariant = Strict<'r, S::SerializeTupleVariant, R>;
    type SerializeMap = Strict<'r, S::SerializeMap, R>;
    type SerializeStruct = Strict<'r, S::SerializeStruct, R>;
    type SerializeStructVariant = Strict<'r, S::SerializeStructVariant, R>;

    hand_on! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
    }

    integers! { serialize_u64: u64, serialize_i128: i128, serialize_u128: u128 }

    finite! { serialize_f32: f32, serialize_f64: f64 }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<S::Ok, S::Error> {
        self.deeper(R::BYTES_NEST.into())?;
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
        let value = self.inside(self.deeper(R::OPTIONS_NEST.into())?, value);
        self.inner.serialize_some(&value)
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        if R::UNITS_ARE_NULL {
            self.inner.serialize_none()
        } else {
            self.inner.serialize_unit()
        }
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        if R::UNITS_ARE_NULL {
            self.inner.serialize_none()
        } else {
            self.inner.serialize_unit_struct(name)
        }
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

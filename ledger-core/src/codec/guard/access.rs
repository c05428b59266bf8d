//! Elements, fields and variants on their way to the type.

use std::marker::PhantomData;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::watched::Watched;
use super::{Guard, deeper};
use crate::codec::rules::{Note, Rules};

macro_rules! guarded {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        pub(super) struct $name<'r, A, R> {
            inner: A,
            depth: u8,
            note: &'r Note,
            rules: PhantomData<R>,
        }

        impl<'r, A, R> $name<'r, A, R> {
            #[inline]
            pub(super) fn new(inner: A, depth: u8, note: &'r Note) -> Self {
                Self { inner, depth, note, rules: PhantomData }
            }
        }
    )*};
}

guarded! {
    /// What is inside an array or an object.
    Elements,
    /// The type's request for one value.
    Seed,
    /// The variants of an enum, and then the one that was chosen.
    Variants,
}

impl<'de, S: DeserializeSeed<'de>, R: Rules> DeserializeSeed<'de> for Seed<'_, S, R> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let guard = Guard::<_, R>::at(inner, self.depth, self.note);
        self.inner.deserialize(guard)
    }
}

impl<'r, A, R: Rules> Elements<'r, A, R> {
    #[inline]
    fn seed<S>(&self, seed: S) -> Seed<'r, S, R> {
        Seed::new(seed, self.depth, self.note)
    }

    #[inline]
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        self.note.count::<R>().map_err(E::custom)
    }
}

impl<'de, A: SeqAccess<'de>, R: Rules> SeqAccess<'de> for Elements<'_, A, R> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.seed(seed);
        let element = self.inner.next_element_seed(seed)?;
        if element.is_some() {
            self.count()?;
        }
        Ok(element)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>, R: Rules> MapAccess<'de> for Elements<'_, A, R> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.seed(seed);
        let key = self.inner.next_key_seed(seed)?;
        if key.is_some() {
            self.count()?;
        }
        Ok(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.seed(seed);
        self.inner.next_value_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'r, A: EnumAccess<'de>, R: Rules> EnumAccess<'de> for Variants<'r, A, R> {
    type Error = A::Error;
    type Variant = Variants<'r, A::Variant, R>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let seed = Seed::<_, R>::new(seed, self.depth, self.note);
        let (variant, inner) = self.inner.variant_seed(seed)?;
        Ok((variant, Variants::new(inner, self.depth, self.note)))
    }
}

impl<'r, A, R: Rules> Variants<'r, A, R> {
    #[inline]
    fn content<E: serde::de::Error>(&self) -> Result<u8, E> {
        deeper(self.note, self.depth, 1)
    }
}

impl<'de, A: VariantAccess<'de>, R: Rules> VariantAccess<'de> for Variants<'_, A, R> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = Seed::<_, R>::new(seed, self.content()?, self.note);
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = Watched::<_, R>::new(visitor, self.content()?, self.note);
        self.inner.tuple_variant(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = Watched::<_, R>::new(visitor, self.content()?, self.note);
        self.inner.struct_variant(fields, visitor)
    }
}

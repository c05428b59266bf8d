//! A stored field's name on its way to the type.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, Visitor};

use super::Name;
use super::access::Noted;
use super::scalar::{self, Scalar};
use crate::schema::FieldPlan;

/// Looks a name up and hands on what it is called in the end; `None`, leaving
/// the seed where it is, if the field is removed.
pub(super) struct Key<'de, 's, 't, K> {
    pub(super) seed: &'s mut Option<K>,
    pub(super) plan: &'de FieldPlan,
    pub(super) noted: &'s mut Noted<'de, 't>,
}

impl<'de, K: DeserializeSeed<'de>> Key<'de, '_, '_, K> {
    #[inline]
    fn hand_on<E: de::Error>(self, name: Name<'de, '_, E>) -> Result<Option<K::Value>, E> {
        let name = match self.plan.route(name.as_str()) {
            None => name,
            Some((field, route)) => {
                self.noted.arrives(field, &route.meets)?;
                match &route.to {
                    None => return Ok(None),
                    Some(to) => Name::lent(to),
                }
            }
        };
        self.pass(name)
    }

    #[inline]
    fn pass<D: Deserializer<'de>>(self, key: D) -> Result<Option<K::Value>, D::Error> {
        self.seed
            .take()
            .map(|seed| seed.deserialize(key))
            .transpose()
    }
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'de, '_, '_, K> {
    type Value = Option<K::Value>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_any(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for Key<'de, '_, '_, K> {
    type Value = Option<K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    #[inline]
    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
        self.hand_on(Name::lent(name))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        self.hand_on(Name::passing(name))
    }

    // Keys that are not text cannot be mentioned by a mapper.

    fn visit_bool<E: de::Error>(self, key: bool) -> Result<Self::Value, E> {
        self.pass(Scalar::new(scalar::Key::Bool(key)))
    }

    fn visit_i64<E: de::Error>(self, key: i64) -> Result<Self::Value, E> {
        self.pass(Scalar::new(scalar::Key::Signed(key)))
    }

    fn visit_u64<E: de::Error>(self, key: u64) -> Result<Self::Value, E> {
        self.pass(Scalar::new(scalar::Key::Unsigned(key)))
    }

    fn visit_i128<E: de::Error>(self, key: i128) -> Result<Self::Value, E> {
        self.pass(Scalar::new(scalar::Key::LongSigned(key)))
    }

    fn visit_u128<E: de::Error>(self, key: u128) -> Result<Self::Value, E> {
        self.pass(Scalar::new(scalar::Key::LongUnsigned(key)))
    }

    fn visit_f64<E: de::Error>(self, key: f64) -> Result<Self::Value, E> {
        self.pass(Scalar::new(scalar::Key::Float(key)))
    }

    fn visit_bytes<E: de::Error>(self, key: &[u8]) -> Result<Self::Value, E> {
        self.pass(Scalar::new(scalar::Key::Passing(key)))
    }

    fn visit_borrowed_bytes<E: de::Error>(self, key: &'de [u8]) -> Result<Self::Value, E> {
        self.pass(Scalar::new(scalar::Key::Lent(key)))
    }
}

//! Values of any shape, which keep what they were.

use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// A value as a format tells it.
#[derive(Clone, Debug)]
pub(super) enum Val {
    Null,
    Bool(bool),
    Int(i128),
    /// Beyond `i128`.
    Huge(u128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Seq(Vec<Val>),
    Map(Fields),
}

/// By bits.
impl PartialEq for Val {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Huge(a), Self::Huge(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Seq(a), Self::Seq(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

/// Names and values in order, repeated names among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields(pub(super) Vec<(String, Val)>);

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match d.deserialize_map(Any)? {
            Val::Map(fields) => Ok(fields),
            _ => Err(serde::de::Error::custom("not a map")),
        }
    }
}

impl Serialize for Val {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => s.serialize_unit(),
            Self::Bool(value) => s.serialize_bool(*value),
            Self::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => s.serialize_i64(value),
                (_, Ok(value)) => s.serialize_u64(value),
                _ => s.serialize_i128(*value),
            },
            Self::Huge(value) => s.serialize_u128(*value),
            Self::Float(value) => s.serialize_f64(*value),
            Self::Text(value) => s.serialize_str(value),
            Self::Bytes(value) => s.serialize_bytes(value),
            Self::Seq(values) => s.collect_seq(values),
            Self::Map(fields) => fields.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Val {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_unit<E>(self) -> Result<Val, E> {
        Ok(Val::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Val, E> {
        Ok(Val::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Val, E> {
        Ok(Val::Int(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Val, E> {
        Ok(Val::Int(value.into()))
    }
    fn visit_i128<E>(self, value: i128) -> Result<Val, E> {
        Ok(Val::Int(value))
    }
    fn visit_u128<E>(self, value: u128) -> Result<Val, E> {
        Ok(i128::try_from(value).map_or(Val::Huge(value), Val::Int))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Val, E> {
        Ok(Val::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Val, E> {
        Ok(Val::Text(value.to_owned()))
    }
    fn visit_bytes<E>(self, value: &[u8]) -> Result<Val, E> {
        Ok(Val::Bytes(value.to_vec()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Val, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Val::Seq(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Val, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Val::Map(Fields(fields)))
    }
}

/// What a format has.
#[derive(Clone, Copy)]
pub(super) struct Has {
    pub(super) wide_integers: bool,
    pub(super) long_integers: bool,
}

pub(super) fn val(has: Has) -> impl Strategy<Value = Val> {
    let integer = prop_oneof![
        any::<i8>().prop_map(i128::from),
        any::<i64>().prop_map(i128::from),
        any::<u64>().prop_map(i128::from),
        any::<i128>(),
    ]
    .prop_map(move |n| match (has.wide_integers, has.long_integers) {
        (_, true) => n,
        (true, _) => (n as u64).into(),
        _ => (n as i64).into(),
    });
    let huge = any::<u128>().prop_map(move |n| match i128::try_from(n) {
        Err(_) if has.long_integers => Val::Huge(n),
        _ => Val::Int((n as i64).into()),
    });
    let float = any::<u64>().prop_map(f64::from_bits);
    let leaf = prop_oneof![
        Just(Val::Null),
        any::<bool>().prop_map(Val::Bool),
        integer.prop_map(Val::Int),
        huge,
        float.prop_map(Val::Float),
        any::<String>().prop_map(Val::Text),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Val::Bytes),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let named = ("[a-zé]{0,4}", inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Val::Seq),
            prop::collection::vec(named, 0..5).prop_map(|fields| Val::Map(Fields(fields))),
        ]
    })
}

//! The fields of an object as they are after all steps.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::key::Key;
use super::seen::Seen;
use super::{Name, Object, Trouble};
use crate::codec::json;
use crate::schema::FieldPlan;
use crate::schema::fields::Meets;

/// A format's object, seen through a plan.
pub(super) struct Mapped<'de, D> {
    pub(super) format: D,
    pub(super) plan: &'de FieldPlan,
}

impl<'de, D: Deserializer<'de>> Object<'de> for Mapped<'de, D> {
    type Error = D::Error;

    #[inline]
    fn visit<V: Visitor<'de>>(
        self,
        visitor: V,
        trouble: &Cell<Option<Trouble<'de>>>,
    ) -> Result<V::Value, D::Error> {
        let opened = Cell::new(false);
        let visitor = Opening {
            visitor,
            plan: self.plan,
            opened: &opened,
            trouble,
        };
        self.format.deserialize_map(visitor).map_err(|e| {
            if opened.get() {
                e
            } else {
                Trouble::NotAnObject.stop(trouble)
            }
        })
    }

    fn is_human_readable(&self) -> bool {
        self.format.is_human_readable()
    }
}

struct Opening<'de, 't, V> {
    visitor: V,
    plan: &'de FieldPlan,
    opened: &'t Cell<bool>,
    trouble: &'t Cell<Option<Trouble<'de>>>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Opening<'de, '_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, stored: A) -> Result<V::Value, A::Error> {
        self.opened.set(true);
        self.visitor.visit_map(Access {
            stored,
            plan: self.plan,
            noted: Noted {
                seen: Seen::default(),
                trouble: self.trouble,
            },
            next_default: None,
            json: None,
        })
    }
}

/// First the stored fields, then the defaults that are needed.
struct Access<'de, 't, A> {
    stored: A,
    plan: &'de FieldPlan,
    noted: Noted<'de, 't>,
    /// The next default to look at, once the stored fields are through.
    next_default: Option<usize>,
    /// The default whose name was handed out.
    json: Option<(&'de str, &'de str)>,
}

/// The mentioned fields that were there.
pub(super) struct Noted<'de, 't> {
    seen: Seen,
    trouble: &'t Cell<Option<Trouble<'de>>>,
}

impl<'de> Noted<'de, '_> {
    /// Notes a field, unless it meets one that was there before: itself, if
    /// it comes a second time and is renamed.
    #[inline]
    pub(super) fn arrives<E: serde::de::Error>(
        &mut self,
        field: usize,
        meets: &'de Meets,
    ) -> Result<(), E> {
        if let Some((_, name)) = meets.iter().find(|(other, _)| self.seen.has(*other)) {
            return Err(Trouble::AlreadyThere(name).stop(self.trouble));
        }
        self.seen.insert(field);
        Ok(())
    }
}

impl<'de, A: MapAccess<'de>> Access<'de, '_, A> {
    /// The name of the next default that is needed.
    fn fill_in(&mut self, from: usize) -> Result<Option<&'de str>, A::Error> {
        let mut next = from;
        while let Some((field, filler)) = self.plan.default(next) {
            next += 1;
            if filler
                .unless
                .iter()
                .any(|other| self.noted.seen.has(*other))
            {
                continue;
            }
            self.noted.arrives(field, &filler.meets)?;
            if let Some(name) = &filler.to {
                self.next_default = Some(next);
                self.json = Some((name, &filler.json));
                return Ok(Some(name));
            }
        }
        self.next_default = Some(next);
        Ok(None)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Access<'de, '_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let mut seed = Some(seed);
        let from = match self.next_default {
            Some(from) => from,
            None => loop {
                let key = Key {
                    seed: &mut seed,
                    plan: self.plan,
                    noted: &mut self.noted,
                };
                match self.stored.next_key_seed(key)? {
                    Some(Some(key)) => return Ok(Some(key)),
                    Some(None) => drop(self.stored.next_value::<IgnoredAny>()?),
                    None => break 0,
                }
            },
        };
        match (self.fill_in(from)?, seed) {
            (Some(name), Some(seed)) => seed.deserialize(Name::lent(name)).map(Some),
            _ => Ok(None),
        }
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        if self.next_default.is_none() {
            return self.stored.next_value_seed(seed);
        }
        let (name, text) = self
            .json
            .take()
            .ok_or_else(|| A::Error::custom("a value without a key"))?;
        json::from_text(text, seed).map_err(|_| Trouble::Default(name).stop(self.noted.trouble))
    }
}

//! The engine for field steps: the fields of an object are renamed, left out
//! and filled in while the type is being read from it, in a single pass over
//! any self-describing serde format.

mod access;
mod key;
mod name;
mod object;
mod scalar;
mod seen;
mod trouble;

use std::cell::Cell;

use serde::de::{DeserializeOwned, Deserializer};

pub(crate) use name::Name;
pub(super) use object::{Object, ObjectOnly};
pub(super) use trouble::Trouble;

use super::FieldPlan;
use crate::error::{Error, Result};

impl FieldPlan {
    /// Reads `T` from an object whose fields go through this plan: what
    /// [`SelfDescribing::read_mapped`](crate::SelfDescribing::read_mapped)
    /// comes to, once a format's deserializer is there.
    ///
    /// Types keep their hints, so what the format reads exactly stays exact.
    /// The deserializer is only asked for a map, with keys of any type;
    /// whether something follows the object is for the caller to check.
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::Kind::Decode) if the payload is not an object, if a
    /// renamed field meets another, if a default does not fit, or if `T` is
    /// an externally tagged enum, which has no fields of its own. Every other
    /// error of the format is told by `unreadable`, which must not quote the
    /// payload.
    pub fn read<'de, T, D>(
        &'de self,
        format: D,
        unreadable: impl FnOnce(D::Error) -> Error,
    ) -> Result<T>
    where
        T: DeserializeOwned,
        D: Deserializer<'de>,
    {
        let trouble = Cell::new(None);
        let object = access::Mapped { format, plan: self };
        let read = T::deserialize(ObjectOnly::new(object, &trouble));
        match (trouble.get(), read) {
            (None, Ok(value)) => Ok(value),
            (None, Err(e)) => Err(unreadable(e)),
            (Some(trouble), _) => Err(trouble.report::<T>()),
        }
    }
}

//! What stops a read apart from the format and the type.

use std::any::type_name;
use std::cell::Cell;

use serde::de;

use crate::error::{Error, Kind};
use crate::schema::document::already_there;

/// Kept beside the format's own error, which is text made of anything.
#[derive(Clone, Copy)]
pub(in crate::schema) enum Trouble<'p> {
    NotAnObject,
    ExternallyTagged,
    AlreadyThere(&'p str),
    Default(&'p str),
}

impl Trouble<'_> {
    /// Notes it, and stops the format with an error of its own.
    #[cold]
    pub(super) fn stop<E: de::Error>(self, note: &Cell<Option<Self>>) -> E {
        note.set(Some(self));
        E::custom("stopped by a field step")
    }

    #[cold]
    pub(in crate::schema) fn report<T: ?Sized>(self) -> Error {
        let message = match self {
            Self::NotAnObject => return Error::new(Kind::Decode, "the payload is not an object"),
            Self::ExternallyTagged => {
                "an externally tagged enum has no fields to map: \
                 tag it inside (`#[serde(tag = \"…\")]`) or use typed steps"
            }
            Self::AlreadyThere(name) => return already_there(name),
            Self::Default(name) => {
                let error = Error::new(Kind::Decode, "a default does not fit the type");
                return error.with("field", name).with("type", type_name::<T>());
            }
        };
        Error::new(Kind::Decode, message).with("type", type_name::<T>())
    }
}

//! Errors of binary formats, told without what they quote.

use std::any::type_name;
use std::fmt::{self, Display};

use serde::de;

use crate::error::{Error, Kind};

/// Why a payload cannot be read. Keeps no text, so that it cannot tell what
/// was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It does not fit the type.
    Unfit,
    /// It is not of the format.
    #[cfg_attr(
        not(any(
            feature = "bson",
            feature = "cbor",
            feature = "msgpack",
            feature = "postcard"
        )),
        expect(dead_code, reason = "text has its own errors")
    )]
    Broken,
}

impl Unread {
    #[cold]
    pub(crate) fn report<T: ?Sized>(self) -> Error {
        Error::new(Kind::Decode, self.text()).with("type", type_name::<T>())
    }

    fn text(self) -> &'static str {
        match self {
            Self::Unfit => "the data does not fit the type",
            Self::Broken => "the payload is damaged, or not of this format",
        }
    }
}

impl Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Unread {}

impl de::Error for Unread {
    #[cold]
    fn custom<T: Display>(_: T) -> Self {
        Self::Unfit
    }
}

/// More follows behind the value.
#[cfg(any(feature = "cbor", feature = "msgpack", feature = "postcard"))]
#[cold]
pub(super) fn trailing() -> Error {
    Error::new(Kind::Decode, "more follows behind the value")
}

/// A value that the format does not hold, or whose type refused.
#[cfg(any(
    feature = "bson",
    feature = "cbor",
    feature = "msgpack",
    feature = "postcard"
))]
#[cold]
pub(super) fn unwritable<T: ?Sized>(message: &'static str) -> Error {
    Error::new(Kind::Encode, message).with("type", type_name::<T>())
}

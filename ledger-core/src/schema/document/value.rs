//! One value of a document, as it is stored.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeSeed;

#[cfg(feature = "bson")]
use crate::codec::bson;
#[cfg(feature = "cbor")]
use crate::codec::cbor;
use crate::codec::json;
#[cfg(feature = "msgpack")]
use crate::codec::msgpack;
use crate::error::Result;

/// The encoding of a document, in which values that are set are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    #[cfg(feature = "msgpack")]
    MessagePack,
    #[cfg(feature = "cbor")]
    Cbor,
    #[cfg(feature = "bson")]
    Bson,
}

/// The encoding of one value. Defaults are JSON in documents of any format.
pub(crate) enum Value<'a> {
    Json(Cow<'a, str>),
    #[cfg(feature = "msgpack")]
    MessagePack(Cow<'a, [u8]>),
    #[cfg(feature = "cbor")]
    Cbor(Cow<'a, [u8]>),
    /// The type of the element, and its value.
    #[cfg(feature = "bson")]
    Bson(u8, Cow<'a, [u8]>),
}

impl Format {
    /// Writes a value; refuses what the format cannot hold.
    pub(super) fn write<V: Serialize + ?Sized>(self, value: &V) -> Result<Value<'static>> {
        match self {
            Self::Json => json::to_text(value).map(|text| Value::Json(text.into())),
            #[cfg(feature = "msgpack")]
            Self::MessagePack => {
                msgpack::to_vec(value).map(|bytes| Value::MessagePack(bytes.into()))
            }
            #[cfg(feature = "cbor")]
            Self::Cbor => cbor::to_vec(value).map(|bytes| Value::Cbor(bytes.into())),
            #[cfg(feature = "bson")]
            Self::Bson => bson::to_element(value),
        }
    }

    pub(super) fn is_human_readable(self) -> bool {
        self == Self::Json
    }
}

impl Value<'_> {
    /// Reads the value with all that its format knows about it.
    pub(super) fn read<'de, S: DeserializeSeed<'de>>(&'de self, seed: S) -> Result<S::Value> {
        match self {
            Self::Json(text) => json::from_text(text, seed).map_err(|e| json::malformed(&e)),
            #[cfg(feature = "msgpack")]
            Self::MessagePack(bytes) => msgpack::from_slice(bytes, seed),
            #[cfg(feature = "cbor")]
            Self::Cbor(bytes) => cbor::from_slice(bytes, seed),
            #[cfg(feature = "bson")]
            Self::Bson(kind, bytes) => bson::from_element(*kind, bytes, seed),
        }
    }

    /// The same, borrowing nothing.
    #[cfg(feature = "zstd")]
    pub(super) fn into_owned(self) -> Value<'static> {
        fn owned<B: ToOwned + ?Sized>(value: Cow<'_, B>) -> Cow<'static, B> {
            Cow::Owned(value.into_owned())
        }
        match self {
            Self::Json(text) => Value::Json(owned(text)),
            #[cfg(feature = "msgpack")]
            Self::MessagePack(bytes) => Value::MessagePack(owned(bytes)),
            #[cfg(feature = "cbor")]
            Self::Cbor(bytes) => Value::Cbor(owned(bytes)),
            #[cfg(feature = "bson")]
            Self::Bson(kind, bytes) => Value::Bson(kind, owned(bytes)),
        }
    }
}

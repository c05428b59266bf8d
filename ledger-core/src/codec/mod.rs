//! How values become payloads: the public codec traits and the codecs that
//! come with the core.

#[cfg(feature = "bson")]
pub(crate) mod bson;
#[cfg(feature = "cbor")]
pub(crate) mod cbor;
mod either;
#[cfg(any(
    feature = "bson",
    feature = "cbor",
    feature = "msgpack",
    feature = "postcard"
))]
mod guard;
pub(crate) mod json;
#[cfg(feature = "msgpack")]
pub(crate) mod msgpack;
#[cfg(feature = "postcard")]
mod postcard;
mod raw;
mod report;
mod rules;
mod strict;
#[cfg(feature = "zstd")]
mod zstd;

use bytes::Bytes;
use serde::de::DeserializeOwned;

#[cfg(feature = "bson")]
pub use bson::Bson;
#[cfg(feature = "cbor")]
pub use cbor::Cbor;
pub use either::Or;
pub use json::Json;
#[cfg(feature = "msgpack")]
pub use msgpack::MessagePack;
#[cfg(feature = "postcard")]
pub use postcard::Postcard;
pub use raw::Raw;
#[cfg(feature = "zstd")]
pub use zstd::Zstd;

pub(crate) use report::Unread;

use crate::content_type::ContentType;
use crate::error::Result;
use crate::schema::{Document, FieldPlan};

/// A payload and the content type it is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encoded {
    /// How the payload is encoded; stored with the entry.
    pub content_type: ContentType,
    /// The bytes, stored and returned as they are.
    pub payload: Bytes,
}

impl Encoded {
    /// A payload of a content type.
    #[must_use]
    pub fn new(content_type: ContentType, payload: impl Into<Bytes>) -> Self {
        Self {
            content_type,
            payload: payload.into(),
        }
    }
}

/// Writes values of `T` and reads them back.
///
/// The content type belongs to the *result*, not to the codec, so that one
/// codec can leave small payloads uncompressed, or read what an older one
/// wrote ([`Or`]). A stream whose codec does not accept an entry's content
/// type answers with a [`Decode`](crate::Kind::Decode) error that names it.
///
/// ```
/// use bytes::Bytes;
/// use ledger_core::{Codec, ContentType, Encoded, Error, Kind, Result};
///
/// /// Text, as it is.
/// struct PlainText;
///
/// const PLAIN: ContentType = ContentType::from_static("text/plain");
///
/// impl Codec<String> for PlainText {
///     fn encode(&self, value: &String) -> Result<Encoded> {
///         Ok(Encoded::new(PLAIN, value.clone()))
///     }
///     fn accepts(&self, content_type: &ContentType) -> bool {
///         *content_type == PLAIN
///     }
///     fn decode(&self, _: &ContentType, payload: &Bytes) -> Result<String> {
///         String::from_utf8(payload.to_vec())
///             .map_err(|e| Error::new(Kind::Decode, "not UTF-8").caused_by(e.utf8_error()))
///     }
/// }
/// ```
pub trait Codec<T>: Send + Sync {
    /// Writes a value.
    ///
    /// # Errors
    ///
    /// [`Encode`](crate::Kind::Encode) for a value that this encoding cannot
    /// hold exactly. The message must not contain the value.
    fn encode(&self, value: &T) -> Result<Encoded>;

    /// Whether this codec reads payloads of `content_type`.
    fn accepts(&self, content_type: &ContentType) -> bool;

    /// Reads a value. Only called with a content type it
    /// [accepts](Self::accepts).
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::Kind::Decode). The message must not contain the
    /// payload.
    fn decode(&self, content_type: &ContentType, payload: &Bytes) -> Result<T>;
}

/// A codec whose payloads name their own fields, so that old entries can be
/// brought up without their Rust types.
///
/// JSON is one; so are CBOR, MessagePack with named fields, and BSON. postcard and
/// protobuf are not: their schemas evolve through typed steps.
#[diagnostic::on_unimplemented(
    message = "the payloads of `{Self}` do not name their own fields",
    note = "start with `Schema::typed` and bring old versions up with typed steps"
)]
pub trait SelfDescribing: Send + Sync {
    /// Whether this codec reads payloads of `content_type`.
    fn knows(&self, content_type: &ContentType) -> bool;

    /// Opens a payload as a document whose fields can be taken and set.
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::Kind::Decode) if the payload is not an object.
    fn open<'a>(&self, content_type: &ContentType, payload: &'a [u8]) -> Result<Document<'a>>;

    /// Reads `T` while its fields are renamed, removed and filled in, in a
    /// single pass: [`FieldPlan::read`] does it over the format's own
    /// deserializer.
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::Kind::Decode) if the payload is not an object, if two
    /// fields end with one name, or if `T` cannot be read.
    fn read_mapped<T: DeserializeOwned>(
        &self,
        content_type: &ContentType,
        payload: &[u8],
        plan: &FieldPlan,
    ) -> Result<T>;
}

//! The content type stored with each entry.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, Result, Rule};
use crate::limits::{Limits, check_len};

/// How a payload is encoded: 1 to 127 bytes of visible ASCII, such as
/// `application/json`. Compares by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentType(Cow<'static, str>);

impl ContentType {
    /// `application/json`
    pub const JSON: Self = Self(Cow::Borrowed("application/json"));
    /// `application/octet-stream`: bytes that the ledger does not interpret.
    pub const BYTES: Self = Self(Cow::Borrowed("application/octet-stream"));

    /// `application/vnd.msgpack`, as registered: MessagePack
    pub const MESSAGE_PACK: Self = Self(Cow::Borrowed("application/vnd.msgpack"));
    /// `application/cbor`
    pub const CBOR: Self = Self(Cow::Borrowed("application/cbor"));
    /// `application/bson`; not registered, but what MongoDB's tools say.
    pub const BSON: Self = Self(Cow::Borrowed("application/bson"));
    /// `application/x-postcard`; postcard has no registered one.
    pub const POSTCARD: Self = Self(Cow::Borrowed("application/x-postcard"));

    const KNOWN: [Self; 9] = [
        Self::JSON,
        Self::BYTES,
        Self::MESSAGE_PACK,
        Self::CBOR,
        Self::BSON,
        Self::POSTCARD,
        Self::from_static("application/json+zstd"),
        Self::from_static("application/vnd.msgpack+zstd"),
        Self::from_static("application/cbor+zstd"),
    ];

    /// A content type known when compiling, without an allocation.
    ///
    /// # Panics
    ///
    /// If it is not valid; in a constant, that stops the compiler.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        let bytes = text.as_bytes();
        assert!(!bytes.is_empty(), "a content type must not be empty");
        assert!(
            bytes.len() as u64 <= Limits::TABLE.content_type,
            "a content type must be at most 127 bytes"
        );
        let mut at = 0;
        while at < bytes.len() {
            assert!(
                bytes[at].is_ascii_graphic(),
                "a content type must be visible ASCII"
            );
            at += 1;
        }
        Self(Cow::Borrowed(text))
    }

    /// Checks a content type. The well-known ones are returned without an
    /// allocation.
    ///
    /// # Errors
    ///
    /// `InvalidInput` that names the rule.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(known) = Self::KNOWN.iter().find(|known| known.as_str() == text) {
            return Ok(known.clone());
        }
        let field = "content type";
        check_len(field, text.len(), 1, Limits::TABLE.content_type)?;
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid_input(field, Rule::VisibleAscii, 0, 0));
        }
        Ok(Self(Cow::Owned(text.to_owned())))
    }

    /// The content type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

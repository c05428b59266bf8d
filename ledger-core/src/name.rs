//! The name of a stream.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::limits::{Limits, check_text};

/// The name of a stream: 1 to 512 bytes of UTF-8 without U+0000.
///
/// Names compare by bytes: `Order` and `order`, or two Unicode spellings of
/// the same word, are different streams. A clone never copies the text.
///
/// ```
/// use ledger_core::StreamName;
///
/// const ORDERS: StreamName = StreamName::from_static("orders"); // checked by the compiler
/// assert_eq!(StreamName::new("orders")?, ORDERS);
/// assert!(StreamName::new("").is_err());
/// # Ok::<(), ledger_core::Error>(())
/// ```
#[derive(Clone)]
pub struct StreamName(Text);

#[derive(Clone)]
enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

impl StreamName {
    /// Checks a name and keeps a copy of it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an empty name, one above 512 bytes, or one with
    /// U+0000.
    pub fn new(name: impl AsRef<str>) -> Result<Self> {
        let name = name.as_ref();
        check_text("stream name", name, Limits::TABLE.stream_name)?;
        Ok(Self(Text::Shared(name.into())))
    }

    /// A name known when compiling, without an allocation.
    ///
    /// # Panics
    ///
    /// If the name is not valid; in a constant, that stops the compiler.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty(), "a stream name must not be empty");
        assert!(
            bytes.len() as u64 <= Limits::TABLE.stream_name,
            "a stream name must be at most 512 bytes"
        );
        let mut at = 0;
        while at < bytes.len() {
            assert!(bytes[at] != 0, "a stream name must not contain U+0000");
            at += 1;
        }
        Self(Text::Static(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Static(text) => text,
            Text::Shared(text) => text,
        }
    }
}

/// A name that was refused; converts into the [`Error`] that says why.
#[derive(Debug)]
pub struct InvalidName(Error);

impl From<InvalidName> for Error {
    fn from(invalid: InvalidName) -> Self {
        invalid.0
    }
}

impl From<Infallible> for InvalidName {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for InvalidName {}

impl TryFrom<&str> for StreamName {
    type Error = InvalidName;

    fn try_from(name: &str) -> Result<Self, InvalidName> {
        Self::new(name).map_err(InvalidName)
    }
}

impl TryFrom<String> for StreamName {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, InvalidName> {
        Self::new(name).map_err(InvalidName)
    }
}

impl TryFrom<&String> for StreamName {
    type Error = InvalidName;

    fn try_from(name: &String) -> Result<Self, InvalidName> {
        Self::new(name).map_err(InvalidName)
    }
}

impl TryFrom<Cow<'_, str>> for StreamName {
    type Error = InvalidName;

    fn try_from(name: Cow<'_, str>) -> Result<Self, InvalidName> {
        Self::new(name).map_err(InvalidName)
    }
}

impl From<&StreamName> for StreamName {
    fn from(name: &StreamName) -> Self {
        name.clone()
    }
}

impl AsRef<str> for StreamName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for StreamName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for StreamName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for StreamName {}

impl PartialEq<str> for StreamName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for StreamName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for StreamName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StreamName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for StreamName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for StreamName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for StreamName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(text).map_err(serde::de::Error::custom)
    }
}

//! A place in the whole store.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Kind, Result};

/// An opaque, storable place in the whole store.
///
/// Its text form (`Display`, `FromStr`, serde) is URL-safe and round-trips. It
/// is usable for ever with the store that gave it out; any other text or
/// store's cursor is refused as [`InvalidCursor`](Kind::InvalidCursor).
///
/// Cursors only compare for equality: a backend may read its streams
/// interleaved, so that of two cursors none is "later".
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StoreCursor(Bytes);

impl StoreCursor {
    /// The longest form that is accepted: 1 MiB.
    const MAX_BYTES: usize = 1024 * 1024;

    /// A cursor of these bytes. For backends, which put a format tag, a mark
    /// of their store and a checksum into them; see
    /// [`PositionCursor`](crate::backend::PositionCursor).
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for StoreCursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.len() > Self::MAX_BYTES {
            return Err(Error::new(Kind::InvalidCursor, "too long for a cursor"));
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|e| {
            Error::new(Kind::InvalidCursor, "not the text of a cursor").caused_by(e)
        })?;
        Ok(Self(bytes.into()))
    }
}

impl fmt::Display for StoreCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl fmt::Debug for StoreCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreCursor({self})")
    }
}

impl Serialize for StoreCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StoreCursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
